//! Measures what people ask before they install: how fast and how big, each beside the barest thing that does the same.
//!
//! `make bench` runs everything and writes `docs/benchmarks.md`. For a part of it, or to try out a change to a measurement:
//!
//!     cargo bench --bench measure -- [--quick] [store|inbound|channels|node]...
//!
//! prints its tables and writes nothing; with `--quick` the counts are small and the figures mean nothing.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a measurement that cannot go on stops")]

use std::{path::Path, time::Duration};

mod bare_log;
mod channels;
mod figure;
mod in_force;
mod inbound;
#[path = "../tests/cluster/installed.rs"]
mod installed;
mod kubelet;
mod machine;
mod memory;
mod node;
mod page;
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/cluster/quickstart.rs"]
mod quickstart;
mod store;
#[path = "../tests/support/mod.rs"]
mod support;

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    /// Runs of each figure.
    runs: usize,
    /// How long a run of a rate lasts.
    each: Duration,
    /// Channels that become Ready together.
    channels: u32,
    /// Texts of customers that load a desk.
    texts: u64,
    /// Configurations that are applied one after the other.
    changes: u32,
    /// Changes that the kubelet is left alone with.
    unnudged: usize,
}

const WHOLE: Scale =
    Scale { runs: 3, each: Duration::from_secs(2), channels: 100, texts: 2000, changes: 12, unnudged: 8 };
const QUICK: Scale =
    Scale { runs: 2, each: Duration::from_millis(500), channels: 3, texts: 50, changes: 2, unnudged: 2 };

#[tokio::main]
async fn main() {
    aldis::process::crypto::install_providers();
    // What roles log is part of what they do all day; tests have them say more.
    support::process::LOG_FILTER.set("info").expect("nothing was started yet");
    // The disk of the build: a temporary folder may lie in memory, where waiting for the disk costs nothing.
    tempfile::env::override_temp_dir(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("nobody chose another one");

    // Cargo adds a `--bench` of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (flags, parts): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| argument.starts_with('-'));
    let scale = if flags.iter().any(|flag| *flag == "--quick") { QUICK } else { WHOLE };
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| *wanted == part);

    let mut page = page::Page::new(machine::describe());
    if is_wanted("store") {
        page.add(store::measure(scale));
    }
    if is_wanted("inbound") {
        page.add(inbound::measure(scale).await);
    }
    if is_wanted("channels") {
        page.add(channels::measure(scale).await);
    }
    if is_wanted("node") {
        for section in node::measure(scale).await {
            page.add(section);
        }
    }
    if arguments.is_empty() {
        page.write();
    }
}
