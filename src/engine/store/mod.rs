//! The channel's durable state: events and tables in one SQLite file.
//!
//! One [`Store`] writes, any number of [`Reader`]s query. All of it is synchronous: the runtime calls the writer from a thread of
//! its own. A [`Transaction`] sees what it wrote itself, so that the commands of one batch are decided one after the other
//! and become durable together, with one fsync.

mod added;
pub mod backup;
mod bot_failures;
mod bots;
mod clock_set;
mod codec;
pub mod error;
mod flush;
pub mod idempotency;
mod load;
mod lock;
mod look_up_rows;
pub mod lookup;
pub mod open;
mod opt_outs;
mod outbox;
mod parts;
mod provider_ids;
pub mod read;
pub mod receipt_token;
mod recent;
pub mod retention;
pub mod room;
pub mod schema;
pub mod swap;
mod touched;
mod upgrade;
pub mod write;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use rusqlite::{Connection, TransactionBehavior, params};

use jiff::Timestamp;

use self::{
    added::Added,
    error::{CommitError, OpenError, StoreError},
    open::{Belongs, Identity},
    opt_outs::OptOuts,
    receipt_token::ReceiptTokens,
    recent::Recent,
    touched::Touched,
};
use crate::engine::core::state::{OpenRows, Sample, State};

pub use self::recent::INDEX_AT_ONCE;
use self::recent::LOOK_UPS_OF_A_REQUEST;

/// The writer of one channel's store. There is one in the process, and a lock sees to it that there is one process.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    identity: Identity,
    receipt_tokens: ReceiptTokens,
    commits: u64,
    last_sequence: u64,
    failed: bool,
    recent: Recent,
    /// Where retention goes on.
    progress: retention::Progress,
    /// Pages of what was forgotten may still stand in the write-ahead log.
    log_holds_forgotten: bool,
    /// The log has little room and is written back early.
    has_short_log: bool,
    /// Rows of look-ups for which the volume has room in one transaction.
    index_at_once: usize,
    _lock: lock::Lock,
}

impl Store {
    /// Opens the store at `path`, or makes it.
    ///
    /// # Errors
    /// When the file cannot be used, is in use, is not a store, is of a newer schema or belongs to another number or account.
    pub fn open(path: &Path, belongs: &Belongs) -> Result<Self, OpenError> {
        let opened = open::open(path, belongs)?;
        Ok(Self {
            receipt_tokens: ReceiptTokens::new(&opened.receipt_key),
            connection: opened.connection,
            path: path.to_owned(),
            identity: opened.identity,
            commits: opened.commits,
            last_sequence: opened.last_sequence,
            failed: false,
            recent: opened.recent,
            progress: retention::Progress::default(),
            // Unknown after a kill; emptying it once too often costs nothing.
            log_holds_forgotten: true,
            has_short_log: false,
            index_at_once: INDEX_AT_ONCE,
            _lock: opened.lock,
        })
    }

    /// The store's id, and the account and number whose data it holds.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Commits since the store was made. It only rises; a lower number than before means that an older copy was restored.
    pub const fn commits(&self) -> u64 {
        self.commits
    }

    /// Sequence number of the newest event, 0 while there is none.
    pub const fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Begins a life of the store: no event of it has a number below `first`.
    pub fn begin_life(&mut self, first: u64) {
        self.last_sequence = self.last_sequence.max(first.saturating_sub(1));
    }

    /// Makes and checks the tokens in status callback URLs.
    pub const fn receipt_tokens(&self) -> &ReceiptTokens {
        &self.receipt_tokens
    }

    /// The rows to make the state of, with the samples since an instant: open things only, however much is stored.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what makes no sense.
    pub fn load(&self, samples_since: Timestamp) -> Result<OpenRows, StoreError> {
        load::open_rows(&self.connection, samples_since)
    }

    /// A connection for queries, which see what is committed.
    ///
    /// # Errors
    /// When the file cannot be opened once more.
    pub fn reader(&self) -> Result<read::Reader, StoreError> {
        open::open_reader(&self.path).map(read::Reader::new)
    }

    /// The samples since an instant, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn samples(&self, since: Timestamp) -> Result<Vec<Sample>, StoreError> {
        load::samples(&self.connection, since)
    }

    /// When [`Store::index`] is to be called; none = nothing waits for it.
    pub fn index_due(&self) -> Option<Instant> {
        self.recent.due()
    }

    /// Writes rows into the look-ups after a transaction with so many requests, or entries of them: as many as they can have added, so that the look-ups never fall
    /// behind, and in transactions for which the volume has room.
    ///
    /// # Errors
    /// When the store cannot be written. The process must end, as after a failed commit.
    pub fn index_after(&mut self, requests: usize) -> Result<(), CommitError> {
        let added = requests.saturating_mul(LOOK_UPS_OF_A_REQUEST);
        for _ in 0..added.div_ceil(self.index_at_once).max(1) {
            self.index(self.index_at_once)?;
        }
        Ok(())
    }

    /// Writes what waits for the look-ups into them, `at_most` so many rows ([`INDEX_AT_ONCE`]), in a transaction of its own. It may
    /// need as much room on the volume as that changes pages.
    ///
    /// # Errors
    /// When the store cannot be written. The process must end, as after a failed commit.
    pub fn index(&mut self, at_most: usize) -> Result<(), CommitError> {
        if self.recent.is_empty() {
            return Ok(());
        }
        if std::mem::replace(&mut self.failed, true) {
            return Err(CommitError::Failed);
        }
        // Nobody waits for it on the disk: the next commit brings it there, or it is written again after a start.
        self.connection.execute_batch("PRAGMA synchronous = NORMAL")?;
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.recent.index(&sql, at_most)?;
        sql.commit()?;
        self.connection.execute_batch("PRAGMA synchronous = FULL")?;
        self.failed = false;
        Ok(())
    }

    /// Begins a transaction. Dropping it undoes all that it wrote; the state in memory must then be given up, too.
    ///
    /// # Errors
    /// When the database is locked or out of order, or an earlier transaction failed.
    pub fn begin(&mut self) -> Result<Transaction<'_>, CommitError> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(CommitError::Failed);
        }
        let sql = rusqlite::Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        Ok(Transaction {
            sql,
            commits: &mut self.commits,
            last_sequence: &mut self.last_sequence,
            failed: &mut self.failed,
            recent: &mut self.recent,
            log: EventLog::default(),
            added: Added::default(),
            touched: Touched::default(),
            opt_outs: OptOuts::default(),
            dirty: false,
        })
    }
}

