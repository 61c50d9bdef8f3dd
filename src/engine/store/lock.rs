//! One engine per store.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use super::error::OpenError;

/// The lock of a store. The kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Acquires the lock of the database at `path`.
    ///
    /// It is on a file of its own: closing any other handle of the database file would drop SQLite's own locks on it.
    pub(super) fn acquire(path: &Path) -> Result<Self, OpenError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock_path = PathBuf::from(name);
        let failed = |source| OpenError::Lock { path: lock_path.clone(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not do: a child that is being started holds a copy of the handle until it runs its program.
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the store's lock could not be given back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_taken_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let _lock = Lock::acquire(&path).expect("free");
        assert!(matches!(Lock::acquire(&path), Err(OpenError::InUse { .. })));
    }

    #[test]
    fn it_is_free_again_though_a_child_that_is_being_started_has_a_copy_of_the_handle() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let lock = Lock::acquire(&path).expect("free");
        let _inherited = lock.0.try_clone().expect("a copy");
        drop(lock);
        Lock::acquire(&path).expect("free again");
    }
}
