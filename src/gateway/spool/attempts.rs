//! The ledger of attempts to send: written before the provider is called, so that no attempt is made twice.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{
    Spool, SpoolError,
    ledger::{self, Ledger},
    store_id::StoreId,
};
use crate::wire::outbound::SendOutcome;

/// Attempts that are forgotten at once.
const AT_ONCE: u32 = 1000;
/// Attempts that make room for one.
const FOR_ONE: u32 = 8;
/// A number that makes room for itself looks at so many of its attempts from either end. Message ids grow, so its oldest are there.
const LOOKED_AT: u32 = 64;

/// What names an attempt, and what it says to whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AttemptKey {
    /// Our number.
    pub number: String,
    /// The engine's store.
    pub store_id: StoreId,
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
    /// It is not there. Its number has as many as one may have, all of them so young that somebody may ask for them.
    NoRoom,
}

/// Attempts that were forgotten, by number.
type Forgotten = BTreeMap<String, u64>;

/// Where an attempt is in the ledger, and when it began.
struct Place {
    number: String,
    store_id: String,
    message_id: i64,
    attempt: u32,
    begun_at: i64,
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

impl Spool {
    /// Looks an attempt up: `New` when nothing stands in its way. Writes nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) async fn look_up(&self, key: AttemptKey) -> Result<Begun, SpoolError> {
        self.commits.transact(move |connection| find(connection, &key)).await
    }

