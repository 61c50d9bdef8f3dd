//! [`GroupCommit`]: the thread that owns the connection commits all work that waits in one transaction.

use std::{io, sync::mpsc, thread};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::SpoolError;

/// Most pieces of work in one transaction; bounds how long the first of them waits.
const BATCH: usize = 512;

/// Called on the thread after each batch, with what was wrong with the file if anything was.
pub(super) type After = Box<dyn FnMut(&Connection, Option<ErrorCode>) + Send>;

/// One piece of work: it may be done again when the transaction that it shared came to nothing.
trait Piece: Send {
    fn work(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    /// The transaction has ended so: tells whoever waits.
    fn end(self: Box<Self>, committed: Result<(), SpoolError>);
}

struct Pending<W, T, E> {
    work: W,
    /// Called when it is committed.
    then: E,
    done: Option<rusqlite::Result<T>>,
    answer: oneshot::Sender<Result<T, SpoolError>>,
}

impl<T, W, E> Piece for Pending<W, T, E>
where
    T: Send,
    W: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    E: FnOnce(&T) + Send,
{
    fn work(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let done = (self.work)(connection);
        let end = done.as_ref().map(drop).map_err(clone_of);
        self.done = Some(done);
        end
    }

    fn end(self: Box<Self>, committed: Result<(), SpoolError>) {
        let Self { then, done, answer: waiting, .. } = *self;
        let answer = match (done, committed) {
            (Some(Err(error)), _) => Err(error.into()),
            (Some(Ok(_)) | None, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => {
                then(&value);
                Ok(value)
            }
            (None, Ok(())) => Err(SpoolError::new("the work was not done")),
        };
        // Nobody may be waiting any more; that is theirs to know.
        let _ = waiting.send(answer);
    }
}

enum Job {
    Piece(Box<dyn Piece>),
    Outside(Box<dyn FnOnce(&Connection) + Send>),
}

/// Gives work to the thread. Clones share it; it ends with the last of them.
#[derive(Clone, Debug)]
pub(super) struct GroupCommit(mpsc::Sender<Job>);

impl GroupCommit {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, after: After) -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel();
        connection.set_prepared_statement_cache_capacity(64);
        thread::Builder::new().name("spool".into()).spawn(move || run(&connection, &jobs, after))?;
        Ok(Self(sender))
    }

    /// Does `work` in a transaction that others may share. The answer comes after the commit. `work` may be called more than once;
    /// all but the last call are taken back.
    ///
    /// # Errors
    /// When the transaction was not committed; then nothing of `work` happened. The failure of one does not touch others.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SpoolError> {
        self.transact_then(work, |_| {}).await
    }

    /// As [`Self::transact`]; `then` is called on the thread after the commit, in the order of commits.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub(super) async fn transact_then<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, SpoolError> {
        let (answer, answered) = oneshot::channel();
        self.send(Job::Piece(Box::new(Pending { work, then, done: None, answer })))?;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Does `work` with the connection while there is no transaction.
    ///
    /// # Errors
    /// As `work`.
    pub(super) async fn outside_of_transactions(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), SpoolError> {
        let (answer, answered) = oneshot::channel();
        let work = move |connection: &Connection| drop(answer.send(work(connection).map_err(SpoolError::from)));
        self.send(Job::Outside(Box::new(work)))?;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    fn send(&self, job: Job) -> Result<(), SpoolError> {
        self.0.send(job).map_err(|_| ended())
    }
}

fn ended() -> SpoolError {
    SpoolError::new("its thread has ended")
}

fn run(connection: &Connection, jobs: &mpsc::Receiver<Job>, mut after: After) {
    while let Ok(first) = jobs.recv() {
        let mut batch = Vec::new();
        for job in std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)) {
            match job {
                Job::Piece(piece) => batch.push(piece),
                Job::Outside(work) => work(connection),
            }
        }
        if batch.is_empty() {
            continue;
        }
        let failure = match transaction(connection, &mut batch) {
            Ok(failure) => {
                batch.into_iter().for_each(|piece| piece.end(Ok(())));
                failure
            }
            // One of them may be at fault, or room may have been made since: each for itself.
            Err(Failed::All(error)) => {
                tracing::warn!(%error, "a transaction of the spool was not committed; its parts are tried one by one");
                after(connection, error.sqlite_error_code());
                batch.into_iter().fold(None, |known, piece| worse(known, alone(connection, piece)))
            }
            Err(Failed::Begin(error)) => {
                tracing::error!(%error, "a transaction of the spool cannot be begun");
                let (failure, error) = (error.sqlite_error_code(), SpoolError::from(error));
                batch.into_iter().for_each(|piece| piece.end(Err(error.clone())));
                failure
            }
        };
        after(connection, failure);
    }
}

/// The graver of two failures: damage before want of room before anything else, so that none hides what is to be done about another.
fn worse(one: Option<ErrorCode>, other: Option<ErrorCode>) -> Option<ErrorCode> {
    let rank = |code: &ErrorCode| match code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => 2,
        ErrorCode::DiskFull => 1,
        _ => 0,
    };
    one.into_iter().chain(other).max_by_key(rank)
}

