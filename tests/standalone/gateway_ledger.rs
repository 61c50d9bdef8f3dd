//! The ledger of attempts: what it knows after a loss, a copy and a restart, and what an engine can have written into it.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use aldis::wire::outbound::SendOutcome;
use futures::StreamExt as _;
use serde_json::json;

use super::gateway_sending::start;
use crate::support::{
    engine::copy_files,
    engine_fake::{EngineFake, Mood},
    gateway::{ENGINE, Gateway, NUMBER, PUBLIC_URL, request},
    twilio_fake::call_webhook,
};

#[tokio::test]
async fn what_an_engine_makes_the_ledger_keep_is_bounded() {
    let (twilio, gateway) = start().await;
    let with = |field: &str, value: String| {
        let mut document = serde_json::to_value(request(1, 1, "Hello")).unwrap();
        document[field] = json!(value);
        document
    };
    let refused = [
        ("storeId", String::new()),
        ("storeId", "a".repeat(65)),
        ("storeId", "a b".into()),
        ("storeId", "ä".into()),
        ("receiptToken", "a".repeat(129)),
    ];
    for (field, value) in refused {
        let (status, problem) = gateway.ask(ENGINE, &with(field, value.clone())).await;
        assert_eq!((status, &problem["field"]), (400, &json!(format!("/{field}"))), "{value:?}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(field) && detail.contains("characters"), "{detail}");
    }
    assert_eq!(twilio.account(|account| account.requests), 0);
    for (message_id, (field, value)) in (2..).zip([("storeId", "a-Z0".repeat(16)), ("receiptToken", "a".repeat(128))]) {
        let mut document = with(field, value);
        document["messageId"] = json!(message_id);
        let (status, outcome) = gateway.ask(ENGINE, &document).await;
        assert_eq!((status, &outcome["outcome"]), (200, &json!("Accepted")), "{outcome}");
    }
}

/// Makes each commit of a spool take its time, until this is dropped.
struct SlowDisk {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SlowDisk {
    fn of(path: PathBuf) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let connection = rusqlite::Connection::open(path).unwrap();
            while !over.load(Ordering::Relaxed) {
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                std::thread::sleep(Duration::from_millis(20));
                connection.execute_batch("ROLLBACK").unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { ended, thread: Some(thread) }
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

#[tokio::test]
async fn attempts_that_come_too_late_take_their_part_of_the_limit() {
    const SEGMENTS: i64 = 5;
    let (_twilio, mut gateway) = start().await;
    gateway.configure("/accountLimit", json!({"segments": SEGMENTS, "perSeconds": 3600})).await;
    let slow = SlowDisk::of(gateway.path("data/spool.db"));
    // So little time that it is often over when the attempt has just been written down.
    let hasty = (0..160).map(|message_id| {
        let mut hasty = request(message_id, 1, "Hello");
        hasty.begin_within_millis = message_id % 20 * 10 + 10;
        let gateway = &gateway;
        async move { gateway.send(ENGINE, &hasty).await.unwrap() }
    });
    futures::stream::iter(hasty).buffer_unordered(8).collect::<Vec<_>>().await;
    drop(slow);
    let ledger = rusqlite::Connection::open(gateway.path("data/spool.db")).unwrap();
    let rows: i64 = ledger.query_row("SELECT count(*) FROM attempt", [], |row| row.get(0)).unwrap();
    assert!((1..=SEGMENTS).contains(&rows), "{rows} attempts are in the ledger");
}

#[tokio::test]
async fn a_lost_ledger_never_leads_to_a_second_sending() {
    let (twilio, mut gateway) = start().await;
    assert!(matches!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), SendOutcome::Accepted { .. }));
    gateway.kill();
    for name in ["data/spool.db", "data/spool.db-wal", "data/spool.db-shm"] {
        let _ = std::fs::remove_file(gateway.path(name));
    }
    gateway.kill_and_restart();
    gateway.until("is back", |_| true).await;
    // The answer to the attempt was lost, so the engine asks again.
    for age in [Some(0), Some(20_000), Some(86_400_000), None] {
        let mut again = request(1, 1, "Hello");
        (again.asked_before, again.begun_millis_ago) = (true, age);
        let outcome = gateway.send(ENGINE, &again).await.unwrap();
        assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{age:?}: {outcome:?}");
    }
    assert_eq!(gateway.metric("aldis_gateway_attempts_not_made_total{answer=\"NotWhole\"}").await, 4.0);
    // What is asked for the first time cannot have been made.
    assert!(matches!(gateway.send(ENGINE, &request(2, 1, "Hello")).await.unwrap(), SendOutcome::Accepted { .. }));
    assert_eq!(twilio.account(|account| account.requests), 2);
}

/// Has the ledger of a gateway that does not run speak for an hour more.
fn make_an_hour_older(gateway: &Gateway) {
    let ledger = rusqlite::Connection::open(gateway.path("data/spool.db")).unwrap();
    ledger.execute("UPDATE ledger SET whole_since = whole_since - 3600000", []).unwrap();
}

#[tokio::test]
async fn a_copy_of_an_older_ledger_never_leads_to_a_second_sending() {
    let (twilio, mut gateway) = start().await;
    gateway.kill();
    make_an_hour_older(&gateway);
    let (data, copy) = (gateway.path("data"), tempfile::tempdir().unwrap());
    copy_files(&data, copy.path());
    gateway.kill_and_restart();
    gateway.until("is back", |_| true).await;
    assert!(matches!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), SendOutcome::Accepted { .. }));
    gateway.kill();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::create_dir(&data).unwrap();
    copy_files(copy.path(), &data);
    // As if the copy were ten minutes old.
    gateway.clock.set_wrong_by(jiff::SignedDuration::from_mins(10));
    gateway.kill_and_restart();
    gateway.until("is back", |_| true).await;
    let again = |message_id, minutes: u64| {
        let mut again = request(message_id, 1, "Hello");
        (again.asked_before, again.begun_millis_ago) = (true, Some(minutes * 60_000));
        again
    };
    let outcome = gateway.send(ENGINE, &again(1, 2)).await.unwrap();
    assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{outcome:?}");
    // What began before the copy was made would be in it.
    assert!(matches!(gateway.send(ENGINE, &again(2, 20)).await.unwrap(), SendOutcome::Accepted { .. }));
    assert_eq!(twilio.account(|account| account.requests), 2);
}

