//! Another configuration while messages come in: in force at once, nothing lost.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::json;

use super::{MIA, TOM, desk};
use crate::support::{
    engine::{Engine, internal},
    gateway_fake::FakeGateway,
    process::eventually,
};

#[tokio::test]
async fn hours_blocklist_and_maximum_change_under_load() {
    let gateway = FakeGateway::start().await;
    let mut engine = Engine::start(&gateway.url, |_| {}).await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = load(&engine, Arc::clone(&stop));
    assert_eq!(engine.inbound("a-1", MIA, "hello").await.1["outcome"], "Queued");

    let part = json!({ "format": 1, "entries": [{ "number": TOM, "direction": "Inbound" }] });
    let hash = crate::support::engine::write(&engine.dir.path().join("config/blocklist-0.json"), &part);
    engine.configure(|document| document["parts"] = json!({ "blocklist-0.json": hash })).await;
    assert_eq!(engine.inbound("a-2", TOM, "hello").await.1["outcome"], "Blocked");

    engine.configure(|document| document["maxQueued"] = json!(1)).await;
    assert_eq!(engine.inbound("a-3", "+15559870003", "hello").await.1["outcome"], "QueueFull");

    let closed = json!({ "weekly": {}, "exceptions": {} });
    engine
        .configure(|document| {
            document["campaign"]["schedule"] = closed;
            document["outOfHoursMessage"] = json!("We are closed.");
        })
        .await;
    assert_eq!(engine.inbound("a-4", "+15559870004", "hello").await.1["outcome"], "OutOfHours");
    eventually("the text goes out", || async {
        let texts: Vec<_> = gateway.attempts().iter().map(|attempt| attempt["text"].clone()).collect();
        if texts.contains(&json!("We are closed.")) { Ok(()) } else { Err(texts) }
    })
    .await;

    stop.store(true, Ordering::Relaxed);
    let acknowledged = load.await.unwrap();
    let stored = engine.sqlite("SELECT count(DISTINCT provider_id) AS n FROM message WHERE provider_id LIKE 'load-%'");
    assert!(acknowledged > 0);
    assert_eq!(stored[0]["n"], acknowledged, "every acknowledged message is stored");
}

