//! Queries for people: pages of interactions and messages, events for the stream.

mod blocked_starts;
mod bots;
mod events;
mod interactions;
mod messages;
mod of_customer;
mod opt_outs;
mod place;
#[cfg(test)]
mod plan_tests;

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use rusqlite::Connection;

pub use self::{
    blocked_starts::BlockedStartRow,
    bots::BotFailureRow,
    events::NumberedEvent,
    interactions::{InteractionDetail, InteractionFilter, InteractionRow, InteractionState, NoteRow, WITH_INTERACTION},
    messages::{MessageKind, MessageRow},
    opt_outs::{OptOutImportRow, OptOutRow, OptedOutBy},
    place::InteractionPlace,
};

/// Rows of a page at most.
pub const LONGEST_PAGE: u32 = 200;

/// Queries the store. Clones share one connection: queries are small, and one at a time leaves the processor to the writer.
///
/// It blocks; call it where that is allowed. A query sees what was committed before it began.
#[derive(Clone)]
pub struct Reader {
    connection: Arc<Mutex<Connection>>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader(..)")
    }
}

/// Some rows, and where the next ones begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The rows.
    pub items: Vec<T>,
    /// Asks for what follows; none when that was all.
    pub next: Option<C>,
}

impl Reader {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)) }
    }
}

fn page_length(limit: u32) -> u32 {
    limit.clamp(1, LONGEST_PAGE)
}

/// Makes a page of one row more than it may have.
fn page<T, C>(mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> C) -> Page<T, C> {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(cursor) } else { None };
    Page { items: rows, next }
}
