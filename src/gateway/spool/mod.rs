//! The gateway's own disk: traffic that waits for its engine, and the ledger of attempts to send.
//!
//! SQLite in WAL mode with `synchronous=FULL`. One thread owns the connection; it takes all waiting work into one transaction, so that
//! one fsync serves many, and answers only after the commit.

mod attempts;
mod group_commit;
mod ledger;
mod room;
mod salvage;
mod schema;
mod store_id;
mod tally;
mod trouble;
mod waiting;

use std::{path::Path, sync::Arc};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};
use tokio_util::sync::CancellationToken;

use crate::process::held_room::HeldRoom;

pub(super) use attempts::{AttemptKey, Begun, Content};
pub(super) use store_id::{InvalidStoreId, StoreId};
pub(super) use tally::Tally;
pub(super) use waiting::{EXPIRE_AT_ONCE, Kept, NoRoom, Place, Row, Rows};

use group_commit::{After, GroupCommit};
use ledger::Ledger;
use room::Room;
use trouble::Trouble;

/// Why the spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file was written by a newer version.
    #[error(
        "the spool has schema {found}, newer than {known}, the newest that this version knows; upgrade the gateway"
    )]
    Newer {
        /// Schema of the file.
        found: i64,
        /// Newest schema that is known.
        known: i64,
    },
    /// Anything else.
    #[error("the spool cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The thread cannot be started, or a file cannot be set aside.
    #[error("the spool cannot be opened: {0}")]
    Io(#[from] std::io::Error),
}

impl OpenError {
    /// Whether it may go well with more room.
    fn may_be_for_want_of_room(&self) -> bool {
        match self {
            Self::Newer { .. } => false,
            Self::Sqlite(error) => !is_damage(error.sqlite_error_code()),
            Self::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
        }
    }
}

/// Work that was not committed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the spool failed: {0}")]
pub(super) struct SpoolError(Arc<str>);

impl SpoolError {
    pub(super) fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
}

impl From<rusqlite::Error> for SpoolError {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// The spool. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Spool {
    commits: GroupCommit,
    ledger: Ledger,
    room: Room,
    tally: Arc<Mutex<Tally>>,
    set_aside: Arc<[String]>,
    damage: CancellationToken,
    trouble: Trouble,
}

impl Spool {
    /// Opens the spool in `path`, and makes it if there is none. Into one of this version nothing is written. A file that is damaged
    /// is set aside, and what can be read of it is taken over.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        match Self::open_or_salvage(path) {
            // Even an open file takes a little room beside it.
            Err(error) if error.may_be_for_want_of_room() && HeldRoom::of(path).give_up() => {
                tracing::warn!(%error, "the spool is opened with the room that was held in reserve");
                Self::open_or_salvage(path)
            }
            opened => opened,
        }
    }

    fn open_or_salvage(path: &Path) -> Result<Self, OpenError> {
        if salvage::is_marked(path) {
            return Self::set_aside(path);
        }
        match Self::open_file(path) {
            Err(OpenError::Sqlite(error)) if is_damage(error.sqlite_error_code()) => {
                tracing::error!(%error, "the spool is damaged");
                Self::set_aside(path)
            }
            opened => opened,
        }
    }

    fn set_aside(path: &Path) -> Result<Self, OpenError> {
        if let Some((aside, saved)) = salvage::replace(path, new_file, &mut || {})? {
            tracing::error!(file = %aside.display(), saved.waiting, saved.attempts, "a damaged spool was set aside; what could be read was taken over");
        }
        Self::open_file(path)
    }

    fn open_file(path: &Path) -> Result<Self, OpenError> {
        let connection = schema::open(path)?;
        let ledger = Ledger::open(&connection)?;
        let room = Room::open(path, &connection)?;
        let tally = Arc::new(Mutex::new(Tally::count(&connection)?));
        let set_aside = salvage::files(path).into();
        let (damage, trouble) = (CancellationToken::new(), Trouble::default());
        let after = after(room.clone(), path.to_owned(), damage.clone(), trouble.clone());
        Ok(Self { commits: GroupCommit::start(connection, after)?, ledger, room, tally, set_aside, damage, trouble })
    }

    /// Waits until the file turns out to be damaged. The process must end and start again, which sets it aside.
    pub(super) async fn damaged(&self) {
        self.damage.cancelled().await;
    }

    /// Rows, bytes and ages by number, as the spool's thread last counted them.
    pub(super) fn tally(&self) -> Tally {
        self.tally.lock().clone()
    }

    /// Damaged files that were set aside and are still there, by name.
    pub(super) fn files_set_aside(&self) -> &[String] {
        &self.set_aside
    }

    /// SQLite's name of what failed lately, but for want of room.
    pub(super) fn failed_lately(&self) -> Option<String> {
        self.trouble.lately()
    }

    /// How many bytes the file may take, how many of them hold something, and whether a write found no room lately.
    pub(super) fn bytes(&self) -> (u64, u64, bool) {
        let (capacity, used) = self.room.bytes();
        (capacity, used, self.room.failed_lately())
    }

    /// Whether there is no room for one more row; and which numbers have as much as one may have.
    pub(super) fn no_room(&self) -> (bool, Vec<String>) {
        let tally = self.tally.lock();
        let left = self.room.left(tally.totals);
        if left.rows == 0 {
            return (true, Vec::new());
        }
        let rows = tally.numbers.iter().map(|(number, counts)| (number, counts.waiting + counts.parked));
        (false, rows.filter(|(_, rows)| !left.for_number(*rows)).map(|(number, _)| number.clone()).collect())
    }

    /// Numbers of which an attempt found no room lately.
    pub(super) fn full_ledgers(&self) -> Vec<String> {
        self.room.attempts_refused_lately()
    }

    /// Looks at the volume, which may have grown.
    ///
    /// # Errors
    /// When it cannot be measured.
    pub(super) async fn measure_volume(&self) -> Result<(), SpoolError> {
        let room = self.room.clone();
        self.commits.outside_of_transactions(move |connection| room.measure_volume(connection)).await
    }
}

/// A new file, for what is taken over of a damaged one.
fn new_file(path: &Path) -> Result<Connection, OpenError> {
    let connection = schema::open(path)?;
    // Before anything is taken over: what is missing is not known.
    Ledger::open(&connection)?;
    Ok(connection)
}

/// What is seen to after each batch.
fn after(room: Room, path: std::path::PathBuf, damage: CancellationToken, trouble: Trouble) -> After {
    Box::new(move |connection: &Connection, failure: Option<ErrorCode>| {
        if let Err(error) = room.measure(connection) {
            tracing::error!(%error, "the spool cannot be measured");
        }
        match failure {
            Some(ErrorCode::DiskFull) => room.is_full(connection),
            failure if is_damage(failure) && !damage.is_cancelled() => {
                tracing::error!("the spool is damaged; the gateway ends, and sets it aside when it starts again");
                if let Err(error) = salvage::mark(&path) {
                    tracing::error!(%error, "the damage cannot be noted");
                }
                damage.cancel();
            }
            Some(failure) => trouble.note(failure),
            None => {}
        }
    })
}

fn is_damage(code: Option<ErrorCode>) -> bool {
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
