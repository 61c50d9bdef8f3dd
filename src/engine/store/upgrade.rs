//! An older store becomes one of the newest schema, in room that is counted before: indexes of millions of rows are made anew.
//!
//! Sorting them in memory takes more than the container has, so that it is done in files. The container's own file system cannot be written: they
//! lie on the volume, which has what they hold already.

use std::{fs, path::Path};

use parking_lot::Mutex;
use rusqlite::{Connection, TransactionBehavior};

use super::{
    codec,
    error::{OpenError, StoreError},
    room::folder,
    schema,
};
use crate::process::{held_room::HeldRoom, volume::Volume};

/// The indexes of schema 10 take so much for each interaction, measured: 106 bytes in the log, and 47 in the database when that is written back.
const INDEXES_OF_AN_INTERACTION: u64 = 160;
/// The schema that brings them.
const WITH_INDEXES: i64 = 10;
/// What an upgrade takes beside.
const AT_LEAST: u64 = 1 << 20;
/// How SQLite's names of temporary files begin.
const TEMPORARY: &str = "etilqs_";

/// SQLite knows one folder for the files of all connections.
static FOLDER: Mutex<()> = Mutex::new(());

/// Brings a store of this older schema to the newest, with the room that is held in reserve if it takes that.
pub(super) fn upgrade(mut connection: Connection, path: &Path, from: i64) -> Result<Connection, OpenError> {
    let at = OpenError::at(path);
    let needed = needed(&connection, from).map_err(&at)?;
    tracing::info!(from, to = schema::NEWEST, needed_bytes = needed, "the store is brought to the newest schema");
    if is_upgraded(&mut connection, path, needed).map_err(&at)? {
        return Ok(connection);
    }
    if HeldRoom::of(path).give_up() {
        tracing::warn!("the store is brought to the newest schema with the room that was held in reserve");
        if is_upgraded(&mut connection, path, needed).map_err(&at)? {
            return Ok(connection);
        }
    }
    // Closed, it leaves no log.
    drop(connection);
    let volume = Volume::of(folder(path)).map_err(StoreError::Volume).map_err(&at)?;
    // More than was counted, if it was tried.
    let needed = if volume.free < needed { needed } else { volume.free * 2 };
    let missing = needed - volume.free;
    Err(OpenError::NoRoomToUpgrade {
        path: folder(path).to_owned(),
        from,
        to: schema::NEWEST,
        free: volume.free,
        needed,
        // A file system has some for itself.
        enough: (volume.size + missing) / 10 * 11,
    })
}

/// Removes the files of an upgrade that was killed: SQLite takes their names away as soon as it has opened them, so there is one at most.
pub(super) fn remove_left_files(path: &Path) {
    let files = fs::read_dir(folder(path)).into_iter().flatten().flatten();
    for file in files.filter(|file| file.file_name().to_string_lossy().starts_with(TEMPORARY)) {
        // On a volume that cannot be written it stays, and opening the store says why.
        let _ = fs::remove_file(file.path());
    }
}

/// What bringing a store of this schema to the newest takes on the volume.
fn needed(connection: &Connection, from: i64) -> Result<u64, StoreError> {
    if from >= WITH_INDEXES {
        return Ok(AT_LEAST);
    }
    let interactions = codec::id(connection.query_row("SELECT count(*) FROM interaction", [], |row| row.get(0))?);
    Ok(AT_LEAST + interactions * INDEXES_OF_AN_INTERACTION)
}

/// Upgrades the store if there is room; false when there was not enough.
fn is_upgraded(connection: &mut Connection, path: &Path, needed: u64) -> Result<bool, StoreError> {
    // A volume that does not say is tried.
    if Volume::of(folder(path)).is_ok_and(|volume| volume.free < needed) {
        return Ok(false);
    }
    let upgraded = with_files(connection, folder(path), |connection| {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        schema::migrate(&tx)?;
        Ok(tx.commit()?)
    });
    match upgraded {
        Ok(()) => Ok(true),
        Err(StoreError::Full(error)) => {
            tracing::warn!(%error, "the volume has too little room for the newest schema");
            // What was written in vain takes no room from the next try; if it stays, that has less.
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Has intermediate results of some work lie in files in this folder, which nobody else sees, instead of in memory.
fn with_files<T>(
    connection: &mut Connection,
    folder: &Path,
    work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let _alone = FOLDER.lock();
    let Some(name) = folder.to_str() else {
        // SQLite cannot be told: then it is done in memory.
        return work(connection);
    };
    let name = if name.is_empty() { "." } else { name };
    connection.pragma_update(None, "temp_store_directory", name)?;
    connection.pragma_update(None, "temp_store", "FILE")?;
    let done = work(connection);
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "temp_store_directory", "")?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files in this folder that this process has open and that have no name any more.
    fn nameless(folder: &Path) -> usize {
        let open = fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
        open.filter(|file| file.starts_with(folder) && file.to_string_lossy().ends_with(" (deleted)")).count()
    }

    /// Begins to sort some 40 MB, and says how many files it has then.
    fn files_of_a_sort(connection: &Connection, folder: &Path) -> usize {
        let rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
                    SELECT i FROM n ORDER BY hex(zeroblob(500)) || (i % 1000)";
        let mut sorted = connection.prepare(rows).unwrap();
        let mut rows = sorted.query([]).unwrap();
        rows.next().unwrap().unwrap();
        nameless(folder)
    }

    #[test]
    fn what_is_sorted_lies_in_files_beside_the_store_and_only_during_an_upgrade() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        let mut connection = Connection::open(folder.join("store.db")).unwrap();
        connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192").unwrap();
        assert_eq!(files_of_a_sort(&connection, &folder), 0);
        let files = with_files(&mut connection, &folder, |connection| Ok(files_of_a_sort(connection, &folder)));
        assert!(files.unwrap() > 0);
        assert_eq!(files_of_a_sort(&connection, &folder), 0);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "they have no name");
    }

    #[test]
    fn what_a_killed_upgrade_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        for file in [path.clone(), dir.path().join("etilqs_4f0a")] {
            fs::write(file, "").unwrap();
        }
        remove_left_files(&path);
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(left, [path]);
    }
}
