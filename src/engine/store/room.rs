//! Room on the volume. What a channel needs to close its work, to delete and to start again is kept free: before that is touched the
//! engine takes nothing new.

use std::path::Path;

use super::{Store, error::StoreError};
use crate::process::volume::Volume;

/// The least that is kept free: enough for the requests that wait already, a step of forgetting and the log.
const LEAST_RESERVE: u64 = 16 << 20;
/// The most that is kept free, however large the volume is.
const LARGEST_RESERVE: u64 = 64 << 20;
/// Without so much an engine cannot even start: opening the store may make the log and its index.
const TO_START: u64 = 1 << 20;

/// Room on the volume of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room(Volume);

impl Room {
    fn of(volume: &Path) -> Result<Self, StoreError> {
        Volume::of(volume).map(Self).map_err(StoreError::Volume)
    }

    fn reserve(self) -> u64 {
        (self.0.size / 8).clamp(LEAST_RESERVE, LARGEST_RESERVE)
    }

    /// Whether nothing new may be taken, when the database has so much inside it that deletions left. What is full has room again
    /// when it has a quarter more than the reserve.
    fn is_full(self, inside: u64, was_full: bool) -> bool {
        let reserve = self.reserve();
        let needed = if was_full { reserve + reserve / 4 } else { reserve };
        // Room inside is of no use without some for the log.
        self.0.free + inside < needed || self.0.free < reserve / 2
    }
}

/// Whether a volume has too little room for an engine to start.
///
/// # Errors
/// When the volume cannot be asked.
pub fn is_too_full_to_start(volume: &Path) -> Result<bool, StoreError> {
    Ok(Room::of(volume)?.0.free < TO_START)
}

impl Store {
    /// Whether nothing new may be taken, because the volume has too little room; `was_full` is what it said before.
    ///
    /// # Errors
    /// When volume or database cannot be asked.
    pub fn is_full(&self, was_full: bool) -> Result<bool, StoreError> {
        let room = Room::of(self.path.parent().unwrap_or(Path::new(".")))?;
        if !room.is_full(0, was_full) {
            return Ok(false);
        }
        let count = |pragma: &str| self.connection.query_row(pragma, [], |row| row.get::<_, u32>(0));
        let inside = u64::from(count("PRAGMA freelist_count")?) * u64::from(count("PRAGMA page_size")?);
        Ok(room.is_full(inside, was_full))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_kept_and_given_back_with_some_to_spare() {
        let mib = |count: u64| count << 20;
        let room = |size, free| Room(Volume { size: mib(size), free: mib(free) });
        assert_eq!([room(10, 0), room(256, 0), room(9999, 0)].map(Room::reserve), [mib(16), mib(32), mib(64)]);
        let cases = [
            (room(1024, 64), 0, false, false),
            (room(1024, 63), 0, false, true),
            (room(1024, 64), 0, true, true),
            (room(1024, 80), 0, true, false),
            (room(1024, 60), 4, false, false),
            (room(1024, 60), 20, true, false),
            (room(1024, 31), 900, false, true),
        ];
        for (room, inside, was_full, full) in cases {
            assert_eq!(
                room.is_full(mib(inside), was_full),
                full,
                "{room:?} and {inside} MiB inside, full before: {was_full}"
            );
        }
    }
}
