//! Room on the volume. What a channel needs to close its work, to record opt-outs, to delete and to start again is kept free: before
//! that is touched the engine takes nothing new, and before it is used up it writes nothing but what frees room.
//!
//! A part of the reserve is held by a file of zeros, which nobody else can fill. It is given up when an engine could not start
//! without, or not write back its log: opening takes a little room, and so does deleting, in the log.

use std::path::Path;

use super::{INDEX_AT_ONCE, Store, error::StoreError};
use crate::process::{held_room::HeldRoom, volume::Volume};

/// The least that is kept free: enough for the requests that wait already, a step of forgetting and the log.
const LEAST_RESERVE: u64 = 16 << 20;
/// The most that is kept free, however large the volume is.
const LARGEST_RESERVE: u64 = 64 << 20;
/// Without so much an engine cannot even start: opening the store may make the log and its index.
pub(super) const TO_START: u64 = 1 << 20;
/// What the log may take for each row that is forgotten: the pages that hold it and its places in the look-ups.
const LOG_FOR_A_ROW: u64 = 64 << 10;
/// What the log may take for each row of a look-up: its page, and half of another that is split.
const LOG_FOR_A_LOOK_UP: u64 = 8 << 10;
/// Rows of look-ups in one transaction while the log has little room.
const SHORT_INDEX: usize = 64;
/// Pages of the log after which it is written back, and so many while the log has little room.
const LOG_PAGES: u32 = 4096;
const SHORT_LOG_PAGES: u32 = 256;

/// What may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fill {
    /// Everything.
    #[default]
    Roomy,
    /// What ends something that is open, and what customers decide about their consent.
    Full,
    /// Only what frees room.
    Exhausted,
}

/// Room on the volume of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    volume: Volume,
    /// Held by the file of zeros.
    held: u64,
}

impl Room {
    fn of(store: &Path) -> Result<Self, StoreError> {
        let volume = Volume::of(folder(store)).map_err(StoreError::Volume)?;
        Ok(Self { volume, held: HeldRoom::of(store).bytes() })
    }

    fn reserve(self) -> u64 {
        (self.volume.size / 8).clamp(LEAST_RESERVE, LARGEST_RESERVE)
    }

    /// How full the volume is, when the database has so much inside it that deletions left. Who leaves a step needs some more than who
    /// is to stay above it. Room inside is of no use without some for the log.
    fn fill(self, inside: u64, before: Fill) -> Fill {
        let reserve = self.reserve();
        let (free, all) = (self.volume.free, self.volume.free + self.held + inside);
        let spare = |was: bool, more: u64| if was { more } else { 0 };
        if all < reserve / 4 + spare(before == Fill::Exhausted, reserve / 16) || free < reserve / 16 {
            Fill::Exhausted
        } else if all < reserve + spare(before > Fill::Roomy, reserve / 4) || free < reserve / 8 {
            Fill::Full
        } else {
            Fill::Roomy
        }
    }

    /// Whether what is kept free is there, whatever is inside the database.
    fn has_reserve(self) -> bool {
        self.volume.free + self.held >= self.reserve()
    }

    /// Whether the log must stay small.
    fn is_short_for_log(self) -> bool {
        self.volume.free < self.reserve() / 2
    }

    /// Whether what is held keeps a database from working that has room enough inside it.
    fn is_kept_from_log(self, inside: u64) -> bool {
        let reserve = self.reserve();
        self.held > 0 && self.volume.free < reserve / 8 && inside >= reserve + reserve / 4
    }

    /// Rows of look-ups that are written in one transaction: they take half of the free room at most.
    fn index_at_once(self) -> usize {
        if self.is_short_for_log() {
            return SHORT_INDEX;
        }
        let rows = usize::try_from(self.volume.free / 2 / LOG_FOR_A_LOOK_UP).unwrap_or(usize::MAX);
        rows.clamp(SHORT_INDEX, INDEX_AT_ONCE)
    }

    /// What a file of zeros holds.
    fn to_hold(self) -> u64 {
        self.reserve() / 4
    }
}

