//! Measures what people ask before they install: how fast and how big, each beside the barest thing that does the same.
//!
//! `make bench` measures every row and writes `docs/benchmarks.md`; `make bench ROWS="operator-1000 store"` prints these rows and
//! writes nothing. See `benches/README.md`.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a measurement that cannot go on stops")]

use std::{path::Path, time::Duration};

mod api_server;
mod bare_log;
mod channels;
mod choice;
mod figure;
mod fleet;
mod history;
mod in_force;
mod inbound;
#[path = "../tests/cluster/installed.rs"]
mod installed;
mod kubelet;
mod machine;
mod memory;
mod metrics;
mod node;
mod page;
mod pods;
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/cluster/quickstart.rs"]
mod quickstart;
mod ready;
mod rows;
mod store;
mod streams;
#[path = "../tests/support/mod.rs"]
mod support;
mod way;

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    /// Runs of each figure.
    runs: usize,
    /// How long a run of a rate lasts.
    each: Duration,
    /// How long a fleet at rest is looked at.
    settled: Duration,
    /// Edits of one channel among many.
    edits: u32,
    /// Queues that turn bad.
    bad_queues: u32,
    /// Texts of customers that load a desk.
    texts: u64,
    /// Configurations that are applied one after the other.
    changes: u32,
    /// Changes that the kubelet is left alone with.
    unnudged: usize,
    /// A store with a history.
    history: history::Size,
    /// Agents' streams, and customers who wait.
    streams: streams::Size,
}

const WHOLE: Scale = Scale {
    runs: 3,
    each: Duration::from_secs(2),
    settled: Duration::from_secs(60),
    edits: 20,
    bad_queues: 500,
    texts: 2000,
    changes: 12,
    unnudged: 8,
    history: history::Size { messages: 1_000_000, of_one: 100_000 },
    streams: streams::Size { agents: 1000, waiting: [0, 1000, 10_000], offers: 200 },
};
const QUICK: Scale = Scale {
    runs: 2,
    each: Duration::from_millis(500),
    settled: Duration::from_secs(10),
    edits: 3,
    bad_queues: 20,
    texts: 50,
    changes: 2,
    unnudged: 2,
    history: history::Size { messages: 40_000, of_one: 4000 },
    streams: streams::Size { agents: 20, waiting: [0, 20, 100], offers: 5 },
};

#[tokio::main]
async fn main() {
    aldis::process::crypto::install_providers();
    // What roles log is part of what they do all day; tests have them say more.
    support::process::LOG_FILTER.set("info").expect("nothing was started yet");
    // The disk of the build: a temporary folder may lie in memory, where waiting for the disk costs nothing.
    tempfile::env::override_temp_dir(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("nobody chose another one");

    // Cargo adds a `--bench` of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (flags, names): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|argument| argument.starts_with("--"));
    let wanted = rows::Wanted::parse(&names).unwrap_or_else(|message| {
        eprintln!("{message}");
        std::process::exit(2)
    });
    let is_set = |flag: &str| flags.iter().any(|set| set == flag);
    let mut scale = if is_set("--quick") { QUICK } else { WHOLE };
    if is_set("--ten-minutes") {
        scale.settled = Duration::from_secs(600);
    }

    let is_written = (wanted.is_everything() && !is_set("--quick")) || is_set("--write");
    let mut page = page::Page::new(machine::describe(), is_written);
    if wanted.has("store") {
        page.add(store::measure(scale));
    }
    if wanted.has("choice") {
        page.add(choice::measure(scale));
    }
    if wanted.has("inbound") {
        page.add(inbound::measure(scale).await);
    }
    if wanted.has("history") {
        page.add(history::measure(scale).await);
    }
    if wanted.has("streams") {
        page.add(streams::measure(scale).await);
    }
    if wanted.has("way") {
        page.add(way::measure(scale).await);
    }
    if wanted.has("operator") {
        page.add(channels::measure(scale, &wanted.sizes("operator")).await);
    }
    for section in fleet::measure(scale, &wanted).await {
        page.add(section);
    }
    if wanted.has("node") {
        for section in node::measure(scale).await {
            page.add(section);
        }
    }
}
