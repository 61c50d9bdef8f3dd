//! When the newest text came with which a customer opted out (`customer.opted_out_at`). It outlives the text, is raised and never set
//! back, and needs no row of its own: on a full volume a repeated opt-out is kept too.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Transaction, codec, error::CommitError};
use crate::engine::core::ids::CustomerId;

/// The opt-outs of one transaction. They reach the table at its end, when customers whom it adds have their rows.
#[derive(Debug, Default)]
pub(super) struct OptOuts(BTreeMap<CustomerId, Timestamp>);

impl OptOuts {
    /// A customer opted out, perhaps once more, with a text that the gateway received at an instant.
    pub(super) fn add(&mut self, customer: CustomerId, received_at: Timestamp) {
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