/// Whether a volume has too little room for an engine to start, also without the file of zeros that holds some, which is given up then.
///
/// # Errors
/// When the volume cannot be asked.
pub fn is_too_full_to_start(store: &Path) -> Result<bool, StoreError> {
    let too_full = || Ok(Room::of(store)?.volume.free < TO_START);
    if too_full()? && HeldRoom::of(store).give_up() {
        tracing::warn!("the volume is full: the engine starts with the room that was held in reserve");
    }
    too_full()
}

/// Bytes that the log may gain while something keeps it from being emptied: half of what is above the room that is kept free.
///
/// # Errors
/// When the volume cannot be asked.
pub fn log_may_gain(store: &Path) -> Result<u64, StoreError> {
    let room = Room::of(store)?;
    Ok((room.volume.free.saturating_sub(room.reserve()) / 2).max(TO_START))
}

/// Whether the volume of a store has what is kept free.
///
/// # Errors
/// When the volume cannot be asked.
pub fn has_reserve(store: &Path) -> Result<bool, StoreError> {
    Ok(Room::of(store)?.has_reserve())
}

/// Bytes that may be put on the volume of a store without making it full.
///
/// # Errors
/// When the volume cannot be asked.
pub fn to_spare(store: &Path) -> Result<u64, StoreError> {
    let room = Room::of(store)?;
    Ok(room.volume.free.saturating_sub(room.reserve() + room.reserve() / 4))
}

impl Store {
    /// How full the volume is; `before` is what it said before. The log is kept small while it has little room.
    ///
    /// # Errors
    /// When volume or database cannot be asked.
    pub fn fill(&mut self, before: Fill) -> Result<Fill, StoreError> {
        let room = Room::of(&self.path)?;
        self.keep_log_short(room.is_short_for_log())?;
        self.index_at_once = room.index_at_once();
        let fill = room.fill(0, before);
        if fill == Fill::Roomy {
            return Ok(fill);
        }
        Ok(room.fill(self.inside()?, before))
    }

    /// Bytes inside the database that deletions left.
    fn inside(&self) -> Result<u64, StoreError> {
        let count = |pragma: &str| self.connection.query_row(pragma, [], |row| row.get::<_, u32>(0));
        Ok(u64::from(count("PRAGMA freelist_count")?) * u64::from(count("PRAGMA page_size")?))
    }

    /// Empties the log, which may hold much of the room; false when it could not be emptied, because a query was running or the volume is full. When the
    /// database cannot grow by what is in it, what is held in reserve is given up for that; without, nothing is lost, and it stays in the log.
    /// It is given up, too, when the database has room enough inside it and only the log has none.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn make_room(&self) -> Result<bool, StoreError> {
        let emptied = match self.empty_log() {
            Err(StoreError::Full(_)) if HeldRoom::of(&self.path).give_up() => {
                tracing::warn!("the log is written back with the room that was held in reserve");
                self.empty_log()
            }
            emptied => emptied,
        };
        let emptied = match emptied {
            Err(StoreError::Full(_)) => false,
            emptied => emptied?,
        };
        if Room::of(&self.path)?.is_kept_from_log(self.inside()?) && HeldRoom::of(&self.path).give_up() {
            tracing::warn!(
                "the log is written with the room that was held in reserve: the rest of the volume is inside the store"
            );
        }
        Ok(emptied)
    }

    /// Whether the log has so little room that work is to be done in small steps.
    pub const fn has_short_log(&self) -> bool {
        self.has_short_log
    }

    /// Rows that can be forgotten in one step, `at_most` so many.
    ///
    /// # Errors
    /// When the volume cannot be asked.
    pub fn forgettable_at_once(&self, at_most: u32) -> Result<u32, StoreError> {
        let rows = Room::of(&self.path)?.volume.free / LOG_FOR_A_ROW;
        Ok(u32::try_from(rows).unwrap_or(u32::MAX).clamp(1, at_most))
    }

    /// Has a file of zeros hold room, if there is enough, and no more than is meant to be held.
    pub fn hold_room(&self) {
        let Ok(room) = Room::of(&self.path) else { return };
        HeldRoom::of(&self.path).hold_at_most(room.to_hold());
        if room.held < room.to_hold() && room.volume.free >= room.reserve() {
            HeldRoom::of(&self.path).hold(room.to_hold());
        }
    }

    fn keep_log_short(&mut self, short: bool) -> Result<(), StoreError> {
        if self.has_short_log != short {
            let pages = if short { SHORT_LOG_PAGES } else { LOG_PAGES };
            self.connection.query_row(&format!("PRAGMA wal_autocheckpoint = {pages}"), [], |_| Ok(()))?;
            self.has_short_log = short;
        }
        Ok(())
    }
}

