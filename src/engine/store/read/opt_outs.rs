//! Who has opted out, and what supervisors imported.

use jiff::Timestamp;
use rusqlite::params;

use super::{Page, Reader, page, page_length};
use crate::engine::{
    core::ids::{CustomerId, UserId},
    store::{
        codec,
        error::StoreError,
        load::{all, instant, user},
    },
};

/// A customer who has opted out, and could be written to otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutRow {
    /// The place in the list: customers stand in the order in which they were first heard of, or imported.
    pub customer: CustomerId,
    /// The customer's number.
    pub number: String,
    /// When they opted out; none when that was before it was written down.
    pub since: Option<Timestamp>,
    /// How that came about.
    pub by: OptedOutBy,
}

/// How an opt-out came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptedOutBy {
    /// With a word of the customer's.
    Keyword,
    /// At the provider.
    Provider,
    /// Elsewhere; this supervisor imported it.
    Import(UserId),
}

/// An import of opt-outs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutImportRow {
    /// Its place in the list.
    pub id: u64,
    /// The time of the import.
    pub at: Timestamp,
    /// The supervisor.
    pub user: UserId,
    /// Where the list came from, in their words.
    pub source: String,
    /// Numbers on the list.
    pub listed: u32,
    /// Of these, customers who were not opted out before.
    pub opted_out: u32,
}

/// The index holds SQLite to those who have opted out, of whom there are few among all.
pub(super) const OPT_OUTS: &str =
    "SELECT id, address, opted_out_since, opted_out_by, opted_out_user FROM customer INDEXED BY customer_opted_out
     WHERE opted_out = 1 AND can_receive = 1 AND id > ? ORDER BY id LIMIT ?";
pub(super) const IMPORTS: &str =
    "SELECT id, at, user, source, listed, opted_out FROM opt_out_import WHERE id < ? ORDER BY id DESC LIMIT ?";

impl Reader {
    /// A page of those who have opted out, after the one that the last page ended with. Who opts out meanwhile and was heard of earlier is
    /// not on later pages.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn opt_outs(&self, after: Option<CustomerId>, limit: u32) -> Result<Page<OptOutRow, CustomerId>, StoreError> {
        let limit = page_length(limit);
        let after = after.map_or(-1, |after| codec::column(after.0));
        let rows = all(&self.connection.lock(), OPT_OUTS, params![after, limit + 1], |row| {
            let by: Option<String> = row.get(3)?;
            Ok(OptOutRow {
                customer: CustomerId(codec::id(row.get(0)?)),
                number: row.get(1)?,
                since: instant(row, 2)?,
                by: match (by.as_deref(), user(row, 4)?) {
                    (Some("Keyword"), None) => OptedOutBy::Keyword,
                    (Some("Provider"), None) => OptedOutBy::Provider,
                    (Some("Import"), Some(user)) => OptedOutBy::Import(user),
                    (by, user) => return Err(StoreError::Contents(format!("{by:?} by {user:?} is no opt-out"))),
                },
            })
        })?;
        Ok(page(rows, limit, |row| row.customer))
    }

    /// A page of imports, newest first, before the one that the last page ended with.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn opt_out_imports(&self, before: Option<u64>, limit: u32) -> Result<Page<OptOutImportRow, u64>, StoreError> {
        let limit = page_length(limit);
        let before = before.map_or(i64::MAX, codec::column);
        let rows = all(&self.connection.lock(), IMPORTS, params![before, limit + 1], |row| {
            Ok(OptOutImportRow {
                id: codec::id(row.get(0)?),
                at: codec::timestamp(row.get(1)?)?,
                user: UserId::from(row.get::<_, String>(2)?),
                source: row.get(3)?,
                listed: row.get(4)?,
                opted_out: row.get(5)?,
            })
        })?;
        Ok(page(rows, limit, |row| row.id))
    }
}
