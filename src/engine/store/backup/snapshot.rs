//! A store at one instant, read by another process than its engine.

use std::{io::Write, path::Path};

use rusqlite::Connection;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{About, BackupError, check, trailer};
use crate::engine::store::{error::StoreError, open};

/// The store at the instant at which this began. Commits go on; only the log is not emptied as long as this lives.
#[derive(Debug)]
pub struct Snapshot {
    connection: Connection,
    about: About,
    bytes: u64,
}

/// A backup that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Length of all of it, in bytes.
    pub bytes: u64,
    /// SHA-256 of all of it, as `sha256sum` prints it.
    pub sha256: String,
}

impl Snapshot {
    /// The store at `path` as it is now.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn begin(path: &Path) -> Result<Self, BackupError> {
        if !path.try_exists().map_err(BackupError::file(path))? {
            return Err(BackupError::NoStore(path.to_owned()));
        }
        let connection = open::open_reader(path)?;
        open::check_owner(&connection, path)?;
        // The first query sets the instant, and the transaction keeps it.
        connection.execute_batch("PRAGMA cache_size = -8192; BEGIN").map_err(StoreError::from)?;
        let about = About::read(&connection)?;
        let number =
            |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, u32>(0)).map_err(StoreError::from);
        let bytes = u64::from(number("PRAGMA page_count")?) * u64::from(number("PRAGMA page_size")?);
        Ok(Self { connection, about, bytes })
    }

    /// What it says of itself.
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// How long a backup of it is.
    pub const fn backup_bytes(&self) -> u64 {
        self.bytes + trailer::LENGTH as u64
    }

    /// Looks at every page and row.
    ///
    /// # Errors
    /// When something is wrong with them, or they cannot be read.
    pub fn check(&self) -> Result<(), BackupError> {
        check(&self.connection)
    }

    /// Writes the backup, page by page.
    ///
    /// # Errors
    /// When the store cannot be read, or the backup not be written. Its end is missing then.
    pub fn write_to(&self, out: &mut dyn Write) -> Result<Written, BackupError> {
        let mut digest = Sha256::new();
        let mut bytes = 0;
        let mut pages = self
            .connection
            .prepare("SELECT data FROM sqlite_dbpage('main') ORDER BY pgno")
            .map_err(StoreError::from)?;
        let mut rows = pages.query([]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let page = row
                .get_ref(0)
                .map_err(StoreError::from)?
                .as_blob()
                .map_err(|error| StoreError::Contents(error.to_string()))?;
            digest.update(page);
            bytes += page.len() as u64;
            out.write_all(page).map_err(BackupError::Write)?;
        }
        if bytes != self.bytes {
            return Err(StoreError::Contents(format!("{bytes} bytes of {} could be read", self.bytes)).into());
        }
        let end = trailer::of(bytes, digest.clone());
        out.write_all(end.as_bytes()).and_then(|()| out.flush()).map_err(BackupError::Write)?;
        digest.update(&end);
        Ok(Written { bytes: bytes + end.len() as u64, sha256: trailer::hex(digest) })
    }
}