pub(super) fn folder(store: &Path) -> &Path {
    store.parent().unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mib(count: u64) -> u64 {
        count << 20
    }

    fn room(size: u64, free: u64, held: u64) -> Room {
        Room { volume: Volume { size: mib(size), free: mib(free) }, held: mib(held) }
    }

    #[test]
    fn room_is_kept_and_given_back_with_some_to_spare() {
        use Fill::{Exhausted, Full, Roomy};
        assert_eq!([room(10, 0, 0), room(256, 0, 0), room(9999, 0, 0)].map(Room::reserve), [mib(16), mib(32), mib(64)]);
        let cases = [
            (room(1024, 64, 0), 0, Roomy, Roomy),
            (room(1024, 48, 16), 0, Roomy, Roomy),
            (room(1024, 63, 0), 0, Roomy, Full),
            (room(1024, 47, 16), 0, Roomy, Full),
            (room(1024, 64, 0), 0, Full, Full),
            (room(1024, 80, 0), 0, Full, Roomy),
            (room(1024, 60, 0), 4, Roomy, Roomy),
            (room(1024, 60, 0), 20, Full, Roomy),
            (room(1024, 7, 0), 900, Roomy, Full),
            (room(1024, 8, 0), 900, Full, Roomy),
            (room(1024, 16, 0), 0, Full, Full),
            (room(1024, 15, 0), 0, Full, Exhausted),
            (room(1024, 19, 0), 0, Exhausted, Exhausted),
            (room(1024, 20, 0), 0, Exhausted, Full),
            (room(1024, 3, 16), 900, Full, Exhausted),
            (room(1024, 16, 0), 900, Exhausted, Roomy),
        ];
        for (room, inside, before, fill) in cases {
            assert_eq!(room.fill(mib(inside), before), fill, "{room:?} and {inside} MiB inside, before: {before:?}");
        }
    }

    #[test]
    fn what_is_held_is_given_up_where_only_the_log_has_no_room() {
        let cases = [
            (room(48, 1, 4), 20, true),
            (room(48, 1, 4), 19, false),
            (room(48, 2, 4), 20, false),
            (room(48, 1, 0), 20, false),
            (room(1024, 7, 16), 80, true),
        ];
        for (room, inside, expected) in cases {
            assert_eq!(room.is_kept_from_log(mib(inside)), expected, "{room:?} and {inside} MiB inside");
            let afterwards = Room { held: 0, volume: Volume { free: room.volume.free + room.held, ..room.volume } };
            assert!(!expected || afterwards.fill(mib(inside), Fill::Exhausted) == Fill::Roomy, "{room:?}");
        }
    }

    #[test]
    fn the_reserve_is_there_with_what_is_held_of_it() {
        let cases =
            [(room(64, 16, 0), true), (room(64, 12, 4), true), (room(64, 15, 0), false), (room(64, 11, 4), false)];
        for (room, expected) in cases {
            assert_eq!(room.has_reserve(), expected, "{room:?}");
        }
    }

    #[test]
    fn look_ups_are_written_in_portions_for_which_there_is_room() {
        let cases = [(room(48, 1, 4), SHORT_INDEX), (room(48, 7, 4), SHORT_INDEX), (room(48, 8, 4), 512)];
        for (room, rows) in cases.into_iter().chain([(room(1024, 900, 16), INDEX_AT_ONCE)]) {
            assert_eq!(room.index_at_once(), rows, "{room:?}");
        }
    }

    #[test]
    fn a_volume_of_64_mib_leaves_more_than_it_keeps() {
        let small = room(64, 64, 0);
        assert!(small.reserve() + small.reserve() / 4 < small.volume.size / 2);
    }
}
