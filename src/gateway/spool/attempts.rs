//! The ledger of attempts to send: written before the provider is called, so that no attempt is made twice.

use std::{sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{
    Spool, SpoolError,
    ledger::{self, Ledger},
};
use crate::wire::outbound::{SendOutcome, SendRequest};

/// Attempts that are forgotten at once.
const AT_ONCE: u32 = 1000;
/// Attempts that make room for one.
const FOR_ONE: u32 = 8;

/// What names an attempt, and what it says to whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AttemptKey {
    /// Our number.
    pub number: String,
    /// The engine's store.
    pub store_id: String,
    /// The message in that store.
    pub message_id: u64,
    /// The attempt.
    pub attempt: u32,
    /// Receiver and text.
    pub content: Content,
}

/// A digest of receiver and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Content([u8; 16]);

/// What the ledger says to one who wants to make an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It was not there, and is now: go on.
    New,
    /// It was made; this came of it. Without an outcome nobody knows.
    Recorded(Option<SendOutcome>),
    /// It was made with another receiver or text: the ids were used before.
    OtherContent,
    /// A later attempt of the message was made, so this one is late.
    Late,
}

impl Content {
    /// The digest of a message.
    pub(crate) fn new(to: &str, text: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update((to.len() as u64).to_be_bytes());
        digest.update(to);
        digest.update(text);
        let mut content = [0; 16];
        content.copy_from_slice(&digest.finalize()[..16]);
        Self(content)
    }
}

impl From<&SendRequest> for AttemptKey {
    fn from(request: &SendRequest) -> Self {
        Self {
            number: request.from.clone(),
            store_id: request.store_id.clone(),
            message_id: request.message_id,
            attempt: request.attempt,
            content: Content::new(&request.to, &request.text),
        }
    }
}

impl Spool {
    /// Looks an attempt up: `New` when nothing stands in its way. Writes nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) async fn look_up(&self, key: AttemptKey) -> Result<Begun, SpoolError> {
        self.commits.transact(move |connection| find(connection, &key)).await
    }

    /// Writes an attempt, unless it or a later one is there. When room is short, older attempts make room for it.
    ///
    /// # Errors
    /// When it is not on the disk: the attempt must not be made.
    pub(crate) async fn begin(&self, key: AttemptKey) -> Result<Begun, SpoolError> {
        let (now, room, ledger) = (self.ledger.now(), self.room.clone(), self.ledger.clone());
        let (tally, counted) = (Arc::clone(&self.tally), Arc::clone(&self.tally));
        let work = move |connection: &Connection| {
            let begun = find(connection, &key)?;
            if begun != Begun::New {
                return Ok((begun, 0));
            }
            let short = room.is_short_for_attempts(tally.lock().totals);
            let forgotten = if short { forget(connection, &ledger, ledger.answered_before(), FOR_ONE)? } else { 0 };
            connection
                .prepare_cached(
                    "INSERT INTO attempt (number, store_id, message_id, attempt, begun_at, digest)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![key.number, key.store_id, id(&key), key.attempt, now, key.content.0])?;
            Ok((begun, forgotten))
        };
        let then = move |(begun, forgotten): &(Begun, u64)| {
            let attempts = &mut counted.lock().totals.attempts;
            *attempts = attempts.saturating_sub(*forgotten) + u64::from(*begun == Begun::New);
        };
        Ok(self.commits.transact_then(work, then).await?.0)
    }

    /// Writes what came of an attempt.
    ///
    /// # Errors
    /// When it is not on the disk; a repeated attempt will then be told that nobody knows.
    pub(crate) async fn finish(&self, key: AttemptKey, outcome: SendOutcome) -> Result<(), SpoolError> {
        let work = move |connection: &Connection| {
            connection
                .prepare_cached(
                    "UPDATE attempt SET outcome = ?5 WHERE number = ?1 AND store_id = ?2 AND message_id = ?3 AND attempt = ?4",
                )?
                .execute(params![key.number, key.store_id, id(&key), key.attempt, text(&outcome)?])
                .map(drop)
        };
        self.commits.transact(work).await
    }

    /// Whether an attempt that began so long ago would be in the ledger, had it been made. None: nobody can tell how long ago.
    pub(crate) fn would_know(&self, age: Option<Duration>) -> bool {
        age.is_some_and(|age| self.ledger.covers(age))
    }

    /// Forgets some of the attempts that are older than is remembered. Returns whether there are more.
    ///
    /// # Errors
    /// When nothing was forgotten.
    pub(crate) async fn forget_attempts(&self) -> Result<bool, SpoolError> {
        let (before, ledger, tally) = (self.ledger.remembered_since(), self.ledger.clone(), Arc::clone(&self.tally));
        let work = move |connection: &Connection| forget(connection, &ledger, before, AT_ONCE);
        let then = move |forgotten: &u64| {
            let attempts = &mut tally.lock().totals.attempts;
            *attempts = attempts.saturating_sub(*forgotten);
        };
        Ok(self.commits.transact_then(work, then).await? == u64::from(AT_ONCE))
    }

    /// Writes down how long the ledger has lived.
    ///
    /// # Errors
    /// When it was not written; the ledger will think itself younger, which is safe.
    pub(crate) async fn note_age(&self) -> Result<(), SpoolError> {
        let now = self.ledger.now();
        self.commits.transact(move |connection| ledger::write(connection, now, i64::MIN)).await
    }
}

