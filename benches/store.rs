//! How many inbound messages a second the store makes durable, by how many share a transaction.

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    Scale, bare_log,
    figure::Figure,
    page::{Goal, Ratio, Section, table},
    support::channel::{Channel, config},
};
use aldis::{
    engine::{
        core::command::{Command, Contact, Inbound},
        store::{INDEX_AT_ONCE, lookup::Text, write::Cause},
    },
    sms::{PhoneNumber, Sender},
};

/// Messages in a transaction; the last is the engine's most.
const TOGETHER: [usize; 2] = [1, 512];
const TEXT: &str = crate::inbound::TEXT;
/// Who write, in random order.
const CUSTOMERS: u32 = 100_000;

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
            let mut random = fastrand::Rng::with_seed(7);
            store.add(rate(scale.each / 2, *together, || {
                let texts: Vec<_> = (0..*together).map(|_| text(&mut random)).collect();
                channel.now += Duration::from_millis(1);
                black_box(commit(&mut channel, &texts));
                // What waits for the look-ups is written between transactions, as the engine's writer does.
                while channel.store.index_due().is_some_and(|due| due <= Instant::now()) {
                    channel.store.index(INDEX_AT_ONCE).expect("a store");
                }
            }));
        }
    }
    let ratios = figures.iter().map(|(together, store, log)| {
        let ours = format!("Messages a second through state machine and store, {together} in a transaction");
        Ratio::new(ours, store.over(log), "records a second of a bare log, as many before each wait")
    });
    let goals = figures.iter().filter(|(together, ..)| *together == 512).map(|(together, store, _)| {
        Goal::at_least(format!("Messages a second, {together} in a transaction"), 150_000.0, store.clone())
    });
    let goals = goals.collect();
    let rows = figures.iter().map(|(together, store, log)| {
        vec![together.to_string(), store.over(log).to_string(), store.to_string(), log.to_string()]
    });
    let text = format!(
        "State machine and store alone, in one process and one thread: each message, of one of 100,000 customers in random order and with a\n\
         random id, is looked up, decided, its events and rows written, and the transaction committed. Beside it a file to which as many records of {} bytes are appended before each `fdatasync`.\n\n{}",
        bare_log::RECORD,
        table(&["messages in a transaction", "ratio", "store, messages/s", "bare log, records/s"], rows),
    );
    Section { title: "The store", ratios: ratios.collect(), goals, text }
}

/// A message of one of the customers with an id as providers make them.
fn text(random: &mut fastrand::Rng) -> (PhoneNumber, String) {
    let number = format!("+1555{:07}", random.u32(..CUSTOMERS)).parse().expect("a number");
    (number, format!("SM{:032x}", random.u128(..)))
}

/// Looks up, decides and writes all of them in one transaction, as the engine does.
fn commit(channel: &mut Channel, texts: &[(PhoneNumber, String)]) -> u64 {
    let mut transaction = channel.store.begin().expect("a store");
    let senders: Vec<_> = texts.iter().map(|(number, _)| Sender::from(number.clone())).collect();
    let looked_up = senders.iter().zip(texts).map(|(address, (_, id))| Text { address, provider_message_id: id });
    let looked_up: Vec<_> = looked_up.collect();
    let found = transaction.prefetch(&looked_up, &mut channel.state).expect("a store");
    for (text, found) in looked_up.into_iter().zip(found) {
        let customer = transaction.writer_of(text, found);
        let command = Command::Inbound(Inbound {
            contact: Contact { address: text.address.clone(), customer },
            text: TEXT.into(),
            note: None,
            received_at: channel.now,
            duplicate_of: transaction.repeated_by(text, found),
            provider_keyword: None,
        });
        let decision = channel.state.execute(&command, channel.now);
        let cause = Cause::Inbound { provider_message_id: text.provider_message_id, received_at: channel.now };
        transaction.write(&decision, &cause, &channel.state).expect("a store");
    }
    transaction.commit(&channel.state).expect("a store").commits
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
