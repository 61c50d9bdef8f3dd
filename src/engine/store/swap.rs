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

/// Whether there is a store.
pub(super) fn is_occupied(store: &Path) -> bool {
    contents(store).iter().any(|file| file.exists())
}

/// Has what was received take the store's place.
pub(super) fn replace(store: &Path) -> io::Result<()> {
    fs::rename(receiving(store), received(store))?;
    sync_folder(store)?;
    finish(store)
}

/// Ends a restore that was broken off: goes on with one whose backup was received as a whole, and forgets any other. Only who has the store's
/// lock may call it.
pub(super) fn finish(store: &Path) -> io::Result<()> {
    forget_received(store)?;
    let received = received(store);
    if !received.exists() {
        return Ok(());
    }
    let kept = kept(store);
    for file in contents(store).iter().filter(|file| file.exists()) {
        fs::create_dir_all(&kept)?;
        fs::rename(file, kept.join(file.file_name().unwrap_or_default()))?;
    }
    remove(&beside(store, "-shm"))?;
    if kept.exists() {
        File::open(&kept)?.sync_all()?;
    }
    // No disk may show the new store beside the old one's log.
    sync_folder(store)?;
    fs::rename(&received, store)?;
    sync_folder(store)
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
    if !kept.exists() {
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
