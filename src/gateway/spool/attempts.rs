//! The ledger of attempts to send: written before the provider is called, so that no attempt is made twice.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Spool, SpoolError};
use crate::wire::outbound::{SendOutcome, SendRequest};

/// What names an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttemptKey {
    /// Our number.
    pub number: String,
    /// The engine's store.
    pub store_id: String,
    /// The message in that store.
    pub message_id: u64,
    /// The attempt.
    pub attempt: u32,
}

/// What the ledger says to one who wants to make an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It was not there, and is now: go on.
    New,
    /// It was made; this came of it. Without an outcome nobody knows.
    Recorded(Option<SendOutcome>),
    /// A later attempt of the message was made, so this one is late.
    Late,
}

impl From<&SendRequest> for AttemptKey {
    fn from(request: &SendRequest) -> Self {
        Self {
            number: request.from.clone(),
            store_id: request.store_id.clone(),
            message_id: request.message_id,
            attempt: request.attempt,
        }
    }
}

impl Spool {
    /// Looks an attempt up: `New` when nothing stands in its way. Writes nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn look_up(&self, key: AttemptKey) -> Result<Begun, SpoolError> {
        self.writer.transact(move |connection| find(connection, &key)).await
    }

    /// Writes an attempt, unless it or a later one is there.
    ///
    /// # Errors
    /// When it is not on the disk: the attempt must not be made.
    pub async fn begin(&self, key: AttemptKey, now: Timestamp) -> Result<Begun, SpoolError> {
        let work = move |connection: &Connection| {
            let begun = find(connection, &key)?;
            if begun == Begun::New {
                connection
                    .prepare("INSERT INTO attempt (number, store_id, message_id, attempt, begun_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![key.number, key.store_id, id(&key), key.attempt, now.as_millisecond()])?;
            }
            Ok(begun)
        };
        self.writer.transact(work).await
    }

    /// Writes what came of an attempt.
    ///
    /// # Errors
    /// When it is not on the disk; a repeated attempt will then be told that nobody knows.
    pub async fn finish(&self, key: AttemptKey, outcome: SendOutcome) -> Result<(), SpoolError> {
        let work = move |connection: &Connection| {
            connection
                .prepare(
                    "UPDATE attempt SET outcome = ?5 WHERE number = ?1 AND store_id = ?2 AND message_id = ?3 AND attempt = ?4",
                )?
                .execute(params![key.number, key.store_id, id(&key), key.attempt, text(&outcome)?])
                .map(drop)
        };
        self.writer.transact(work).await
    }

    /// Forgets attempts that were begun before `before`. Returns how many.
    ///
    /// # Errors
    /// When nothing was forgotten.
    pub async fn forget_attempts(&self, before: Timestamp) -> Result<usize, SpoolError> {
        let before = before.as_millisecond();
        self.writer
            .transact(move |connection| connection.execute("DELETE FROM attempt WHERE begun_at < ?1", [before]))
            .await
    }
}

/// Attempts that were under way when the process ended: nobody knows what came of them.
pub fn settle_unfinished(connection: &Connection) -> rusqlite::Result<usize> {
    let outcome = SendOutcome::Unknown { message: "the gateway ended while this attempt was under way".into() };
    connection.execute("UPDATE attempt SET outcome = ?1 WHERE outcome IS NULL", [text(&outcome)?])
}

fn find(connection: &Connection, key: &AttemptKey) -> rusqlite::Result<Begun> {
    let same = connection
        .prepare(
            "SELECT outcome FROM attempt WHERE number = ?1 AND store_id = ?2 AND message_id = ?3 AND attempt = ?4",
        )?
        .query_row(params![key.number, key.store_id, id(key), key.attempt], |row| row.get::<_, Option<String>>(0))
        .optional()?;
    if let Some(outcome) = same {
        // What cannot be read is not known.
        return Ok(Begun::Recorded(outcome.and_then(|text| serde_json::from_str(&text).ok())));
    }
    let later = connection
        .prepare("SELECT 1 FROM attempt WHERE number = ?1 AND store_id = ?2 AND message_id = ?3 AND attempt > ?4")?
        .exists(params![key.number, key.store_id, id(key), key.attempt])?;
    Ok(if later { Begun::Late } else { Begun::New })
}

/// SQLite's integers are signed; the mapping is one to one.
const fn id(key: &AttemptKey) -> i64 {
    key.message_id.cast_signed()
}

fn text(outcome: &SendOutcome) -> rusqlite::Result<String> {
    serde_json::to_string(outcome).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(message_id: u64, attempt: u32) -> AttemptKey {
        AttemptKey { number: "+15550001".into(), store_id: "s".into(), message_id, attempt }
    }

    fn accepted() -> SendOutcome {
        SendOutcome::Accepted { provider_message_ids: vec!["SM1".into()], segments: Some(1) }
    }

    #[tokio::test]
    async fn an_attempt_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&dir.path().join("spool.db")).unwrap();
        let now = Timestamp::now();
        assert_eq!(spool.look_up(key(u64::MAX, 1)).await.unwrap(), Begun::New);
        assert_eq!(spool.begin(key(u64::MAX, 1), now).await.unwrap(), Begun::New);
        assert_eq!(spool.begin(key(u64::MAX, 1), now).await.unwrap(), Begun::Recorded(None));
        spool.finish(key(u64::MAX, 1), accepted()).await.unwrap();
        assert_eq!(spool.look_up(key(u64::MAX, 1)).await.unwrap(), Begun::Recorded(Some(accepted())));
        assert_eq!(spool.begin(key(u64::MAX, 2), now).await.unwrap(), Begun::New);
        assert_eq!(spool.begin(key(1, 2), now).await.unwrap(), Begun::New);
        assert_eq!(spool.begin(key(1, 1), now).await.unwrap(), Begun::Late, "attempt 1 came late");
        let elsewhere = AttemptKey { store_id: "t".into(), ..key(1, 1) };
        assert_eq!(spool.begin(elsewhere, now).await.unwrap(), Begun::New);
    }

    #[tokio::test]
    async fn an_attempt_under_way_at_the_end_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let spool = Spool::open(&path).unwrap();
        let now = Timestamp::now();
        spool.begin(key(1, 1), now).await.unwrap();
        spool.begin(key(2, 1), now).await.unwrap();
        spool.finish(key(2, 1), accepted()).await.unwrap();
        drop(spool);
        let spool = Spool::open(&path).unwrap();
        let Begun::Recorded(Some(SendOutcome::Unknown { .. })) = spool.look_up(key(1, 1)).await.unwrap() else {
            panic!()
        };
        assert_eq!(spool.look_up(key(2, 1)).await.unwrap(), Begun::Recorded(Some(accepted())));
        assert_eq!(spool.forget_attempts(now).await.unwrap(), 0);
        assert_eq!(spool.forget_attempts(now + jiff::SignedDuration::from_secs(1)).await.unwrap(), 2);
    }
}
