//! How many inbound messages a second the store makes durable, by how many share a transaction.

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    Scale, bare_log,
    figure::Figure,
    page::{Ratio, Section, table},
    support::channel::{Channel, Step, config},
};

/// Messages in a transaction; the last is the engine's most.
const TOGETHER: [usize; 2] = [1, 512];
const TEXT: &str = crate::inbound::TEXT;

/// Measures state machine and store in this process, without HTTP.
pub fn measure(scale: Scale) -> Section {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut figures = TOGETHER.map(|together| (together, Figure::default(), Figure::default()));
    for _ in 0..scale.runs {
        for (together, store, log) in &mut figures {
            let mut file = bare_log::file(folder);
            let records = vec![b'x'; bare_log::RECORD * *together];
            log.add(rate(scale.each / 2, *together, || bare_log::append(&mut file, &records)));

            let dir = tempfile::tempdir().expect("a folder");
            let now = jiff::Timestamp::UNIX_EPOCH;
            let mut channel = Channel::open(&dir.path().join("store.db"), config(), now).expect("a new store");
            let steps: Vec<Step> =
                (0..*together).map(|n| Step::Text { customer: (n % 251) as u8, text: TEXT }).collect();
            store.add(rate(scale.each / 2, *together, || {
                black_box(channel.take(&steps));
            }));
        }
    }
    let ratios = figures.iter().map(|(together, store, log)| {
        let ours = format!("Messages a second through state machine and store, {together} in a transaction");
        Ratio::new(ours, store.over(log), "records a second of a bare log, as many before each wait")
    });
    let rows = figures.iter().map(|(together, store, log)| {
        vec![together.to_string(), store.over(log).to_string(), store.to_string(), log.to_string()]
    });
    let text = format!(
        "State machine and store alone, in one process and one thread: each message is decided, its events and rows written, and the\n\
         transaction committed. Beside it a file to which as many records of {} bytes are appended before each `fdatasync`.\n\n{}",
        bare_log::RECORD,
        table(&["messages in a transaction", "ratio", "store, messages/s", "bare log, records/s"], rows),
    );
    Section { title: "The store", ratios: ratios.collect(), goals: Vec::new(), text }
}

/// How many a second, when `work` does `together` of them.
fn rate(long: Duration, together: usize, mut work: impl FnMut()) -> f64 {
    let (begun, mut done) = (Instant::now(), 0.0);
    while begun.elapsed() < long {
        work();
        done += together as f64;
    }
    done / begun.elapsed().as_secs_f64()
}
