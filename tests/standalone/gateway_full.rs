//! A spool whose volume is full, by its own rows or by somebody else's files, or whose file is damaged: what was acknowledged arrives,
//! sending goes on, and the status says what is wrong.

use std::fs::File;

use aldis::wire::{
    outbound::{NotSentReason, SendOutcome, SendRequest},
    status::{GatewayStatus, RoomState},
};

use crate::support::{
    engine_fake::{EngineFake, Mood},
    gateway::{ENGINE, Gateway, NUMBER, OTHER_ENGINE, OTHER_NUMBER, PUBLIC_URL, request},
    process::eventually,
    twilio_fake::{TOKEN, TwilioFake, call_webhook, number},
};

const UNROUTED: &str = "+15551230009";
/// Customers who write side by side.
const CUSTOMERS: usize = 8;

struct Desk {
    twilio: TwilioFake,
    gateway: Gateway,
    engine: EngineFake,
    other: EngineFake,
    client: reqwest::Client,
}

impl Desk {
    async fn start(volume: Option<u32>) -> Self {
        let twilio = TwilioFake::start().await;
        twilio.account(|account| account.numbers.push(number(NUMBER, true, "")));
        let mut gateway = Gateway::start_on(twilio.provider(), &[("authToken", TOKEN)], volume).await;
        let engine = EngineFake::start(&gateway.issuer).await;
        let other = EngineFake::start(&gateway.issuer).await;
        gateway.route(NUMBER, &engine.url, ENGINE).await;
        gateway.route(OTHER_NUMBER, &other.url, OTHER_ENGINE).await;
        Self { twilio, gateway, engine, other, client: reqwest::Client::new() }
    }

    async fn text(&self, id: &str, to: &str, from: &str, text: &str) -> u16 {
        let form = [("MessageSid", id), ("To", to), ("From", from), ("Body", text), ("NumMedia", "0")];
        let called = call_webhook(&self.client, &self.gateway.public, PUBLIC_URL, "/hooks/inbound", &form).await;
        called.unwrap().0
    }

    /// Customers write to a number until they are turned away, or so many texts each. The ids that were acknowledged, by customer.
    async fn write(&self, to: &str, most: usize) -> Vec<Vec<String>> {
        let text = "a long text ".repeat(120);
        let text = &text;
        let customers = (0..CUSTOMERS).map(|customer| async move {
            let mut acknowledged = Vec::new();
            while acknowledged.len() < most {
                let id = format!("SM{to}-{customer}-{}", acknowledged.len());
                match self.text(&id, to, &format!("+1555987{customer:04}"), text).await {
                    200 => acknowledged.push(id),
                    503 => break,
                    other => panic!("{other}"),
                }
            }
            acknowledged
        });
        futures::future::join_all(customers).await
    }

    /// Waits until an engine has exactly what was acknowledged, each customer's in order.
    async fn has(engine: &EngineFake, acknowledged: &[Vec<String>]) {
        let total: usize = acknowledged.iter().map(Vec::len).sum();
        engine.until("has all", |messages| messages.len() >= total).await;
        for (customer, ids) in acknowledged.iter().enumerate() {
            let from = format!("+1555987{customer:04}");
            let theirs = engine.messages().into_iter().filter(|message| message.from == from);
            assert_eq!(&theirs.map(|message| message.provider_message_id).collect::<Vec<_>>(), ids);
        }
    }

    async fn sends(&self, message_id: u64) {
        let outcome = self.gateway.send(ENGINE, &request(message_id, 1, "Hello")).await.unwrap();
        assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}\n{}", self.gateway.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_whose_engine_is_away_leaves_room_for_all_others() {
    let mut desk = Desk::start(Some(10)).await;
    desk.engine.away();
    let acknowledged = desk.write(NUMBER, usize::MAX).await;
    let total: usize = acknowledged.iter().map(Vec::len).sum();
    assert!(total > 500, "{total}");
    let status =
        desk.gateway.until("names the number", |status| status.spool.room.state == RoomState::NumbersFull).await;
    assert_eq!(status.spool.room.full_numbers, [NUMBER]);
    assert_eq!(status.spool.waiting, total as u64);