/// Forgets the oldest attempts that began before `before`. The ledger says first that it is not whole any more: whoever looks meanwhile
/// must not believe that what is gone was never made.
fn forget(connection: &Connection, ledger: &Ledger, before: i64, most: u32) -> rusqlite::Result<u64> {
    let mut select = connection.prepare_cached(
        "SELECT number, store_id, message_id, attempt, begun_at FROM attempt INDEXED BY attempt_by_age
         WHERE begun_at < ?1 ORDER BY begun_at LIMIT ?2",
    )?;
    let oldest = select
        .query_map(params![before, most], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
        .collect::<rusqlite::Result<Vec<(String, String, i64, u32, i64)>>>()?;
    let Some((.., last)) = oldest.last() else { return Ok(0) };
    let whole_since = last.saturating_add(1);
    ledger.whole_since(whole_since);
    ledger::write(connection, ledger.now(), whole_since)?;
    let mut delete = connection.prepare_cached(
        "DELETE FROM attempt WHERE number = ?1 AND store_id = ?2 AND message_id = ?3 AND attempt = ?4",
    )?;
    for (number, store_id, message_id, attempt, _) in &oldest {
        delete.execute(params![number, store_id, message_id, attempt])?;
    }
    Ok(oldest.len() as u64)
}

fn find(connection: &Connection, key: &AttemptKey) -> rusqlite::Result<Begun> {
    let same = connection
        .prepare_cached(
            "SELECT outcome, digest FROM attempt WHERE number = ?1 AND store_id = ?2 AND message_id = ?3 AND attempt = ?4",
        )?
        .query_row(params![key.number, key.store_id, id(key), key.attempt], |row| {
            Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Option<[u8; 16]>>(1)?))
        })
        .optional()?;
    if let Some((outcome, digest)) = same {
        // Older versions wrote no digest.
        if digest.is_some_and(|digest| digest != key.content.0) {
            return Ok(Begun::OtherContent);
        }
        // What cannot be read is not known.
        return Ok(Begun::Recorded(outcome.and_then(|text| serde_json::from_str(&text).ok())));
    }
    let later = connection
        .prepare_cached(
            "SELECT 1 FROM attempt WHERE number = ?1 AND store_id = ?2 AND message_id = ?3 AND attempt > ?4
             AND (digest IS NULL OR digest = ?5)",
        )?
        .exists(params![key.number, key.store_id, id(key), key.attempt, key.content.0])?;
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
        let content = Content::new("+15559001", "Hello");
        AttemptKey { number: "+15550001".into(), store_id: "s".into(), message_id, attempt, content }
    }

    fn accepted() -> SendOutcome {
        SendOutcome::Accepted { provider_message_ids: vec!["SM1".into()], segments: Some(1) }
    }

    #[tokio::test]
    async fn an_attempt_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&dir.path().join("spool.db")).unwrap();
        assert_eq!(spool.look_up(key(u64::MAX, 1)).await.unwrap(), Begun::New);
        assert_eq!(spool.begin(key(u64::MAX, 1)).await.unwrap(), Begun::New);
        assert_eq!(spool.begin(key(u64::MAX, 1)).await.unwrap(), Begun::Recorded(None));
        spool.finish(key(u64::MAX, 1), accepted()).await.unwrap();
        assert_eq!(spool.look_up(key(u64::MAX, 1)).await.unwrap(), Begun::Recorded(Some(accepted())));
        assert_eq!(spool.begin(key(u64::MAX, 2)).await.unwrap(), Begun::New);
        assert_eq!(spool.begin(key(1, 2)).await.unwrap(), Begun::New);
        assert_eq!(spool.begin(key(1, 1)).await.unwrap(), Begun::Late, "attempt 1 came late");
        let elsewhere = AttemptKey { store_id: "t".into(), ..key(1, 1) };
        assert_eq!(spool.begin(elsewhere).await.unwrap(), Begun::New);
    }

    #[tokio::test]
    async fn another_receiver_or_text_is_another_message() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&dir.path().join("spool.db")).unwrap();
        spool.begin(key(1, 1)).await.unwrap();
        spool.finish(key(1, 1), accepted()).await.unwrap();
        for content in [Content::new("+15559001", "Hello!"), Content::new("+15559002", "Hello")] {
            let other = AttemptKey { content, ..key(1, 1) };
            assert_eq!(spool.look_up(other.clone()).await.unwrap(), Begun::OtherContent);
            assert_eq!(spool.begin(other).await.unwrap(), Begun::OtherContent);
            let earlier = AttemptKey { content, ..key(1, 0) };
            assert_eq!(spool.look_up(earlier).await.unwrap(), Begun::New, "it is not late");
        }
        assert_eq!(spool.look_up(key(1, 1)).await.unwrap(), Begun::Recorded(Some(accepted())));
        assert_ne!(Content::new("1", "23"), Content::new("12", "3"));
    }

    #[tokio::test]
    async fn an_attempt_under_way_at_the_end_has_no_outcome() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let spool = Spool::open(&path).unwrap();
        spool.begin(key(1, 1)).await.unwrap();
        spool.begin(key(2, 1)).await.unwrap();
        spool.finish(key(2, 1), accepted()).await.unwrap();
        drop(spool);
        let spool = Spool::open(&path).unwrap();
        assert_eq!(spool.look_up(key(1, 1)).await.unwrap(), Begun::Recorded(None));
        assert_eq!(spool.look_up(key(2, 1)).await.unwrap(), Begun::Recorded(Some(accepted())));
        assert!(!spool.forget_attempts().await.unwrap());
        assert_eq!(spool.tally().totals.attempts, 2, "seven days are not over");
    }
}
