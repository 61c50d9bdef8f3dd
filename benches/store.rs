//! How many inbound messages a second become durable, by how many share a transaction; beside each, a log that does nothing but
//! append as many bytes and wait for the disk.

use std::{fs::File, hint::black_box, io::Write as _, path::Path};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

#[path = "../tests/support/channel.rs"]
#[allow(dead_code, clippy::expect_used, reason = "shared with the tests, which use more of it")]
mod channel;

use channel::{Channel, Step, config};

/// A message of one segment.
const TEXT: &str =
    "Good morning, my parcel was to be here yesterday and the page only says that it is on its way. Can you look?";
/// Bytes that a record of such a message has in a plain log.
const RECORD: usize = 400;

fn durable_inbound(criterion: &mut Criterion) {
    // The file system of the build, not a temporary one that may lie in memory.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut group = criterion.benchmark_group("durable inbound");
    for batch in [1_usize, 100, 1000] {
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::new("store", batch), |bencher| {
            let (_dir, mut channel) = new_channel(scratch);
            let steps: Vec<Step> = (0..batch).map(|n| Step::Text { customer: (n % 251) as u8, text: TEXT }).collect();
            bencher.iter(|| black_box(channel.take(&steps)));
        });
        group.bench_function(BenchmarkId::new("bare log", batch), |bencher| {
            let mut log = tempfile::tempfile_in(scratch).unwrap_or_else(|error| panic!("{scratch:?}: {error}"));
            let records = vec![b'x'; RECORD * batch];
            bencher.iter(|| append(&mut log, &records));
        });
    }
    group.finish();
}

fn new_channel(scratch: &Path) -> (tempfile::TempDir, Channel) {
    let dir = tempfile::tempdir_in(scratch).unwrap_or_else(|error| panic!("{scratch:?}: {error}"));
    let channel = Channel::open(&dir.path().join("store.db"), config(), jiff::Timestamp::UNIX_EPOCH)
        .unwrap_or_else(|error| panic!("{error}"));
    (dir, channel)
}

fn append(log: &mut File, records: &[u8]) {
    log.write_all(records).and_then(|()| log.sync_data()).unwrap_or_else(|error| panic!("the log: {error}"));
}

criterion_group!(benches, durable_inbound);
criterion_main!(benches);
