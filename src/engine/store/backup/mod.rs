//! Backups of a store in one file, and their way back ([decision 0028](../../../../docs/decisions/0028-backup-to-a-file.md)).
//!
//! A [`Snapshot`] is the store at one instant, while its engine goes on writing. [`restore()`] puts a backup in the place of a store.

mod restore;
mod snapshot;
mod trailer;

use std::{io, path::PathBuf};

use rusqlite::Connection;
use serde::Serialize;

use super::{
    error::{OpenError, StoreError},
    open::Identity,
    schema,
    swap::BEFORE_RESTORE,
};

pub use self::{
    restore::{Expected, Restored, restore},
    snapshot::{Snapshot, Written},
};

/// What a store, or a backup of one, says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// The store's id.
    pub store: String,
    /// The number whose conversations it holds.
    pub number: String,
    /// The provider account of the number.
    pub account: String,
    /// Version of its schema.
    pub schema: i64,
    /// Commits since the store was made.
    pub commits: i64,
    /// Interactions that are not closed.
    pub open_interactions: i64,
    /// Messages that wait to be sent, or whose outcome is not known yet.
    pub outbox: i64,
}

impl About {
    fn read(connection: &Connection) -> Result<Self, StoreError> {
        let Identity { id, belongs } = super::open::read_identity(connection)?.0;
        let count = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0));
        Ok(Self {
            store: id,
            number: belongs.number.to_string(),
            account: belongs.account,
            schema: schema::version(connection)?,
            commits: count("SELECT commits FROM store")?,
            open_interactions: count("SELECT count(*) FROM interaction WHERE closed_at IS NULL")?,
            outbox: count("SELECT count(*) FROM outbox")?,
        })
    }
}

/// Looks at every page and row.
fn check(connection: &Connection) -> Result<(), BackupError> {
    let first: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(StoreError::from)?;
    if first != "ok" {
        return Err(BackupError::Damaged(first));
    }
    let mut missing = connection.prepare("PRAGMA foreign_key_check").map_err(StoreError::from)?;
    let mut rows = missing.query([]).map_err(StoreError::from)?;
    match rows.next().map_err(StoreError::from)? {
        None => Ok(()),
        Some(row) => {
            let name = |column: usize| row.get::<_, String>(column).unwrap_or_default();
            Err(BackupError::Damaged(format!("a row of {} belongs to one of {} that is not there", name(0), name(2))))
        }
    }
}

/// Why there is no backup, or why it was not restored. The store is as it was before, but for [`NotEnded`](Self::NotEnded).
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing is there to back up.
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    /// The store cannot be opened, or an engine has it open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Pages or rows contradict each other.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The copy cannot be written.
    #[error("the backup cannot be written: {0}")]
    Write(#[source] io::Error),
    /// The backup cannot be read.
    #[error("the backup cannot be read: {0}")]
    Read(#[source] io::Error),
    /// A file or folder beside the store cannot be made, moved or removed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error("this is no backup of a store: {0}")]
    NotABackup(&'static str),
    /// The end is missing.
    #[error("the backup is cut off: it has {found} bytes of {expected}; take it again, or copy it again")]
    CutOff {
        /// Bytes that came.
        found: u64,
        /// Bytes that its head promises.
        expected: u64,
    },
    /// It was changed after it was taken.
    #[error("the backup is not as it was written: the digest at its end is another one; use another copy of it")]
    Changed,
    /// A newer engine wrote it.
    #[error(
        "the backup has schema {found}, this image knows up to {known}: restore it with the image that took it, or a newer one"
    )]
    NewerSchema {
        /// The schema of the backup.
        found: i64,
        /// The newest schema that this binary knows.
        known: i64,
    },
    /// It is of another channel.
    #[error("the backup is of {found}, and this is the volume of {expected}")]
    OfOther {
        /// Number and account of the backup.
        found: String,
        /// Number and account that it should be of.
        expected: String,
    },
    /// Nobody said that the store may be replaced.
    #[error(
        "there is a store at {}: add --replace, which keeps it in the folder {BEFORE_RESTORE} beside it, or give an empty volume", .0.display()
    )]
    Occupied(PathBuf),
    /// The store that is there does not say whose it is.
    #[error("the store that is there cannot be read ({0}): say with --number whose volume this is")]
    Unreadable(Box<BackupError>),
    /// The store that an earlier restore replaced is still kept.
    #[error("{} holds the store that an earlier restore replaced: remove it with --remove-replaced, after a backup of it if it is needed", .0.display())]
    KeptAlready(PathBuf),
    /// What was restored counts, and could not be put in its place.
    #[error(
        "the backup counts from now on, but could not be put in the place of {}: {source}; the next start of the engine ends the restore, and so does this \
         command again, which says then that the replaced store is kept", path.display()
    )]
    NotEnded {
        /// The store.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The volume is too small for two stores.
    #[error(
        "the volume has {free} bytes free above what an engine keeps for itself, and the backup needs {needed} beside the replaced store, which is kept until \
         --remove-replaced: enlarge spec.engine.storage.volume.size, or restore to an empty volume"
    )]
    NoRoomBesideKept {
        /// Bytes that may be taken.
        free: u64,
        /// Bytes that are needed.
        needed: u64,
    },
    /// The volume is too small.
    #[error("the volume has {free} bytes free, and the backup needs {needed}: enlarge spec.engine.storage.volume.size")]
    NoRoom {
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed.
        needed: u64,
    },
}

impl BackupError {
    /// Names the file or folder to an error of the system.
    fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
