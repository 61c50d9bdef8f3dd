//! A backup that takes the place of a store, or goes where none is.

use std::{
    fs::OpenOptions,
    io::{self, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{About, BackupError, check, trailer};
use crate::{
    engine::store::{
        error::{OpenError, StoreError},
        lock::Lock,
        open::{self, APPLICATION_ID},
        room, schema, swap,
    },
    process::volume::{Volume, beside},
    wire::store_id,
};

/// Length of the head of a database.
const HEAD: usize = 100;
/// Bytes that are read and written at once.
const PIECE: usize = 1 << 20;

/// What must be so before anything is restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// A store that is there may be replaced.
    pub replace: bool,
    /// The number that the backup must be of.
    pub number: Option<String>,
}

/// A backup that is in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// What it says of itself: it has an id of its own.
    #[serde(flatten)]
    pub about: About,
    /// The id of the store that the backup was taken of.
    pub of: String,
    /// Where the store is that was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<PathBuf>,
}

/// Puts a backup in the place of the store at `path`. No engine may run on it. When this is killed, the store is what it was, or the backup.
///
/// # Errors
/// When the store may not be replaced, or the backup is not whole, not of this channel, or not of a schema that is known: the store is what it was then, but for
/// [`BackupError::NotEnded`].
pub fn restore(path: &Path, backup: &mut dyn Read, expected: &Expected) -> Result<Restored, BackupError> {
    let _lock = Lock::acquire(path)?;
    swap::finish(path).map_err(|source| OpenError::Restore { path: path.to_owned(), source })?;
    let is_replaced = swap::is_occupied(path).map_err(BackupError::file(path))?;
    let before = if is_replaced { what_is_there(path, expected)? } else { None };
    let prepared = receive(path, backup, is_replaced).and_then(|()| prepare(path, before.as_ref(), expected));
    if prepared.is_err() {
        // What stays is removed by whoever has the lock next.
        let _ = swap::forget_received(path);
    }
    let (about, of) = prepared?;
    swap::decide(path).map_err(BackupError::file(path))?;
    swap::finish(path).map_err(|source| BackupError::NotEnded { path: path.to_owned(), source })?;
    Ok(Restored { about, of, replaced: is_replaced.then(|| swap::kept(path)) })
}

/// Makes what was received a copy that can take the place of the store: what it says of itself then, and the id of the store that it is of.
fn prepare(path: &Path, before: Option<&About>, expected: &Expected) -> Result<(About, String), BackupError> {
    let receiving = swap::receiving(path);
    let connection = connect(&receiving)?;
    has_only_tables(&connection)?;
    let found = About::read(&connection)?;
    if !store_id::is_well_formed(&found.store) {
        return Err(BackupError::NotABackup("its store has an id that no engine gives"));
    }
    is_of_this_channel(&found, before, expected)?;
    check(&connection)?;
    let store = store_id::of_copy(&found.store, &open::hex(&open::random::<4>()?).to_string());
    connection.execute("UPDATE store SET id = ?", [&store]).map_err(StoreError::from)?;
    // An engine would send at once from a store that kept its id.
    if About::read(&connection)?.store != store {
        return Err(BackupError::NotABackup("its store takes no other id"));
    }
    close(connection, &receiving)?;
    let of = store_id::origin(&found.store).to_owned();
    Ok((About { store, ..found }, of))
}

/// Refuses what could do something by itself when the engine writes: whoever can change a backup can change its digest, too.
fn has_only_tables(connection: &Connection) -> Result<(), BackupError> {
    // SQLite goes by the text, whatever type stands beside it.
    let others = "SELECT count(*) FROM sqlite_schema
                  WHERE type NOT IN ('table', 'index')
                     OR (sql NOT LIKE 'CREATE TABLE %' AND sql NOT LIKE 'CREATE INDEX %' AND sql NOT LIKE 'CREATE UNIQUE INDEX %')";
    match connection.query_row(others, [], |row| row.get::<_, i64>(0)).map_err(StoreError::from)? {
        0 => Ok(()),
        _ => Err(BackupError::NotABackup("it has triggers or views, or what else no engine makes")),
    }
}

/// What the store that is there says of itself, where that can be known.
fn what_is_there(path: &Path, expected: &Expected) -> Result<Option<About>, BackupError> {
    if !expected.replace {
        return Err(BackupError::Occupied(path.to_owned()));
    }
    let kept = swap::kept(path);
    if kept.try_exists().map_err(BackupError::file(&kept))? {
        return Err(BackupError::KeptAlready(kept));
    }
    let about = open::open_reader(path).map_err(BackupError::from).and_then(|old| {
        open::check_owner(&old, path)?;
        Ok(About::read(&old)?)
    });
    match about {
        Ok(about) => Ok(Some(about)),
        Err(error) if expected.number.is_none() => Err(BackupError::Unreadable(Box::new(error))),
        Err(_) => Ok(None),
    }
}

