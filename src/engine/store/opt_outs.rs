//! What is kept of opt-outs with the customer's row: how and when the one in force came about, and when the newest text came with which
//! they ever opted out (`customer.opted_out_at`). That outlives the text, is raised, set back with the clock only, and needs no row of its own: on a full
//! volume a repeated opt-out is kept too.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Transaction, codec, error::CommitError};
use crate::engine::core::{
    event::OptOutBy,
    ids::{CustomerId, UserId},
};

/// Clocks of gateway and engine may differ by so much.
const MOST_AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// The opt-outs of one transaction. They reach the table at its end, when customers whom it adds have their rows.
#[derive(Debug, Default)]
pub(super) struct OptOuts {
    newest: BTreeMap<CustomerId, Timestamp>,
    /// How it came about; none = the customer opted in again.
    in_force: BTreeMap<CustomerId, Option<InForce>>,
}

/// How an opt-out came about.
#[derive(Debug)]
struct InForce {
    since: Timestamp,
    by: &'static str,
    user: Option<UserId>,
}

impl OptOuts {
    /// A customer opted out, perhaps once more, with a text that the gateway received at an instant. One that is far beyond the channel's
    /// own time is of a clock that was ahead, and would keep the customer from opting in again for as long.
    pub(super) fn add(&mut self, customer: CustomerId, received_at: Timestamp, now: Timestamp) {
        let received_at = now.checked_add(MOST_AHEAD).map_or(received_at, |latest| received_at.min(latest));
        let at = self.newest.entry(customer).or_insert(received_at);
        *at = received_at.max(*at);
    }

    /// A customer who was not opted out is, from now on.
    pub(super) fn began(&mut self, customer: CustomerId, by: &OptOutBy, now: Timestamp) {
        let in_force = match by {
            OptOutBy::Keyword { .. } => InForce { since: now, by: "Keyword", user: None },
            OptOutBy::Provider { .. } => InForce { since: now, by: "Provider", user: None },
            OptOutBy::Import { user, since } => {
                self.add(customer, *since, now);
                InForce { since: *since, by: "Import", user: Some(user.clone()) }
            }
        };
        self.in_force.insert(customer, Some(in_force));
    }

    /// A customer opted in again.
    pub(super) fn ended(&mut self, customer: CustomerId) {
        self.in_force.insert(customer, None);
    }

    /// Time is set back: no opt-out of this transaction is later.
    pub(super) fn set_back(&mut self, to: Timestamp) {
        self.newest.values_mut().for_each(|at| *at = to.min(*at));
        self.in_force.values_mut().flatten().for_each(|in_force| in_force.since = to.min(in_force.since));
    }

    fn of(&self, customer: CustomerId) -> Option<Timestamp> {
        self.newest.get(&customer).copied()
    }

    /// Raises the times in the table, and says how those in force came about.
    pub(super) fn write(&self, sql: &Connection) -> Result<(), CommitError> {
        for (customer, in_force) in &self.in_force {
            let in_force = in_force.as_ref();
            sql.prepare_cached(
                "UPDATE customer SET opted_out_since = ?, opted_out_by = ?, opted_out_user = ? WHERE id = ?",
            )?
            .execute(params![
                in_force.map(|it| codec::nanos(it.since)),
                in_force.map(|it| it.by),
                in_force.and_then(|it| it.user.as_ref()).map(UserId::as_str),
                codec::column(customer.0),
            ])?;
        }
        for (customer, at) in &self.newest {
            sql.prepare_cached("UPDATE customer SET opted_out_at = max(coalesce(opted_out_at, ?1), ?1) WHERE id = ?2")?
                .execute(params![codec::nanos(*at), codec::column(customer.0)])?;
        }
        Ok(())
    }
}

impl Transaction<'_> {
    /// When the newest text came with which a customer ever opted out, by the gateway's clock; none when there was no such text.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn opted_out_at(&self, customer: CustomerId) -> Result<Option<Timestamp>, CommitError> {
        let mut stored = self.sql.prepare_cached("SELECT opted_out_at FROM customer WHERE id = ?")?;
        let stored: Option<i64> = stored.query_row([codec::column(customer.0)], |row| row.get(0)).optional()?.flatten();
        Ok(stored.map(codec::timestamp).transpose()?.max(self.opt_outs.of(customer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_ahead_keeps_nobody_opted_out() {
        let now: Timestamp = "2026-11-27T10:00:00Z".parse().unwrap();
        let hours = |hours| now + SignedDuration::from_hours(hours);
        for (received_at, expected) in
            [(hours(-1), hours(-1)), (now, now), (hours(1), hours(1)), (hours(9000), hours(1))]
        {
            let mut opt_outs = OptOuts::default();
            opt_outs.add(CustomerId(1), received_at, now);
            assert_eq!(opt_outs.of(CustomerId(1)), Some(expected), "{received_at}");
        }
    }
}