    /// Writes an attempt, unless it or a later one is there. When room is short, older attempts make room for it: those of its own number
    /// when that has more than its part.
    ///
    /// # Errors
    /// When it is not on the disk: the attempt must not be made.
    pub(crate) async fn begin(&self, key: AttemptKey) -> Result<Begun, SpoolError> {
        let (now, room, ledger) = (self.ledger.now(), self.room.clone(), self.ledger.clone());
        let (tally, number) = (Arc::clone(&self.tally), key.number.clone());
        let (counted, refused) = (Arc::clone(&self.tally), self.room.clone());
        let work = move |connection: &Connection| {
            let begun = find(connection, &key)?;
            if begun != Begun::New {
                return Ok((begun, Forgotten::new()));
            }
            let (totals, attempts) = {
                let tally = tally.lock();
                (tally.totals, tally.attempts.get(&key.number).copied().unwrap_or_default())
            };
            let has_its_part = !room.left_for_attempts(totals).for_number(attempts);
            let forgotten = if has_its_part {
                forget_of(connection, &ledger, &key.number, ledger.answered_before())?
            } else if room.is_short_for_attempts(totals) {
                forget(connection, &ledger, ledger.answered_before(), FOR_ONE)?
            } else {
                Forgotten::new()
            };
            if has_its_part && forgotten.is_empty() {
                return Ok((Begun::NoRoom, forgotten));
            }
            connection
                .prepare_cached(
                    "INSERT INTO attempt (number, store_id, message_id, attempt, begun_at, digest)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![key.number, key.store_id, id(&key), key.attempt, now, key.content.0])?;
            Ok((begun, forgotten))
        };
        let then = move |(begun, forgotten): &(Begun, Forgotten)| {
            let mut tally = counted.lock();
            tally.attempts_gone(forgotten);
            match begun {
                Begun::New => tally.attempt_came(&number),
                Begun::NoRoom => refused.attempt_refused(&number),
                Begun::Recorded(_) | Begun::OtherContent | Begun::Late => {}
            }
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

    /// Whether an attempt of a number that began so long ago would be in the ledger, had it been made. None: nobody can tell how long
    /// ago.
    pub(crate) fn would_know(&self, number: &str, age: Option<Duration>) -> bool {
        age.is_some_and(|age| self.ledger.covers(number, age))
    }

    /// Forgets some of the attempts that are older than is remembered. Returns whether there are more.
    ///
    /// # Errors
    /// When nothing was forgotten.
    pub(crate) async fn forget_attempts(&self) -> Result<bool, SpoolError> {
        let (before, ledger, tally) = (self.ledger.remembered_since(), self.ledger.clone(), Arc::clone(&self.tally));
        let work = move |connection: &Connection| forget(connection, &ledger, before, AT_ONCE);
        let then = move |forgotten: &Forgotten| tally.lock().attempts_gone(forgotten);
        let forgotten = self.commits.transact_then(work, then).await?;
        Ok(forgotten.values().sum::<u64>() == u64::from(AT_ONCE))
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
fn forget(connection: &Connection, ledger: &Ledger, before: i64, most: u32) -> rusqlite::Result<Forgotten> {
    let sql = "SELECT number, store_id, message_id, attempt, begun_at FROM attempt INDEXED BY attempt_by_age
               WHERE begun_at < ?1 ORDER BY begun_at LIMIT ?2";
    let oldest = places(connection, sql, params![before, most])?;
    let Some(last) = oldest.last() else { return Ok(Forgotten::new()) };
    let whole_since = last.begun_at.saturating_add(1);
    ledger.whole_since(whole_since);
    ledger::write(connection, ledger.now(), whole_since)?;
    delete(connection, oldest)
}

/// Forgets some attempts of one number that began before `before`, as [`forget`] does. Others' remain whole.
fn forget_of(connection: &Connection, ledger: &Ledger, number: &str, before: i64) -> rusqlite::Result<Forgotten> {
    // The ids of one store grow with time, but those of a former store may stand before or behind them.
    for direction in ["ASC", "DESC"] {
        let sql = format!(
            "SELECT * FROM (SELECT number, store_id, message_id, attempt, begun_at FROM attempt WHERE number = ?1
             ORDER BY store_id {direction}, message_id {direction}, attempt {direction} LIMIT ?2)
             WHERE begun_at < ?3 LIMIT ?4"
        );
        let old = places(connection, &sql, params![number, LOOKED_AT, before, FOR_ONE])?;
        let Some(last) = old.iter().map(|place| place.begun_at).max() else { continue };
        let whole_since = last.saturating_add(1);
        ledger.number_whole_since(number, whole_since);
        ledger::write_number(connection, number, whole_since)?;
        return delete(connection, old);
    }
    Ok(Forgotten::new())
}

fn places(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<Vec<Place>> {
    let place = |row: &rusqlite::Row<'_>| {
        let (number, store_id, message_id) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Place { number, store_id, message_id, attempt: row.get(3)?, begun_at: row.get(4)? })
    };
    connection.prepare_cached(sql)?.query_map(parameters, place)?.collect()
}

fn delete(connection: &Connection, places: Vec<Place>) -> rusqlite::Result<Forgotten> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM attempt WHERE number = ?1 AND store_id = ?2 AND message_id = ?3 AND attempt = ?4",
    )?;
    let mut forgotten = Forgotten::new();
    for Place { number, store_id, message_id, attempt, .. } in places {
        delete.execute(params![number, store_id, message_id, attempt])?;
        *forgotten.entry(number).or_default() += 1;
    }
    Ok(forgotten)
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

    const NUMBER: &str = "+15550001";

    fn store(id: &str) -> StoreId {
        StoreId::try_from(id).unwrap()
    }

    fn key(message_id: u64, attempt: u32) -> AttemptKey {
        let content = Content::new("+15559001", "Hello");
        AttemptKey { number: NUMBER.into(), store_id: store("s"), message_id, attempt, content }
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
        let elsewhere = AttemptKey { store_id: store("t"), ..key(1, 1) };
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

    #[tokio::test]
    async fn a_number_forgets_its_own_old_attempts_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let spool = Spool::open(&path).unwrap();
        let other = AttemptKey { number: "+15550002".into(), ..key(1, 1) };
        spool.begin(other.clone()).await.unwrap();
        // A former store, whose id is behind the present one's.
        let former = |message_id| AttemptKey { store_id: store("z"), ..key(message_id, 1) };
        for message_id in 1..=10 {
            spool.begin(former(message_id)).await.unwrap();
        }
        let connection = Connection::open(&path).unwrap();
        let hour = 60 * 60 * 1000;
        connection.execute("UPDATE attempt SET begun_at = begun_at - ?1", [hour]).unwrap();
        for message_id in 1..=u64::from(LOOKED_AT) {
            spool.begin(key(message_id, 1)).await.unwrap();
        }
        let ledger = &spool.ledger;
        let forget = || forget_of(&connection, ledger, NUMBER, ledger.answered_before()).unwrap();
        for expected in [8, 2] {
            assert_eq!(forget(), Forgotten::from([(NUMBER.to_owned(), expected)]));
        }
        assert_eq!(forget(), Forgotten::new(), "the others are young");
        assert_eq!(spool.look_up(former(10)).await.unwrap(), Begun::New);
        assert_eq!(spool.look_up(other).await.unwrap(), Begun::Recorded(None));
        connection.execute("UPDATE ledger SET whole_since = whole_since - ?1", [10 * hour]).unwrap();
        drop((connection, spool));
        let spool = Spool::open(&path).unwrap();
        assert_eq!(spool.tally().attempts, BTreeMap::from([(NUMBER.to_owned(), 64), ("+15550002".to_owned(), 1)]));
        let knows = |number, minutes: u64| spool.would_know(number, Some(Duration::from_secs(60 * minutes)));
        assert!(knows(NUMBER, 30) && !knows(NUMBER, 90) && knows("+15550002", 90), "across a restart too");
    }
}
