//! Clients that mean no good, by the thousand: they open connections and hold them, each in its own way.

use std::{
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

/// What a role's container may use when nothing else is said.
pub const MEMORY_LIMIT_KIB: u64 = 256 * 1024;

/// A port, and the head of a request to it, up to the length of its body.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// A request from nobody: nothing of its body should be read.
    pub stranger: String,
    /// A request that is, or claims to be, from somebody whose body is read.
    pub insider: String,
}

impl Target {
    /// Heads of a request to a path; the insider has these headers, each with an end of line.
    pub fn new(address: &str, path: &str, headers: &str) -> Self {
        let stranger =
            format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\n");
        let insider = format!("{stranger}{headers}");
        Self { address: address.to_owned(), stranger, insider }
    }
}

/// What one hostile client does with its connection, before it only holds it.
#[derive(Clone, Copy, Debug)]
enum Client {
    /// Says nothing.
    Silent,
    /// Begins a head, with a lot of it, and does not end it.
    SlowHead,
    /// Brings an insider's body byte by byte.
    SlowBody,
    /// Brings a stranger's body, large, all but the last byte.
    Stranger,
    /// Brings an insider's body of this length at once, all but the last byte.
    HalfBody(usize),
    /// An insider's, with a million parameters.
    MillionParameters,
    /// An insider's, with as many parameters as a body of 64 KiB holds.
    ManyParameters,
}

impl Client {
    /// The `n`th of many.
    const fn number(n: usize) -> Self {
        match n % 10 {
            0 | 1 => Self::SlowHead,
            2 => Self::SlowBody,
            3 => Self::Stranger,
            4 if n % 100 == 4 => Self::MillionParameters,
            4 => Self::ManyParameters,
            _ => Self::Silent,
        }
    }

    /// Plays its part, then holds the connection until the role answers or ends it.
    async fn play(self, target: Arc<Target>, connecting: Arc<Semaphore>, spoken: Arc<Semaphore>) {
        // More at once overflow the kernel's queue, and then wait for the kernel and not for the role.
        let turn = connecting.acquire().await.unwrap();
        let connected = TcpStream::connect(&target.address).await;
        drop(turn);
        let Ok(mut stream) = connected else { return spoken.add_permits(1) };
        stream.set_nodelay(true).unwrap();
        // The role may end the connection at any time, which is what it should do.
        let _ = self.speak(&target, &mut stream).await;
        spoken.add_permits(1);
        let _ = stream.read(&mut [0; 64]).await;
    }

    async fn speak(self, target: &Target, stream: &mut TcpStream) -> std::io::Result<()> {
        let Target { stranger, insider, .. } = target;
        match self {
            Self::Silent => Ok(()),
            Self::SlowHead => stream.write_all(format!("{stranger}x-filler: {}", "f".repeat(12_000)).as_bytes()).await,
            Self::SlowBody => {
                stream.write_all(format!("{insider}content-length: 60000\r\n\r\n").as_bytes()).await?;
                for _ in 0..2000 {
                    stream.write_all(b"a").await?;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Ok(())
            }
            Self::HalfBody(bytes) => {
                stream.write_all(format!("{insider}content-length: {bytes}\r\n\r\n").as_bytes()).await?;
                stream.write_all(&vec![b'a'; bytes - 1]).await
            }
            Self::Stranger => {
                stream.write_all(format!("{stranger}content-length: 262144\r\n\r\n").as_bytes()).await?;
                stream.write_all("x".repeat(262_143).as_bytes()).await
            }
            Self::MillionParameters => {
                stream.write_all(format!("{insider}transfer-encoding: chunked\r\n\r\n").as_bytes()).await?;
                for _ in 0..100 {
                    stream.write_all(format!("4e20\r\n{}\r\n", "a&".repeat(10_000)).as_bytes()).await?;
                }
                stream.write_all(b"0\r\n\r\n").await
            }
            Self::ManyParameters => {
                stream.write_all(format!("{insider}content-length: 65536\r\n\r\n").as_bytes()).await?;
                stream.write_all("a&".repeat(32_768).as_bytes()).await
            }
        }
    }
}

/// So many clients come to a port, of every kind. They go when this is dropped.
pub fn besiege(target: Target, clients: usize) -> JoinSet<()> {
    send(target, (0..clients).map(Client::number), &Arc::new(Semaphore::new(0)))
}

/// So many clients come to a port, bring a body of so many bytes but for the last, and hold it. When this returns all have sent it,
/// or were ended. They go when what it returns is dropped.
pub async fn hold_bodies(target: Target, clients: usize, bytes: usize) -> JoinSet<()> {
    let spoken = Arc::new(Semaphore::new(0));
    let hostile = send(target, (0..clients).map(|_| Client::HalfBody(bytes)), &spoken);
    let all = u32::try_from(clients).unwrap();
    spoken.acquire_many(all).await.unwrap().forget();
    hostile
}

fn send(target: Target, clients: impl Iterator<Item = Client>, spoken: &Arc<Semaphore>) -> JoinSet<()> {
    let (target, connecting) = (Arc::new(target), Arc::new(Semaphore::new(200)));
    let mut hostile = JoinSet::new();
    for client in clients {
        hostile.spawn(client.play(Arc::clone(&target), Arc::clone(&connecting), Arc::clone(spoken)));
    }
    hostile
}

/// This process may open so many files.
pub fn allow_files(count: u32) {
    let pid = std::process::id().to_string();
    let allowed = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={count}:")]).status().unwrap();
    assert!(allowed.success(), "the test needs {count} open files");
}

/// A line of `/proc/<pid>/status`, in KiB.
pub fn memory(pid: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':')).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The memory of a process while it is watched. The pages of its program do not count: the kernel takes them back when it needs room.
pub struct Watched {
    before: u64,
    most: Arc<AtomicU64>,
    watching: JoinSet<()>,
}

impl Watched {
    /// Begins to watch a process.
    pub fn begin(pid: u32) -> Self {
        let own = move || memory(pid, "RssAnon");
        let (before, most) = (own(), Arc::new(AtomicU64::new(0)));
        let seen = Arc::clone(&most);
        let mut watching = JoinSet::new();
        watching.spawn(async move {
            loop {
                seen.fetch_max(own(), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Self { before, most, watching }
    }

    /// How much more it held at most since then, in KiB.
    pub fn grown_by(mut self) -> u64 {
        self.watching.abort_all();
        self.most.load(Ordering::Relaxed).saturating_sub(self.before)
    }
}

/// How many files a process has open.
pub fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}
