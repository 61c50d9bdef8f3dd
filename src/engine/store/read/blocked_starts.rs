//! The starts of interactions that a blocklist stopped.

use jiff::Timestamp;
use rusqlite::params;

use super::{Page, Reader, page, page_length};
use crate::engine::{
    core::ids::UserId,
    store::{codec, error::StoreError, load::all},
};

/// An agent's start of an interaction that a blocklist stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedStartRow {
    /// Its place in the list.
    pub id: u64,
    /// When the agent tried.
    pub at: Timestamp,
    /// The agent who tried.
    pub user: UserId,
    /// The number.
    pub number: String,
}

impl Reader {
    /// A page of the starts that a blocklist stopped, newest first, before the one that the last page ended with.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn blocked_starts(&self, before: Option<u64>, limit: u32) -> Result<Page<BlockedStartRow, u64>, StoreError> {
        let limit = page_length(limit);
        let before = before.map_or(i64::MAX, codec::column);
        let query = "SELECT id, at, user, address FROM blocked_start WHERE id < ? ORDER BY id DESC LIMIT ?";
        let rows = all(&self.connection.lock(), query, params![before, limit + 1], |row| {
            Ok(BlockedStartRow {
                id: codec::id(row.get(0)?),
                at: codec::timestamp(row.get(1)?)?,
                user: UserId::from(row.get::<_, String>(2)?),
                number: row.get(3)?,
            })
        })?;
        Ok(page(rows, limit, |row| row.id))
    }
}
