//! A damaged file is set aside, never deleted; what can be read of it is taken over.
//!
//! A kill, a full volume or a disk that fails may come at any moment. So the note that the file is damaged says where it goes before it
//! goes there, and stands until all is done; each step that follows is found done or is done again:
//!
//! 1. The note is written. It names the file's new name.
//! 2. The log goes there, its index, and the file itself last: a new file never has the old one's log beside it.
//! 3. A file is made under a third name, and what can be read is copied into it.
//! 4. It gets the name of the old one, and the note is removed.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, config::DbConfig, params_from_iter, types::Value};

use super::{OpenError, ledger};
use crate::process::volume::beside;

/// Rows that are taken over in one transaction.
const AT_ONCE: usize = 1000;

/// What was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Salvaged {
    /// Rows that wait.
    pub waiting: usize,
    /// Attempts.
    pub attempts: usize,
}

/// A table, and the order in which it is read.
struct Table {
    name: &'static str,
    columns: &'static str,
    order: &'static [&'static str],
}

/// Without `kept_at`: files of older versions have none, and the new ledger's time is another one.
const WAITING: Table = Table {
    name: "waiting",
    columns: "seq, kind, number, lane, provider_message_id, payload, received_at, parked",
    order: &["seq"],
};
const ATTEMPT: Table = Table {
    name: "attempt",
    columns: "number, store_id, message_id, attempt, begun_at, outcome, digest",
    order: &["number", "store_id", "message_id", "attempt"],
};

/// Called after each step; a test stops there.
pub(super) type AfterStep<'a> = &'a mut dyn FnMut();

