//! What can be wrong with a store, each with what to do about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// What SQLite or the file system reports, by what a person can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space is left.
    #[error("the volume is full: enlarge spec.engine.storage.volume.size or shorten retentionDays ({0})")]
    Full(#[source] rusqlite::Error),
    /// The file or the volume cannot be written.
    #[error("the volume cannot be written: check how it is mounted and who owns the files ({0})")]
    ReadOnly(#[source] rusqlite::Error),
    /// The file is damaged, or is no SQLite database.
    #[error("the file is damaged or is no SQLite database: restore the volume from a snapshot ({0})")]
    Corrupt(#[source] rusqlite::Error),
    /// The disk reports errors.
    #[error("the disk reports errors: check the volume ({0})")]
    Io(#[source] rusqlite::Error),
    /// Another process holds the database for longer than [`BUSY_TIMEOUT`](super::open::BUSY_TIMEOUT).
    #[error("another process holds the database locked: end it ({0})")]
    Locked(#[source] rusqlite::Error),
    /// The volume does not say how much room it has.
    #[error("the volume cannot be asked for its room: {0}")]
    Volume(#[source] std::io::Error),
    /// What a row says makes no sense.
    #[error("the contents are damaged: {0}; restore the volume from a snapshot")]
    Contents(String),
    /// Anything else is a fault of this program.
    #[error("the database refused a statement: {0}")]
    Other(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(error),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::ReadOnly(error),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error),
            Some(ErrorCode::SystemIoFailure) => Self::Io(error),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(error),
            _ => Self::Other(error),
        }
    }
}

/// Why a store cannot be opened. The engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened or read.
    #[error("cannot open the store {}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why SQLite could not open or read it.
        source: StoreError,
    },
    /// The lock file beside it cannot be made.
    #[error("cannot make the lock file {}: {source}; check how the volume is mounted and who owns the files", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The volume has no room for the files that opening makes.
    #[error("the volume {} is full: enlarge spec.engine.storage.volume.size, or delete what else is on it", path.display())]
    VolumeFull {
        /// The path that the volume is mounted at.
        path: PathBuf,
    },
    /// The volume has no room for what the newest schema adds.
    #[error(
        "the volume {} has {} MiB free, and bringing the store from schema {from} to {to} takes {} MiB: set \
         spec.engine.storage.volume.size to {}Mi or more", path.display(), free >> 20, mebibytes(*needed), mebibytes(*enough)
    )]
    NoRoomToUpgrade {
        /// The path that the volume is mounted at.
        path: PathBuf,
        /// The schema that the store has.
        from: i64,
        /// The newest one.
        to: i64,
        /// Bytes that are free.
        free: u64,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that a volume must have for it.
        enough: u64,
    },
    /// Another engine has it open.
    #[error("the store {} is in use by another engine: only one may run", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A restore was broken off, and cannot be ended.
    #[error("a restore of {} was broken off and cannot be ended: {source}{}", path.display(), what_to_check(source))]
    Restore {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It is a SQLite database, but not ours.
    #[error("{} is a database of another program: give the channel a volume of its own", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// A newer engine wrote it.
    #[error("the store {} has schema {found}, this engine knows up to {known}: run a newer image", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema that the file says it has.
        found: i64,
        /// The newest schema that this engine knows.
        known: i64,
    },
    /// It holds the data of another number or account.
    #[error(
        "the store {} belongs to {found_number} of account {found_account}, not to {number} of account {account}: \
         this is another channel's volume", path.display()
    )]
    BelongsToOther {
        /// The file.
        path: PathBuf,
        /// The account that it belongs to.
        found_account: String,
        /// The number that it belongs to.
        found_number: String,
        /// The account of this channel.
        account: String,
        /// The number of this channel.
        number: String,
    },
}

/// What to do where the system's reason does not say it.
fn what_to_check(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::AlreadyExists => "",
        _ => "; check how the volume is mounted and who owns the files",
    }
}

/// Rounded up.
const fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

impl OpenError {
    /// Names the file to an error.
    pub(super) fn at(path: &Path) -> impl Fn(StoreError) -> Self + '_ {
        move |source| Self::Store { path: path.to_owned(), source }
    }
}

/// Why a transaction could not be carried out. The state in memory may be ahead of the store and a COMMIT that failed may or may not
/// be on the disk, so the only way on is to end the process and start from the store again.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The transaction failed; nothing of it is visible in this process's store any more.
    #[error("cannot write to the store: {0}")]
    Store(#[from] StoreError),
    /// An earlier transaction failed. The store takes no further one.
    #[error("the store takes no more writes after an earlier failure")]
    Failed,
}

impl From<rusqlite::Error> for CommitError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
