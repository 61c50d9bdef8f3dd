//! A disk that loses what was not brought to it: a folder of a process under test, what the process did to it as a preloaded library wrote it
//! down (`disk.c`), and the folder again as it may be after a power loss.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

/// A disk loses power in the middle of a sector of so many bytes never, and between two always.
const SECTOR: u64 = 512;
/// Length of the head of a record.
const HEAD: usize = 25;

/// The disk under a folder.
pub struct Disk {
    folder: PathBuf,
    log: TempDir,
    /// What is on the disk for certain.
    names: BTreeMap<PathBuf, usize>,
    files: Vec<Contents>,
    /// Which file has an inode now.
    inodes: HashMap<u64, usize>,
}

/// A file, or a folder when it has no contents.
#[derive(Clone, Default)]
struct Contents {
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// Changes that became durable so far.
    settled: usize,
    is_folder: bool,
}

#[derive(Clone)]
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Length(u64),
}

#[derive(Clone, Debug)]
enum Naming {
    Add { file: usize, path: PathBuf },
    Remove { path: PathBuf },
    Move { from: PathBuf, to: PathBuf },
}

impl Disk {
    /// The disk under a folder; what is in the folder now is on it.
    pub fn under(folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap();
        let log = tempfile::tempdir().unwrap();
        let mut disk = Self { folder, log, names: BTreeMap::new(), files: Vec::new(), inodes: HashMap::new() };
        disk.begin_anew();
        disk
    }

    /// What a process is started with that uses this disk, and does not outlive its step `kill_at`.
    pub fn environment(&self, kill_at: Option<u64>) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let mut variables = vec![
            ("LD_PRELOAD".to_owned(), text(library())),
            ("ALDIS_TEST_DISK_FOLDER".to_owned(), text(&self.folder)),
            ("ALDIS_TEST_DISK_LOG".to_owned(), text(&self.log.path().join("log"))),
        ];
        variables.extend(kill_at.map(|step| ("ALDIS_TEST_DISK_KILL_AT".to_owned(), step.to_string())));
        variables
    }

    /// The same on a disk that lies: it says that it has what it was given, and has nothing.
    pub fn lying_environment(&self) -> Vec<(String, String)> {
        let mut variables = self.environment(None);
        variables.push(("ALDIS_TEST_DISK_LIES".to_owned(), "1".to_owned()));
        variables
    }

    /// The power fails: the process is dead, and the folder becomes what a disk may have kept. What was not brought to the disk may be on it all
    /// the same: names in the order in which they changed, sectors in any. Gives how many bytes were not brought to the disk.
    pub fn lose_power(&mut self, random: &mut fastrand::Rng) -> usize {
        let chance = [0, 50, 100][random.usize(0..3)];
        self.lose(random, chance, 100)
    }

    /// The same with a disk that has kept nothing but what was brought to it.
    pub fn lose_power_and_all_else(&mut self) -> usize {
        self.lose(&mut fastrand::Rng::with_seed(0), 0, 0)
    }

    /// Each sector is kept with a chance, and so many of the changed names at most, both in percent.
    fn lose(&mut self, random: &mut fastrand::Rng, chance: u32, names: usize) -> usize {
        let log = fs::read(self.log.path().join("log")).unwrap_or_default();
        let mut namings = Vec::new();
        let mut begun: HashMap<(u64, u64), (usize, usize)> = HashMap::new();
        let mut settled_names = 0;
        for record in Records(&log) {
            if matches!(record.kind, b'C' | b'D') {
                self.add(record.inode, Contents { is_folder: record.kind == b'D', ..Contents::default() });
            }
            let id = self.inodes.get(&record.inode).copied();
            let Some(id) = id.or_else(|| matches!(record.kind, b'U' | b'R').then_some(0)) else {
                panic!("a record of kind {} of an unknown file", char::from(record.kind))
            };
            let file = &mut self.files[id];
            match record.kind {
                b'W' => file.pending.push(Change::Write { at: record.number, bytes: record.first.to_vec() }),
                b'T' => file.pending.push(Change::Length(record.number)),
                b'B' => {
                    let both = (file.settled + file.pending.len(), settled_names + namings.len());
                    begun.insert((record.inode, record.number), both);
                }
                b'E' => {
                    let (changes, names) = begun.remove(&(record.inode, record.number)).unwrap();
                    if file.is_folder {
                        let count = names.saturating_sub(settled_names);
                        settled_names += count;
                        let settled: Vec<_> = namings.drain(..count).collect();
                        settled.into_iter().for_each(|naming| self.apply(naming));
                    } else {
                        file.settle(changes);
                    }
                }
                b'C' | b'L' | b'D' => {
                    let path = if record.kind == b'L' { record.second() } else { record.first() };
                    namings.push(Naming::Add { file: id, path });
                }
                b'U' => namings.push(Naming::Remove { path: record.first() }),
                b'R' => namings.push(Naming::Move { from: record.first(), to: record.second() }),
                other => panic!("a record of kind {other}"),
            }
        }
        let lost = self.files.iter().map(Contents::unsettled).sum();
        let kept = random.usize(0..=namings.len() * names / 100);
        namings.into_iter().take(kept).for_each(|naming| self.apply(naming));
        for file in &mut self.files {
            file.lose(random, chance);
        }
        self.write_folder();
        self.begin_anew();
        lost
    }

    fn apply(&mut self, naming: Naming) {
        match naming {
            Naming::Add { file, path } => {
                self.names.insert(path, file);
            }
            Naming::Remove { path } => {
                self.names.remove(&path);
            }
            Naming::Move { from, to } => {
                if let Some(file) = self.names.remove(&from) {
                    self.names.insert(to, file);
                }
            }
        }
    }

    /// A file that has this inode from now on.
    fn add(&mut self, inode: u64, contents: Contents) -> usize {
        self.files.push(contents);
        self.inodes.insert(inode, self.files.len() - 1);
        self.files.len() - 1
    }

    /// Makes the folder what is on the disk.
    fn write_folder(&self) {
        for entry in fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        for (name, id) in &self.names {
            let (path, file) = (self.folder.join(name), &self.files[*id]);
            // The index of a log lies in memory that is shared; nobody relies on it after a crash.
            if name.to_str().unwrap().ends_with("-shm") {
                continue;
            }
            if file.is_folder {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &file.durable).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
    }

    /// What is in the folder is on the disk.
    fn begin_anew(&mut self) {
        let _ = fs::remove_file(self.log.path().join("log"));
        (self.names, self.files, self.inodes) = Default::default();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            let inode = fs::metadata(&folder).unwrap().ino();
            if !self.inodes.contains_key(&inode) {
                self.add(inode, Contents { is_folder: true, ..Contents::default() });
            }
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let inode = fs::metadata(&path).unwrap().ino();
                let is_folder = path.is_dir();
                let durable = if is_folder { Vec::new() } else { fs::read(&path).unwrap() };
                let file = self.add(inode, Contents { durable, is_folder, ..Contents::default() });
                self.names.insert(path.strip_prefix(&self.folder).unwrap().to_owned(), file);
                if is_folder {
                    folders.push(path);
                }
            }
        }
    }
}

