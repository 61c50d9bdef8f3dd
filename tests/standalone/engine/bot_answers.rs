//! What services answered is kept for the rest of a conversation, and each run of a bot has its own.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{MIA, given, stream};
use crate::support::{
    engine::Engine,
    gateway_fake::FakeGateway,
    process::eventually,
    service_fake::{FakeService, Said},
};

/// An engine with this bot on start, or on start and end, and the service that it calls.
async fn engine_with(slots: &[&str], steps: impl FnOnce(&str) -> Value) -> (Engine, FakeGateway, FakeService) {
    let (gateway, service) = (FakeGateway::start().await, FakeService::start().await);
    let bot = json!({"name": "survey", "spec": {"steps": steps(&service.origin)}});
    let engine = Engine::start(&gateway.url, |document| {
        document["bots"] = slots.iter().map(|slot| ((*slot).to_owned(), bot.clone())).collect::<Value>();
    })
    .await;
    (engine, gateway, service)
}

/// Reads an order, and asks once more before it says its state.
fn two_questions(origin: &str) -> Value {
    json!([
        {"name": "ask", "ask": {"text": "Which order?", "into": "number"}},
        {"name": "look-up", "http": {"url": format!("{origin}/{{{{ number }}}}"), "into": "order", "onError": "agent"}},
        {"name": "more", "ask": {"text": "Anything else?", "into": "more"}},
        {"name": "tell", "say": {"text": "Bye."}},
        {"name": "end", "finish": {}},
        {"name": "agent", "handOff": {}},
    ])
}

#[tokio::test]
async fn an_answer_is_kept_however_deeply_it_is_nested_or_refused() {
    for (depth, is_kept) in [(126, true), (127, false)] {
        let (engine, gateway, service) = engine_with(&["onStart"], two_questions).await;
        service.says([Said::Body(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).leak())]);
        engine.inbound("SM-1", MIA, "hello").await;
        super::bots::said(&gateway, MIA, &["Which order?"]).await;
        engine.inbound("SM-2", MIA, "17").await;
        if is_kept {
            super::bots::said(&gateway, MIA, &["Which order?", "Anything else?"]).await;
            engine.inbound("SM-3", MIA, "no").await;
            super::bots::said(&gateway, MIA, &["Which order?", "Anything else?", "Bye."]).await;
        } else {
            waits(&engine).await;
        }
        assert_eq!(engine.status().await["queue"]["waiting"], u32::from(!is_kept), "{depth}");
    }
}

async fn waits(engine: &Engine) {
    eventually("it is in the queue", || async {
        let queue = engine.status().await["queue"].clone();
        if queue["waiting"] == 1 { Ok(()) } else { Err(queue) }
    })
    .await;
}

#[tokio::test]
async fn a_bot_whose_variables_cannot_be_read_is_lost_and_its_engine_is_not() {
    let (mut engine, gateway, service) = engine_with(&["onStart"], two_questions).await;
    service.says([Said::Body(r#"{"state": "packed"}"#)]);
    engine.inbound("SM-1", MIA, "hello").await;
    super::bots::said(&gateway, MIA, &["Which order?"]).await;
    engine.inbound("SM-2", MIA, "17").await;
    super::bots::said(&gateway, MIA, &["Which order?", "Anything else?"]).await;
    engine.role.kill();
    let store = rusqlite::Connection::open(engine.store()).unwrap();
    assert_eq!(store.execute("UPDATE bot_values SET json = '{'", []).unwrap(), 1);
    drop(store);
    engine.role.start_again();
    crate::support::process::ready(engine.address).await;
    engine.inbound("SM-3", MIA, "no").await;
    waits(&engine).await;
    assert!(engine.metrics().await.contains("reason=\"Lost\"} 1"), "{}", engine.metrics().await);
}

#[tokio::test]
async fn the_same_call_of_two_runs_in_one_conversation_has_two_keys() {
    let complaint = |origin: &str| {
        json!([
            {"name": "ask", "ask": {"text": "How was it?", "into": "mark"}},
            {"name": "note", "http": {
                "url": format!("{origin}/complaints"), "method": "POST", "onError": "agent",
                "json": [{"field": "mark", "value": "{{ mark }}"}],
            }},
            {"name": "agent", "handOff": {}},
        ])
    };
    let (engine, gateway, service) = engine_with(&["onStart", "onEnd"], complaint).await;
    let _online = stream::open(&engine, "ana", None).await;
    engine.presence("ana", true).await;
    engine.inbound("SM-1", MIA, "hello").await;
    super::bots::said(&gateway, MIA, &["How was it?"]).await;
    engine.inbound("SM-2", MIA, "1").await;
    let open = given(&engine, "ana").await;
    let path = format!("/v1/channels/support/interactions/{}/finish", open["id"]);
    assert_eq!(engine.post("ana", &path, json!({ "epoch": open["epoch"] })).await.0, 200);
    super::bots::said(&gateway, MIA, &["How was it?"; 2]).await;
    engine.inbound("SM-3", MIA, "1").await;
    let asked = eventually("both have called", || async {
        let asked = service.asked();
        if asked.len() == 2 { Ok(asked) } else { Err(asked) }
    })
    .await;
    assert_eq!(asked[0].body, asked[1].body);
    let keys: BTreeSet<_> = asked.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    assert_eq!(keys.len(), 2, "a service that keeps keys takes the second for another one");
}
