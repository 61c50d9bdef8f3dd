//! What is counted in memory is what stands in the file, after whatever happens.

use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::{
    gateway::spool::{AttemptKey, Content, Kept, Place, Spool, StoreId},
    wire::{delivery::Item, inbound::InboundMessage},
};

const NUMBERS: [&str; 3] = ["+15550001", "+15550002", "+15550003"];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What happens to a spool. Indexes pick among what was ever kept, so that some of it is gone again.
#[derive(Clone, Debug)]
enum Step {
    Keep { number: usize, id: u8, parked: bool },
    Deliver { rows: Vec<usize> },
    Park { row: usize },
    Expire { number: usize },
    Begin { number: usize, message: u8 },
    ForgetAttempts,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0..NUMBERS.len();
    prop_oneof![
        6 => (number.clone(), 0u8..40, prop::bool::weighted(0.2))
            .prop_map(|(number, id, parked)| Step::Keep { number, id, parked }),
        3 => prop::collection::vec(0usize..100, 1..4).prop_map(|rows| Step::Deliver { rows }),
        2 => (0usize..100).prop_map(|row| Step::Park { row }),
        1 => number.clone().prop_map(|number| Step::Expire { number }),
        3 => (number, 0u8..5).prop_map(|(number, message)| Step::Begin { number, message }),
        1 => Just(Step::ForgetAttempts),
        1 => Just(Step::Restart),
    ]
}

/// A spool, its file, and every row that it ever had.
struct Kitchen {
    spool: Option<Spool>,
    path: PathBuf,
    rows: Vec<(i64, String)>,
    kept: i64,
}

impl Kitchen {
    fn spool(&self) -> &Spool {
        self.spool.as_ref().unwrap()
    }

    fn file(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    fn row(&self, index: usize) -> Option<(i64, String)> {
        (!self.rows.is_empty()).then(|| self.rows[index % self.rows.len()].clone())
    }

    async fn perform(&mut self, step: &Step) {
        match step {
            Step::Keep { number, id, parked } => {
                self.kept += 1;
                let item = Item::Inbound(InboundMessage {
                    provider_message_id: id.to_string(),
                    to: NUMBERS[*number].into(),
                    from: "+15559001".into(),
                    text: "Hello".into(),
                    media: Vec::new(),
                    received_at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(self.kept * 7919 % 1000),
                    provider_opt_out: None,
                    part: None,
                });
                let place = if *parked { Place::Parked("HTTP 400".into()) } else { Place::Behind };
                if self.spool().keep(item, place).await.unwrap() == Kept::New {
                    let newest = "SELECT seq, number FROM waiting ORDER BY seq DESC LIMIT 1";
                    let row = self.file().query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
                    self.rows.push(row);
                }
            }
            Step::Deliver { rows } => {
                let Some((_, number)) = self.row(rows[0]) else { return };
                let rows = rows.iter().filter_map(|index| self.row(*index)).filter(|(_, of)| *of == number);
                let seqs = rows.map(|(seq, _)| seq).collect();
                self.spool().delivered(number, seqs).await.unwrap();
            }
            Step::Park { row } => {
                let Some((seq, number)) = self.row(*row) else { return };
                self.spool().park(number, seq, "HTTP 422".into()).await.unwrap();
            }
            Step::Expire { number } => {
                let age = i64::try_from(2 * DAY.as_millis()).unwrap();
                self.file().execute("UPDATE waiting SET kept_at = kept_at - ?1", [age]).unwrap();
                self.spool().expire(NUMBERS[*number].into(), DAY).await.unwrap();
            }
            Step::Begin { number, message } => {
                let key = AttemptKey {
                    number: NUMBERS[*number].into(),
                    store_id: StoreId::try_from("s").unwrap(),
                    message_id: (*message).into(),
                    attempt: 1,
                    content: Content::new("+15559001", "Hello"),
                };
                self.spool().begin(key).await.unwrap();
            }
            Step::ForgetAttempts => {
                let age = i64::try_from(8 * DAY.as_millis()).unwrap();
                self.file().execute("UPDATE attempt SET begun_at = begun_at - ?1", [age]).unwrap();
                self.spool().forget_attempts().await.unwrap();
            }
            Step::Restart => {
                self.spool = None;
                self.spool = Some(Spool::open(&self.path).unwrap());
            }
        }
    }
}

/// The rows of the file, one by one. Why the last was parked is not in it, only that some are.
fn counted(file: &Connection) -> Tally {
    let mut tally = Tally::default();
    let mut select = file.prepare("SELECT number, received_at, parked IS NOT NULL FROM waiting ORDER BY seq").unwrap();
    let mut rows = select.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (number, received_at, parked): (String, i64, bool) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        let counts = tally.numbers.entry(number).or_default();
        tally.totals.rows += 1;
        if parked {
            counts.parked += 1;
            counts.parked_for = Some(String::new());
        } else {
            counts.waiting += 1;
            counts.oldest.get_or_insert(Timestamp::from_millisecond(received_at).unwrap());
        }
    }
    let mut select = file.prepare("SELECT number FROM attempt").unwrap();
    let mut rows = select.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        tally.totals.attempts += 1;
        *tally.attempts.entry(row.get(0).unwrap()).or_default() += 1;
    }
    tally
}

/// The same without the words of reasons.
fn without_words(mut tally: Tally) -> Tally {
    for reason in tally.numbers.values_mut().filter_map(|counts| counts.parked_for.as_mut()) {
        reason.clear();
    }
    tally
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_counts_are_those_of_the_rows_after_every_step(steps in prop::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut kitchen =
            Kitchen { spool: Some(Spool::open(&path).unwrap()), path, rows: Vec::new(), kept: 0 };
        for step in &steps {
            runtime.block_on(kitchen.perform(step));
            prop_assert_eq!(without_words(kitchen.spool().tally()), counted(&kitchen.file()), "after {:?}", step);
        }
    }
}

fn message(id: &str, to: &str) -> Item {
    Item::Inbound(InboundMessage {
        provider_message_id: id.into(),
        to: to.into(),
        from: "+15559001".into(),
        text: "Hello".into(),
        media: Vec::new(),
        received_at: Timestamp::UNIX_EPOCH,
        provider_opt_out: None,
        part: None,
    })
}

fn open(dir: &Path) -> Spool {
    Spool::open(&dir.join("spool.db")).unwrap()
}

#[tokio::test]
async fn what_is_in_it_is_told_while_the_file_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    spool.keep(message("1", NUMBERS[0]), Place::Behind).await.unwrap();
    // The thread that owns the file does something else until it is let go.
    let (begun, has_begun) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let busy = tokio::spawn({
        let spool = spool.clone();
        let work = move |_: &Connection| {
            begun.send(()).unwrap();
            gate.recv_timeout(Duration::from_secs(60)).unwrap();
            Ok(())
        };
        async move { spool.commits.outside_of_transactions(work).await }
    });
    tokio::task::yield_now().await;
    has_begun.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(spool.tally().rows(NUMBERS[0]), 1);
    assert_eq!(spool.no_room(), (false, Vec::new()));
    assert!(spool.full_ledgers().is_empty());
    assert!(spool.bytes().1 > 0);
    go.send(()).unwrap();
    busy.await.unwrap().unwrap();
}
