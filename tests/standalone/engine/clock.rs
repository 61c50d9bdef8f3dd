//! The node's clock is wrong, and right again: the desk goes on, nothing is deleted too early, and people are told.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{MIA, TOM, desk, given, reply};
use crate::support::{engine::Engine, process::eventually, wall_clock::WallClock};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The ids of inbound messages that are about as old as those that are deleted, after a hundred days.
fn ids_of_inbound(engine: &Engine) -> Vec<Value> {
    engine.sqlite(
        "SELECT provider_id FROM dedup WHERE provider_id IN ('a hundred days and a bit', 'ninety-nine and a half days') ORDER BY 1",
    )
}

async fn clock_is(engine: &Engine, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || async {
        let clock = engine.status().await["clock"].clone();
        if is_so(&clock) { Ok(clock) } else { Err(clock) }
    })
    .await
}

/// A customer writes, ana answers, and the answer leaves.
async fn works(engine: &Engine, gateway: &crate::support::gateway_fake::FakeGateway, id: &str, from: &str) {
    let before = gateway.attempts().len();
    assert_eq!(engine.inbound(id, from, "hello").await.0, 200);
    let interaction = eventually("ana has it", || async {
        let open = given(engine, "ana").await;
        if open["customer"] == from { Ok(open) } else { Err(open) }
    })
    .await;
    assert_eq!(reply(engine, "ana", &interaction, "yes").await.0, 202);
    gateway.wait_for(before + 1).await;
    let path = format!("/v1/channels/support/interactions/{}/finish", interaction["id"]);
    assert_eq!(engine.post("ana", &path, json!({ "epoch": interaction["epoch"] })).await.0, 200);
}

#[tokio::test]
async fn a_clock_a_day_ahead_and_back_stops_nothing_deletes_nothing_and_is_set_by_hand() {
    let (mut engine, gateway) = desk().await;
    let clock = WallClock::new();
    engine.crash_into_clock(&clock).await;
    let _online = super::stream::open(&engine, "ana", None).await;
    engine.inbound("kept open", MIA, "hello").await;
    given(&engine, "ana").await;
    let hours_ago = |hours: i64| (jiff::Timestamp::now() - SignedDuration::from_hours(hours)).as_nanosecond();
    let rows = format!(
        "INSERT INTO dedup (provider_id, message, at) VALUES ('a hundred days and a bit', 1, {}), ('ninety-nine and a half days', 2, {})",
        hours_ago(100 * 24 + 3),
        hours_ago(99 * 24 + 12),
    );
    engine.role.kill();
    rusqlite::Connection::open(engine.store()).unwrap().execute(&rows, []).unwrap();
    clock.set_wrong_by(DAY);
    engine.role.start_again();
    crate::support::process::ready(engine.address).await;
    let leapt = clock_is(&engine, "the leap is reported", |clock| clock["leaptSeconds"].as_u64() > Some(86_000)).await;
    assert_eq!(leapt["acceptId"], 1);

    let _online = super::stream::open(&engine, "ana", None).await;
    assert_eq!(given(&engine, "ana").await["customer"], MIA, "an idle time of a day is not over");
    let open = given(&engine, "ana").await;
    assert_eq!(reply(&engine, "ana", &open, "still here").await.0, 202);
    gateway.wait_for(1).await;

    // The clock is right again: time is ahead of it, and goes on.
    clock.set_wrong_by(SignedDuration::ZERO);
    clock_is(&engine, "time is ahead", |clock| clock["aheadSeconds"] == 86_400).await;
    let path = format!("/v1/channels/support/interactions/{}/finish", open["id"]);
    assert_eq!(engine.post("ana", &path, json!({ "epoch": open["epoch"] })).await.0, 200);
    works(&engine, &gateway, "SM-2", TOM).await;
    let ahead: jiff::Timestamp = engine.status().await["sampledAt"].as_str().unwrap().parse().unwrap();
    assert!(ahead.duration_since(jiff::Timestamp::now()) > HOUR);
    assert_eq!(ids_of_inbound(&engine).len(), 2, "nothing was deleted");

    // A person says that it is right, once.
    engine.configure(|document| document["clockAccepted"] = json!(1)).await;
    let set = clock_is(&engine, "time is that of the clock", |clock| clock["aheadSeconds"] == 0).await;
    assert_eq!((&set["leaptSeconds"], &set["acceptId"]), (&json!(0), &json!(2)));
    let now: jiff::Timestamp = engine.status().await["sampledAt"].as_str().unwrap().parse().unwrap();
    assert!(now.duration_since(jiff::Timestamp::now()).abs() < HOUR, "{now}");
    works(&engine, &gateway, "SM-3", MIA).await;
    engine.crash().await;
    let _online = super::stream::open(&engine, "ana", None).await;
    works(&engine, &gateway, "SM-4", TOM).await;
    assert_eq!(engine.status().await["clock"]["acceptId"], 2, "it counts once");
    eventually("what is old is deleted, and only that", || async {
        let left = ids_of_inbound(&engine);
        if left == [json!({ "provider_id": "ninety-nine and a half days" })] { Ok(()) } else { Err(left) }
    })
    .await;
}