    // Others have room: a number whose engine is away, and one without a route, which gets less.
    assert_eq!(desk.text("SX1", OTHER_NUMBER, "+15559870001", "x").await, 200);
    desk.other.away();
    assert_eq!(desk.text("SX2", OTHER_NUMBER, "+15559870001", "x").await, 200);
    let unrouted: usize = desk.write(UNROUTED, usize::MAX).await.iter().map(Vec::len).sum();
    assert!((1..total / 3).contains(&unrouted), "{unrouted} of {total}");
    assert!(desk.gateway.metric("aldis_gateway_spool_no_room_total{full=\"Number\"}").await >= 1.0);
    assert!(desk.gateway.metric("aldis_gateway_spool_no_room_total{full=\"Unrouted\"}").await >= 1.0);
    for message_id in 0..50 {
        desk.sends(message_id).await;
    }

    desk.gateway.kill_and_restart();
    desk.gateway.until("is back", |status| status.spool.waiting == total as u64 + 1).await;
    desk.sends(50).await;
    desk.engine.back().await;
    desk.other.back().await;
    Desk::has(&desk.engine, &acknowledged).await;
    desk.gateway
        .until("has room", |status| status.spool.room.state == RoomState::Enough && status.spool.waiting == 0)
        .await;
    assert_eq!(desk.twilio.account(|account| account.sent.len()), 51);
}

