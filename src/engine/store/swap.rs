//! How a restored store takes the place of the one before, so that a restore that is broken off at any moment leaves one of them whole.
//!
//! A backup is received and checked as `<store>.restoring`. Renaming that to `<store>.restored` is the moment from which the new one counts: whoever has the
//! store's lock next (the rest of the restore, or an engine that starts) moves the old one aside, database and log, and puts the new one in its place.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::process::volume::beside;

/// The folder, beside the store, of the one that was replaced.
pub const BEFORE_RESTORE: &str = "before-restore";

/// Where a backup is received.
pub(super) fn receiving(store: &Path) -> PathBuf {
    beside(store, ".restoring")
}

/// A backup that is received, checked, and on the disk.
fn received(store: &Path) -> PathBuf {
    beside(store, ".restored")
}

/// Where the replaced store is kept.
pub(super) fn kept(store: &Path) -> PathBuf {
    store.with_file_name(BEFORE_RESTORE)
}

/// Files of a database that hold what is committed.
fn contents(store: &Path) -> [PathBuf; 2] {
    [store.to_owned(), beside(store, "-wal")]
}

/// Whether there is a store, as far as the disk says so.
pub(super) fn is_occupied(store: &Path) -> io::Result<bool> {
    contents(store).iter().try_fold(false, |found, file| Ok(found || file.try_exists()?))
}

/// Has what was received count from now on. [`finish`] puts it in its place; until this has succeeded, the store is what it was.
pub(super) fn decide(store: &Path) -> io::Result<()> {
    fs::rename(receiving(store), received(store))
}

/// Ends a restore that was broken off: goes on with one whose backup was received as a whole, and forgets any other. Only who has the store's
/// lock may call it.
pub(super) fn finish(store: &Path) -> io::Result<()> {
    forget_received(store)?;
    let received = received(store);
    if !received.try_exists()? {
        return Ok(());
    }
    // No disk may show the old store moved away, and not yet that the new one counts.
    sync_folder(store)?;
    let kept = kept(store);
    for file in contents(store) {
        keep(&file, &kept)?;
    }
    remove(&beside(store, "-shm"))?;
    if kept.try_exists()? {
        File::open(&kept)?.sync_all()?;
    }
    // No disk may show the new store beside the old one's log.
    sync_folder(store)?;
    fs::rename(&received, store)?;
    sync_folder(store)
}

/// Moves a file of the old store aside, if it is there. A disk that cannot tell is an error: the new store must not get the old one's log.
fn keep(file: &Path, kept: &Path) -> io::Result<()> {
    if !file.try_exists()? {
        return Ok(());
    }
    fs::create_dir_all(kept)?;
    let aside = kept.join(file.file_name().unwrap_or_default());
    // One restore moves each name once. What is there is the only copy of what was replaced.
    if aside.try_exists()? {
        let message = format!(
            "{} is there already, and so is {}: an engine that knows nothing of restores ran before this one was ended; take a backup of {} with --data-dir \
             if it is needed, remove it with aldis restore --remove-replaced, and begin again",
            aside.display(),
            file.display(),
            kept.display(),
        );
        return Err(io::Error::new(ErrorKind::AlreadyExists, message));
    }
    fs::rename(file, aside)
}

/// Forgets a backup that was not received as a whole, or not found good.
pub(super) fn forget_received(store: &Path) -> io::Result<()> {
    let receiving = receiving(store);
    [beside(&receiving, "-wal"), beside(&receiving, "-shm"), receiving].iter().try_for_each(|file| remove(file))
}

/// Removes the store that a restore replaced; whether there was one.
///
/// # Errors
/// When a file cannot be removed.
pub fn remove_replaced(store: &Path) -> io::Result<bool> {
    let kept = kept(store);
    if !kept.try_exists()? {
        return Ok(false);
    }
    fs::remove_dir_all(&kept)?;
    sync_folder(store)?;
    Ok(true)
}

/// Makes what was created, renamed and removed beside the store outlast a power loss.
fn sync_folder(store: &Path) -> io::Result<()> {
    File::open(store.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A restore that was broken off when the new store counted already: the old one is there still, with its log.
    fn broken_off() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("engine.db");
        fs::write(&store, "old").unwrap();
        fs::write(beside(&store, "-wal"), "log of the old").unwrap();
        fs::write(received(&store), "new").unwrap();
        (dir, store)
    }

    #[test]
    fn a_restore_that_was_broken_off_is_ended_and_the_old_store_kept_with_its_log() {
        let (_dir, store) = broken_off();
        finish(&store).unwrap();
        assert_eq!(fs::read_to_string(&store).unwrap(), "new");
        assert!(!beside(&store, "-wal").exists() && !received(&store).exists());
        let kept = kept(&store).join("engine.db");
        assert_eq!(fs::read_to_string(&kept).unwrap(), "old");
        assert_eq!(fs::read_to_string(beside(&kept, "-wal")).unwrap(), "log of the old");
    }

    /// After half of it, an engine of an older image made a store of its own.
    #[test]
    fn what_was_kept_is_never_overwritten() {
        let (_dir, store) = broken_off();
        let kept = kept(&store).join("engine.db");
        fs::create_dir(kept.parent().unwrap()).unwrap();
        fs::rename(&store, &kept).unwrap();
        fs::write(&store, "made meanwhile").unwrap();
        let error = finish(&store).unwrap_err();
        assert!(error.to_string().contains("aldis restore --remove-replaced"), "{error}");
        assert_eq!([&store, &kept].map(|file| fs::read_to_string(file).unwrap()), ["made meanwhile", "old"]);
        assert!(remove_replaced(&store).unwrap());
        finish(&store).unwrap();
        assert_eq!([&store, &kept].map(|file| fs::read_to_string(file).unwrap()), ["new", "made meanwhile"]);
    }

    #[test]
    fn no_store_gets_a_log_of_which_the_disk_cannot_tell_whether_it_is_there() {
        let (_dir, store) = broken_off();
        let log = beside(&store, "-wal");
        fs::remove_file(&log).unwrap();
        // A name that leads to itself cannot be looked up, as on a disk with errors.
        symlink(&log, &log).unwrap();
        finish(&store).unwrap_err();
        assert!(!store.exists() && received(&store).exists(), "the new store is not beside it");
        assert!(is_occupied(&store).is_err());
    }
}