#[tokio::test]
async fn a_clock_an_hour_behind_stops_nothing_and_needs_no_hand_when_it_is_right_again() {
    let (mut engine, gateway) = desk().await;
    let clock = WallClock::new();
    engine.crash_into_clock(&clock).await;
    let _online = super::stream::open(&engine, "ana", None).await;
    works(&engine, &gateway, "SM-1", MIA).await;
    for restarted in [false, true] {
        clock.set_wrong_by(-HOUR);
        if restarted {
            engine.crash().await;
        }
        clock_is(&engine, "the clock is behind", |clock| clock["aheadSeconds"].as_u64() >= Some(3500)).await;
        let _online = super::stream::open(&engine, "ana", None).await;
        works(&engine, &gateway, &format!("SM-2 {restarted}"), TOM).await;
        let times = engine.sqlite("SELECT at FROM event ORDER BY last");
        assert!(times.windows(2).all(|pair| pair[0]["at"].as_i64() <= pair[1]["at"].as_i64()), "time ran backwards");
        clock.set_wrong_by(SignedDuration::ZERO);
        let right = clock_is(&engine, "it is right again", |clock| clock["aheadSeconds"] == 0).await;
        assert_eq!(right["leaptSeconds"], 0, "that it caught up is no leap");
        works(&engine, &gateway, &format!("SM-3 {restarted}"), MIA).await;
    }
}

#[tokio::test]
async fn who_was_imported_while_the_clock_was_ahead_can_opt_in_once_it_is_right() {
    let (mut engine, _gateway) = desk().await;
    let clock = WallClock::new();
    engine.configure(|document| document["campaign"]["supervisors"] = json!(["eva"])).await;
    engine.crash_into_clock(&clock).await;
    clock.set_wrong_by(DAY);
    clock_is(&engine, "the leap is reported", |clock| clock["leaptSeconds"].as_u64() > Some(86_000)).await;
    let list = json!({ "source": "the old system", "optOuts": [{ "number": MIA }] });
    assert_eq!(engine.post("eva", "/v1/channels/support/opt-outs", list).await.0, 200);
    clock.set_wrong_by(SignedDuration::ZERO);
    clock_is(&engine, "time is ahead", |clock| clock["aheadSeconds"].as_u64() > Some(86_000)).await;
    engine.configure(|document| document["clockAccepted"] = json!(1)).await;
    clock_is(&engine, "time is that of the clock", |clock| clock["aheadSeconds"] == 0).await;

    let listed = engine.get("eva", "/v1/channels/support/opt-outs").await;
    let since: jiff::Timestamp = listed["items"][0]["optedOutAt"].as_str().unwrap().parse().unwrap();
    assert!(since <= jiff::Timestamp::now(), "{since}");
    assert_eq!(engine.inbound("SM-1", MIA, "START").await.1["outcome"], "OptedIn");
}
