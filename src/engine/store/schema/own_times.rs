//! From schema 8 it is written down when what a customer had last ended, and since when something waits, in the channel's own time.

use rusqlite::{Transaction, params};
use serde::Deserialize;

use super::super::{codec, error::StoreError};
use crate::engine::core::clock::ChannelClock;

#[derive(Deserialize)]
struct Scalars {
    clock: ChannelClock,
}

/// How long the clock had stood still at each of these times is not known any more: all of it is taken off, so that a customer counts as gone for
/// no less, and something waits for no less, than is true. A clock that was set back may have made that negative; then nothing is taken off.
pub(super) fn write(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let stored = tx
        .prepare("SELECT scalars FROM store")?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    // A database that is just being made has no row yet.
    let Some(scalars) = stored.into_iter().next() else { return Ok(()) };
    let Scalars { clock }: Scalars =
        serde_json::from_str(&scalars).map_err(|error| StoreError::Contents(format!("store.scalars: {error}")))?;
    let stopped_at = clock.stopped_at().map_or(i64::MAX, codec::nanos);
    let stood_still = i64::try_from(clock.stood_still().as_nanos().max(0)).unwrap_or(i64::MAX);
    tx.execute(
        "UPDATE customer SET last_ended_at = min(had.ended_at, ?1) - ?2
         FROM (SELECT customer, max(closed_at) AS ended_at FROM interaction
               WHERE state = 'Closed' AND owner IS NOT NULL GROUP BY customer) AS had
         WHERE had.customer = customer.id",
        params![stopped_at, stood_still],
    )?;
    tx.execute(
        "UPDATE interaction SET queued_own_at = min(coalesce(queued_at, place_at), ?1) - ?2 WHERE state = 'Queued'",
        params![stopped_at, stood_still],
    )?;
    Ok(())
}
