//! Messages leave in order, once, whatever gateway and engine do.

use serde_json::{Value, json};

use super::{MIA, desk};
use crate::support::{engine::Engine, gateway_fake::Reply, process::eventually};

async fn start(engine: &Engine, number: &str, text: &str) -> u64 {
    let (status, started) =
        engine.post("ana", "/v1/channels/support/interactions", json!({ "number": number, "text": text })).await;
    assert_eq!(status, 201, "{started}");
    started["interaction"].as_u64().unwrap()
}

async fn status_is(engine: &Engine, expected: &str) -> Value {
    let path = format!("/v1/channels/support/customers/{MIA}/messages");
    eventually("the message has the status", || async {
        let newest = engine.get("ana", &path).await["items"][0].clone();
        if newest["status"] == expected { Ok(newest) } else { Err(newest) }
    })
    .await
}

/// The attempts as (message, attempt); messages are counted from 1.
fn attempts(seen: &[Value]) -> Vec<(u64, u64)> {
    let first = seen.iter().filter_map(|attempt| attempt["messageId"].as_u64()).min().unwrap_or_default();
    let number = |attempt: &Value, field: &str| attempt[field].as_u64().unwrap();
    seen.iter().map(|attempt| (number(attempt, "messageId") - first + 1, number(attempt, "attempt"))).collect()
}

#[tokio::test]
async fn what_was_not_sent_is_tried_again_under_a_new_number() {
    let (engine, gateway) = desk().await;
    let not_sent =
        json!({ "outcome": "NotSent", "reason": "RateLimited", "retryAfterMillis": 10, "message": "slower" });
    gateway.answer_with([Reply::Outcome(not_sent.clone()), Reply::Outcome(not_sent)]);
    start(&engine, MIA, "hello").await;
    status_is(&engine, "Accepted").await;
    assert_eq!(attempts(&gateway.attempts()), [(1, 1), (1, 2), (1, 3)]);
}

#[tokio::test]
async fn an_attempt_without_an_outcome_is_asked_for_again_under_the_same_number() {
    let (mut engine, gateway) = desk().await;
    gateway.answer_with([Reply::Status(503), Reply::Status(401), Reply::Silence]);
    start(&engine, MIA, "hello").await;
    gateway.wait_for(3).await;
    engine.crash().await;
    status_is(&engine, "Accepted").await;
    assert_eq!(attempts(&gateway.attempts()), [(1, 1), (1, 1), (1, 1), (1, 1)]);
}

#[tokio::test]
async fn refusals_and_unknown_outcomes_are_final() {
    let (engine, gateway) = desk().await;
    let refused =
        json!({ "outcome": "Refused", "class": "InvalidNumber", "providerCode": "21211", "message": "no such number" });
    gateway
        .answer_with([Reply::Outcome(refused), Reply::Outcome(json!({ "outcome": "Unknown", "message": "timeout" }))]);
    let interaction = start(&engine, MIA, "hello").await;
    let failed = status_is(&engine, "Failed").await;
    assert_eq!((&failed["failure"], &failed["providerCode"]), (&json!("InvalidNumber"), &json!("21211")));
    let path = format!("/v1/channels/support/interactions/{interaction}/reply");
    assert_eq!(engine.post("ana", &path, json!({ "epoch": 1, "text": "again" })).await.0, 202);
    status_is(&engine, "Unknown").await;
    assert_eq!(engine.status().await["outbox"], json!({ "waiting": 0, "inFlight": 0, "unknown": 1 }));
    assert_eq!(attempts(&gateway.attempts()).len(), 2);
}

#[tokio::test]
async fn a_customers_messages_leave_one_after_the_other() {
    let (engine, gateway) = desk().await;
    let not_sent = json!({ "outcome": "NotSent", "reason": "Temporary", "retryAfterMillis": 5, "message": "later" });
    gateway.answer_with([Reply::Outcome(not_sent.clone()), Reply::Status(500), Reply::Outcome(not_sent)]);
    let interaction = start(&engine, MIA, "text 0").await;
    let path = format!("/v1/channels/support/interactions/{interaction}/reply");
    for number in 1..6 {
        assert_eq!(engine.post("ana", &path, json!({ "epoch": 1, "text": format!("text {number}") })).await.0, 202);
    }
    eventually("all are sent", || async {
        let outbox = engine.status().await["outbox"].clone();
        if outbox["waiting"] == 0 && outbox["inFlight"] == 0 { Ok(()) } else { Err(outbox) }
    })
    .await;
    let texts: Vec<_> = gateway.attempts().iter().map(|attempt| attempt["text"].as_str().unwrap().to_owned()).collect();
    assert!(texts.is_sorted(), "{texts:?}");
    assert_eq!(texts.last().unwrap(), "text 5");
}

#[tokio::test]
async fn nothing_leaves_from_a_store_that_is_not_the_expected_one() {
    let gateway = crate::support::gateway_fake::FakeGateway::start().await;
    let mut engine = Engine::start(&gateway.url, |document| document["store"] = json!({ "id": "another" })).await;
    assert_eq!(engine.status().await["store"]["accepted"], false);
    assert_eq!(engine.inbound("SM-1", MIA, "hello").await.1["outcome"], "Queued", "intake goes on");
    start(&engine, "+15559870009", "hello").await;
    assert_eq!(engine.status().await["outbox"]["waiting"], 1);
    assert_eq!(gateway.attempts().len(), 0);
    let id = engine.status().await["store"]["id"].clone();
    engine.configure(|document| document["store"]["acceptedId"] = id.clone()).await;
    gateway.wait_for(1).await;
    assert_eq!(engine.status().await["store"]["accepted"], true);
}

// The gateway answers while the test waits for the engine's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_waits_for_what_is_at_the_gateway_and_is_clean() {
    let (mut engine, gateway) = desk().await;
    assert!(engine.role.terminate(), "with nothing to do");
    engine.role.start_again();
    crate::support::process::ready(engine.address).await;
    gateway.answer_with([Reply::Status(503)]);
    start(&engine, MIA, "hello").await;
    assert!(engine.role.terminate(), "with a message at the gateway");
    let rows = engine.sqlite("SELECT status FROM message");
    assert_eq!(rows[0]["status"], "Accepted", "its outcome was waited for");
    assert_eq!(attempts(&gateway.attempts()), [(1, 1), (1, 1)]);
}
