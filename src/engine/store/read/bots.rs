//! What bots did in an interaction, and what failed of it in all.

use jiff::Timestamp;
use rusqlite::params;

use super::Reader;
use crate::{
    api::bot::StepFailureReason,
    engine::{
        core::{
            event::InteractionEvent,
            ids::{BotName, InteractionId},
        },
        store::{codec, error::StoreError, load::all},
    },
};

/// Events of bots that are read at most: the newest.
const AT_MOST: u32 = 1000;
/// Failures of bots that are read at most: the newest. A channel names three bots, and there are twenty of each.
const FAILURES_AT_MOST: u32 = 400;
pub(super) const FAILURES: &str =
    "SELECT bot, step, reason, count, since, at FROM bot_failure ORDER BY at DESC LIMIT ?";

/// In which way a step of a bot failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotFailureRow {
    /// The bot.
    pub bot: BotName,
    /// The step's name; empty = the bot could not begin.
    pub step: String,
    /// In which way it failed.
    pub reason: StepFailureReason,
    /// So often.
    pub count: u64,
    /// For the first time.
    pub since: Timestamp,
    /// For the last time.
    pub at: Timestamp,
}

impl Reader {
    /// Which steps of bots failed, the last one first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn bot_failures(&self) -> Result<Vec<BotFailureRow>, StoreError> {
        all(&self.connection.lock(), FAILURES, params![FAILURES_AT_MOST], |row| {
            Ok(BotFailureRow {
                bot: BotName::from(row.get::<_, String>(0)?),
                step: row.get(1)?,
                reason: codec::step_failure(&row.get::<_, String>(2)?)?,
                count: codec::id(row.get(3)?),
                since: codec::timestamp(row.get(4)?)?,
                at: codec::timestamp(row.get(5)?)?,
            })
        })
    }

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