#[tokio::test]
async fn a_whole_ledger_knows_what_was_never_made() {
    let (twilio, mut gateway) = start().await;
    assert!(matches!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), SendOutcome::Accepted { .. }));
    gateway.kill();
    make_an_hour_older(&gateway);
    gateway.kill_and_restart();
    gateway.until("is back", |_| true).await;
    let mut again = request(2, 1, "Hello");
    (again.asked_before, again.begun_millis_ago) = (true, Some(2 * 3_600_000));
    assert!(matches!(gateway.send(ENGINE, &again).await.unwrap(), SendOutcome::Unknown { .. }));
    again.begun_millis_ago = Some(30 * 60_000);
    assert!(matches!(gateway.send(ENGINE, &again).await.unwrap(), SendOutcome::Accepted { .. }));
    assert_eq!(twilio.account(|account| account.requests), 2);
}

/// When the life of the ledger was last written down, in milliseconds since 1970.
fn noted_at(gateway: &Gateway) -> i64 {
    let ledger = rusqlite::Connection::open(gateway.path("data/spool.db")).unwrap();
    ledger.query_row("SELECT noted_at FROM ledger", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn the_ledgers_life_is_written_down_while_parked_items_are_tried_again() {
    let (_twilio, mut gateway) = start().await;
    let engine = EngineFake::start(&gateway.issuer).await;
    gateway.route(NUMBER, &engine.url, ENGINE).await;
    engine.mood(Mood::Answers(400));
    let client = reqwest::Client::new();
    for at in 0..30 {
        let (id, from) = (format!("SM{at}"), format!("+1555987{at:04}"));
        let form = [("MessageSid", &*id), ("To", NUMBER), ("From", &*from), ("Body", "x"), ("NumMedia", "0")];
        call_webhook(&client, &gateway.public, PUBLIC_URL, "/hooks/inbound", &form).await.unwrap();
    }
    gateway.until("has parked all", |status| status.spool.parked == 30).await;
    // It takes its time for each.
    engine.mood(Mood::Late(Duration::from_millis(1500)));
    gateway.kill_and_restart();
    for note in 1..=2 {
        let before = noted_at(&gateway);
        let what = format!("writes it down for the {note}. time");
        let status = gateway.until(&what, |_| noted_at(&gateway) != before).await;
        assert!(status.spool.parked > 0, "all parked items were tried first");
    }
}

#[tokio::test]
async fn the_ledgers_life_is_written_down_at_the_end() {
    let (_twilio, mut gateway) = start().await;
    gateway.until("is there", |_| true).await;
    let ledger = rusqlite::Connection::open(gateway.path("data/spool.db")).unwrap();
    ledger.execute("UPDATE ledger SET noted_at = 1", []).unwrap();
    gateway.terminate();
    assert!(noted_at(&gateway) > 1, "{}", gateway.log());
}
