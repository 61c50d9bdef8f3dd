//! The tables, and how older ones become today's.

use rusqlite::{Connection, Transaction};

/// One step each; step `n` makes schema version `n + 1`. A step that was released is never changed.
const STEPS: [&str; 3] = [include_str!("1.sql"), include_str!("2.sql"), include_str!("3.sql")];

/// The schema version that this engine writes.
pub const NEWEST: i64 = STEPS.len() as i64;

/// The schema version of a database, 0 for an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes the steps that are missing.
pub(super) fn migrate(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    let version = version(tx)?;
    // Nothing is written at a start that changes nothing: the volume may be full.
    if version == NEWEST {
        return Ok(());
    }
    let from = usize::try_from(version).unwrap_or(0);
    for step in STEPS.iter().skip(from) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", NEWEST)
}