/// An attempt of the other number's engine.
fn of_other(message_id: u64) -> SendRequest {
    SendRequest { store_id: "store-2".into(), from: OTHER_NUMBER.into(), ..request(message_id, 1, "Hello") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_sends_without_end_leaves_others_their_part_of_the_ledger() {
    let mut desk = Desk::start(Some(6)).await;
    assert!(matches!(desk.gateway.send(OTHER_ENGINE, &of_other(0)).await.unwrap(), SendOutcome::Accepted { .. }));
    let gateway = &desk.gateway;
    let senders = (1..=CUSTOMERS as u64).map(|sender| async move {
        let mut made = 0;
        loop {
            match gateway.send(ENGINE, &request(made * 100 + sender, 1, "Hello")).await.unwrap() {
                SendOutcome::Accepted { .. } => made += 1,
                SendOutcome::NotSent { reason: NotSentReason::Spool, retry_after_millis, message } => {
                    assert!(retry_after_millis > 0);
                    return (made, message);
                }
                other => panic!("{other:?}\n{}", gateway.log()),
            }
        }
    });
    let ends = futures::future::join_all(senders).await;
    let made: u64 = ends.iter().map(|(made, _)| made).sum();
    assert!(made > 1000, "{made}");
    let said = &ends[0].1;
    assert!(said.contains(NUMBER) && said.contains("attempts"), "{said}");
    let full = |status: &aldis::wire::status::GatewayStatus| status.spool.room.full_ledgers == [NUMBER];
    desk.gateway.until("names the number", full).await;
    assert!(desk.gateway.metric("aldis_gateway_spool_no_room_total{full=\"Attempts\"}").await >= 1.0);

    for restarted in [false, true] {
        if restarted {
            desk.gateway.kill_and_restart();
            desk.gateway.until("is back", |_| true).await;
        }
        let first = u64::from(restarted) * 20 + 1;
        for message_id in first..first + 20 {
            let outcome = desk.gateway.send(OTHER_ENGINE, &of_other(message_id)).await.unwrap();
            assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
        }
        let more = desk.gateway.send(ENGINE, &request(u64::MAX, 1 + u32::from(restarted), "Hello")).await.unwrap();
        assert!(matches!(more, SendOutcome::NotSent { reason: NotSentReason::Spool, .. }), "{more:?}");
        desk.other.away();
        assert_eq!(desk.text(&format!("SX{first}"), OTHER_NUMBER, "+15559870001", "x").await, 200, "there is room");
        desk.other.back().await;
    }
    let known = desk.gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap();
    assert!(matches!(known, SendOutcome::Accepted { .. }), "{known:?}");
    assert_eq!(desk.twilio.account(|account| account.sent.len() as u64), made + 41, "nothing was sent twice");

    // Once they are so old that nobody asks for them any more, its own oldest ones make room.
    let ledger = rusqlite::Connection::open(desk.gateway.path("data/spool.db")).unwrap();
    ledger.execute("UPDATE attempt SET begun_at = begun_at - 11 * 60 * 1000", []).unwrap();
    desk.sends(u64::MAX - 1).await;
    let of = |number| {
        let sql = "SELECT count(*) FROM attempt WHERE number = ?1";
        ledger.query_row(sql, [number], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
    };
    assert!(of(NUMBER) < made && of(OTHER_NUMBER) == 41, "{} {}", of(NUMBER), of(OTHER_NUMBER));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_others_fill_stops_neither_delivery_nor_sending_nor_a_restart() {
    let mut desk = Desk::start(Some(16)).await;
    desk.engine.away();
    let acknowledged = desk.write(NUMBER, 40).await;
    desk.gateway.volume.as_ref().unwrap().occupy("others", None);
    desk.gateway.until("sees it", |status| status.spool.room.state == RoomState::Full).await;
    assert_eq!(desk.text("SX1", UNROUTED, "+15559870001", "x").await, 503);
    assert_eq!(desk.text("SX2", OTHER_NUMBER, "+15559870001", "x").await, 200, "its engine takes it");
    desk.gateway.kill_and_restart();
    desk.gateway.until("is back", |status| status.spool.waiting == 320).await;
    desk.sends(1).await;
    // More than the rows that are read at once.
    desk.engine.back().await;
    Desk::has(&desk.engine, &acknowledged).await;
    desk.sends(2).await;
    desk.gateway.volume.as_ref().unwrap().free("others");
    desk.gateway
        .until("has room", |status| status.spool.room.state == RoomState::Enough && status.spool.waiting == 0)
        .await;
    assert_eq!(desk.text("SX1", UNROUTED, "+15559870001", "x").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_spool_is_set_aside_and_the_gateway_goes_on() {
    let mut desk = Desk::start(None).await;
    desk.engine.away();
    desk.sends(1).await;
    desk.write(NUMBER, 2).await;
    desk.gateway.kill();
    let file = File::options().write(true).open(desk.gateway.path("data/spool.db")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xAA; 512], 0).unwrap();
    // The log has the first page too.
    std::fs::remove_file(desk.gateway.path("data/spool.db-wal")).unwrap();
    desk.gateway.kill_and_restart();
    let status = desk.gateway.until("is back", |_| true).await;
    let [aside] = status.spool.set_aside.as_slice() else { panic!("{status:#?}") };
    assert!(desk.gateway.path("data").join(aside).exists(), "nothing is deleted");
    // Nobody knows what the old ledger had: what may have been sent is not sent again.
    let mut again = request(1, 1, "Hello");
    (again.asked_before, again.begun_millis_ago) = (true, Some(5000));
    assert!(matches!(desk.gateway.send(ENGINE, &again).await.unwrap(), SendOutcome::Unknown { .. }));
    desk.sends(2).await;
    assert_eq!(desk.text("SX1", NUMBER, "+15559870001", "x").await, 200);
    desk.engine.back().await;
    let arrived = || async {
        if desk.engine.messages().iter().any(|message| message.provider_message_id == "SX1") { Ok(()) } else { Err(()) }
    };
    eventually("the engine has what came since", arrived).await;
    assert_eq!(desk.twilio.account(|account| account.sent.len()), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_cannot_be_written_is_told_and_goes_on_when_it_can() {
    let desk = Desk::start(None).await;
    desk.engine.away();
    let spool = rusqlite::Connection::open(desk.gateway.path("data/spool.db")).unwrap();
    spool.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(desk.text("SX1", NUMBER, "+15559870001", "x").await, 503, "it is not acknowledged");
    let failing = |status: &GatewayStatus| status.spool.failure.as_deref() == Some("DatabaseBusy");
    desk.gateway.until("says so", failing).await;
    spool.execute_batch("ROLLBACK").unwrap();
    assert_eq!(desk.text("SX1", NUMBER, "+15559870001", "x").await, 200);
    desk.gateway.until("says so no longer", |status| status.spool.failure.is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_the_engine_cannot_stand_holds_up_nobody_once_there_is_room() {
    let desk = Desk::start(None).await;
    desk.engine.mood(Mood::NoRoom);
    assert_eq!(desk.text("SX1", NUMBER, "+15559870001", "poison").await, 200);
    assert_eq!(desk.text("SX2", NUMBER, "+15559870002", "x").await, 200);
    // It has looked past what waits, and found nothing.
    let before = desk.engine.posts();
    let looks = || async { if desk.engine.posts() > before + 3 { Ok(()) } else { Err(()) } };
    eventually("the gateway knows that there is no room", looks).await;
    desk.engine.mood(Mood::Poisoned(500));
    let arrived = || async {
        if desk.engine.messages().iter().any(|message| message.provider_message_id == "SX2") { Ok(()) } else { Err(()) }
    };
    eventually("the other customer's text has arrived", arrived).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_passes_texts_for_which_the_engine_has_no_room() {
    let desk = Desk::start(None).await;
    desk.engine.mood(Mood::NoRoom);
    let acknowledged = desk.write(NUMBER, 30).await;
    assert_eq!(desk.text("SX-stop", NUMBER, "+15559870001", "STOP").await, 200);
    desk.engine.until("has the opt-out", |messages| !messages.is_empty()).await;
    let ids = |engine: &EngineFake| {
        engine.messages().into_iter().map(|message| message.provider_message_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&desk.engine), ["SX-stop"], "nothing else");
    assert_eq!(desk.text("SX-later", NUMBER, "+15559870002", "STOP").await, 200);
    desk.engine.until("has the next one", |messages| messages.len() == 2).await;

    desk.engine.mood(Mood::Well);
    let total: usize = acknowledged.iter().map(Vec::len).sum();
    desk.engine.until("has all", |messages| messages.len() == total + 2).await;
    let later: Vec<_> = desk.engine.messages().into_iter().skip(2).collect();
    for (customer, ids) in acknowledged.iter().enumerate() {
        let from = format!("+1555987{customer:04}");
        let theirs = later.iter().filter(|message| message.from == from);
        assert_eq!(&theirs.map(|message| message.provider_message_id.clone()).collect::<Vec<_>>(), ids, "in order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_is_brought_also_when_the_spool_has_no_room_for_it() {
    let desk = Desk::start(Some(10)).await;
    desk.engine.mood(Mood::NoRoom);
    desk.write(NUMBER, usize::MAX).await;
    // Short ones, until not even a word has room.
    let mut short = 0;
    while desk.text(&format!("SX-{short}"), NUMBER, "+15559870001", "HELP").await == 200 {
        short += 1;
    }
    assert_eq!(desk.text("SX-stop", NUMBER, "+15559870001", "STOP").await, 200);
    let brought = desk.engine.messages();
    assert_eq!(brought.iter().map(|message| message.provider_message_id.as_str()).collect::<Vec<_>>(), ["SX-stop"]);
    assert_eq!(desk.text("SX-last", NUMBER, "+15559870001", "HELP").await, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_spool_on_a_full_volume_is_not_taken_for_an_empty_one() {
    let mut desk = Desk::start(Some(16)).await;
    desk.engine.away();
    let acknowledged = desk.write(NUMBER, 60).await;
    desk.gateway.kill();
    std::fs::write(desk.gateway.path("data/spool.db.damaged"), []).unwrap();
    // Enough to set the file aside, and to begin.
    desk.gateway.volume.as_ref().unwrap().leave("others", 200);
    desk.gateway.kill_and_restart();
    let admin = format!("{}/readyz", desk.gateway.admin);
    eventually("says that the spool cannot be opened", || async {
        let said = reqwest::get(&admin).await.map_err(|error| error.to_string())?.text().await.unwrap_or_default();
        if said.contains("spool: the spool cannot be opened") { Ok(()) } else { Err(said) }
    })
    .await;
    desk.gateway.kill_and_restart();
    desk.gateway.volume.as_ref().unwrap().free("others");
    let total: usize = acknowledged.iter().map(Vec::len).sum();
    desk.gateway.until("has all", |status| status.spool.waiting == total as u64).await;
    desk.engine.back().await;
    Desk::has(&desk.engine, &acknowledged).await;
}
