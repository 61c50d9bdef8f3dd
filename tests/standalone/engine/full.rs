//! A volume that is really full: a small file system of its own.

use serde_json::{Value, json};

use super::{
    MIA, TOM, desk, given, reply,
    stream::{self, Watched},
};
use crate::support::{
    engine::{Engine, GATEWAY, answer, inbound, internal},
    gateway_fake::{FakeGateway, Reply},
    process::{eventually, ready},
    volume::Volume,
};
use aldis::wire::ports;

/// Customers write until the engine takes no more; how many it took.
async fn fill(engine: &Engine) -> u64 {
    let text = "x".repeat(1500);
    for count in 0.. {
        // A few customers, so that the queue stays short.
        let from = format!("+155598{:05}", count % 50);
        let (status, answer) = engine.inbound(&format!("SM-{count}"), &from, &text).await;
        if status != 200 {
            assert_eq!((status, &answer["type"]), (503, &json!("urn:aldis:problem:storage-full")));
            return count;
        }
        assert!(count < 20_000, "the volume never filled");
    }
    unreachable!("it is full at some time")
}

async fn until_full(engine: &Engine, full: bool) {
    eventually(&format!("the volume is full: {full}"), || async {
        let store = engine.status().await["store"].clone();
        if store["full"] == full { Ok(()) } else { Err(store) }
    })
    .await;
}

/// A desk whose store has a small volume of its own, with ana at work and an interaction of hers.
async fn desk_on_a_small_volume() -> (Engine, FakeGateway, Volume, Watched, Value) {
    let (mut engine, gateway) = desk().await;
    engine.role.kill();
    let volume = Volume::mount(&engine.dir.path().join("data"), 48);
    engine.role.start_again();
    ready(engine.address).await;
    engine.presence("ana", true).await;
    let online = stream::open(&engine, "ana", None).await;
    assert_eq!(engine.inbound("SM-first", MIA, "hello").await.0, 200);
    let open = given(&engine, "ana").await;
    (engine, gateway, volume, online, open)
}

/// The messages that wait for the look-ups by customer and provider's id.
fn waiting_for_look_ups(engine: &Engine) -> u64 {
    let waiting = engine.sqlite("SELECT count(*) AS n FROM message WHERE id > (SELECT indexed FROM store)");
    waiting[0]["n"].as_u64().unwrap()
}

