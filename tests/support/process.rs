//! Roles as processes of their own, each on a loopback address of its own, so that their fixed ports never collide.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// How long anything is waited for. Machines that run tests are slow at times; nothing is proved by giving up early.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What roles log: enough to understand a test that failed, unless something else is set before the first starts.
pub static LOG_FILTER: OnceLock<&str> = OnceLock::new();

/// What the chart tells the operator's allocator.
pub const OPERATORS_ALLOCATOR: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "0");

/// Blocks of addresses, of which each process has so many; each block ends at a whole byte.
const BLOCKS: u32 = 8;
/// Addresses of a block: without 0 and 255.
const IN_BLOCK: u32 = 254;

/// A loopback address that nobody else has: its middle is this process, its end counts.
pub fn address() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nth = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(nth < BLOCKS * IN_BLOCK, "this test binary has used up its addresses");
    let block = (std::process::id() * BLOCKS + nth / IN_BLOCK) % (250 * 256);
    let [_, _, high, low] = block.to_be_bytes();
    let [.., last] = (1 + nth % IN_BLOCK).to_be_bytes();
    Ipv4Addr::new(127, high + 1, low, last).into()
}

/// A running role. It is killed when it is dropped.
pub struct Role {
    /// Its arguments, to start it again.
    arguments: Vec<String>,
    /// Variables that it is started with, beside those of the test.
    pub environment: Vec<(String, String)>,
    log: std::path::PathBuf,
    child: Option<Child>,
}

impl Role {
    /// Starts `aldis` with these arguments; its log goes to `log`.
    pub fn start(arguments: Vec<String>, log: &Path) -> Self {
        let mut role = Self { arguments, environment: Vec::new(), log: log.to_owned(), child: None };
        role.start_again();
        role
    }

    /// Starts it again after it ended.
    pub fn start_again(&mut self) {
        self.run(Command::new(env!("CARGO_BIN_EXE_aldis")));
    }

    /// Starts it again on a disk that is soon full: no file may become longer than this.
    pub fn start_again_with_files_up_to(&mut self, kilobytes: u32) {
        let mut shell = Command::new("bash");
        // Without the trap the signal would end the process; ignored, the write fails as on a full disk.
        let limited = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$0\" \"$@\"");
        shell.args(["-c", &limited, env!("CARGO_BIN_EXE_aldis")]);
        self.run(shell);
    }

    /// Starts it again from a shell that has set the limits of open files, with these options of `ulimit`.
    pub fn start_again_with_open_files(&mut self, limit: &str) {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_aldis")]);
        self.run(shell);
    }

    /// Waits until it has ended by itself; true = it ended well.
    pub fn wait(&mut self) -> bool {
        self.child.take().expect("it was started").wait().unwrap().success()
    }

    fn run(&mut self, mut command: Command) {
        assert!(self.child.is_none(), "it still runs");
        let log = std::fs::File::options().create(true).append(true).open(&self.log).unwrap();
        if self.arguments.first().is_some_and(|role| role == "operator") {
            let (name, value) = OPERATORS_ALLOCATOR;
            command.env(name, value);
        }
        let child = command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("ALDIS_LOG", LOG_FILTER.get_or_init(|| "aldis=debug,info"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to end, as the kubelet does, and waits until it has; true = it ended well.
    pub fn terminate(&mut self) -> bool {
        let mut child = self.child.take().unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        child.wait().unwrap().success()
    }

    /// Its process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.arguments.first().map_or("", String::as_str), self.log());
        }
    }
}

/// Variables of several, of whose libraries all are preloaded.
pub fn preloaded_together<const N: usize>(all: [Vec<(String, String)>; N]) -> Vec<(String, String)> {
    let (libraries, mut variables): (Vec<_>, Vec<_>) =
        all.into_iter().flatten().partition(|(name, _)| name == "LD_PRELOAD");
    let libraries: Vec<_> = libraries.into_iter().map(|(_, library)| library).collect();
    variables.extend((!libraries.is_empty()).then(|| ("LD_PRELOAD".to_owned(), libraries.join(":"))));
    variables
}

/// Asks again until there is an answer, with patience; fails naming `what` and the last answer.
pub async fn eventually<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let begun = std::time::Instant::now();
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(last) if begun.elapsed() > PATIENCE => panic!("{what}: still {last:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Asks again until nothing is left, for as long as it gets less; fails naming `what` and how much is left.
pub async fn until_none_is_left<F: Future<Output = usize>>(what: &str, mut left: impl FnMut() -> F) {
    let (mut least, mut since) = (usize::MAX, std::time::Instant::now());
    loop {
        let now = left().await;
        if now == 0 {
            return;
        }
        if now < least {
            (least, since) = (now, std::time::Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "{what}: still {now}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Waits until a role is ready.
pub async fn ready(address: IpAddr) {
    let url = format!("http://{address}:{}/readyz", aldis::wire::ports::ADMIN);
    eventually("the role is ready", || async {
        let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(answer.text().await.unwrap_or_default()) }
    })
    .await;
}