/// A batch of decisions that becomes durable together.
#[derive(Debug)]
pub struct Transaction<'store> {
    sql: rusqlite::Transaction<'store>,
    commits: &'store mut u64,
    last_sequence: &'store mut u64,
    failed: &'store mut bool,
    recent: &'store mut Recent,
    log: EventLog,
    added: Added,
    touched: Touched,
    opt_outs: OptOuts,
    /// Something but events was written.
    dirty: bool,
}

/// The events of a transaction, as they will stand in its row.
#[derive(Debug, Default)]
struct EventLog {
    count: u64,
    body: Vec<u8>,
    /// When the last of them happened.
    at: i64,
}

/// What a commit made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The commit counter after it.
    pub commits: u64,
    /// Sequence number of the newest event after it.
    pub last_sequence: u64,
}

impl Transaction<'_> {
    /// Makes all that was written durable: when it returns, the disk has it. Writes nothing when nothing was written. `state` is
    /// the state after the last decision; nobody was evicted from it since the transaction began.
    ///
    /// # Errors
    /// When it could not be written. Nobody knows then whether the disk has it: the process must end.
    pub fn commit(mut self, state: &State) -> Result<Committed, CommitError> {
        if self.log.count == 0 && !self.dirty {
            self.sql.rollback()?;
            *self.failed = false;
            return Ok(Committed { commits: *self.commits, last_sequence: *self.last_sequence });
        }
        let committed = Committed { commits: *self.commits + 1, last_sequence: *self.last_sequence + self.log.count };
        let scalars = if self.log.count > 0 { Some(codec::json(state.scalars())?) } else { None };
        self.write_log(committed.last_sequence)?;
        self.added.write(&self.sql, state)?;
        let is_added = |customer| self.added.has_customer(customer);
        std::mem::take(&mut self.touched).write(&self.sql, state, is_added)?;
        self.opt_outs.write(&self.sql)?;
        self.sql
            .prepare_cached("UPDATE store SET commits = ?, last_sequence = ?, scalars = coalesce(?, scalars)")?
            .execute(params![codec::column(committed.commits), codec::column(committed.last_sequence), scalars])?;
        self.sql.commit()?;
        *self.commits = committed.commits;
        *self.last_sequence = committed.last_sequence;
        *self.failed = false;
        Ok(committed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        core::ids::{CustomerId, MessageId},
        store::recent::Appended,
    };

    #[test]
    fn look_ups_never_fall_behind_however_little_is_written_at_once() {
        const TEXTS: u32 = 64;
        let dir = tempfile::tempdir().unwrap();
        let belongs = Belongs { account: "AC1".into(), number: "+15551230001".parse().unwrap() };
        let mut store = Store::open(&dir.path().join("store.db"), &belongs).unwrap();
        store.index_at_once = 64;
        let (mut added, mut message) = (0, 0);
        for batch in 0..20 {
            for text in 0..TEXTS {
                let customer = CustomerId(u64::from(batch * TEXTS + text + 1));
                store.recent.add_customer(customer, format!("+1555{:07}", customer.0).into());
                for provider_id in [Some((format!("SM{customer}").into(), 0)), None] {
                    message += 1;
                    store.recent.add(Appended { message: MessageId(message), customer, provider_id });
                }
                added += 4;
            }
            store.index_after(64).unwrap();
            let count = |look_up: &str| {
                let query = format!("SELECT count(*) FROM {look_up}");
                store.connection.query_row(&query, [], |row| row.get::<_, u32>(0)).unwrap()
            };
            let written: u32 = ["customer_by_address", "dedup", "message_of_customer"].map(count).iter().sum();
            assert!(added - written <= 4 * TEXTS, "{} rows wait after {batch} transactions", added - written);
        }
    }

    #[test]
    fn what_is_written_into_the_look_ups_leaves_commits_as_durable_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let belongs = Belongs { account: "AC1".into(), number: "+15551230001".parse().unwrap() };
        let store = Store::open(&path, &belongs).unwrap();
        let left = "INSERT INTO message (id, customer, direction, at, text, outcome, provider_id)
                    VALUES (1, 1, 'Inbound', 1, 'hello', 'Queued', 'SM1')";
        store.connection.execute(left, []).unwrap();
        drop(store);
        let mut store = Store::open(&path, &belongs).unwrap();
        assert!(store.index_due().is_some());
        store.index(INDEX_AT_ONCE).unwrap();
        let synchronous: i64 = store.connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        assert_eq!(synchronous, 2, "FULL: a commit returns after its fsync");
        assert!(store.index_due().is_none());
    }
}