#[tokio::test]
async fn a_full_volume_keeps_the_look_ups_from_being_written_and_nothing_else() {
    let (mut engine, _gateway, volume, online, open) = desk_on_a_small_volume().await;
    drop(online);
    // As if it had been killed before the text was in them, and the volume had filled meanwhile.
    engine.role.kill();
    engine.sqlite("DELETE FROM dedup; DELETE FROM message_of_customer; UPDATE store SET indexed = 0");
    volume.occupy("others", Some(34));
    engine.role.start_again();
    ready(engine.address).await;
    until_full(&engine, true).await;

    let path = format!("/v1/channels/support/interactions/{}/finish", open["id"]);
    assert_eq!(engine.post("ana", &path, json!({ "epoch": open["epoch"] })).await.0, 200);
    let at = |status: &serde_json::Value| status["sampledAt"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let begun = at(&engine.status().await);
    eventually("the engine went on for longer than messages wait with room", || async {
        let went_on = at(&engine.status().await).duration_since(begun);
        if went_on.as_secs() >= 4 { Ok(()) } else { Err(went_on) }
    })
    .await;
    assert_eq!(waiting_for_look_ups(&engine), 1);

    volume.free("others");
    until_full(&engine, false).await;
    eventually("the look-ups have all", || async {
        let waiting = waiting_for_look_ups(&engine);
        if waiting == 0 { Ok(()) } else { Err(waiting) }
    })
    .await;
    for look_up in ["dedup", "message_of_customer"] {
        assert_eq!(engine.sqlite(&format!("SELECT count(*) AS n FROM {look_up}"))[0]["n"], 1, "{look_up}");
    }
    assert_eq!(engine.inbound("SM-room", MIA, "hello again").await.0, 200);
    engine.role.kill();
}

#[tokio::test]
async fn who_could_not_be_asked_on_a_full_volume_is_when_there_is_room() {
    let (mut engine, _gateway, volume, _online, _open) = desk_on_a_small_volume().await;
    engine.configure(|document| document["offerTimeoutSeconds"] = json!(3600)).await;
    engine.presence("ana", false).await;
    assert_eq!(engine.inbound("SM-waits", TOM, "hello").await.1["outcome"], "Queued");
    volume.occupy("others", Some(34));
    until_full(&engine, true).await;
    engine.presence("ana", true).await;
    let offers = || async { engine.get("ana", "/v1/me").await["channels"][0]["offers"].clone() };
    assert_eq!(offers().await, json!([]));

    volume.free("others");
    until_full(&engine, false).await;
    // Nothing else happens.
    eventually("she is asked", || async {
        let offers = offers().await;
        if offers[0]["offer"] == 1 { Ok(()) } else { Err(offers) }
    })
    .await;
    engine.role.kill();
}

#[tokio::test]
async fn a_full_volume_refuses_what_is_new_finishes_what_is_open_and_goes_on_when_there_is_room() {
    let (mut engine, _gateway, volume, online, open) = desk_on_a_small_volume().await;
    volume.occupy("others", Some(24));
    let taken = fill(&engine).await;
    until_full(&engine, true).await;

    let (status, answer) = reply(&engine, "ana", &open, "a reply needs room").await;
    assert_eq!((status, &answer["type"]), (503, &json!("urn:aldis:problem:storage-full")));
    let listed = json!({ "source": "elsewhere", "optOuts": [{ "number": TOM }] });
    let (status, answer) = engine.post("ana", "/v1/channels/support/opt-outs", listed).await;
    assert_eq!((status, &answer["type"]), (503, &json!("urn:aldis:problem:storage-full")), "an import adds rows");
    let path = format!("/v1/channels/support/interactions/{}/finish", open["id"]);
    let finished = engine.post("ana", &path, json!({ "epoch": open["epoch"] })).await;
    assert_eq!(finished.0, 200, "what is open can be finished: {}", finished.1);
    volume.free("others");
    until_full(&engine, false).await;
    assert_eq!(engine.inbound("SM-room", MIA, "hello again").await.0, 200, "it went on by itself");
    assert!(engine.role.is_running());

    // To the last byte: it starts with the room that it held, writes nothing without any, says why, and goes on when there is room.
    drop(online);
    engine.role.kill();
    volume.occupy("others", None);
    engine.role.start_again();
    until_full(&engine, true).await;
    volume.occupy("the rest", None);
    eventually("it says why it is not ready", || async {
        let said = readiness(&engine).await;
        if said.contains("enlarge spec.engine.storage.volume.size") { Ok(()) } else { Err(said) }
    })
    .await;
    assert!(engine.role.is_running());
    volume.free("the rest");
    volume.free("others");
    ready(engine.address).await;
    until_full(&engine, false).await;
    assert_eq!(engine.inbound("SM-last", MIA, "still there").await.0, 200);
    let stored = engine.sqlite("SELECT count(DISTINCT provider_id) AS n FROM message")[0]["n"].as_u64().unwrap();
    assert_eq!(stored, taken + 3, "everything that was acknowledged is there");
    engine.role.kill();
}

/// What the engine says of its readiness.
async fn readiness(engine: &Engine) -> String {
    let url = format!("http://{}:{}/readyz", engine.address, ports::ADMIN);
    reqwest::get(&url).await.unwrap().text().await.unwrap()
}

/// Rows of a table.
fn rows(engine: &Engine, table: &str) -> u64 {
    engine.sqlite(&format!("SELECT count(*) AS n FROM {table}"))[0]["n"].as_u64().unwrap()
}

#[tokio::test]
async fn refusals_on_a_full_volume_leave_nothing_behind() {
    let (mut engine, _gateway, volume, _online, open) = desk_on_a_small_volume().await;
    volume.occupy("others", Some(32));
    engine.inbound("SM-notice", MIA, "hello").await;
    until_full(&engine, true).await;
    let commits = || engine.sqlite("SELECT commits FROM store")[0]["commits"].as_u64().unwrap();
    let (answers, before) = (rows(&engine, "idempotency"), commits());
    let path = format!("/v1/channels/support/interactions/{}/finish", open["id"]);
    for _ in 0..20 {
        assert_eq!(engine.post("ana", &path, json!({ "epoch": 99 })).await.0, 409);
    }
    assert_eq!((rows(&engine, "idempotency"), commits()), (answers, before));
    // What was done is answered again.
    let finish = || {
        let request = engine.agent("ana", reqwest::Method::POST, &path).header("Idempotency-Key", "once");
        request.json(&json!({ "epoch": open["epoch"] })).send()
    };
    for replayed in [false, true] {
        let answer = finish().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().contains_key("idempotency-replayed")), (200, replayed));
    }
    engine.role.kill();
}

