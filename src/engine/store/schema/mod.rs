//! The tables, and how older ones become today's.

mod last_activity;
mod own_times;

use rusqlite::{Connection, Transaction};

use super::error::StoreError;

/// Part of a step.
enum Part {
    Sql(&'static str),
    /// What is done to the rows.
    Rows(fn(&Transaction<'_>) -> Result<(), StoreError>),
}

/// One step each; step `n` makes schema version `n + 1`. A step that was released is never changed.
const STEPS: [&[Part]; 14] = [
    &[Part::Sql(include_str!("1.sql"))],
    &[Part::Sql(include_str!("2.sql"))],
    &[Part::Sql(include_str!("3.sql"))],
    &[Part::Rows(last_activity::write), Part::Sql(include_str!("4.sql"))],
    &[Part::Sql(include_str!("5.sql"))],
    &[Part::Sql(include_str!("6.sql"))],
    &[Part::Sql(include_str!("7.sql"))],
    &[Part::Sql(include_str!("8.sql")), Part::Rows(own_times::write)],
    &[Part::Sql(include_str!("9.sql"))],
    &[Part::Sql(include_str!("10.sql"))],
    &[Part::Sql(include_str!("11.sql"))],
    &[Part::Sql(include_str!("12.sql"))],
    &[Part::Sql(include_str!("13.sql"))],
    &[Part::Sql(include_str!("14.sql"))],
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
    for part in STEPS.iter().skip(from).copied().flatten() {
        match part {
            Part::Sql(sql) => tx.execute_batch(sql)?,
            Part::Rows(change) => change(tx)?,
        }
    }
    Ok(tx.pragma_update(None, "user_version", NEWEST)?)
}
