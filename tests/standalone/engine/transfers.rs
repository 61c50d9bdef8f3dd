//! Agents hand interactions over, and a customer who returns has their agent first.

use serde_json::{Value, json};

use super::{
    MIA, TOM,
    stream::{self, Watched},
};
use crate::support::{engine::Engine, gateway_fake::FakeGateway, process::eventually};

/// An engine where ana and bo are present with their streams open, and ana has an interaction with Mia; its id.
async fn ana_has_one(change: impl FnOnce(&mut Value)) -> (Engine, FakeGateway, [Watched; 2], u64) {
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |document| {
        document["strategy"] = json!("Linear");
        change(document);
    })
    .await;
    for user in ["ana", "bo"] {
        engine.presence(user, true).await;
    }
    let streams = [stream::open(&engine, "ana", None).await, stream::open(&engine, "bo", None).await];
    let (status, started) =
        engine.post("ana", &below("/interactions"), json!({ "number": MIA, "text": "Hello" })).await;
    assert_eq!(status, 201, "{started}");
    (engine, gateway, streams, started["interaction"].as_u64().unwrap())
}

fn below(path: &str) -> String {
    format!("/v1/channels/support{path}")
}

async fn act(engine: &Engine, user: &str, interaction: u64, action: &str, body: Value) -> (u16, Value) {
    engine.post(user, &below(&format!("/interactions/{interaction}/{action}")), body).await
}

async fn shown(engine: &Engine, interaction: u64) -> Value {
    engine.get("ana", &below(&format!("/interactions/{interaction}"))).await
}

