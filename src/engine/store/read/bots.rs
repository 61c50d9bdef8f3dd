//! What bots did in an interaction.

use jiff::Timestamp;
use rusqlite::params;

use super::Reader;
use crate::engine::{
    core::{event::InteractionEvent, ids::InteractionId},
    store::{codec, error::StoreError, load::all},
};

/// Events of bots that are read at most: the newest.
const AT_MOST: u32 = 1000;

impl Reader {
    /// The events of the bots that ran in an interaction, oldest first; none when there is no such interaction.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn bot_trace(&self, id: InteractionId) -> Result<Option<Vec<(Timestamp, InteractionEvent)>>, StoreError> {
        let mut connection = self.connection.lock();
        let sql = connection.transaction()?;
        let is_there = sql.prepare_cached("SELECT 1 FROM interaction WHERE id = ?")?.exists([codec::column(id.0)])?;
        if !is_there {
            return Ok(None);
        }
        let newest = "SELECT at, body FROM bot_trace WHERE interaction = ? ORDER BY n DESC LIMIT ?";
        let mut events = all(&sql, newest, params![codec::column(id.0), AT_MOST], |row| {
            let body: String = row.get(1)?;
            let event = serde_json::from_str(&body)
                .map_err(|error| StoreError::Contents(format!("bot_trace.body: {error}")))?;
            Ok((codec::timestamp(row.get(0)?)?, event))
        })?;
        events.reverse();
        Ok(Some(events))
    }
}
