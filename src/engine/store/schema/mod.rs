//! The tables, and how older ones become today's.

mod last_activity;

use rusqlite::{Connection, Transaction};

use super::error::StoreError;

/// What is done to the rows before the SQL of a step.
type Before = fn(&Transaction<'_>) -> Result<(), StoreError>;

/// One step each; step `n` makes schema version `n + 1`. A step that was released is never changed.
const STEPS: [(Option<Before>, &str); 8] = [
    (None, include_str!("1.sql")),
    (None, include_str!("2.sql")),
    (None, include_str!("3.sql")),
    (Some(last_activity::write), include_str!("4.sql")),
    (None, include_str!("5.sql")),
    (None, include_str!("6.sql")),
    (None, include_str!("7.sql")),
    (None, include_str!("8.sql")),
];

/// The schema version that this engine writes.
pub const NEWEST: i64 = STEPS.len() as i64;

/// The schema version of a database, 0 for an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes the steps that are missing.
pub(super) fn migrate(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let version = version(tx)?;
    // Nothing is written at a start that changes nothing: the volume may be full.
    if version == NEWEST {
        return Ok(());
    }
    let from = usize::try_from(version).unwrap_or(0);
    for (before, step) in STEPS.iter().skip(from) {
        before.map_or(Ok(()), |before| before(tx))?;
        tx.execute_batch(step)?;
    }
    Ok(tx.pragma_update(None, "user_version", NEWEST)?)
}
