//! Bots talk to customers: over the wire, over a restart, and while they are edited.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::{MIA, TOM, stream};
use crate::support::{
    engine::{Engine, answer},
    gateway_fake::FakeGateway,
    process::eventually,
};

fn below(path: &str) -> String {
    format!("/v1/channels/support{path}")
}

/// Greets, asks for a topic, and hands off.
fn greeting(hello: &str) -> Value {
    json!({"name": "greeting", "spec": {
        "idleSeconds": 300,
        "steps": [
            {"name": "hello", "say": {"text": hello}},
            {"name": "topic", "ask": {
                "text": "Orders (1) or something else (2)?", "into": "topic", "invalidText": "Please write 1 or 2.",
                "answers": [{"value": "1", "synonyms": ["orders"]}, {"value": "2"}],
            }},
            {"name": "thanks", "say": {"text": "Thank you."}},
            {"name": "agent", "handOff": {"priority": 2, "note": "Topic {{ topic }}"}},
        ],
    }})
}

pub(super) async fn greeted() -> (Engine, FakeGateway) {
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |document| {
        document["bots"] = json!({"onStart": greeting("Welcome to {{ channel.name }}.")});
    })
    .await;
    (engine, gateway)
}

/// Waits until these texts, and no others, have gone out to a number, in this order.
pub(super) async fn said(gateway: &FakeGateway, number: &str, expected: &[&str]) {
    eventually("the texts go out", || async {
        // An attempt that is asked for again is the same message.
        let mut texts = BTreeMap::new();
        for attempt in gateway.attempts().iter().filter(|attempt| attempt["to"] == number) {
            texts.insert(attempt["messageId"].as_u64().unwrap(), attempt["text"].as_str().unwrap().to_owned());
        }
        let texts: Vec<String> = texts.into_values().collect();
        if texts == expected { Ok(()) } else { Err(texts) }
    })
    .await;
}

/// What the operator is told of the bots.
pub(super) async fn bots(engine: &Engine) -> Vec<Value> {
    engine.status().await["bots"].as_array().unwrap().clone()
}

/// The customer's newest interaction.
pub(super) async fn interaction(engine: &Engine, customer: &str) -> Value {
    let all = engine.get("ana", &below("/interactions?order=newest")).await;
    let items = all["items"].as_array().unwrap().clone();
    items.into_iter().find(|item| item["customer"] == customer).expect("there is one")
}

