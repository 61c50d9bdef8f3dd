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
const TOGETHER: [usize; 2] = [1, MOST];
const MOST: usize = 512;
const TEXT: &str = crate::inbound::TEXT;
/// Who write, in random order.
const CUSTOMERS: u32 = 100_000;

/// Measures state machine and store in this process, without HTTP.
pub fn measure(scale: Scale) -> Section {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut figures = Vec::new();
    for writers in [Writers::Known, Writers::New] {
        figures.extend(TOGETHER.map(|together| (writers, together, Figure::default(), Figure::default())));
    }
    for _ in 0..scale.runs {
        for (writers, together, store, log) in &mut figures {
            let mut file = bare_log::file(folder);
            let records = vec![b'x'; bare_log::RECORD * *together];
            log.add(rate(scale.each / 2, *together, || bare_log::append(&mut file, &records)));

            let dir = tempfile::tempdir().expect("a folder");
            let now = jiff::Timestamp::UNIX_EPOCH;
            let mut channel = Channel::open(&dir.path().join("store.db"), config(), now).expect("a new store");
            let mut random = fastrand::Rng::with_seed(7);
            if *writers == Writers::Known {
                let all: Vec<_> = (0..CUSTOMERS).collect();
                for some in all.chunks(MOST) {
                    let texts: Vec<_> = some.iter().map(|customer| text(*customer, &mut random)).collect();
                    step(&mut channel, &texts);
                }
            }
            store.add(rate(scale.each / 2, *together, || {
                let texts: Vec<_> = (0..*together).map(|_| writers.text(&mut random)).collect();
                step(&mut channel, &texts);
            }));
        }
    }
    let ratios = figures.iter().map(|(writers, together, store, log)| {
        let ours = format!(
            "Messages a second of {} customers through state machine and store, {together} in a transaction",
            writers.name()
        );
        Ratio::new(ours, store.over(log), "records a second of a bare log, as many before each wait")
    });
    let most = figures.iter().filter(|(_, together, ..)| *together == MOST);
    let goals = most.map(|(writers, together, store, _)| {
        let ours = format!("Messages a second of {} customers, {together} in a transaction", writers.name());
        Goal::at_least(ours, 150_000.0, store.clone())
    });
    let goals = goals.collect();
    let rows = figures.iter().map(|(writers, together, store, log)| {
        vec![
            together.to_string(),
            writers.name().to_owned(),
            store.over(log).to_string(),
            store.to_string(),
            log.to_string(),
        ]
    });
    let text = format!(
        "State machine and store alone, in one process and one thread: each message is looked up, decided, its events and rows written, and the\n\
         transaction committed. It has a random id and is of one of 100,000 customers in random order, who all wait for an agent already, or of a\n\
         customer who never wrote. Beside it a file to which as many records of {} bytes are appended before each `fdatasync`.\n\n{}",
        bare_log::RECORD,
        table(&["messages in a transaction", "customers", "ratio", "store, messages/s", "bare log, records/s"], rows),
    );
    Section { title: "The store", ratios: ratios.collect(), goals, text }
}

/// Who write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writers {
    /// All have written before, and wait.
    Known,
    /// Nobody has.
    New,
}

impl Writers {
    const fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::New => "new",
        }
    }

    /// The next message of one of them.
    fn text(self, random: &mut fastrand::Rng) -> (PhoneNumber, String) {
        let customer = match self {
            Self::Known => random.u32(..CUSTOMERS),
            // Hardly ever twice the same.
            Self::New => random.u32(..1_000_000_000),
        };
        text(customer, random)
    }
}

/// A message of a customer with an id as providers make them.
fn text(customer: u32, random: &mut fastrand::Rng) -> (PhoneNumber, String) {
    let number = format!("+155{customer:09}").parse().expect("a number");
    (number, format!("SM{:032x}", random.u128(..)))
}

/// Commits texts, and writes what waits for the look-ups between transactions, as the engine's writer does.
fn step(channel: &mut Channel, texts: &[(PhoneNumber, String)]) {
    channel.now += Duration::from_millis(1);
    black_box(commit(channel, texts));
    while channel.store.index_due().is_some_and(|due| due <= Instant::now()) {
        channel.store.index(INDEX_AT_ONCE).expect("a store");
    }
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
            part: None,
            duplicate_of: transaction.repeated_by(text, found),
            provider_keyword: None,
            overtakes: false,
            before_opt_out: false,
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
