//! How old the ledger is, since when it is whole, and how long rows have waited.
//!
//! All are measured by a monotonic clock that is written down now and then and goes on from there after a restart: it never
//! runs backwards, whatever is done to the clock of the machine, and it never runs ahead of the time that has passed. So whatever
//! began less long ago than the ledger has been whole is in it, if it was made, and nothing that waits counts as older than it is.
//!
//! The file may be a copy of an earlier state (a snapshot that was restored): it then lacks what was made since. So it also has the hour
//! of the machine's clock at which its life was last written down. Whatever began between then and now's start may be missing.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};

/// Attempts are remembered so long: far longer than an engine asks about one.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// An engine has long had the answer to an attempt that is so old, or has no hope of one.
const ANSWERED: Duration = Duration::from_secs(10 * 60);
/// A request may have been on its way for so long when it is read, and the attempt is older by that.
const ON_ITS_WAY: Duration = Duration::from_secs(10);

/// Its life is written down at least this often, be the machine ever so busy. A gateway may have gone on for so long afterwards.
const NOTED_WITHIN: Duration = Duration::from_secs(20);

/// The ledger's own time, in milliseconds. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    /// Time of the ledger at `opened`.
    base: i64,
    opened: Instant,
    /// So long before `opened` nobody wrote anything down, as far as the file shows.
    unseen: Duration,
    whole_since: Arc<AtomicI64>,
    /// Numbers that have forgotten attempts of their own: since when theirs are whole.
    forgetful: Arc<Mutex<HashMap<String, i64>>>,
    /// Rows of which nobody wrote down when they were kept count from here.
    rows_since: i64,
}

impl Ledger {
    /// Reads the ledger's time from a file whose tables are there; begins it in a new one.
    pub(super) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        let select = "SELECT lived_until, whole_since, noted_at, rows_since FROM ledger";
        let found = connection
            .query_row(select, [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<i64>>(2)?, row.get::<_, Option<i64>>(3)?))
            })
            .optional()?;
        let newest: Option<i64> = connection.query_row("SELECT max(begun_at) FROM attempt", [], |row| row.get(0))?;
        let now = Timestamp::now().as_millisecond();
        let (lived_until, whole_since, noted_at, rows_since) = match found {
            Some(found) => found,
            None => {
                // Older versions did not write it down; their ledgers are at least as old as their oldest attempt.
                let oldest: Option<i64> =
                    connection.query_row("SELECT min(begun_at) FROM attempt", [], |row| row.get(0))?;
                let (lived_until, whole_since) = (newest.unwrap_or(now), oldest.unwrap_or(now));
                connection.execute(
                    "INSERT INTO ledger (one, lived_until, whole_since, noted_at, rows_since) VALUES (1, ?1, ?2, ?3, ?1)",
                    [lived_until, whole_since, now],
                )?;
                (lived_until, whole_since, Some(now), Some(lived_until))
            }
        };
        Ok(Self {
            base: newest.map_or(lived_until, |newest| newest.max(lived_until)),
            opened: Instant::now(),
            unseen: noted_at.map_or(Duration::MAX, |noted_at| unseen(noted_at, now)),
            whole_since: Arc::new(AtomicI64::new(whole_since)),
            forgetful: Arc::new(Mutex::new(forgetful(connection)?)),
            rows_since: rows_since.unwrap_or(lived_until),
        })
    }

    /// The ledger's time now.
    pub(super) fn now(&self) -> i64 {
        self.base.saturating_add(millis(self.opened.elapsed()))
    }

    /// Rows that were kept before this have waited for longer than `span`.
    pub(super) fn before(&self, span: Duration) -> i64 {
        self.now().saturating_sub(millis(span))
    }

    /// Rows of which nobody wrote down when they were kept count from here.
    pub(super) const fn rows_since(&self) -> i64 {
        self.rows_since
    }

    /// Attempts that began before this may be forgotten.
    pub(super) fn remembered_since(&self) -> i64 {
        self.before(REMEMBERED)
    }

    /// Attempts that began before this are forgotten first when room is short.
    pub(super) fn answered_before(&self) -> i64 {
        self.before(ANSWERED)
    }

    /// Attempts that began before this are forgotten.
    pub(super) fn whole_since(&self, since: i64) {
        self.whole_since.fetch_max(since, Ordering::Relaxed);
    }

    /// Attempts of a number that began before this are forgotten.
    pub(super) fn number_whole_since(&self, number: &str, since: i64) {
        let mut forgetful = self.forgetful.lock();
        match forgetful.get_mut(number) {
            Some(known) => *known = since.max(*known),
            None => drop(forgetful.insert(number.to_owned(), since)),
        }
    }

    /// Whether an attempt of a number that is so old would be in the ledger.
    pub(super) fn covers(&self, number: &str, age: Duration) -> bool {
        let before_opening = age.checked_sub(self.opened.elapsed());
        if before_opening.is_some_and(|before| before < self.unseen) {
            return false;
        }
        let of_number = self.forgetful.lock().get(number).copied().unwrap_or(i64::MIN);
        let whole = self.now().saturating_sub(self.whole_since.load(Ordering::Relaxed).max(of_number));
        millis(age.saturating_add(ON_ITS_WAY)) <= whole
    }
}

