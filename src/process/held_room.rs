//! Room on a volume that a file of zeros holds, so that others cannot fill it: `<database>.reserve`, beside a database.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::volume::beside;

/// The room that is held for a database.
#[derive(Clone, Debug)]
pub(crate) struct HeldRoom(PathBuf);

impl HeldRoom {
    /// That of the database at this path.
    pub(crate) fn of(database: &Path) -> Self {
        Self(beside(database, ".reserve"))
    }

    /// How much is held, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        fs::metadata(&self.0).map_or(0, |file| file.len())
    }

    /// Holds so many bytes. When that fails, which the log says, nothing is held.
    pub(crate) fn hold(&self, bytes: u64) {
        if let Err(error) = write_zeros(&self.0, bytes) {
            tracing::warn!(%error, "no room is held in reserve");
            self.give_up();
        }
    }

    /// Holds no more than so many bytes: after the volume became smaller, as one that was put back, what was held counts too much.
    pub(crate) fn hold_at_most(&self, bytes: u64) {
        let most = bytes.next_multiple_of(PIECE);
        if self.bytes() > most
            && let Err(error) = File::options().write(true).open(&self.0).and_then(|file| file.set_len(most))
        {
            tracing::warn!(%error, "more room is held in reserve than is needed");
        }
    }

    /// Gives it up; whether there was some.
    pub(crate) fn give_up(&self) -> bool {
        fs::remove_file(&self.0).is_ok()
    }
}

/// Zeros are written in pieces of so many bytes.
const PIECE: u64 = 64 * 1024;

/// Zeros that are really written: a hole would hold no room.
fn write_zeros(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let zeros = [0; PIECE as usize];
    for _ in 0..bytes.div_ceil(PIECE) {
        file.write_all(&zeros)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn room_is_really_held_and_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let held = HeldRoom::of(&dir.path().join("store.db"));
        assert_eq!((held.bytes(), held.give_up()), (0, false));
        held.hold(100_000);
        assert_eq!(held.bytes(), 128 * 1024, "whole pieces of 64 KiB");
        let file = fs::metadata(dir.path().join("store.db.reserve")).unwrap();
        assert!(file.blocks() * 512 >= held.bytes(), "no hole");
        held.hold_at_most(100_000);
        assert_eq!(held.bytes(), 128 * 1024, "no less than was asked for");
        held.hold_at_most(50_000);
        assert_eq!(held.bytes(), 64 * 1024);
        assert!(held.give_up());
        held.hold_at_most(50_000);
        assert_eq!(held.bytes(), 0);
    }
}