#[tokio::test]
async fn an_opt_out_is_taken_and_in_force_while_the_volume_is_full() {
    let (mut engine, gateway, volume, _online, open) = desk_on_a_small_volume().await;
    gateway.answer_with([Reply::Outcome(
        json!({ "outcome": "NotSent", "reason": "Temporary", "retryAfterMillis": 4000, "message": "busy" }),
    )]);
    for text in ["first", "second"] {
        assert_eq!(reply(&engine, "ana", &open, text).await.0, 202);
    }
    gateway.wait_for(1).await;
    volume.occupy("others", Some(32));
    engine.inbound("SM-notice", TOM, "hello").await;
    until_full(&engine, true).await;

    let full = (503, json!("urn:aldis:problem:storage-full"));
    let said = |(status, answer): (u16, Value)| (status, answer["type"].clone());
    let done = |(status, answer): (u16, Value)| (status, answer["outcome"].clone());
    assert_eq!(said(engine.inbound("SM-help", MIA, "HELP").await), full);
    assert_eq!(said(engine.inbound("SM-start", MIA, "START").await), full, "an ordinary text for who did not opt out");
    let brought = |text: Value| {
        let path = internal(ports::INBOUND_PATH);
        answer(engine.as_role(GATEWAY, reqwest::Method::POST, &path).json(&text))
    };
    let mut first = inbound("SM-stop", MIA, "STOP");
    first["receivedAt"] = json!(jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1));
    assert_eq!(done(brought(first).await), (200, json!("OptedOut")));
    let before_the_last = jiff::Timestamp::now();
    let stored = rows(&engine, "message");
    for again in 0..20 {
        assert_eq!(done(engine.inbound(&format!("SM-again-{again}"), MIA, "stop").await), (200, json!("OptedOut")));
    }
    assert_eq!(rows(&engine, "message"), stored, "a repeated one adds no row");
    let attempts = gateway.wait_for(2).await;
    let texts: Vec<_> = attempts.iter().map(|attempt| attempt["text"].as_str().unwrap()).collect();
    assert_eq!(texts[1..], ["You will get no more messages."], "what waited is not sent");
    let statuses = engine.sqlite("SELECT status FROM message WHERE purpose = 'Reply'");
    assert_eq!(statuses, [json!({ "status": "Canceled" }), json!({ "status": "Canceled" })]);
    assert_eq!(
        done(engine.inbound("SM-unknown", "+15559870099", "STOP").await),
        (200, json!("OptedOut")),
        "unknown so far"
    );

    // What waited at the gateway comes when there is room: a start from before the last opt-out means nothing, though that one was a repetition.
    volume.free("others");
    until_full(&engine, false).await;
    let mut late = inbound("SM-start", MIA, "START");
    late["receivedAt"] = json!(before_the_last);
    assert_eq!(done(brought(late).await), (200, json!("Joined")));
    assert_eq!(done(engine.inbound("SM-restart", MIA, "START").await), (200, json!("OptedIn")));
    engine.role.kill();
}

#[tokio::test]
async fn what_is_kept_free_is_not_used_up_and_the_engine_goes_on_when_there_is_room() {
    let (mut engine, _gateway, volume, online, open) = desk_on_a_small_volume().await;
    volume.leave("others", 700);
    eventually("it says that it is not ready", || async {
        engine.inbound("SM-notice", MIA, "STOP").await;
        let said = readiness(&engine).await;
        if said.contains("volume: the volume is full") { Ok(()) } else { Err(said) }
    })
    .await;
    let store = engine.status().await["store"].clone();
    assert_eq!(store["full"], true);
    let exhausted = json!("urn:aldis:problem:storage-exhausted");
    let path = format!("/v1/channels/support/interactions/{}/finish", open["id"]);
    let (status, answer) = engine.post("ana", &path, json!({ "epoch": open["epoch"] })).await;
    assert_eq!((status, &answer["type"]), (503, &exhausted));
    let (status, answer) = engine.inbound("SM-stop", MIA, "STOP").await;
    assert_eq!((status, &answer["type"]), (503, &exhausted));
    drop(online);
    engine.get("ana", &format!("/v1/channels/support/interactions/{}", open["id"])).await;
    assert_eq!(engine.status().await["store"]["commits"], store["commits"], "nothing is written");

    volume.free("others");
    ready(engine.address).await;
    eventually("the state heard that the agent has gone", || async {
        let agents = engine.status().await["agents"].clone();
        if agents["online"] == 0 { Ok(()) } else { Err(agents) }
    })
    .await;
    assert_eq!(engine.post("ana", &path, json!({ "epoch": open["epoch"] })).await.0, 200);
    engine.role.kill();
}

/// Rows of 900 bytes each.
const OLD_IDS: &str =
    "INSERT INTO dedup (provider_id, message, at) SELECT printf('old-%08d-', i) || hex(zeroblob(450)), i, i FROM n";
