//! The engine as a process: how many inbound messages a second it makes durable and how long each waits, by how many the gateway
//! brings at once; beside it a log that does nothing but append and wait for the disk. And the memory that engine and gateway take.
//!
//! Writes `docs/benchmarks/engine.md`.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a measurement that cannot go on stops")]

use std::{
    fmt::Write as _,
    io::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aldis::wire::ports;

#[path = "../tests/support/mod.rs"]
mod support;
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/standalone/kills/world.rs"]
mod world;

use support::{
    engine::{Engine, GATEWAY, ROLES, inbound},
    gateway_fake::FakeGateway,
    process::eventually,
};

/// How long each figure is measured.
const MEASURE: Duration = Duration::from_secs(5);
/// Messages that the gateway brings at once.
const AT_ONCE: [u64; 4] = [1, 8, 64, 256];
/// Bytes that a record of such a message has in a plain log.
const RECORD: usize = 400;
const TEXT: &str =
    "Good morning, my parcel was to be here yesterday and the page only says that it is on its way. Can you look?";

/// How many there were, and how long each took.
struct Measured {
    per_second: f64,
    median: Duration,
    slowest_of_hundred: Duration,
}

impl Measured {
    fn of(mut each: Vec<Duration>, took: Duration) -> Self {
        each.sort_unstable();
        let at = |share: usize| each[(each.len() - 1) * share / 100];
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let per_second = each.len() as f64 / took.as_secs_f64();
        Self { per_second, median: at(50), slowest_of_hundred: at(99) }
    }

    fn row(&self, name: &str) -> String {
        let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let (median, slowest) = (millis(self.median), millis(self.slowest_of_hundred));
        format!("| {name} | {:.0} | {median:.2} | {slowest:.2} |", self.per_second)
    }
}

#[tokio::main]
async fn main() {
    let mut page = String::from(
        "# What the engine takes and needs\n\n\
         Measured by `make bench`; not checked by tests. Each inbound message is committed with its event, its rows and an fsync\n\
         before it is answered; what waits meanwhile shares the next fsync.\n\n\
         | brought at once | messages a second | median ms | 99 % below ms |\n|---|---|---|---|\n",
    );
    for at_once in AT_ONCE {
        let row = durable_inbound(at_once).await.row(&at_once.to_string());
        println!("{row}");
        writeln!(page, "{row}").unwrap();
    }
    let row = bare_log().row("bare log, one after the other");
    println!("{row}");
    writeln!(page, "{row}\n\n| resident memory | idle | after 1,000 texts |\n|---|---|---|").unwrap();
    for row in memory().await {
        println!("{row}");
        writeln!(page, "{row}").unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("engine.md"), page).unwrap();
}

async fn durable_inbound(at_once: u64) -> Measured {
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |_| {}).await;
    let url = format!("{}{}", engine.roles_url(), ports::INBOUND_PATH);
    let token: Arc<str> = engine.issuer.token(GATEWAY, ROLES).into();
    let client = reqwest::Client::new();
    let (next, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let bringing = (0..at_once).map(|_| {
        let (client, url, token, next) = (client.clone(), url.clone(), Arc::clone(&token), Arc::clone(&next));
        tokio::spawn(async move {
            let mut each = Vec::new();
            while begun.elapsed() < MEASURE {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let message = inbound(&format!("SM{number}"), &format!("+1555{:07}", number % 10_000), TEXT);
                let asked = Instant::now();
                let answer = client.post(&url).bearer_auth(&*token).json(&message).send().await.unwrap();
                assert!(answer.status().is_success(), "{}", answer.status());
                each.push(asked.elapsed());
            }
            each
        })
    });
    let mut each = Vec::new();
    for bringing in bringing.collect::<Vec<_>>() {
        each.extend(bringing.await.unwrap());
    }
    Measured::of(each, begun.elapsed())
}

fn bare_log() -> Measured {
    let mut log = tempfile::tempfile().unwrap();
    let (record, begun, mut each) = ([b'x'; RECORD], Instant::now(), Vec::new());
    while begun.elapsed() < MEASURE {
        let asked = Instant::now();
        log.write_all(&record).and_then(|()| log.sync_data()).unwrap();
        each.push(asked.elapsed());
    }
    Measured::of(each, begun.elapsed())
}

/// Engine and gateway with a simulator, before and after customers wrote and an agent answered.
async fn memory() -> [String; 2] {
    let world = world::World::start().await;
    let pids = [world.engine.role.pid().unwrap(), world.gateway.pid()];
    let idle = pids.map(resident_megabytes);
    let mut work = world.work();
    eventually("a thousand texts came in", || async {
        let rows = world.engine.sqlite("SELECT count(*) AS n FROM message WHERE direction = 'Inbound'");
        let count = rows[0]["n"].as_u64().unwrap();
        if count >= 1000 { Ok(()) } else { Err(count) }
    })
    .await;
    let loaded = pids.map(resident_megabytes);
    work.stop().await;
    let row = |name: &str, role: usize| format!("| {name} | {:.1} MB | {:.1} MB |", idle[role], loaded[role]);
    [row("engine", 0), row("gateway", 1)]
}

fn resident_megabytes(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1000.0
}
