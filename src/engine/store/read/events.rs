//! Events as they are stored, for streams that are behind.

use rusqlite::OptionalExtension as _;

use super::Reader;
use crate::engine::{
    core::event::Event,
    store::{codec, error::StoreError},
};

/// An event with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberedEvent {
    /// Its place: rises by one from event to event, and leaps where a start of the engine begins.
    pub sequence: u64,
    /// The event.
    pub event: Event,
}

impl Reader {
    /// At most `limit` events after the one with the number `after`, in order.
    ///
    /// # Errors
    /// When the store cannot be read, or an event in it makes no sense.
    pub fn events_after(&self, after: u64, limit: u32) -> Result<Vec<NumberedEvent>, StoreError> {
        let connection = self.connection.lock();
        let mut transactions =
            connection.prepare_cached("SELECT first, body FROM event WHERE last > ? ORDER BY last")?;
        let mut rows = transactions.query([codec::column(after)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let unreadable = |sequence: u64, error: String| StoreError::Contents(format!("event {sequence}: {error}"));
            let first = codec::id(row.get(0)?);
            let events: Vec<serde_json::Value> = serde_json::from_str(&row.get::<_, String>(1)?)
                .map_err(|error| unreadable(first, error.to_string()))?;
            for (sequence, body) in (first..).zip(events).filter(|(sequence, _)| *sequence > after) {
                if found.len() >= limit as usize {
                    return Ok(found);
                }
                let event = Event::from_json(body).map_err(|error| unreadable(sequence, error.to_string()))?;
                found.push(NumberedEvent { sequence, event });
            }
        }
        Ok(found)
    }

    /// Whether the event with this number is here: neither forgotten nor of a life of the store that a restore undid.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn has_event(&self, sequence: u64) -> Result<bool, StoreError> {
        let connection = self.connection.lock();
        let mut query = connection.prepare_cached("SELECT first FROM event WHERE last >= ? ORDER BY last LIMIT 1")?;
        let first: Option<i64> = query.query_row([codec::column(sequence)], |row| row.get(0)).optional()?;
        Ok(first.is_some_and(|first| codec::id(first) <= sequence))
    }
}