fn alone(connection: &Connection, mut piece: Box<dyn Piece>) -> Option<ErrorCode> {
    match transaction(connection, std::slice::from_mut(&mut piece)) {
        Ok(worst) => {
            piece.end(Ok(()));
            worst
        }
        Err(Failed::All(error) | Failed::Begin(error)) => {
            let code = error.sqlite_error_code();
            piece.end(Err(error.into()));
            code
        }
    }
}

/// A transaction that came to nothing.
enum Failed {
    /// It could not be begun.
    Begin(rusqlite::Error),
    /// It was taken back.
    All(rusqlite::Error),
}

/// Does the pieces and commits those that did not fail. What was worst with those that did fail.
fn transaction(connection: &Connection, pieces: &mut [Box<dyn Piece>]) -> Result<Option<ErrorCode>, Failed> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(Failed::Begin)?;
    let done = within(connection, pieces);
    if done.is_err() && !connection.is_autocommit() {
        // SQLite has mostly rolled back by itself.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done.map_err(Failed::All)
}

fn within(connection: &Connection, pieces: &mut [Box<dyn Piece>]) -> rusqlite::Result<Option<ErrorCode>> {
    let mut worst = None;
    for piece in pieces {
        connection.prepare_cached("SAVEPOINT piece")?.execute([])?;
        if let Err(error) = piece.work(connection) {
            // Some failures take back the whole transaction.
            if connection.is_autocommit() {
                return Err(error);
            }
            tracing::error!(%error, "a piece of work failed in the spool; it is taken back");
            worst = worse(worst, error.sqlite_error_code());
            connection.prepare_cached("ROLLBACK TO piece")?.execute([])?;
        }
        connection.prepare_cached("RELEASE piece")?.execute([])?;
    }
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(worst)
}

/// SQLite's own errors with their codes; the text of all others.
fn clone_of(error: &rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(failure, text) => rusqlite::Error::SqliteFailure(*failure, text.clone()),
        other => rusqlite::Error::ToSqlConversionFailure(other.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn commits() -> (tempfile::TempDir, GroupCommit) {
        let dir = tempfile::tempdir().unwrap();
        let connection = Connection::open(dir.path().join("x.db")).unwrap();
        connection.execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY, y BLOB)").unwrap();
        (dir, GroupCommit::start(connection, Box::new(|_, _| {})).unwrap())
    }

    async fn insert(commits: &GroupCommit, x: i64, bytes: usize) -> Result<(), SpoolError> {
        let work = move |connection: &Connection| {
            connection.execute("INSERT INTO t VALUES (?1, zeroblob(?2))", [x, bytes as i64]).map(drop)
        };
        commits.transact(work).await
    }

    /// Inserts of so many bytes in one transaction, by number.
    async fn together(commits: &GroupCommit, inserts: &[(i64, usize)]) -> Vec<bool> {
        // Holds the thread, so that the others gather.
        let (go, gate) = mpsc::channel::<()>();
        let mut gate = Some(gate);
        let hold = commits.transact(move |_| {
            if let Some(gate) = gate.take() {
                let _ = gate.recv_timeout(Duration::from_secs(10));
            }
            Ok(())
        });
        let others = async {
            let all = futures::future::join_all(inserts.iter().map(|&(x, bytes)| insert(commits, x, bytes)));
            tokio::pin!(all);
            // The work is queued at the first poll.
            assert!(futures::poll!(&mut all).is_pending());
            go.send(()).unwrap();
            all.await
        };
        let (held, ends) = tokio::join!(hold, others);
        held.unwrap();
        ends.iter().map(Result::is_ok).collect()
    }

    async fn rows(commits: &GroupCommit) -> i64 {
        commits.transact(|c| c.query_row("SELECT count(*) FROM t", [], |row| row.get(0))).await.unwrap()
    }

    #[test]
    fn no_failure_hides_a_graver_one() {
        let (damage, full, other) = (ErrorCode::DatabaseCorrupt, ErrorCode::DiskFull, ErrorCode::ConstraintViolation);
        for all in [[damage, full, other], [other, full, damage], [full, damage, other]] {
            assert_eq!(all.into_iter().fold(None, |known, next| worse(worse(known, Some(next)), None)), Some(damage));
        }
        assert_eq!(worse(Some(full), Some(other)), Some(full));
    }

    #[tokio::test]
    async fn one_that_fails_takes_nobody_with_it() {
        let (_dir, commits) = commits();
        assert_eq!(together(&commits, &[(1, 0), (2, 0), (1, 0), (3, 0)]).await, [true, true, false, true]);
        assert_eq!(rows(&commits).await, 3);
    }

    #[tokio::test]
    async fn what_finds_no_room_takes_nobody_with_it() {
        let (_dir, commits) = commits();
        let limit = |connection: &Connection| {
            connection.query_row("PRAGMA max_page_count = 20", [], |row| row.get::<_, i64>(0)).map(drop)
        };
        commits.transact(limit).await.unwrap();
        let ends = together(&commits, &[(1, 10), (2, 1_000_000), (3, 10)]).await;
        assert_eq!(ends, [true, false, true], "the whole transaction was taken back by SQLite");
        assert_eq!(rows(&commits).await, 2);
    }
}