/// Notes that the file is damaged, for the next start, unless it is noted already.
///
/// # Errors
/// When the note is not on the disk.
pub(super) fn mark(path: &Path) -> io::Result<()> {
    if noted(path)?.is_some() {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = format!("{name}.damaged-{}", Timestamp::now().as_millisecond());
    // It is there with its content, or not at all.
    let draft = beside(path, ".damaged.new");
    let mut file = File::create(&draft)?;
    file.write_all(aside.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, marker(path))?;
    sync_folder(path)
}

/// Where the file goes or went, if it was noted that it is damaged. A note of an older version, which did not say it, is none: nothing
/// was done yet.
///
/// # Errors
/// When it cannot be read.
pub(super) fn noted(path: &Path) -> io::Result<Option<PathBuf>> {
    match fs::read_to_string(marker(path)) {
        Ok(name) if name.is_empty() => Ok(None),
        Ok(name) => Ok(Some(path.with_file_name(name))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether there is a note, be it of an older version.
pub(super) fn is_marked(path: &Path) -> bool {
    marker(path).exists()
}

/// Names of the files that were set aside beside the one at `path`.
pub(super) fn files(path: &Path) -> Vec<String> {
    let Some((folder, name)) = path.parent().zip(path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let prefix = format!("{name}.damaged-");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut files: Vec<_> = names
        .filter(|name| {
            name.strip_prefix(&prefix).is_some_and(|rest| !rest.ends_with("-wal") && !rest.ends_with("-shm"))
        })
        .collect();
    files.sort();
    files
}

/// Sets the file at `path` aside, and puts one in its place with what can be read of it. `make` makes an empty one. What was taken over;
/// none when all was done before but for the note.
///
/// # Errors
/// When a step cannot be done: it is done again at the next call, and until then there is no file to be used.
pub(super) fn replace(
    path: &Path,
    make: impl FnOnce(&Path) -> Result<Connection, OpenError>,
    after: AfterStep<'_>,
) -> Result<Option<(PathBuf, Salvaged)>, OpenError> {
    mark(path)?;
    let Some(aside) = noted(path)? else { return Ok(None) };
    after();
    let salvaged = match (exists(&aside)?, exists(path)?) {
        // The new file has its name, or there is nothing of the old one.
        (true, true) | (false, false) => None,
        (set_aside, _) => {
            if !set_aside {
                set_aside_to(path, &aside, after)?;
            }
            Some((aside.clone(), take_over(path, &aside, make, after)?))
        }
    };
    fs::remove_file(marker(path))?;
    sync_folder(path)?;
    after();
    Ok(salvaged)
}

/// Gives the file other names, the file itself last.
fn set_aside_to(path: &Path, aside: &Path, after: AfterStep<'_>) -> io::Result<()> {
    for suffix in ["-wal", "-shm", ""] {
        match fs::rename(beside(path, suffix), beside(aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        sync_folder(path)?;
        after();
    }
    Ok(())
}

/// Makes a file with what can be read of `aside`, which gets the name `path` when it is whole.
fn take_over(
    path: &Path,
    aside: &Path,
    make: impl FnOnce(&Path) -> Result<Connection, OpenError>,
    after: AfterStep<'_>,
) -> Result<Salvaged, OpenError> {
    let new = beside(path, ".new");
    for suffix in ["", "-wal", "-shm"] {
        match fs::remove_file(beside(&new, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    let mut into = make(&new)?;
    after();
    let salvaged = match open(aside)? {
        Some(from) => {
            let waiting = copy(&from, &mut into, &WAITING)?;
            after();
            Salvaged { waiting, attempts: copy(&from, &mut into, &ATTEMPT)? }
        }
        None => Salvaged::default(),
    };
    ledger::begin_after_salvage(&into)?;
    after();
    // All of it goes into the file, which then has no log that would have to go with it.
    let mode: String = into.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    if mode != "delete" {
        return Err(io::Error::other("its log cannot be written back").into());
    }
    into.close().map_err(|(_, error)| error)?;
    File::open(&new)?.sync_all()?;
    after();
    fs::rename(&new, path)?;
    sync_folder(path)?;
    after();
    Ok(salvaged)
}

/// Opens the file that was set aside; none when it is no database.
fn open(aside: &Path) -> rusqlite::Result<Option<Connection>> {
    let opened = Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|from| {
        // It stays as it is.
        from.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        from.pragma_update(None, "temp_store", "MEMORY")?;
        from.query_row("PRAGMA user_version", [], |_| Ok(()))?;
        Ok(from)
    });
    opened.map(Some).or_else(|error| unless_damaged(error).map(|()| None))
}

/// Passes what says that the contents are damaged: there is no more to be had. Whatever else fails may go well the next time.
fn unless_damaged(error: rusqlite::Error) -> rusqlite::Result<()> {
    match (&error, error.sqlite_error_code()) {
        // A table that is not there is a statement that cannot be prepared.
        (rusqlite::Error::SqlInputError { .. }, _)
        | (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)) => Ok(()),
        (_, Some(_) | None) => Err(error),
    }
}

/// From the front up to the damage, then from the end.
fn copy(from: &Connection, into: &mut Connection, table: &Table) -> rusqlite::Result<usize> {
    let mut copied = 0;
    for direction in ["ASC", "DESC"] {
        let order: Vec<_> = table.order.iter().map(|column| format!("{column} {direction}")).collect();
        let sql = format!("SELECT {} FROM {} ORDER BY {}", table.columns, table.name, order.join(", "));
        // What the index over the table has lost is found in the table itself.
        let mut select = match from.prepare(&sql) {
            Ok(select) => select,
            Err(error) => {
                unless_damaged(error)?;
                break;
            }
        };
        let mut rows = select.query([])?;
        let (end, more) = copy_until_damage(&mut rows, into, table)?;
        copied += more;
        if end {
            break;
        }
    }
    Ok(copied)
}

/// Whether the end was reached or rows that are there already, and how many were copied.
fn copy_until_damage(
    rows: &mut rusqlite::Rows<'_>,
    into: &mut Connection,
    table: &Table,
) -> rusqlite::Result<(bool, usize)> {
    let columns = table.columns.split(", ").count();
    let places = vec!["?"; columns].join(", ");
    let sql = format!("INSERT OR IGNORE INTO {} ({}) VALUES ({places})", table.name, table.columns);
    let mut copied = 0;
    loop {
        let transaction = into.transaction()?;
        let mut at_once = 0;
        let end = loop {
            let values = match rows.next() {
                Ok(Some(row)) => read(row, columns),
                Ok(None) => break Some(true),
                Err(error) => {
                    unless_damaged(error)?;
                    break Some(false);
                }
            };
            // A row that was damaged in itself.
            let Ok(values) = values else { continue };
            match transaction.prepare_cached(&sql)?.execute(params_from_iter(values)) {
                Ok(new) => at_once += new,
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {}
                Err(error) => return Err(error),
            }
            if at_once == AT_ONCE {
                break None;
            }
        };
        transaction.commit()?;
        copied += at_once;
        if let Some(end) = end {
            return Ok((end, copied));
        }
    }
}

fn read(row: &Row<'_>, columns: usize) -> rusqlite::Result<Vec<Value>> {
    (0..columns).map(|column| row.get(column)).collect()
}

fn marker(path: &Path) -> PathBuf {
    beside(path, ".damaged")
}

/// Whether a file is there. That nobody can tell is no answer.
fn exists(path: &Path) -> io::Result<bool> {
    path.try_exists()
}

/// Makes new names of files durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::{AttemptKey, Content, Place, Spool, StoreId};
    use super::*;
    use crate::wire::{delivery::Item, inbound::InboundMessage};
    use std::{fs::File, os::unix::fs::FileExt, sync::Arc, time::Duration};

    const NUMBER: &str = "+15550001";
    const ROWS: usize = 400;

    fn item(at: usize) -> Item {
        Item::Inbound(InboundMessage {
            provider_message_id: format!("SM{at}"),
            to: NUMBER.into(),
            from: "+15559001".into(),
            text: "Hello ".repeat(50),
            media: Vec::new(),
            received_at: Timestamp::UNIX_EPOCH,
            provider_opt_out: None,
            part: None,
        })
    }

    async fn filled(path: &Path) {
        let spool = Spool::open(path).unwrap();
        for at in 0..ROWS {
            spool.keep(item(at), Place::Behind).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_a_damaged_file_still_has_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        filled(&path).await;
        let whole = Connection::open(&path).unwrap();
        whole.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let pages: i64 = whole.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        drop(whole);
        // A few pages in the middle.
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[0xAA; 3 * 4096], (pages.unsigned_abs() / 2) * 4096).unwrap();
        mark(&path).unwrap();

        let spool = Spool::open(&path).unwrap();
        assert_eq!(spool.files_set_aside().len(), 1);
        assert!(!is_marked(&path));
        let rows = spool.next(NUMBER.into(), 2 * ROWS, Arc::default()).await.unwrap();
        assert!((ROWS / 2..ROWS + 1).contains(&rows.items.len()), "{} rows", rows.items.len());
        assert!(rows.items.is_sorted_by_key(|row| row.seq), "in order");
        assert_eq!(spool.tally().numbers[NUMBER].waiting, rows.items.len() as u64);
        drop(spool);
        assert_eq!(Spool::open(&path).unwrap().files_set_aside().len(), 1, "it is set aside once");
    }

    #[tokio::test]
    async fn a_ledger_that_was_ahead_of_the_clock_makes_nothing_old_and_knows_no_more_than_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        filled(&path).await;
        let spool = Spool::open(&path).unwrap();
        let store_id = StoreId::try_from("s").unwrap();
        let content = Content::new("+15559001", "Hello");
        let key = AttemptKey { number: NUMBER.into(), store_id, message_id: 1, attempt: 1, content };
        spool.begin(key).await.unwrap();
        drop(spool);
        let hundred_days = 100 * 24 * 60 * 60 * 1000_i64;
        let ahead = "UPDATE attempt SET begun_at = begun_at + ?1";
        Connection::open(&path).unwrap().execute(ahead, [hundred_days]).unwrap();
        mark(&path).unwrap();

        let spool = Spool::open(&path).unwrap();
        assert!(!spool.would_know(NUMBER, Some(Duration::from_secs(60))), "it is as good as new");
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(spool.expire(NUMBER.into(), day).await.unwrap(), 0);
        assert_eq!(spool.tally().numbers[NUMBER].waiting, ROWS as u64);
    }

    #[tokio::test]
    async fn a_file_that_is_none_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        fs::write(&path, [0xAA; 8192]).unwrap();
        let spool = Spool::open(&path).unwrap();
        let [aside] = spool.files_set_aside() else { panic!("{:?}", spool.files_set_aside()) };
        assert_eq!(fs::read(dir.path().join(aside)).unwrap(), [0xAA; 8192]);
    }

    /// A folder as a kill would leave it now.
    fn copied(dir: &Path) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(dir).unwrap() {
            let file = entry.unwrap().path();
            fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
        }
        copy
    }

    /// The ids that wait, and the files that were set aside.
    async fn found(dir: &Path) -> (Vec<String>, Vec<String>) {
        let path = dir.join("spool.db");
        let spool = Spool::open(&path).unwrap();
        assert!(!is_marked(&path));
        let rows = spool.next(NUMBER.into(), 2 * ROWS, Arc::default()).await.unwrap();
        let ids = rows.items.iter().map(|row| row.item.provider_message_id().to_owned()).collect();
        (ids, spool.files_set_aside().to_vec())
    }

    #[tokio::test]
    async fn a_kill_at_any_step_followed_by_a_start_ends_in_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let spool = Spool::open(&path).unwrap();
        for at in 0..ROWS {
            spool.keep(item(at), Place::Behind).await.unwrap();
        }
        // As a kill leaves it: what came last is in the log only.
        let killed = copied(dir.path());
        let path = killed.path().join("spool.db");
        assert!(fs::metadata(beside(&path, "-wal")).unwrap().len() > 0);
        let damaged = File::options().write(true).open(&path).unwrap();
        damaged.write_all_at(&[0xAA; 100], 3 * 4096).unwrap();

        let mut stopped = Vec::new();
        let mut after = || stopped.push(copied(killed.path()));
        let salvaged = replace(&path, super::super::new_file, &mut after).unwrap();
        let (aside, salvaged) = salvaged.unwrap();
        let aside = aside.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(salvaged.waiting > 0);
        let (ids, files) = found(killed.path()).await;
        assert_eq!((ids.len(), files), (salvaged.waiting, vec![aside.clone()]));

        assert_eq!(stopped.len(), 10, "each step was seen");
        for (step, dir) in (1..).zip(&stopped) {
            let (found, set_aside) = found(dir.path()).await;
            assert_eq!(found, ids, "after step {step}");
            assert_eq!(set_aside, [aside.as_str()], "after step {step}");
            let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(!left.iter().any(|name| name.to_str().unwrap().contains(".new")), "after step {step}: {left:?}");
        }
    }

    #[tokio::test]
    async fn what_fails_on_the_way_is_an_error_and_done_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        filled(&path).await;
        mark(&path).unwrap();
        // A folder in the way of the new file.
        let in_the_way = beside(&path, ".new");
        fs::create_dir(&in_the_way).unwrap();
        for _ in 0..2 {
            assert!(Spool::open(&path).is_err());
            assert!(is_marked(&path) && !path.exists(), "no empty file is taken for the truth");
        }
        fs::remove_dir(&in_the_way).unwrap();
        let (ids, files) = found(dir.path()).await;
        assert_eq!((ids.len(), files.len()), (ROWS, 1));
    }

    #[tokio::test]
    async fn a_note_of_an_older_version_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        filled(&path).await;
        fs::write(marker(&path), []).unwrap();
        let (ids, files) = found(dir.path()).await;
        assert_eq!((ids.len(), files.len()), (ROWS, 1));
    }
}
