//! Time is set back: rows that start-up loads and that would lie in the future move with it, as they do in the state, and so do the last
//! failures of bots, which would stay the last ones until then. History keeps the times under which it was written.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{codec, error::CommitError};

/// What moves, by ?2, when it is after ?1.
const MOVES: [&str; 6] = [
    "UPDATE interaction
     SET arrived_at = iif(arrived_at > ?1, arrived_at - ?2, arrived_at), place_at = iif(place_at > ?1, place_at - ?2, place_at),
         queued_at = iif(queued_at > ?1, queued_at - ?2, queued_at),
         waiting_since = iif(waiting_since > ?1, waiting_since - ?2, waiting_since),
         unreplied_since = iif(unreplied_since > ?1, unreplied_since - ?2, unreplied_since),
         owned_since = iif(owned_since > ?1, owned_since - ?2, owned_since)
     WHERE state IN ('Opened', 'Bot', 'Queued', 'Active')",
    "UPDATE agent
     SET last_finish = iif(last_finish > ?1, last_finish - ?2, last_finish),
         last_assigned = iif(last_assigned > ?1, last_assigned - ?2, last_assigned)",
    // Nobody can opt in with a text from before these times, and everybody can with one from now on.
    "UPDATE customer SET opted_out_at = min(opted_out_at, ?1), opted_out_since = min(opted_out_since, ?1)
     WHERE ?2 > 0 AND (opted_out_at > ?1 OR opted_out_since > ?1)",
    "UPDATE sample SET at = at - ?2 WHERE at > ?1",
    "UPDATE bot_failure
     SET since = iif(since > ?1, since - ?2, since), at = max(at - ?2, iif(since > ?1, since - ?2, since)) WHERE at > ?1",
    "UPDATE outbox SET sending_until = sending_until - ?2 WHERE sending_until > ?1",
];

/// Moves the rows from the time `from` back to `to`. Nothing moves when it goes ahead.
pub(super) fn write(sql: &Connection, to: Timestamp, from: Timestamp) -> Result<(), CommitError> {
    let by = codec::nanos(from).saturating_sub(codec::nanos(to));
    if by > 0 {
        for change in MOVES {
            sql.prepare_cached(change)?.execute(params![codec::nanos(to), by])?;
        }
    }
    Ok(())
}
