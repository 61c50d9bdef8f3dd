//! The thread that owns the connection.

use std::{io, sync::mpsc, thread};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::SpoolError;

/// Most pieces of work in one transaction; bounds how long the first of them waits.
const BATCH: usize = 512;

/// Tells whoever waits how the transaction ended.
type Settle = Box<dyn FnOnce(Result<(), SpoolError>) + Send>;
/// Does its part of a transaction; after a failure it is told so, and does nothing.
type Job = Box<dyn FnOnce(Result<&Connection, SpoolError>) -> (Settle, Result<(), SpoolError>) + Send>;

/// Work for the thread. Clones share it; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct Writer(mpsc::Sender<Job>);

impl Writer {
    /// Starts the thread.
    pub fn start(connection: Connection) -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::Builder::new().name("spool".into()).spawn(move || run(&connection, &jobs))?;
        Ok(Self(sender))
    }

    /// Does `work` in a transaction that others may share. The answer comes after the commit.
    ///
    /// # Errors
    /// When the transaction was not committed; then nothing of `work` happened.
    pub async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done =
                connection.and_then(|connection| work(connection).map_err(|error| SpoolError::new(error.to_string())));
            let end = done.as_ref().map(drop).map_err(Clone::clone);
            // Nobody may be waiting any more; that is theirs to know.
            (Box::new(|committed| drop(answer.send(done.and_then(|value| committed.map(|()| value))))), end)
        });
        self.0.send(job).map_err(|_| SpoolError::new("its thread has ended"))?;
        answered.await.unwrap_or_else(|_| Err(SpoolError::new("its thread has ended")))
    }
}

fn run(connection: &Connection, jobs: &mpsc::Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let batch = std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1));
        let (settles, end) = transaction(connection, batch);
        if let Err(error) = &end {
            tracing::error!(%error, "a transaction of the spool was not committed");
        }
        for settle in settles {
            settle(end.clone());
        }
    }
}

/// Runs the jobs up to the first that fails, and commits or takes back all.
fn transaction(connection: &Connection, jobs: impl Iterator<Item = Job>) -> (Vec<Settle>, Result<(), SpoolError>) {
    let mut end = connection.execute_batch("BEGIN").map_err(|error| SpoolError::new(error.to_string()));
    let mut settles = Vec::new();
    for job in jobs {
        let (settle, done) = job(end.clone().map(|()| connection));
        settles.push(settle);
        end = end.and(done);
    }
    end = end.and_then(|()| connection.execute_batch("COMMIT").map_err(|error| SpoolError::new(error.to_string())));
    if end.is_err() && !connection.is_autocommit() {
        // SQLite has mostly rolled back by itself.
        let _ = connection.execute_batch("ROLLBACK");
    }
    (settles, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn writer() -> (tempfile::TempDir, Writer) {
        let dir = tempfile::tempdir().unwrap();
        let connection = Connection::open(dir.path().join("x.db")).unwrap();
        connection.execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)").unwrap();
        (dir, Writer::start(connection).unwrap())
    }

    async fn insert(writer: &Writer, x: i64) -> Result<(), SpoolError> {
        writer.transact(move |connection| connection.execute("INSERT INTO t VALUES (?1)", [x]).map(drop)).await
    }

    #[tokio::test]
    async fn what_waits_shares_a_transaction_and_fails_together() {
        let (_dir, writer) = writer();
        // Holds the thread, so that the others gather.
        let (go, gate) = mpsc::channel::<()>();
        let hold = writer.transact(move |_| {
            let _ = gate.recv_timeout(Duration::from_secs(10));
            Ok(())
        });
        let others = async {
            let all = futures::future::join_all([1, 2, 1, 3].map(|x| insert(&writer, x)));
            tokio::pin!(all);
            // The work is queued at the first poll.
            assert!(futures::poll!(&mut all).is_pending());
            go.send(()).unwrap();
            all.await
        };
        let (held, ends) = tokio::join!(hold, others);
        assert!(held.is_err() && ends.iter().all(Result::is_err), "{held:?} {ends:?}");
        let count =
            writer.transact(|c| c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))).await.unwrap();
        assert_eq!(count, 0, "nothing of a failed transaction is left");
        insert(&writer, 1).await.unwrap();
    }
}