/// Sends messages one after the other until told to stop; gives how many were acknowledged, which must be all.
fn load(engine: &Engine, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<u64> {
    let url = format!("{}{}", engine.internal_url(), internal(aldis::wire::ports::INBOUND_PATH));
    let token = engine.issuer.token(crate::support::engine::GATEWAY, crate::support::engine::ROLES);
    tokio::spawn(async move {
        let client = reqwest::Client::new();
        let mut sent = 0;
        while !stop.load(Ordering::Relaxed) {
            let message = crate::support::engine::inbound(&format!("load-{sent}"), "+15559879999", "load");
            let answer = client.post(&url).bearer_auth(&token).json(&message).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            sent += 1;
        }
        sent
    })
}

#[tokio::test]
async fn a_bad_configuration_is_reported_and_the_old_one_stays() {
    let (mut engine, _gateway) = desk().await;
    let good = engine.document.clone();
    let mut bad = good.clone();
    bad["campaign"]["timeZone"] = json!("Mars/Olympus");
    let path = engine.dir.path().join("config/config.json");
    let hash = crate::support::engine::write(&path, &bad);
    let rejected = eventually("the rejection is reported", || async {
        let config = engine.status().await["config"].clone();
        if config["rejected"]["hash"] == hash { Ok(config) } else { Err(config) }
    })
    .await;
    assert!(rejected["rejected"]["message"].as_str().unwrap().starts_with("campaign.timeZone: "), "{rejected}");
    assert_ne!(rejected["hash"], hash);
    assert_eq!(engine.inbound("SM-1", MIA, "hello").await.1["outcome"], "Queued");

    engine.document["number"] = json!("+15551239999");
    crate::support::engine::write(&path, &engine.document);
    eventually("another number is refused", || async {
        let message = engine.status().await["config"]["rejected"]["message"].clone();
        if message.as_str().is_some_and(|text| text.starts_with("number: ")) { Ok(()) } else { Err(message) }
    })
    .await;
    engine.document = good;
    engine.configure(|_| {}).await;
    eventually("nothing is rejected any more", || async {
        let rejected = engine.status().await["config"]["rejected"].clone();
        if rejected.is_null() { Ok(()) } else { Err(rejected) }
    })
    .await;
}

#[tokio::test]
async fn draining_takes_nothing_in_and_sends_what_is_left() {
    let (mut engine, gateway) = desk().await;
    gateway.answer_with([crate::support::gateway_fake::Reply::Status(503)]);
    engine.post("ana", "/v1/channels/support/interactions", json!({ "number": MIA, "text": "last words" })).await;
    engine.configure(|document| document["draining"] = json!(true)).await;
    assert_eq!(engine.inbound("SM-1", TOM, "hello").await.1["outcome"], "Disabled");
    eventually("the outbox is empty", || async {
        let outbox = engine.status().await["outbox"].clone();
        if outbox["waiting"] == 0 && outbox["inFlight"] == 0 { Ok(()) } else { Err(outbox) }
    })
    .await;
    assert_eq!(gateway.attempts().last().unwrap()["text"], "last words");
}

#[tokio::test]
async fn the_admin_port_tells_how_it_is() {
    let (engine, _gateway) = desk().await;
    engine.inbound("SM-1", MIA, "hello").await;
    let admin = |path: &str| reqwest::get(format!("http://{}:{}{path}", engine.address, aldis::wire::ports::ADMIN));
    assert_eq!(admin("/livez").await.unwrap().status().as_u16(), 200);
    let expected = [
        "aldis_engine_inbound_messages_total{channel=\"support\",outcome=\"Queued\"} 1\n",
        "aldis_engine_queue_waiting{channel=\"support\"} 1\n",
        "aldis_engine_queue_oldest_wait_seconds{channel=\"support\"} ",
        "aldis_engine_commit_duration_seconds_count{channel=\"support\"} ",
        "aldis_engine_store_size_bytes{channel=\"support\"} ",
    ];
    eventually("the metrics say it", || async {
        let text = admin("/metrics").await.unwrap().text().await.unwrap();
        if expected.iter().all(|line| text.contains(line)) { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test]
async fn a_start_that_a_blocklist_stops_is_listed_with_its_number() {
    let (mut engine, gateway) = desk().await;
    let mut stream = super::stream::open(&engine, "bo", None).await;
    let part = json!({ "format": 1, "entries": [{ "number": TOM, "direction": "Outbound" }] });
    let hash = crate::support::engine::write(&engine.dir.path().join("config/blocklist-0.json"), &part);
    engine.configure(|document| document["parts"] = json!({ "blocklist-0.json": hash })).await;
    for user in ["ana", "bo"] {
        let (status, refused) =
            engine.post(user, "/v1/channels/support/interactions", json!({ "number": TOM, "text": "hello" })).await;
        assert_eq!((status, &refused["type"]), (409, &json!("urn:aldis:problem:blocked")), "{refused}");
    }
    assert_eq!(stream.until("StartBlocked").await.last().unwrap().data["user"], "ana");
    engine.crash().await;
    let page = engine.get("bo", "/v1/channels/support/blocked-starts?limit=1").await;
    let (newest, next) = (&page["items"][0], page["nextCursor"].as_str().unwrap());
    assert_eq!((&newest["user"], &newest["number"]), (&json!("bo"), &json!(TOM)));
    let older = engine.get("bo", &format!("/v1/channels/support/blocked-starts?cursor={next}")).await;
    assert_eq!((&older["items"][0]["user"], older["items"].as_array().unwrap().len()), (&json!("ana"), 1));
    assert_eq!(gateway.attempts().len(), 0);
}