fn is_of_this_channel(found: &About, before: Option<&About>, expected: &Expected) -> Result<(), BackupError> {
    let name = |about: &About| format!("{} of account {}", about.number, about.account);
    if let Some(before) = before.filter(|before| name(before) != name(found)) {
        return Err(BackupError::OfOther { found: name(found), expected: name(before) });
    }
    if let Some(number) = expected.number.as_ref().filter(|number| **number != found.number) {
        return Err(BackupError::OfOther { found: name(found), expected: number.clone() });
    }
    Ok(())
}

/// The head of a database, as far as it says what comes.
struct Head {
    bytes: u64,
    schema: i64,
}

impl Head {
    fn read(head: &[u8; HEAD]) -> Result<Self, BackupError> {
        let number = |at: usize| head[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        if !head.starts_with(b"SQLite format 3\0") {
            return Err(BackupError::NotABackup("it does not begin as a database"));
        }
        if i64::from(number(68)) != i64::from(APPLICATION_ID) {
            return Err(BackupError::NotABackup("it is a database of another program"));
        }
        let page_size = match number(16) >> 16 {
            1 => 1 << 16,
            size => u64::from(size),
        };
        Ok(Self { bytes: page_size * u64::from(number(28)), schema: number(60).into() })
    }
}

/// Refuses a backup for which the volume has no room. Beside a store that is kept there must be as much as an engine keeps free, or it would run without
/// until a person removes that store.
fn has_room_for(path: &Path, bytes: u64, beside_kept: bool) -> Result<(), BackupError> {
    if beside_kept {
        let free = room::to_spare(path)?;
        return if free < bytes { Err(BackupError::NoRoomBesideKept { free, needed: bytes }) } else { Ok(()) };
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let free = Volume::of(folder).map_err(BackupError::file(folder))?.free;
    let needed = bytes.saturating_add(room::TO_START);
    if free < needed { Err(BackupError::NoRoom { free, needed }) } else { Ok(()) }
}

/// Writes a backup beside the store, without its end, when it is whole.
fn receive(path: &Path, backup: &mut dyn Read, beside_kept: bool) -> Result<(), BackupError> {
    let mut head = [0; HEAD];
    backup.read_exact(&mut head).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => BackupError::NotABackup("it is shorter than the head of a database"),
        _ => BackupError::Read(error),
    })?;
    let Head { bytes, schema } = Head::read(&head)?;
    if schema > schema::NEWEST {
        return Err(BackupError::NewerSchema { found: schema, known: schema::NEWEST });
    }
    has_room_for(path, bytes, beside_kept)?;
    let receiving = swap::receiving(path);
    let mut options = OpenOptions::new();
    let mut file =
        options.create_new(true).write(true).mode(0o600).open(&receiving).map_err(BackupError::file(&receiving))?;
    let mut digest = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut written = 0;
    let mut rest = head.as_slice().chain(backup);
    while written < bytes {
        let most = usize::try_from(bytes - written).unwrap_or(PIECE).min(PIECE);
        let length = read_some(&mut rest, &mut piece[..most])?;
        if length == 0 {
            return Err(BackupError::CutOff { found: written, expected: bytes + trailer::LENGTH as u64 });
        }
        digest.update(&piece[..length]);
        file.write_all(&piece[..length]).map_err(BackupError::file(&receiving))?;
        written += length as u64;
    }
    let mut end = Vec::new();
    rest.take(trailer::LENGTH as u64 + 1).read_to_end(&mut end).map_err(BackupError::Read)?;
    if end.len() < trailer::LENGTH {
        let found = bytes + end.len() as u64;
        return Err(BackupError::CutOff { found, expected: bytes + trailer::LENGTH as u64 });
    }
    if end != trailer::of(bytes, digest).as_bytes() {
        return Err(BackupError::Changed);
    }
    Ok(())
}

fn read_some(from: &mut impl Read, into: &mut [u8]) -> Result<usize, BackupError> {
    loop {
        match from.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map_err(BackupError::Read),
        }
    }
}

/// Opens what was received, alone: there is no index of its log in a file.
fn connect(receiving: &Path) -> Result<Connection, BackupError> {
    let connection = open::connect(receiving, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -8192; PRAGMA synchronous = FULL;")
        .map_err(StoreError::from)?;
    open::check_owner(&connection, receiving)?;
    Ok(connection)
}

/// Writes the log back, and sees to it that the disk has all.
fn close(connection: Connection, receiving: &Path) -> Result<(), BackupError> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(StoreError::from)?;
    connection.close().map_err(|(_, error)| StoreError::from(error))?;
    let log = beside(receiving, "-wal");
    if busy != 0 || log.try_exists().map_err(BackupError::file(&log))? {
        return Err(OpenError::InUse { path: receiving.to_owned() }.into());
    }
    let file = std::fs::File::open(receiving).map_err(BackupError::file(receiving))?;
    file.sync_all().map_err(BackupError::file(receiving))
}