#[tokio::test]
async fn a_customer_meets_the_bot_and_then_an_agent_who_sees_what_was_said() {
    let (mut engine, gateway) = greeted().await;
    engine.presence("ana", true).await;
    assert_eq!(engine.inbound("SM-1", MIA, "hello").await.1["outcome"], "Bot");
    said(&gateway, MIA, &["Welcome to support.", "Orders (1) or something else (2)?"]).await;
    let open = interaction(&engine, MIA).await;
    assert_eq!((&open["state"], &open["bot"]), (&json!("Bot"), &json!("greeting")));
    assert_eq!(engine.status().await["queue"]["withBot"], 1);
    assert_eq!(engine.get("ana", &below("/interactions?state=Bot")).await["items"].as_array().unwrap().len(), 1);

    engine.crash().await;
    assert_eq!(engine.inbound("SM-2", MIA, "what?").await.1["outcome"], "Joined");
    let again = "Please write 1 or 2.\nOrders (1) or something else (2)?";
    said(&gateway, MIA, &["Welcome to support.", "Orders (1) or something else (2)?", again]).await;
    let _stream = stream::open(&engine, "ana", None).await;
    assert_eq!(engine.inbound("SM-3", MIA, " Orders ").await.1["outcome"], "Joined");
    said(&gateway, MIA, &["Welcome to support.", "Orders (1) or something else (2)?", again, "Thank you."]).await;

    let id = open["id"].as_u64().unwrap();
    let handed_off = engine.get("ana", &below(&format!("/interactions/{id}"))).await;
    assert_eq!((&handed_off["owner"], &handed_off["bot"]), (&json!("ana"), &Value::Null));
    let note = &handed_off["notes"][0];
    assert_eq!((&note["bot"], &note["user"], &note["text"]), (&json!("greeting"), &Value::Null, &json!("Topic 1")));
    let purposes: Vec<&Value> = handed_off["messages"].as_array().unwrap().iter().map(|it| &it["purpose"]).collect();
    assert_eq!(purposes.iter().filter(|purpose| **purpose == "Bot").count(), 4, "{handed_off}");

    let trace = engine.get("ana", &below(&format!("/interactions/{id}/bot"))).await;
    let run = &trace["items"][0];
    assert_eq!(
        (&run["bot"], &run["slot"], &run["endReason"]),
        (&json!("greeting"), &json!("OnStart"), &json!("HandedOff"))
    );
    let steps: Vec<String> = run["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| format!("{} {}", step["step"].as_str().unwrap(), step["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        steps,
        ["hello Said", "topic Asked", "topic Invalid", "topic Answered", "thanks Said", "agent HandedOff"]
    );
    let metrics = engine.metrics().await;
    for line in [
        "aldis_engine_bots_ended_total{channel=\"support\",bot=\"greeting\",reason=\"HandedOff\"} 1",
        "aldis_engine_bot_steps_total{channel=\"support\",bot=\"greeting\",step=\"topic\",outcome=\"Answered\"} 1",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    let missing = answer(engine.agent("ana", Method::GET, &below("/interactions/99/bot"))).await;
    assert_eq!(missing.0, 404, "{missing:?}");
}

#[tokio::test]
async fn a_conversation_keeps_its_version_while_the_bot_is_edited_and_the_engine_killed() {
    let (mut engine, gateway) = greeted().await;
    engine.inbound("SM-1", MIA, "hello").await;
    said(&gateway, MIA, &["Welcome to support.", "Orders (1) or something else (2)?"]).await;
    let mut edited = greeting("Good day.");
    edited["spec"]["steps"][2]["say"]["text"] = "Thanks a lot.".into();
    engine.configure(|document| document["bots"]["onStart"] = edited).await;
    engine.crash().await;
    engine.inbound("SM-2", TOM, "hello").await;
    said(&gateway, TOM, &["Good day.", "Orders (1) or something else (2)?"]).await;
    assert_eq!(engine.sqlite("SELECT count(*) AS n FROM bot_version")[0]["n"], 2);
    let running = bots(&engine).await;
    let [greeting] = running.as_slice() else { panic!("{running:?}") };
    let counts = greeting["conversations"].as_array().unwrap().iter().map(|of| of["count"].as_u64().unwrap());
    assert_eq!((&greeting["name"], counts.collect::<Vec<_>>()), (&json!("greeting"), vec![1, 1]), "{greeting}");
    engine.inbound("SM-3", MIA, "2").await;
    engine.inbound("SM-4", TOM, "2").await;
    said(&gateway, MIA, &["Welcome to support.", "Orders (1) or something else (2)?", "Thank you."]).await;
    said(&gateway, TOM, &["Good day.", "Orders (1) or something else (2)?", "Thanks a lot."]).await;

    engine.configure(|document| document["maxQueued"] = json!(50)).await;
    assert_eq!(engine.sqlite("SELECT count(*) AS n FROM bot_version")[0]["n"], 1, "nobody keeps to the old one");
    assert_eq!(bots(&engine).await, [json!({"name": "greeting"})], "none runs, and none failed");
    engine.configure(|document| document["bots"] = json!({})).await;
    assert_eq!(bots(&engine).await, [json!(null); 0]);
    assert_eq!(engine.sqlite("SELECT count(*) AS n FROM bot_version")[0]["n"], 0);
    assert_eq!(engine.sqlite("SELECT count(*) AS n FROM bot_values")[0]["n"], 0, "what customers said there is gone");
}

#[tokio::test]
async fn a_bot_with_a_fault_is_refused_by_its_name() {
    let (engine, _gateway) = greeted().await;
    let mut bad = engine.document.clone();
    bad["bots"]["onStart"]["spec"]["steps"][1]["ask"]["onInvalid"] = json!("nowhere");
    crate::support::engine::write(&engine.dir.path().join("config/config.json"), &bad);
    let message = eventually("the rejection is reported", || async {
        let message = engine.status().await["config"]["rejected"]["message"].clone();
        message.as_str().map(ToOwned::to_owned).ok_or("not yet")
    })
    .await;
    assert_eq!(
        message,
        "bots.onStart: greeting has faults: step topic, ask.onInvalid: there is no step nowhere: correct the name, or add the step"
    );
}
