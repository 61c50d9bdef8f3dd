//! A volume that can really be full: a small file system of its own, in memory.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

/// A file system that goes with this.
pub struct Volume {
    at: PathBuf,
    is_ours: bool,
}

impl Volume {
    /// Mounts one of so many MiB over a folder.
    pub fn mount(at: &Path, mebibytes: u32) -> Self {
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).status().unwrap();
        assert!(mounted.success(), "mounting takes root");
        Self { at: at.to_owned(), is_ours: true }
    }

    /// One that somebody else mounted, and ends.
    pub fn mounted(at: &Path) -> Self {
        Self { at: at.to_owned(), is_ours: false }
    }

    /// Puts a file of somebody else there, of so many MiB, or of all that is left to the last byte.
    pub fn occupy(&self, name: &str, mebibytes: Option<usize>) {
        const BLOCK: [u8; 4096] = [1; 4096];
        let mut file = File::create(self.at.join(name)).unwrap();
        let blocks = mebibytes.map_or(usize::MAX, |mebibytes| (mebibytes << 20) / BLOCK.len());
        for _ in 0..blocks {
            if let Err(error) = file.write_all(&BLOCK) {
                assert_eq!(error.kind(), ErrorKind::StorageFull);
                return;
            }
        }
    }

    /// Puts files of somebody else there until so many KiB are left.
    pub fn leave(&self, name: &str, kibibytes: u64) {
        let free = Command::new("stat").args(["--file-system", "--format=%a %S"]).arg(&self.at).output().unwrap();
        let free = String::from_utf8(free.stdout).unwrap();
        let (blocks, size) = free.trim().split_once(' ').unwrap();
        let free = blocks.parse::<u64>().unwrap() * size.parse::<u64>().unwrap() / 1024;
        let mut file = File::create(self.at.join(name)).unwrap();
        let block = [1; 1024];
        (kibibytes..free).for_each(|_| file.write_all(&block).unwrap());
    }

    /// Removes such a file.
    pub fn free(&self, name: &str) {
        fs::remove_file(self.at.join(name)).unwrap();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if !self.is_ours {
            return;
        }
        // If it stays, the folder stays; the test has its result all the same.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
