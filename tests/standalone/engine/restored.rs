//! An older copy of the store is put in its place: what was done after the copy is forgotten, and must not be taken for something
//! that comes later.

use serde_json::{Value, json};

use super::{MIA, TOM, desk};
use crate::support::{
    engine::{Engine, GATEWAY, NUMBER, answer, internal},
    gateway_fake::Reply,
    process::eventually,
};
use aldis::wire::ports;
use reqwest::Method;

/// Ana writes to a customer first; the newest attempt that the gateway saw.
async fn start(engine: &Engine, gateway: &crate::support::gateway_fake::FakeGateway, number: &str) -> Value {
    let before = gateway.attempts().len();
    let (status, started) =
        engine.post("ana", "/v1/channels/support/interactions", json!({ "number": number, "text": "hello" })).await;
    assert_eq!(status, 201, "{started}");
    gateway.wait_for(before + 1).await;
    gateway.attempts()[before].clone()
}

#[tokio::test]
async fn a_restored_copy_gives_no_id_out_again_and_takes_no_receipt_of_what_it_forgot() {
    let (mut engine, gateway) = desk().await;
    let copy = engine.copy_volume().await;
    let lost = start(&engine, &gateway, MIA).await;
    let lost_event = engine.sqlite("SELECT max(last) AS n FROM event")[0]["n"].as_u64().unwrap();

    engine.restore_volume(&copy).await;
    let new = start(&engine, &gateway, TOM).await;
    assert!(new["messageId"].as_u64() > lost["messageId"].as_u64(), "{lost} was given out again: {new}");
    assert!(new["messageId"].as_u64().unwrap() < 1 << 53, "every JSON reader can hold it");
    let newest = engine.sqlite("SELECT max(last) AS n FROM event")[0]["n"].as_u64().unwrap();
    let clear = engine.sqlite(&format!("SELECT count(*) AS n FROM event WHERE {lost_event} BETWEEN first AND last"))[0]
        ["n"]
        .clone();
    assert!(newest > lost_event && clear == 0, "event {lost_event} was given out again");

    let receipt = json!({
        "providerMessageId": "of-the-lost-message", "from": NUMBER, "token": lost["receiptToken"], "state": "Delivered",
        "receivedAt": jiff::Timestamp::now(),
    });
    let taken = answer(engine.as_role(GATEWAY, Method::POST, &internal(ports::RECEIPTS_PATH)).json(&receipt)).await;
    assert_eq!(taken.0, 200, "{}", taken.1);
    let theirs = eventually("the new message is accepted", || async {
        let message =
            engine.get("ana", &format!("/v1/channels/support/customers/{TOM}/messages")).await["items"][0].clone();
        if message["status"] == "Accepted" { Ok(message) } else { Err(message) }
    })
    .await;
    assert_eq!(theirs["status"], "Accepted", "the receipt was another message's");
}

#[tokio::test]
async fn a_client_that_saw_events_which_the_copy_lacks_reads_everything_anew() {
    let (mut engine, _gateway) = desk().await;
    let copy = engine.copy_volume().await;
    let mut before = super::stream::open(&engine, "bo", None).await;
    before.next().await;
    engine.inbound("SM-1", MIA, "hello").await;
    let last = before.until("InteractionQueued").await.last().unwrap().id;
    drop(before);
    engine.restore_volume(&copy).await;
    let first = super::stream::open(&engine, "bo", Some(last)).await.next().await.unwrap();
    assert_eq!(first.name, "Reset");
}

#[tokio::test]
async fn what_a_copy_has_from_its_origin_may_have_been_asked_for_and_what_is_new_was_not() {
    let (mut engine, gateway) = desk().await;
    gateway.answer_with([Reply::Silence]);
    let started = start(&engine, &gateway, MIA).await;
    let interaction = engine.get("ana", "/v1/channels/support/interactions").await["items"][0].clone();
    let reply = format!("/v1/channels/support/interactions/{}/reply", interaction["id"]);
    let say = async |engine: &Engine, text: &str| {
        let body = json!({ "epoch": interaction["epoch"], "text": text });
        assert_eq!(engine.post("ana", &reply, body).await.0, 202, "{text}");
    };
    say(&engine, "it waits").await;

    engine.role.kill();
    let store = rusqlite::Connection::open(engine.store()).unwrap();
    store.execute("UPDATE store SET id = id || '.00000001'", []).unwrap();
    let copy: String = store.query_row("SELECT id FROM store", [], |row| row.get(0)).unwrap();
    drop(store);
    engine.role.start_again();
    crate::support::process::ready(engine.address).await;
    engine.configure(|document| document["store"] = json!({ "id": copy })).await;
    say(&engine, "it is new").await;
    let attempts = gateway.wait_for(4).await;
    let asked: Vec<_> = attempts.iter().map(|it| (it["text"].as_str().unwrap(), it["askedBefore"].clone())).collect();
    let expected = [("hello", false), ("hello", true), ("it waits", true), ("it is new", false)];
    assert_eq!(asked, expected.map(|(text, before)| (text, json!(before))));
    assert_eq!(attempts[1]["messageId"], started["messageId"]);
    assert!(attempts[2]["begunMillisAgo"].as_u64().unwrap() > 0, "since it was written: {}", attempts[2]);
}