impl Contents {
    /// Changes up to this one are on the disk.
    fn settle(&mut self, up_to: usize) {
        let count = up_to.saturating_sub(self.settled);
        self.settled += count;
        let settled: Vec<_> = self.pending.drain(..count).collect();
        settled.iter().for_each(|change| self.apply(change, |_| true));
    }

    /// Each sector that is not on the disk for certain is with this chance, in percent.
    fn lose(&mut self, random: &mut fastrand::Rng, chance: u32) {
        for change in std::mem::take(&mut self.pending) {
            self.apply(&change, |_| random.u32(0..100) < chance);
        }
    }

    fn apply(&mut self, change: &Change, mut is_kept: impl FnMut(u64) -> bool) {
        match change {
            Change::Length(length) => {
                if is_kept(0) {
                    self.durable.resize(usize::try_from(*length).unwrap(), 0);
                }
            }
            Change::Write { at, bytes } => {
                let (mut from, end) = (*at, at + bytes.len() as u64);
                while from < end {
                    let to = ((from / SECTOR + 1) * SECTOR).min(end);
                    if is_kept(from) {
                        let piece = &bytes[usize::try_from(from - at).unwrap()..usize::try_from(to - at).unwrap()];
                        let (from, to) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
                        if self.durable.len() < to {
                            self.durable.resize(to, 0);
                        }
                        self.durable[from..to].copy_from_slice(piece);
                    }
                    from = to;
                }
            }
        }
    }

    fn unsettled(&self) -> usize {
        let written = |change: &Change| if let Change::Write { bytes, .. } = change { bytes.len() } else { 0 };
        self.pending.iter().map(written).sum()
    }
}

/// What the library wrote down.
struct Record<'a> {
    kind: u8,
    inode: u64,
    number: u64,
    first: &'a [u8],
    second: &'a [u8],
}

impl Record<'_> {
    fn first(&self) -> PathBuf {
        std::str::from_utf8(self.first).unwrap().into()
    }

    fn second(&self) -> PathBuf {
        std::str::from_utf8(self.second).unwrap().into()
    }
}

/// Records one after the other; the last may be cut off.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (head, rest) = self.0.split_at_checked(HEAD)?;
        let long = |at: usize| u64::from_ne_bytes(*head[at..].first_chunk().unwrap());
        let short = |at: usize| u32::from_ne_bytes(*head[at..].first_chunk().unwrap()) as usize;
        let (first, rest) = rest.split_at_checked(short(17))?;
        let (second, rest) = rest.split_at_checked(short(21))?;
        self.0 = rest;
        Some(Record { kind: head[0], inode: long(1), number: long(9), first, second })
    }
}

/// The library, compiled once by each test binary.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("disk.so");
        // Other binaries may use the present one.
        let new = path.with_extension(format!("{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/disk.c");
        let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&new).arg(source).status().unwrap();
        assert!(made.success(), "the C compiler made no library");
        fs::rename(&new, &path).unwrap();
        path
    })
}