/// One closed interaction has all of them.
const OLD_TEXTS: &str = "
    INSERT INTO customer (id, address, can_receive, opted_out) SELECT 900, '+15559870900', 1, 0 FROM n WHERE i = 1;
    INSERT INTO interaction (id, customer, state, opted_out, arrived_at, at_head, epoch, active_at, closed_at, close_reason, first_message, last_message)
        SELECT 900, 900, 'Closed', 0, 1, 0, 0, 1, 1, 'Finished', 100000, 200000 FROM n WHERE i = 1;
    INSERT INTO message (id, customer, interaction, direction, at, text, outcome)
        SELECT 100000 + i, 900, 900, 'Inbound', 1, hex(zeroblob(450)), 'Joined' FROM n;
    INSERT INTO message_of_customer (customer, message) SELECT 900, 100000 + i FROM n;
    UPDATE store SET indexed = 200000";

/// Writes such rows into the store of an engine that does not run.
fn write_old(engine: &Engine, old: &str, rows: u32) {
    let store = rusqlite::Connection::open(engine.store()).unwrap();
    for thousand in 0..rows / 1000 {
        let (first, last) = (thousand * 1000 + 1, (thousand + 1) * 1000);
        let numbers = format!(
            "WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT i FROM n"
        );
        store.execute_batch(&format!("CREATE TEMPORARY TABLE n AS {numbers}; {old}; DROP TABLE n")).unwrap();
    }
    store.close().unwrap();
}

#[tokio::test]
async fn an_engine_without_room_forgets_what_is_old_and_comes_back_by_itself() {
    for (old, left) in [(OLD_IDS, "dedup WHERE provider_id LIKE 'old-%'"), (OLD_TEXTS, "message WHERE customer = 900")]
    {
        let (mut engine, _gateway, volume, online, _open) = desk_on_a_small_volume().await;
        drop(online);
        engine.role.kill();
        write_old(&engine, old, 22_000);
        volume.occupy("others", None);
        engine.role.start_again();
        ready(engine.address).await;
        until_full(&engine, false).await;
        assert!(engine.role.is_running(), "it did all that in one life");
        assert_eq!(engine.inbound("SM-new", MIA, "hello").await.0, 200);
        let left = engine.sqlite(&format!("SELECT count(*) AS n FROM {left}"));
        assert!(left[0]["n"].as_u64().unwrap() < 22_000, "{left:?}");

        engine.crash().await;
        assert_eq!(engine.inbound("SM-newer", MIA, "hello").await.0, 200);
        engine.role.kill();
    }
}

/// What was forgotten leaves room inside the store, which is enough for texts; only the log needs some of the volume.
#[tokio::test]
async fn what_is_held_in_reserve_is_given_up_where_the_store_itself_has_room() {
    let (mut engine, _gateway, volume, online, _open) = desk_on_a_small_volume().await;
    drop(online);
    engine.role.kill();
    write_old(&engine, OLD_IDS, 25_000);
    let store = rusqlite::Connection::open(engine.store()).unwrap();
    let some = "DELETE FROM dedup WHERE provider_id IN (SELECT provider_id FROM dedup WHERE provider_id LIKE 'old-%' LIMIT 1000)";
    while store.execute(some, []).unwrap() > 0 {}
    store.close().unwrap();
    let held = engine.store().with_extension("db.reserve");
    assert!(held.exists());
    volume.leave("others", 1536);
    engine.role.start_again();
    ready(engine.address).await;
    until_full(&engine, false).await;
    assert!(!held.exists());
    assert_eq!(engine.inbound("SM-new", MIA, "hello").await.0, 200);
    assert!(engine.role.is_running());
    engine.role.kill();
}

#[tokio::test]
async fn a_log_that_cannot_be_written_back_gets_the_room_that_is_held() {
    let (mut engine, _gateway, volume, online, _open) = desk_on_a_small_volume().await;
    drop(online);
    engine.role.kill();
    let held = engine.store().with_extension("db.reserve");
    let log = engine.store().with_extension("db-wal");
    let log = || std::fs::metadata(&log).unwrap().len();
    // As a kill leaves it: more than 4 MiB by which the database has to grow are in the log only.
    let store = rusqlite::Connection::open(engine.store()).unwrap();
    store.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    store.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    let new = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
               INSERT INTO dedup (provider_id, message, at) SELECT printf('new-%08d-', i) || hex(zeroblob(450)), i, ?1 FROM n";
    assert_eq!(store.execute(new, [i64::MAX]).unwrap(), 6000);
    store.close().unwrap();
    assert!(log() > 4 << 20, "{}", log());
    assert!(held.exists());
    volume.leave("others", 3 << 10);
    engine.role.start_again();
    until_full(&engine, true).await;
    assert!(log() < 1 << 20 && !held.exists());

    volume.free("others");
    until_full(&engine, false).await;
    assert_eq!(engine.inbound("SM-new", MIA, "hello").await.0, 200);
    assert!(held.exists(), "it is held again");
    assert!(engine.role.is_running());
    engine.role.kill();
}
