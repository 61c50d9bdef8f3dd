//! Up to schema 3 the last activity of an interaction that only got another message was written with the look-ups. What a process that
//! was killed left is written down now.

use rusqlite::{Transaction, params};
use serde::Deserialize;

use super::super::{codec, error::StoreError};
use crate::engine::core::{clock::ChannelClock, ids::MessageId};

/// What is needed of `store.scalars` as schema 3 wrote them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scalars {
    clock: ChannelClock,
    /// What was active before was written when the clock changed.
    #[serde(default)]
    clock_changed_before: Option<MessageId>,
}

pub(super) fn write(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let stored =
        tx.prepare("SELECT scalars, indexed FROM store")?.query_map([], read)?.collect::<Result<Vec<_>, _>>()?;
    // A database that is just being made has no row yet.
    let Some((scalars, indexed)) = stored.into_iter().next() else { return Ok(()) };
    let scalars: Scalars =
        serde_json::from_str(&scalars).map_err(|error| StoreError::Contents(format!("store.scalars: {error}")))?;
    let from = scalars.clock_changed_before.map_or(0, |message| codec::column(message.0));
    let mut left = tx.prepare(
        "SELECT interaction, max(at) FROM message WHERE id > ? AND id >= ? AND interaction IS NOT NULL GROUP BY interaction",
    )?;
    let left = left.query_map([indexed, from], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
    for row in left.collect::<Result<Vec<_>, _>>()? {
        let (interaction, at) = row;
        let own_at = codec::nanos(scalars.clock.at(codec::timestamp(at)?).timestamp());
        tx.execute("UPDATE interaction SET active_at = max(active_at, ?) WHERE id = ?", params![own_at, interaction])?;
    }
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(String, i64)> {
    Ok((row.get(0)?, row.get(1)?))
}
