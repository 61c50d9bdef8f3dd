//! The tables, and how an older file becomes a newer one.

use std::path::Path;

use rusqlite::Connection;

use super::OpenError;

/// Each step takes a file from the schema of its index to the next; `user_version` is the schema that a file has.
const STEPS: &[&str] = &["
    -- Traffic that waits for its engine. `seq` is the order of arrival.
    CREATE TABLE waiting (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('Inbound', 'Receipt')),
        -- Our number.
        number TEXT NOT NULL,
        -- The customer, or the message that a receipt is about: the order within it is kept whatever happens.
        lane TEXT NOT NULL,
        provider_message_id TEXT NOT NULL,
        -- The document for the engine.
        payload TEXT NOT NULL,
        -- Milliseconds since 1970.
        received_at INTEGER NOT NULL,
        -- Why the engine does not take it. NULL while it waits in order.
        parked TEXT
    ) STRICT;
    CREATE INDEX waiting_in_order ON waiting (number, seq) WHERE parked IS NULL;
    CREATE INDEX waiting_parked ON waiting (seq) WHERE parked IS NOT NULL;
    -- A provider that saw no acknowledgement brings a message again.
    CREATE UNIQUE INDEX waiting_once ON waiting (provider_message_id) WHERE kind = 'Inbound';

    -- Attempts to send. Written before the provider is called.
    CREATE TABLE attempt (
        number TEXT NOT NULL,
        store_id TEXT NOT NULL,
        message_id INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        -- Milliseconds since 1970.
        begun_at INTEGER NOT NULL,
        -- The answer for the engine. NULL while it is under way.
        outcome TEXT,
        PRIMARY KEY (number, store_id, message_id, attempt)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX attempt_by_age ON attempt (begun_at);
", "
    -- A digest of receiver and text. NULL in rows of older versions.
    ALTER TABLE attempt ADD COLUMN digest BLOB;
    -- The ledger's own time, which `attempt.begun_at` is in: milliseconds since 1970 as the clock was when the ledger began, and from
    -- there at the pace of a monotonic clock.
    CREATE TABLE ledger (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        lived_until INTEGER NOT NULL,
        -- Attempts that began before this may be missing.
        whole_since INTEGER NOT NULL
    ) STRICT;
", "
    -- The clock of the machine when `lived_until` was written last, in milliseconds since 1970.
    ALTER TABLE ledger ADD COLUMN noted_at INTEGER;
", "
    -- When it was kept, in the ledger's time. NULL in rows of older versions and of a damaged file: they count from `rows_since`.
    ALTER TABLE waiting ADD COLUMN kept_at INTEGER;
    ALTER TABLE ledger ADD COLUMN rows_since INTEGER;
    UPDATE ledger SET rows_since = lived_until;
    -- The parked rows of one number, in order.
    DROP INDEX waiting_parked;
    CREATE INDEX waiting_parked ON waiting (number, seq) WHERE parked IS NOT NULL;
", "
    -- Numbers that have forgotten attempts to make room for further ones: theirs that began before `whole_since` may be missing.
    CREATE TABLE forgetful (number TEXT PRIMARY KEY, whole_since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"];

/// Opens a file, makes or upgrades its tables.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let mut connection = Connection::open(path)?;
    // The image has no folder for temporary files, which SQLite takes for parts of transactions that are taken back, from 64 KiB on.
    connection.execute_batch(
        "PRAGMA temp_store = MEMORY;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         PRAGMA journal_size_limit = 16777216;
         PRAGMA cache_size = -2048;
         PRAGMA busy_timeout = 5000;",
    )?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > STEPS.len() {
        return Err(OpenError::Newer { found, known });
    }
    if done == STEPS.len() {
        // Nothing is written: the volume may be full.
        return Ok(connection);
    }
    let transaction = connection.transaction()?;
    for step in &STEPS[done..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(connection)
}

/// A file as the version with this schema made it.
#[cfg(test)]
pub(super) fn older(path: &Path, schema: usize) -> Connection {
    let connection = Connection::open(path).unwrap();
    STEPS[..schema].iter().for_each(|step| connection.execute_batch(step).unwrap());
    connection.pragma_update(None, "user_version", i64::try_from(schema).unwrap()).unwrap();
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_and_a_newer_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        drop(open(&path).unwrap());
        let connection = open(&path).unwrap();
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        let temporary: i64 = connection.query_row("PRAGMA temp_store", [], |row| row.get(0)).unwrap();
        assert_eq!((&*mode, synchronous, temporary), ("wal", 2, 2), "2: FULL; and 2: MEMORY");
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        assert!(matches!(open(&path).unwrap_err(), OpenError::Newer { found: 99, .. }));
    }
}
