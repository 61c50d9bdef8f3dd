//! The gateway's own disk: traffic that waits for its engine, and the ledger of attempts to send.
//!
//! SQLite in WAL mode with `synchronous=FULL`. One thread owns the connection; it takes all waiting work into one transaction, so that
//! one fsync serves many, and answers only after the commit.

mod attempts;
mod ledger;
mod schema;
mod waiting;
mod writer;

use std::{path::Path, sync::Arc};

pub use attempts::{AttemptKey, Begun};
pub use waiting::{Item, Row, Rows};

use ledger::Ledger;
use writer::Writer;

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
    /// The thread cannot be started.
    #[error("the spool's thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Work that was not committed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the spool failed: {0}")]
pub struct SpoolError(Arc<str>);

impl SpoolError {
    pub(super) fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
}

/// The spool. Clones share it.
#[derive(Clone, Debug)]
pub struct Spool {
    writer: Writer,
    ledger: Ledger,
}

impl Spool {
    /// Opens the spool in `path`, and makes it if there is none. Into one of this version nothing is written.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let connection = schema::open(path)?;
        let ledger = Ledger::open(&connection)?;
        Ok(Self { writer: Writer::start(connection)?, ledger })
    }
}
