//! How much room there is: a limit below what the volume holds, so that there is always room to take away and to send.
//!
//! SQLite needs room to delete, in its log. So the file may take what the volume holds less a reserve. New rows that wait may take
//! seven eighths of that; the rest is for attempts, which also make room for themselves by forgetting the oldest. No number's rows or
//! attempts take all.
//! A file of zeros holds room even when others fill the volume: it is given up when nothing can be written, and made again
//! when there is room.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rusqlite::Connection;

use super::tally::Totals;
use crate::process::{
    held_room::HeldRoom,
    volume::{Volume, beside},
};

const MIB: u64 = 1024 * 1024;
/// What a row and its places in the indexes take at least.
const ROW_BYTES: u64 = 700;
/// What an attempt and its places in the indexes take.
pub(super) const ATTEMPT_BYTES: u64 = 300;
/// So many attempts a number may have in any case, also where others fill the volume: they take what is held in reserve.
const ATTEMPTS_IN_ANY_CASE: u64 = 1000;
/// After something found no room, that counts for so long.
const FULL_FOR: Duration = Duration::from_secs(30);

/// Room in the volume. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    page: u64,
    /// Bytes that the file may take.
    capacity: AtomicU64,
    /// Bytes of the file that hold something.
    used: AtomicU64,
    /// When a write last found no room.
    failed: Mutex<Option<Instant>>,
    /// Numbers of which an attempt found no room, and when the last one did.
    attempts_refused: Mutex<BTreeMap<String, Instant>>,
}

/// Room that is left for rows that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// So many more rows.
    pub rows: u64,
}

/// Room that is left for attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeftForAttempts {
    /// So many more.
    attempts: u64,
}

/// What is kept free of rows: the log, and the file of zeros.
fn reserve(volume: Volume) -> u64 {
    (volume.size / 4).clamp(2 * MIB, 32 * MIB)
}

/// What the file may take, when our files take `ours` now.
fn capacity(volume: Volume, ours: u64) -> u64 {
    volume.free.saturating_add(ours).saturating_sub(reserve(volume))
}

impl Room {
    /// Measures the volume of the file at `path` and sets the file's limit.
    pub(super) fn open(path: &Path, connection: &Connection) -> rusqlite::Result<Self> {
        let page = connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?;
        let room = Self(Arc::new(Inner {
            path: path.to_owned(),
            page: page.unsigned_abs(),
            capacity: AtomicU64::new(u64::MAX),
            used: AtomicU64::new(0),
            failed: Mutex::default(),
            attempts_refused: Mutex::default(),
        }));
        room.measure_volume(connection)?;
        room.measure(connection)?;
        Ok(room)
    }

    /// Looks at the volume, which may have grown, and at what others have in it.
    pub(super) fn measure_volume(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Inner { path, page, .. } = &*self.0;
        let Some(Ok(volume)) = path.parent().map(Volume::of) else { return Ok(()) };
        let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let held = HeldRoom::of(path);
        let ours = size(path) + size(&beside(path, "-wal")) + held.bytes();
        let capacity = capacity(volume, ours);
        self.0.capacity.store(capacity, Ordering::Relaxed);
        // When others fill the volume, attempts may still grow the file by what is held in reserve.
        let most = capacity.max(size(path) + reserve(volume) / 8);
        let pages = i64::try_from(most / page).unwrap_or(i64::MAX).clamp(1, i64::from(u32::MAX - 1));
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        // The log is written back before it takes more than a part of the reserve.
        let log = (reserve(volume) / 8 / page).min(1000);
        connection.query_row(&format!("PRAGMA wal_autocheckpoint = {log}"), [], |_| Ok(()))?;
        let zeros = reserve(volume) / 4;
        held.hold_at_most(zeros);
        if volume.free > reserve(volume) / 2 && held.bytes() < zeros {
            held.hold(zeros);
        }
        Ok(())
    }

    /// Looks at how much of the file holds something.
    pub(super) fn measure(&self, connection: &Connection) -> rusqlite::Result<()> {
        let pragma = |sql: &str| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
        let pages = pragma("PRAGMA page_count")? - pragma("PRAGMA freelist_count")?;
        self.0.used.store(pages.unsigned_abs() * self.0.page, Ordering::Relaxed);
        Ok(())
    }

