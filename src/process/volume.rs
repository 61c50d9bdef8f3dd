//! How much room a volume has, and the files beside one of its files.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The file with `suffix` behind the name of another one.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A volume, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    /// All that it holds.
    pub size: u64,
    /// What is left for processes that are not privileged.
    pub free: u64,
}

impl Volume {
    /// The volume of a file or folder.
    ///
    /// # Errors
    /// When the file system cannot be asked.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Self {
            size: found.f_blocks.saturating_mul(found.f_frsize),
            free: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }
}
