//! A damaged file is set aside, never deleted; what can be read of it is taken over.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row, params_from_iter, types::Value};

use super::room::beside;

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

/// Notes that the file is damaged, for the next start.
pub(super) fn mark(path: &Path) {
    if let Err(error) = fs::write(marker(path), []) {
        tracing::error!(%error, "the damage cannot be noted");
    }
}

/// Whether it was noted that the file is damaged.
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

/// Gives the file and its log other names. Returns the file's.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = beside(path, &format!(".damaged-{}", Timestamp::now().as_millisecond()));
    for suffix in ["-wal", "-shm", ""] {
        match fs::rename(beside(path, suffix), beside(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    let _ = fs::remove_file(marker(path));
    Ok(aside)
}

/// Copies what can be read of `aside` into the new file.
///
/// # Errors
/// When the new file cannot be written.
pub(super) fn salvage(aside: &Path, into: &mut Connection) -> rusqlite::Result<Salvaged> {
    let Ok(from) = Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_WRITE) else {
        return Ok(Salvaged::default());
    };
    Ok(Salvaged { waiting: copy(&from, into, &WAITING)?, attempts: copy(&from, into, &ATTEMPT)? })
}

/// From the front up to the damage, then from the end.
fn copy(from: &Connection, into: &mut Connection, table: &Table) -> rusqlite::Result<usize> {
    let mut copied = 0;
    for direction in ["ASC", "DESC"] {
        let order: Vec<_> = table.order.iter().map(|column| format!("{column} {direction}")).collect();
        let sql = format!("SELECT {} FROM {} ORDER BY {}", table.columns, table.name, order.join(", "));
        // What the index over the table has lost is found in the table itself.
        let Ok(mut select) = from.prepare(&sql) else { break };
        let Ok(mut rows) = select.query([]) else { continue };
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
                Err(_) => break Some(false),
            };
            // A row that was damaged in itself.
            let Ok(values) = values else { continue };
            match transaction.prepare_cached(&sql)?.execute(params_from_iter(values)) {
                Ok(new) => at_once += new,
                Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {}
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

#[cfg(test)]
mod tests {
    use super::super::{Item, Place, Spool};
    use super::*;
    use crate::wire::inbound::InboundMessage;
    use std::{fs::File, os::unix::fs::FileExt, sync::Arc};

    const NUMBER: &str = "+15550001";
    const ROWS: usize = 400;

    async fn filled(path: &Path) {
        let spool = Spool::open(path).unwrap();
        for at in 0..ROWS {
            let message = InboundMessage {
                provider_message_id: format!("SM{at}"),
                to: NUMBER.into(),
                from: "+15559001".into(),
                text: "Hello ".repeat(50),
                media: Vec::new(),
                received_at: Timestamp::UNIX_EPOCH,
                provider_opt_out: None,
            };
            spool.keep(Item::Inbound(message), Place::Behind).await.unwrap();
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
        mark(&path);

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
    async fn a_file_that_is_none_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        fs::write(&path, [0xAA; 8192]).unwrap();
        let spool = Spool::open(&path).unwrap();
        let [aside] = spool.files_set_aside() else { panic!("{:?}", spool.files_set_aside()) };
        assert_eq!(fs::read(dir.path().join(aside)).unwrap(), [0xAA; 8192]);
    }
}
