//! `aldis backup`: a process of its own beside the engine, in its container or on its volume.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    run::STORE_FILE,
    store::{
        backup::{About, BackupError, Snapshot, Written},
        room,
    },
};
use crate::{
    process::volume::{Volume, beside},
    wire::ports,
};

/// Stands for standard output and standard input.
pub(super) const STANDARD: &str = "-";
/// The engine's commits come first.
const NICENESS: i32 = 10;
/// So much of the copy is brought to the disk at once: an `fsync` of all of it would hold up those of the engine.
const SYNCED_AT_ONCE: usize = 4 << 20;
/// How often the engine's log is looked at.
const WATCH: Duration = Duration::from_millis(100);

/// Write a consistent copy of an engine's store while the engine goes on.
#[derive(Clone, Debug, clap::Args)]
pub struct BackupArgs {
    /// File to write, which must not be there yet, or - for standard output. What was written is told as a line of JSON: on standard output, or on standard
    /// error when the backup goes to standard output.
    #[arg(long)]
    pub to: PathBuf,
    /// Directory of the store.
    #[arg(long, default_value = ports::DATA_DIR)]
    pub data_dir: PathBuf,
    /// Break off after so many seconds. The engine's log cannot be emptied while a backup is taken.
    #[arg(long, default_value_t = 3600)]
    pub timeout_seconds: u64,
}

/// The line that says what was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    #[serde(flatten)]
    about: &'a About,
    #[serde(flatten)]
    written: Written,
    taken_at: jiff::Timestamp,
}

/// Takes a backup.
///
/// # Errors
/// When there is none then.
pub fn backup(args: &BackupArgs) -> Result<(), BackupError> {
    let store = args.data_dir.join(STORE_FILE);
    // Where it may not be nice, the backup is taken all the same.
    let _ = rustix::process::nice(NICENESS);
    let is_stream = args.to.as_os_str() == STANDARD;
    let partial = (!is_stream).then(|| beside(&args.to, ".partial"));
    let taken_at = jiff::Timestamp::now();
    let snapshot = Snapshot::begin(&store)?;
    watch(Watch::new(&store, args.timeout_seconds, partial.clone())?);
    snapshot.check()?;
    let written = match &partial {
        None => snapshot.write_to(&mut io::stdout().lock())?,
        Some(partial) => {
            has_room_for(&store, &args.to, snapshot.backup_bytes())?;
            let written = to_file(&snapshot, partial, &args.to);
            if written.is_err() {
                remove(partial);
            }
            written?
        }
    };
    let report = Report { about: snapshot.about(), written, taken_at };
    let line = serde_json::to_string(&report).map_err(|error| BackupError::Write(error.into()))?;
    if is_stream {
        eprintln!("{line}");
    } else {
        println!("{line}");
    }
    Ok(())
}

/// Refuses a copy that would make a volume full.
fn has_room_for(store: &Path, to: &Path, needed: u64) -> Result<(), BackupError> {
    let folder = folder(to);
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    let free = if device(folder).map_err(BackupError::Write)? == device(store).map_err(BackupError::Write)? {
        room::to_spare(store)?
    } else {
        Volume::of(folder).map_err(BackupError::Write)?.free
    };
    if free < needed { Err(BackupError::NoRoom { free, needed }) } else { Ok(()) }
}

/// Writes the file under another name, which it loses when the disk has all of it.
fn to_file(snapshot: &Snapshot, partial: &Path, to: &Path) -> Result<Written, BackupError> {
    let write = |error: io::Error| BackupError::Write(error);
    if to.try_exists().map_err(write)? {
        return Err(write(io::ErrorKind::AlreadyExists.into()));
    }
    // Of one that was killed.
    remove(partial);
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(partial).map_err(write)?;
    let mut synced = Synced { file, unsynced: 0 };
    let written = snapshot.write_to(&mut synced)?;
    synced.file.sync_all().map_err(write)?;
    // Unlike a renaming, this replaces no file that came meanwhile.
    fs::hard_link(partial, to).map_err(write)?;
    remove(partial);
    File::open(folder(to)).and_then(|folder| folder.sync_all()).map_err(write)?;
    Ok(written)
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What cannot be removed stays: it has another name than a backup.
fn remove(partial: &Path) {
    let _ = fs::remove_file(partial);
}

/// A file that is brought to the disk in portions.
struct Synced {
    file: File,
    unsynced: usize,
}

impl Write for Synced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.unsynced += written;
        if self.unsynced >= SYNCED_AT_ONCE {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What a backup must not do to the engine.
struct Watch {
    store: PathBuf,
    log: PathBuf,
    most: u64,
    /// What an engine keeps free was there when this began: a volume that is full anyway can be backed up to elsewhere.
    had_reserve: bool,
    until: Instant,
    partial: Option<PathBuf>,
}

impl Watch {
    fn new(store: &Path, timeout_seconds: u64, partial: Option<PathBuf>) -> Result<Self, BackupError> {
        let log = beside(store, "-wal");
        let most = length(&log) + room::log_may_gain(store)?;
        let had_reserve = room::has_reserve(store)?;
        let now = Instant::now();
        // A time that cannot be told does not come.
        let until = now.checked_add(Duration::from_secs(timeout_seconds)).unwrap_or(now + Duration::from_secs(86_400));
        Ok(Self { store: store.to_owned(), log, most, had_reserve, until, partial })
    }

    fn broken(&self) -> Option<&'static str> {
        if Instant::now() >= self.until {
            return Some(
                "the backup is broken off: it takes longer than --timeout-seconds, and the engine's log cannot be emptied meanwhile",
            );
        }
        // A copy on the same volume takes of the room that the log may gain, and others may, too.
        if self.had_reserve && room::has_reserve(&self.store).is_ok_and(|has| !has) {
            return Some(
                "the backup is broken off: the volume has less free than the engine keeps for itself; write it to elsewhere, or free room",
            );
        }
        (length(&self.log) > self.most).then_some(
            "the backup is broken off: the engine's log, which cannot be emptied meanwhile, would fill the volume; take the backup faster, \
             or when less is written",
        )
    }
}

/// Ends the process when the engine would suffer, whatever it waits for: a reader of standard output may have gone to sleep.
fn watch(watch: Watch) {
    thread::spawn(move || {
        loop {
            if let Some(reason) = watch.broken() {
                eprintln!("aldis: {reason}");
                if let Some(partial) = &watch.partial {
                    remove(partial);
                }
                std::process::exit(1);
            }
            thread::sleep(WATCH);
        }
    });
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}
