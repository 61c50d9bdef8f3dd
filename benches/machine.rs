//! What was measured, when, and on what (nothing that names the machine); and what a process takes of it.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{bare_log, figure::Figure};

/// A paragraph.
pub fn describe() -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let value = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
        value.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal").replace(" kB", "").parse::<f64>().unwrap_or(0.0);
    let release = read("/proc/sys/kernel/osrelease");
    format!(
        "Measured on {} at commit {}: {cores} cores ({}), {:.0} GB of memory, Linux {}. On its disk ({}), to append {} bytes and wait for\n\
         `fdatasync` takes {} ms. The binary is {}.",
        jiff::Zoned::now().date(),
        commit(),
        field(&read("/proc/cpuinfo"), "model name"),
        memory * 1024.0 / 1e9,
        release.trim().split('-').next().unwrap_or_default(),
        file_system(folder),
        bare_log::RECORD,
        disk(folder),
        if cfg!(debug_assertions) {
            "NOT optimised"
        } else {
            "built as the released one is: optimised, linked statically"
        },
    )
}

/// The commit, and whether more than this page has changed since.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let said = Command::new("git").args(["-C", env!("CARGO_MANIFEST_DIR")]).args(arguments).output().ok()?;
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    match git(&["status", "--porcelain", "--", ":/", ":!/docs/benchmarks.md"]) {
        Some(changes) if changes.is_empty() => format!("`{commit}`"),
        _ => format!("`{commit}` with changes"),
    }
}

fn file_system(folder: &Path) -> String {
    let said = Command::new("findmnt").args(["-n", "-o", "FSTYPE", "-T"]).arg(folder).output();
    let kind = said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default();
    assert_ne!(kind, "tmpfs", "{} lies in memory: nothing durable can be measured there", folder.display());
    kind
}

fn disk(folder: &Path) -> Figure {
    let mut log = bare_log::file(folder);
    let mut figure = Figure::default();
    for _ in 0..100 {
        let begun = std::time::Instant::now();
        bare_log::append(&mut log, &[b'x'; bare_log::RECORD]);
        figure.add_millis(begun.elapsed());
    }
    figure
}

/// What a process takes.
pub struct Usage {
    /// Resident memory in megabytes (RSS).
    pub resident: f64,
    /// The part of it that is no file's, in megabytes (RssAnon).
    pub own: f64,
    /// The most that was resident since it started, in megabytes.
    pub peak: f64,
    /// Processor time since it started.
    pub processor: Duration,
}

/// What the process takes now.
pub fn usage(pid: u32) -> Usage {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("the process runs");
    let status = read("status");
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of the kernel's");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0 / 1e6
    };
    Usage {
        resident: megabytes("VmRSS:"),
        own: megabytes("RssAnon:"),
        peak: megabytes("VmHWM:"),
        processor: processor(&read("stat")).1,
    }
}

/// Name and processor time of a process or thread, from its `stat`.
fn processor(stat: &str) -> (&str, Duration) {
    // After the name, which may hold anything: user and system time are the 12th and 13th, in hundredths of a second.
    let (before, after) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum();
    (before.split_once('(').map_or("", |(_, name)| name), Duration::from_millis(ticks * 10))
}

/// Something that takes processor time.
#[derive(Clone, Copy)]
pub enum Share {
    /// A process.
    Process(u32),
    /// Threads of this process by their name.
    Threads(&'static str),
}

impl Share {
    /// Processor time so far. One that has ended counts nothing.
    fn processor(self) -> Duration {
        let read = |path: &Path| std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        match self {
            Self::Process(pid) => {
                let stat = read(Path::new(&format!("/proc/{pid}")));
                if stat.is_empty() { Duration::ZERO } else { processor(&stat).1 }
            }
            Self::Threads(wanted) => {
                let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
                let stats = threads.map(|thread| read(&thread.path())).filter(|stat| !stat.is_empty());
                stats
                    .filter_map(|stat| Some(processor(&stat)).filter(|(name, _)| *name == wanted).map(|(_, time)| time))
                    .sum()
            }
        }
    }
}

/// Who takes how much of the processor between two moments.
pub struct Shares {
    begun: Instant,
    before: Vec<(String, Share, Duration)>,
}

impl Shares {
    /// From now on.
    pub fn begin(of: Vec<(String, Share)>) -> Self {
        let before = of.into_iter().map(|(name, share)| (name, share, share.processor())).collect();
        Self { begun: Instant::now(), before }
    }

    /// Until now: the part of all cores that each took.
    pub fn end(&self) -> Vec<(String, f64)> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let whole = self.begun.elapsed().as_secs_f64() * cores;
        let took = |share: &Share, before: &Duration| share.processor().saturating_sub(*before).as_secs_f64() / whole;
        self.before.iter().map(|(name, share, before)| (name.clone(), took(share, before))).collect()
    }
}

/// The processes below one, with the names that the kernel gives them (15 letters at most).
pub fn descendants(of: u32) -> Vec<(u32, String)> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<(u32, u32, String)> = processes
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let (before, after) = stat.rsplit_once(')')?;
            let parent = after.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent, before.split_once('(')?.1.to_owned()))
        })
        .collect();
    let mut found = vec![of];
    let mut names = Vec::new();
    while let Some(parent) = found.pop() {
        for (pid, _, name) in all.iter().filter(|(_, above, _)| *above == parent) {
            found.push(*pid);
            names.push((*pid, name.clone()));
        }
    }
    names
}
