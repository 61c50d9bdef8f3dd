//! When the newest text came with which a customer opted out (`customer.opted_out_at`). It outlives the text, is raised and never set
//! back, and needs no row of its own: on a full volume a repeated opt-out is kept too.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Transaction, codec, error::CommitError};
use crate::engine::core::ids::CustomerId;

/// Clocks of gateway and engine may differ by so much.
const MOST_AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// The opt-outs of one transaction. They reach the table at its end, when customers whom it adds have their rows.
#[derive(Debug, Default)]
pub(super) struct OptOuts(BTreeMap<CustomerId, Timestamp>);

impl OptOuts {
    /// A customer opted out, perhaps once more, with a text that the gateway received at an instant. One that is far beyond the channel's
    /// own time is of a clock that was ahead, and would keep the customer from opting in again for as long.
    pub(super) fn add(&mut self, customer: CustomerId, received_at: Timestamp, now: Timestamp) {
        let received_at = now.checked_add(MOST_AHEAD).map_or(received_at, |latest| received_at.min(latest));
        let at = self.0.entry(customer).or_insert(received_at);
        *at = received_at.max(*at);
    }

    fn of(&self, customer: CustomerId) -> Option<Timestamp> {
        self.0.get(&customer).copied()
    }

    /// Raises the times in the table.
    pub(super) fn write(&self, sql: &Connection) -> Result<(), CommitError> {
        for (customer, at) in &self.0 {
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
