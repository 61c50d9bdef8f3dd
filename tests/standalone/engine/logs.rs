//! An engine's log: each line says which request, delivery, batch or attempt it belongs to, and none has a text or a customer's number.

use serde_json::{Value, json};

use super::{MIA, desk, given, reply};
use crate::support::{
    log::{spans, spans_of_each},
    process::eventually,
};

#[tokio::test]
async fn lines_name_their_request_delivery_batch_or_attempt() {
    let (engine, gateway) = desk().await;
    let _stream = super::stream::open(&engine, "ana", None).await;
    assert_eq!(engine.inbound("SM-in", MIA, "a secret question").await.0, 200);
    let interaction = given(&engine, "ana").await;
    let (status, replied) = reply(&engine, "ana", &interaction, "a secret answer").await;
    assert_eq!(status, 202, "{replied}");
    gateway.wait_for(1).await;
    engine.get("ana", &format!("/v1/channels/support/customers/{MIA}/messages")).await;
    let log = eventually("the outcome is logged", || async {
        let log = engine.role.log();
        if log.contains("the gateway has answered an attempt") { Ok(log) } else { Err(()) }
    })
    .await;

    let delivery = json!({"name": "delivery", "channel": "support", "kind": "Inbound", "outcome": "Queued"});
    assert_eq!(spans(&log, "a delivery was taken"), [delivery]);
    let request = |method: &str, route: &str, status: u16| {
        let route = format!("/v1/channels/{{channel}}/{route}");
        json!({"name": "request", "channel": "support", "method": method, "route": route, "status": status})
    };
    let mut of_reply = request("POST", "interactions/{id}/reply", 202);
    of_reply["interaction"] = interaction["id"].clone();
    let answered: Vec<Value> = spans_of_each(&log, "a request was answered").into_iter().flatten().collect();
    for expected in [of_reply, request("GET", "customers/{number}/messages", 200)] {
        assert_eq!(answered.iter().filter(|found| **found == expected).count(), 1, "{expected} in {answered:?}");
    }
    let attempt = json!({
        "name": "attempt", "channel": "support", "message_id": replied["message"], "attempt": 1, "outcome": "Accepted",
    });
    assert_eq!(spans(&log, "the gateway has answered an attempt"), [attempt]);

    let commits = spans_of_each(&log, "a batch was committed");
    let names = |spans: &Vec<Value>| spans.iter().map(|span| span["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&commits[0]), ["writer", "commit"], "the start is a commit of its own");
    let mut last_sequence = 0;
    for spans in &commits[1..] {
        assert_eq!(names(spans), ["writer", "batch", "commit"]);
        assert_eq!(spans[0]["channel"], "support");
        let reached = spans[2]["last_sequence"].as_u64().unwrap();
        assert!(reached >= last_sequence, "{commits:?}");
        last_sequence = reached;
    }
    let with_requests = commits.iter().filter(|spans| spans[spans.len() - 1]["requests"] == 1).count();
    assert!(with_requests >= 3, "the presence, a text and a reply: {commits:?}");
    for private in ["secret", MIA] {
        assert!(!log.contains(private), "{private} is in the log:\n{log}");
    }
}