    /// A write found no room: the reserve is given up and the log emptied, so that the next one does.
    pub(super) fn is_full(&self, connection: &Connection) {
        *self.0.failed.lock() = Some(Instant::now());
        if HeldRoom::of(&self.0.path).give_up() {
            tracing::warn!("the spool's volume is full; the reserve is used");
        }
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the spool's log cannot be emptied");
        }
    }

    /// Bytes that the file may take, and that are used.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.0.capacity.load(Ordering::Relaxed), self.0.used.load(Ordering::Relaxed))
    }

    /// Whether a write found no room lately.
    pub(super) fn failed_lately(&self) -> bool {
        self.0.failed.lock().is_some_and(|at| at.elapsed() < FULL_FOR)
    }

    /// How many more rows may wait.
    pub(super) fn left(&self, totals: Totals) -> Left {
        let (capacity, used) = self.bytes();
        let free = (capacity / 8 * 7).saturating_sub(used);
        let taken = used.saturating_sub(totals.attempts.saturating_mul(ATTEMPT_BYTES));
        // Long texts take more than one expects of a row.
        let row = if totals.rows < 1000 { ROW_BYTES } else { (taken / totals.rows).max(ROW_BYTES) };
        Left { rows: free / row }
    }

    /// Whether attempts must make room for themselves.
    pub(super) fn is_short_for_attempts(&self, totals: Totals) -> bool {
        let (capacity, used) = self.bytes();
        used > capacity / 16 * 15 || totals.attempts > most_attempts(capacity)
    }

    /// How many more attempts there may be before all must make room for each other.
    pub(super) fn left_for_attempts(&self, totals: Totals) -> LeftForAttempts {
        let (capacity, used) = self.bytes();
        let free = capacity.saturating_sub(used) / ATTEMPT_BYTES;
        LeftForAttempts { attempts: most_attempts(capacity).saturating_sub(totals.attempts).min(free) }
    }

    /// An attempt of a number found no room.
    pub(super) fn attempt_refused(&self, number: &str) {
        self.0.attempts_refused.lock().insert(number.to_owned(), Instant::now());
    }

    /// Numbers of which an attempt found no room lately.
    pub(super) fn attempts_refused_lately(&self) -> Vec<String> {
        let mut refused = self.0.attempts_refused.lock();
        refused.retain(|_, at| at.elapsed() < FULL_FOR);
        refused.keys().cloned().collect()
    }
}

impl Left {
    /// Whether a number may have one more row besides `rows`: it may have three times what it leaves to others. Alone, that is three
    /// quarters of all.
    pub(super) const fn for_number(self, rows: u64) -> bool {
        rows < self.rows.saturating_mul(3)
    }

    /// Whether there may be one more row without a route besides `rows`: a quarter of what they leave to others, a fifth of all.
    pub(super) const fn for_unrouted(self, rows: u64) -> bool {
        rows < self.rows / 4
    }
}

impl LeftForAttempts {
    /// Whether a number may have one more attempt besides `attempts`: it may have three times what it leaves to others. Alone, that is
    /// three quarters of all.
    pub(super) const fn for_number(self, attempts: u64) -> bool {
        attempts < ATTEMPTS_IN_ANY_CASE || attempts < self.attempts.saturating_mul(3)
    }
}

/// Attempts may take a quarter of the file.
const fn most_attempts(capacity: u64) -> u64 {
    capacity / 4 / ATTEMPT_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_volume_is_kept_free() {
        let volume = |size, free| Volume { size: size * MIB, free: free * MIB };
        let cases = [
            (volume(1024, 1024), 0, 992),
            (volume(1024, 24), 1000, 992),
            (volume(1024, 0), 1000, 968),
            (volume(16, 16), 0, 12),
            (volume(4, 4), 0, 2),
            (volume(4, 0), 1, 0),
        ];
        for (volume, ours, expected) in cases {
            assert_eq!(capacity(volume, ours * MIB), expected * MIB, "{volume:?}");
        }
    }

    #[test]
    fn no_number_takes_all() {
        // Numbers whose engines are away fill the spool side by side; there are 1,000 rows of room.
        for numbers in [1_usize, 2, 10] {
            let mut rows = vec![0_u64; numbers];
            loop {
                let left = Left { rows: 1000 - rows.iter().sum::<u64>() };
                let Some(number) = rows.iter_mut().filter(|rows| left.for_number(**rows)).min() else { break };
                *number += 1;
            }
            let all: u64 = rows.iter().sum();
            assert!(all < 1000 && Left { rows: 1000 - all }.for_number(0), "another number has room beside {rows:?}");
            assert!(rows.iter().all(|rows| *rows >= 700 / numbers as u64), "{rows:?}");
        }
        let mut unrouted = 0;
        while (Left { rows: 1000 - unrouted }).for_unrouted(unrouted) {
            unrouted += 1;
        }
        assert_eq!(unrouted, 200);
        assert!(!Left { rows: 0 }.for_number(0) && !Left { rows: 0 }.for_unrouted(0));
    }

    #[test]
    fn no_number_takes_all_of_the_ledger() {
        const MOST: u64 = 10_000;
        for hasty in [1_u64, 2, 9] {
            let left = |each: u64| LeftForAttempts { attempts: MOST.saturating_sub(hasty * each) };
            let each = (0..).find(|each| !left(*each).for_number(*each)).unwrap();
            assert!(each >= MOST * 7 / 10 / hasty, "{each} of each of {hasty}");
            assert!(left(each).attempts >= MOST / 30, "others have room");
        }
        let none = LeftForAttempts { attempts: 0 };
        assert!(none.for_number(0) && !none.for_number(ATTEMPTS_IN_ANY_CASE));
    }
}