/// Writes down the ledger's time, and since when it is whole, if that is later than before.
pub(super) fn write(connection: &Connection, now: i64, whole_since: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE ledger SET lived_until = max(lived_until, ?1), whole_since = max(whole_since, ?2), noted_at = ?3";
    connection.prepare_cached(sql)?.execute([now, whole_since, Timestamp::now().as_millisecond()]).map(drop)
}

/// Writes down since when a number's attempts are whole, if that is later than before.
pub(super) fn write_number(connection: &Connection, number: &str, whole_since: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO forgetful (number, whole_since) VALUES (?1, ?2)
               ON CONFLICT DO UPDATE SET whole_since = max(whole_since, excluded.whole_since)";
    connection.prepare_cached(sql)?.execute(rusqlite::params![number, whole_since]).map(drop)
}

fn forgetful(connection: &Connection) -> rusqlite::Result<HashMap<String, i64>> {
    let mut select = connection.prepare("SELECT number, whole_since FROM forgetful")?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// What was taken over from a damaged file may be ahead of the time that a new ledger began with. So it begins anew after all of it: it is
/// whole from now on only, and the rows count from now.
pub(super) fn begin_after_salvage(connection: &Connection) -> rusqlite::Result<()> {
    let sql =
        "UPDATE ledger SET lived_until = max(lived_until, coalesce((SELECT max(begun_at) FROM attempt), lived_until))";
    connection.execute(sql, [])?;
    connection.execute("UPDATE ledger SET whole_since = lived_until, rows_since = lived_until", []).map(drop)
}

/// How long nobody wrote anything down before `now`, by the machine's clock. A clock that was set back shows nothing.
fn unseen(noted_at: i64, now: i64) -> Duration {
    let since = u64::try_from(now.saturating_sub(noted_at)).unwrap_or_default();
    Duration::from_millis(since).saturating_sub(NOTED_WITHIN)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(lived: Duration, whole: Duration) -> Ledger {
        let base = 1_700_000_000_000 + millis(lived);
        Ledger {
            base,
            opened: Instant::now(),
            unseen: Duration::ZERO,
            whole_since: Arc::new(AtomicI64::new(base - millis(whole))),
            forgetful: Arc::default(),
            rows_since: base,
        }
    }

    #[test]
    fn a_ledger_speaks_for_the_time_that_it_has_lived() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let young = ledger(Duration::ZERO, Duration::ZERO);
        assert!(!young.covers("n", Duration::ZERO), "a request may be older than its own age");
        let old = ledger(minutes(60), minutes(60));
        assert!(old.covers("n", minutes(59)) && !old.covers("n", minutes(61)));
        old.whole_since(old.now() - millis(minutes(5)));
        assert!(old.covers("n", minutes(4)) && !old.covers("n", minutes(6)), "what was forgotten is not known");
        old.whole_since(0);
        assert!(!old.covers("n", minutes(6)), "it does not become whole again");
        assert!(!old.covers("n", Duration::MAX));
        old.number_whole_since("n", old.now() - millis(minutes(2)));
        old.number_whole_since("n", 0);
        assert!(!old.covers("n", minutes(3)) && old.covers("m", minutes(3)), "what a number forgets is its own");
    }

    #[test]
    fn a_copy_does_not_speak_for_the_time_after_it_was_made() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let copy = Ledger { unseen: minutes(10), ..ledger(minutes(60), minutes(60)) };
        assert!(
            !copy.covers("n", Duration::from_secs(30))
                && !copy.covers("n", minutes(9))
                && copy.covers("n", minutes(11))
        );
        let at = |seconds: i64| seconds * 1000;
        assert_eq!(unseen(at(0), at(620)), minutes(10));
        assert_eq!(unseen(at(0), at(15)), Duration::ZERO, "a restart");
        assert_eq!(unseen(at(600), at(0)), Duration::ZERO, "the clock was set back");
    }
}