async fn counted(engine: &Engine, outcome: &str) -> u64 {
    let metrics = engine.metrics().await;
    let start = format!("aldis_engine_transfers_total{{channel=\"support\",outcome=\"{outcome}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
    line.map_or(0, |count| count.parse().unwrap())
}

/// What an agent is asked.
async fn offers(engine: &Engine, user: &str) -> Value {
    engine.get(user, "/v1/me").await["channels"][0]["offers"].clone()
}

#[tokio::test]
async fn an_agent_asks_another_one_who_takes_it() {
    let (mut engine, _gateway, mut streams, interaction) = ana_has_one(|_| {}).await;
    let to_bo = json!({ "epoch": 1, "to": { "agent": "bo" } });
    assert_eq!(act(&engine, "ana", interaction, "transfer", to_bo.clone()).await, (200, json!({})));
    let transferred = shown(&engine, interaction).await;
    assert_eq!((&transferred["owner"], &transferred["state"]), (&json!("ana"), &json!("Active")));
    assert_eq!(transferred["transfer"], json!({ "to": { "agent": "bo" }, "offer": 1 }));
    assert_eq!(offers(&engine, "bo").await, json!([{ "interaction": interaction, "offer": 1, "from": "ana" }]));
    assert_eq!(offers(&engine, "ana").await, json!([]));
    let (status, again) = act(&engine, "ana", interaction, "transfer", to_bo).await;
    assert_eq!((status, &again["type"]), (409, &json!("urn:aldis:problem:in-transfer")));
    assert_eq!(act(&engine, "ana", interaction, "reply", json!({ "epoch": 1, "text": "One moment" })).await.0, 202);

    engine.crash().await;
    assert_eq!(shown(&engine, interaction).await["transfer"], json!({ "to": { "agent": "bo" }, "offer": 1 }));
    assert_eq!(act(&engine, "bo", interaction, "accept", json!({ "offer": 1 })).await, (200, json!({ "epoch": 2 })));
    let taken = shown(&engine, interaction).await;
    assert_eq!((&taken["owner"], &taken["transfer"]), (&json!("bo"), &Value::Null));
    let (status, late) = act(&engine, "ana", interaction, "reply", json!({ "epoch": 1, "text": "Hm" })).await;
    assert_eq!((status, &late["type"]), (409, &json!("urn:aldis:problem:stale-epoch")));
    assert_eq!(counted(&engine, "Accepted").await, 1);
    let started = streams[1].until("TransferStarted").await.pop().unwrap().data;
    assert_eq!((&started["user"], &started["to"], &started["offer"]), (&json!("ana"), &json!("bo"), &json!(1)));
}

#[tokio::test]
async fn what_nobody_takes_in_time_stays_where_it_was() {
    let (engine, _gateway, mut streams, interaction) = ana_has_one(|document| {
        document["maxTransferSeconds"] = json!(1);
        document["offerTimeoutSeconds"] = json!(30);
    })
    .await;
    assert_eq!(act(&engine, "ana", interaction, "transfer", json!({ "epoch": 1, "to": "queue" })).await.0, 200);
    let asked = offers(&engine, "bo").await;
    assert_eq!((&asked[0]["from"], &asked[0]["interaction"]), (&json!("ana"), &json!(interaction)), "{asked}");
    let ended = streams[0].until("TransferEnded").await.pop().unwrap().data;
    assert_eq!((&ended["reason"], &ended["interaction"]), (&json!("TimedOut"), &json!(interaction)));
    assert_eq!(shown(&engine, interaction).await["owner"], "ana");
    assert_eq!(act(&engine, "bo", interaction, "accept", json!({ "offer": 1 })).await.0, 409);
    assert_eq!(counted(&engine, "TimedOut").await, 1);
}

#[tokio::test]
async fn what_is_taken_back_cannot_be_taken() {
    let (engine, _gateway, _streams, interaction) = ana_has_one(|_| {}).await;
    assert_eq!(
        act(&engine, "ana", interaction, "transfer", json!({ "epoch": 1, "to": { "agent": "bo" } })).await.0,
        200
    );
    assert_eq!(engine.get("ana", &below("/statistics")).await["transferring"], 1);
    eventually("the gauge shows it", || async {
        let metrics = engine.metrics().await;
        let is_shown = metrics.contains("aldis_engine_interactions_transferring{channel=\"support\"} 1");
        if is_shown { Ok(()) } else { Err("not yet") }
    })
    .await;
    assert_eq!(act(&engine, "ana", interaction, "cancel-transfer", json!({ "epoch": 1 })).await, (200, json!({})));
    assert_eq!(act(&engine, "bo", interaction, "accept", json!({ "offer": 1 })).await.0, 409);
    assert_eq!(engine.get("ana", &below("/statistics")).await["transferring"], 0);
    let (status, twice) = act(&engine, "ana", interaction, "cancel-transfer", json!({ "epoch": 1 })).await;
    assert_eq!((status, &twice["type"]), (409, &json!("urn:aldis:problem:not-in-transfer")));
}

#[tokio::test]
async fn who_writes_again_has_their_agent_first_and_who_waits_for_too_long_is_counted() {
    let (engine, _gateway, _streams, interaction) = ana_has_one(|document| {
        document["sessionReopenSeconds"] = json!(600);
        document["maxQueueSeconds"] = json!(1);
    })
    .await;
    assert_eq!(
        act(&engine, "ana", interaction, "transfer", json!({ "epoch": 1, "to": { "agent": "bo" } })).await.0,
        200
    );
    assert_eq!(act(&engine, "bo", interaction, "accept", json!({ "offer": 1 })).await.0, 200);
    assert_eq!(act(&engine, "bo", interaction, "finish", json!({ "epoch": 2 })).await.0, 200);
    assert_eq!(engine.inbound("SM-again", MIA, "One more thing").await.0, 200);
    let open = engine.get("ana", &below("/interactions?state=Active")).await;
    assert_eq!(open["items"][0]["owner"], "bo", "Linear would choose ana");

    for user in ["ana", "bo"] {
        engine.presence(user, false).await;
    }
    assert_eq!(engine.inbound("SM-tom", TOM, "Anybody?").await.0, 200);
    eventually("its wait is counted", || async {
        let metrics = engine.metrics().await;
        let is_counted = metrics.contains("aldis_engine_queue_timeouts_total{channel=\"support\"} 1");
        if is_counted { Ok(()) } else { Err("not yet") }
    })
    .await;
    assert_eq!(engine.status().await["queue"]["waiting"], 1, "it goes on waiting");
}
