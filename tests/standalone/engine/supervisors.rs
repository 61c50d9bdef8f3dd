//! Supervisors give interactions to agents, take them over and close them.

use serde_json::{Value, json};

use super::{MIA, TOM, stream};
use crate::support::{engine::Engine, gateway_fake::FakeGateway};

fn below(path: &str) -> String {
    format!("/v1/channels/support{path}")
}

/// An engine with the members ana and bo, present and with their streams open, and the supervisor eva.
async fn supervised() -> (Engine, FakeGateway, Vec<stream::Watched>) {
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |document| {
        document["strategy"] = json!("Linear");
        document["campaign"]["supervisors"] = json!(["eva"]);
    })
    .await;
    let mut streams = Vec::new();
    for user in ["ana", "bo"] {
        engine.presence(user, true).await;
        streams.push(stream::open(&engine, user, None).await);
    }
    (engine, gateway, streams)
}

async fn act(engine: &Engine, user: &str, interaction: &Value, action: &str, body: Value) -> (u16, Value) {
    engine.post(user, &below(&format!("/interactions/{interaction}/{action}")), body).await
}

async fn shown(engine: &Engine, interaction: &Value) -> Value {
    engine.get("eva", &below(&format!("/interactions/{interaction}"))).await
}

#[tokio::test]
async fn a_supervisor_reassigns_takes_over_answers_and_closes() {
    let (engine, gateway, mut streams) = supervised().await;
    assert_eq!(engine.inbound("SM-1", MIA, "hello").await.0, 200);
    let interaction = engine.get("eva", &below("/interactions?state=Active")).await["items"][0]["id"].clone();
    assert_eq!(shown(&engine, &interaction).await["owner"], "ana");
    let agents = engine.get("eva", &below("/agents")).await["items"].clone();
    let seen: Vec<_> =
        agents.as_array().unwrap().iter().map(|it| (&it["user"], &it["online"], &it["interactions"])).collect();
    assert_eq!(seen, [(&json!("ana"), &json!(true), &json!([interaction])), (&json!("bo"), &json!(true), &json!([]))]);

    let to_bo = json!({ "epoch": 1, "to": { "agent": "bo" } });
    assert_eq!(act(&engine, "eva", &interaction, "assign", to_bo.clone()).await, (200, json!({ "epoch": 2 })));
    assert_eq!(shown(&engine, &interaction).await["owner"], "bo");
    let assigned = streams[0].until("InteractionAssigned").await.pop().unwrap().data;
    assert_eq!(assigned["user"], "ana", "what the strategy gave her");
    let assigned = streams[0].until("InteractionAssigned").await.pop().unwrap().data;
    assert_eq!((&assigned["user"], &assigned["from"], &assigned["by"]), (&json!("bo"), &json!("ana"), &json!("eva")));

    let to_eva = json!({ "epoch": 2, "to": { "agent": "eva" } });
    let (status, problem) = act(&engine, "eva", &interaction, "assign", to_eva.clone()).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:aldis:problem:no-stream")));
    streams.push(stream::open(&engine, "eva", None).await);
    assert_eq!(act(&engine, "eva", &interaction, "assign", to_eva).await, (200, json!({ "epoch": 3 })));
    let reply = json!({ "epoch": 3, "text": "I am the manager." });
    assert_eq!(act(&engine, "eva", &interaction, "reply", reply).await.0, 202);
    gateway.wait_for(1).await;
    let me = engine.get("eva", "/v1/me").await["channels"][0].clone();
    assert_eq!(
        (&me["supervises"], &me["receive"], &me["interactions"]),
        (&json!(true), &json!(false), &json!([interaction]))
    );

    assert_eq!(act(&engine, "eva", &interaction, "close", json!({ "epoch": 3 })).await, (200, json!({})));
    let closed = shown(&engine, &interaction).await;
    assert_eq!((&closed["state"], &closed["closeReason"]), (&json!("Closed"), &json!("BySupervisor")));
}

#[tokio::test]
async fn only_supervisors_may_and_what_is_wrong_is_named() {
    let (engine, _gateway, _streams) = supervised().await;
    assert_eq!(engine.inbound("SM-1", TOM, "hello").await.0, 200);
    let interaction = engine.get("eva", &below("/interactions")).await["items"][0]["id"].clone();
    let cases = [
        ("bo", "assign", json!({ "epoch": 1, "to": { "agent": "bo" } }), 403, "not-a-supervisor"),
        ("ana", "close", json!({ "epoch": 1 }), 403, "not-a-supervisor"),
        ("eva", "assign", json!({ "epoch": 0, "to": { "agent": "bo" } }), 409, "stale-epoch"),
        ("eva", "assign", json!({ "epoch": 1, "to": { "agent": "ana" } }), 409, "already-theirs"),
        ("eva", "assign", json!({ "epoch": 1, "to": { "agent": "nobody" } }), 422, "no-such-member"),
        ("eva", "close", json!({ "epoch": 1, "disposition": "won" }), 422, "no-such-disposition"),
        ("eva", "reply", json!({ "epoch": 1, "text": "hi" }), 409, "not-owner"),
    ];
    for (user, action, body, status, reason) in cases {
        let (found, problem) = act(&engine, user, &interaction, action, body).await;
        assert_eq!(
            (found, &problem["type"]),
            (status, &json!(format!("urn:aldis:problem:{reason}"))),
            "{user} {action}"
        );
    }
    let refused = engine.agent("ana", reqwest::Method::GET, &below("/agents")).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let start = json!({ "number": MIA, "text": "hi" });
    assert_eq!(
        engine.post("eva", &below("/interactions"), start).await.0,
        403,
        "a supervisor who is no member starts none"
    );
}
