//! Each fault does what it says, once or as often as asked, and is seen in the ledger.

use super::{MIA, Running, TOKEN, TOM, service::Service, to_mia};
use aldis::{
    simulator::{Event, WebhookState},
    wire::simulator::{MessageStatus, Problem, ProblemClass, signature::SignatureError},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn pair() -> (Service, Running) {
    let (service, address) = Service::start().await;
    (service, Running::start(address).await)
}

#[tokio::test]
async fn a_server_error_and_a_rate_limit_take_nothing() {
    let (_, simulator) = pair().await;
    simulator.fault(json!({"route": "Messages", "action": {"Status": {"status": 502}}, "count": 1})).await;
    let limit = json!({"Status": {"status": 429, "retryAfterSeconds": 7}});
    simulator.fault(json!({"route": "Messages", "action": limit, "count": 1, "skip": 1})).await;

    let failed = simulator.send(to_mia("hello", "m-1")).await.unwrap();
    assert_eq!(failed.status(), 502);
    assert_eq!(failed.json::<Problem>().await.unwrap().class, ProblemClass::Temporary);
    let limited = simulator.send(to_mia("hello", "m-1")).await.unwrap();
    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(limited.json::<Problem>().await.unwrap().class, ProblemClass::RateLimited);
    assert!(simulator.snapshot().await.messages.is_empty());
    assert_eq!(simulator.send(to_mia("hello", "m-1")).await.unwrap().status(), 201);
}

#[tokio::test]
async fn refusals_come_at_once_or_on_the_way() {
    let (service, simulator) = pair().await;
    simulator.fault(json!({"route": "Messages", "action": {"Refuse": {"class": "OptedOut"}}, "number": TOM})).await;
    simulator.fault(json!({"route": "Delivery", "action": {"Refuse": {"class": "Blocked"}}, "number": MIA})).await;
    let mut to_tom = to_mia("hello", "m-0");
    to_tom["to"] = json!(TOM);
    let refused = simulator.send(to_tom).await.unwrap();
    assert_eq!(refused.json::<Problem>().await.unwrap().class, ProblemClass::OptedOut);

    assert_eq!(simulator.send(to_mia("hello", "m-1")).await.unwrap().status(), 201);
    let failed = service.until(1).await.remove(0);
    assert_eq!((&failed.body["status"], &failed.body["error"]["class"]), (&json!("Failed"), &json!("Blocked")));
}

#[tokio::test]
async fn a_dropped_answer_leaves_the_message_taken_and_a_dropped_request_does_not() {
    let (service, simulator) = pair().await;
    simulator.fault(json!({"route": "Messages", "action": "DropRequest", "count": 1})).await;
    simulator.fault(json!({"route": "Messages", "action": "DropAnswer", "count": 1, "skip": 1})).await;

    simulator.send(to_mia("never taken", "m-1")).await.unwrap_err();
    simulator.send(to_mia("taken", "m-2")).await.unwrap_err();
    service.until(2).await;
    assert_eq!(service.bodies("clientRef"), ["m-2", "m-2"], "its receipts come all the same");
    let texts: Vec<String> = simulator.snapshot().await.messages.into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["taken"]);
    let seen = simulator.ledger("kind=ApiRequest").await;
    let taken: Vec<(bool, Option<u16>)> = seen
        .iter()
        .map(|entry| match &entry.event {
            Event::ApiRequest { message: Some(message), status, .. } => (message.message_id.is_some(), *status),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(taken, [(false, None), (true, None)]);
}

#[tokio::test]
async fn every_call_of_the_provider_api_can_fail() {
    let (_, simulator) = pair().await;
    for (route, path) in [("Account", "/v1/account"), ("Numbers", "/v1/numbers")] {
        let fault = simulator.fault(json!({"route": route, "action": {"Status": {"status": 503}}})).await;
        for _ in 0..3 {
            assert_eq!(simulator.get(TOKEN, path).await.status(), 503);
        }
        simulator.control(Method::DELETE, &format!("/control/faults/{fault}"), Value::Null).await;
        assert_eq!(simulator.get(TOKEN, path).await.status(), 200);
    }
}

#[tokio::test]
async fn a_delay_makes_it_late() {
    let (service, simulator) = pair().await;
    simulator.fault(json!({"route": "Messages", "action": {"Delay": {"millis": 300}}, "count": 1})).await;
    let begun = Instant::now();
    assert_eq!(simulator.send(to_mia("hello", "m-1")).await.unwrap().status(), 201);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    service.until(2).await;
}

#[tokio::test]
async fn a_receipt_can_come_before_the_answer() {
    let (service, simulator) = pair().await;
    simulator.fault(json!({"route": "Messages", "action": {"DelayAnswer": {"millis": 600000}}, "count": 1})).await;
    let sending = simulator.send(to_mia("hello", "m-1"));
    tokio::select! {
        answer = sending => panic!("{answer:?}"),
        calls = service.until(2) => assert_eq!(calls[0].body["clientRef"], "m-1"),
    }
}

#[tokio::test]
async fn webhooks_come_several_times() {
    let (service, simulator) = pair().await;
    simulator.fault(json!({"route": "Inbound", "action": {"Duplicate": {"copies": 4}}, "count": 1})).await;
    simulator.customer_writes(MIA, "five times").await;
    simulator.customer_writes(MIA, "once").await;
    service.until(6).await;
    let texts = service.bodies("text");
    assert_eq!(texts.iter().filter(|text| *text == "five times").count(), 5);
    let ids: std::collections::BTreeSet<String> = service.bodies("id").into_iter().collect();
    assert_eq!(ids.len(), 2, "copies share their id");
}

#[tokio::test]
async fn a_lost_answer_makes_the_webhook_come_again() {
    let (service, simulator) = pair().await;
    simulator.fault(json!({"route": "Receipts", "action": "DropAnswer", "count": 1})).await;
    simulator.send(to_mia("hello", "m-1")).await.unwrap();
    service.until(3).await;
    assert_eq!(service.bodies("status"), ["Sent", "Sent", "Delivered"]);
}

#[tokio::test]
async fn webhooks_can_overtake_each_other() {
    let (service, simulator) = pair().await;
    simulator.fault(json!({"route": "Receipts", "action": "Reorder", "count": 1})).await;
    simulator.send(to_mia("hello", "m-1")).await.unwrap();
    service.until(2).await;
    assert_eq!(service.bodies("status"), ["Delivered", "Sent"]);

    simulator.fault(json!({"route": "Inbound", "action": "Reorder", "count": 1})).await;
    for text in ["first", "second", "third"] {
        simulator.customer_writes(MIA, text).await;
    }
    service.until(5).await;
    assert_eq!(service.bodies("text")[2..], ["second", "first", "third"]);
}

#[tokio::test]
async fn receipts_are_held_until_they_are_let_go() {
    let (service, simulator) = pair().await;
    let fault = simulator.fault(json!({"route": "Receipts", "action": "Hold", "count": 1})).await;
    simulator.send(to_mia("hello", "m-1")).await.unwrap();
    let held = |snapshot: &aldis::simulator::Snapshot| {
        snapshot.webhooks.iter().map(|webhook| webhook.state).collect::<Vec<_>>()
            == [WebhookState::Held, WebhookState::Waiting]
    };
    simulator.until("held", held).await;
    assert!(service.calls().is_empty());
    simulator.control(Method::DELETE, &format!("/control/faults/{fault}"), Value::Null).await;
    service.until(2).await;
    assert_eq!(service.bodies("status"), ["Sent", "Delivered"]);
}

#[tokio::test]
async fn a_lost_webhook_never_comes() {
    let (service, simulator) = pair().await;
    simulator.fault(json!({"route": "Receipts", "action": "Lose", "count": 1})).await;
    simulator.send(to_mia("hello", "m-1")).await.unwrap();
    service.until(1).await;
    assert_eq!(service.bodies("status"), ["Delivered"]);
    let snapshot = simulator.snapshot().await;
    assert_eq!(snapshot.webhooks[0].receipt, Some(MessageStatus::Sent));
    assert_eq!(snapshot.webhooks[0].state, WebhookState::Undelivered);
}

#[tokio::test]
async fn a_wrong_signature_is_wrong() {
    let (service, simulator) = pair().await;
    simulator.fault(json!({"route": "Inbound", "action": "WrongSignature", "count": 1})).await;
    simulator.customer_writes(MIA, "forged").await;
    simulator.customer_writes(MIA, "true").await;
    let calls = service.until(2).await;
    assert_eq!(calls[0].verdict, Err(SignatureError::Mismatch));
    assert_eq!(calls[1].verdict, Ok(()));
}

#[tokio::test]
async fn a_fault_that_cannot_be_is_refused_with_what_to_do() {
    let (_, simulator) = pair().await;
    let client = reqwest::Client::new();
    for (fault, word) in [
        (json!({"route": "Messages", "action": "Hold"}), "cannot happen"),
        (json!({"route": "Message", "action": "Hold"}), "unknown variant `Message`"),
        (json!({"route": "Messages", "action": "DropAnswer", "counts": 1}), "counts"),
    ] {
        let refused = client.post(format!("{}/control/faults", simulator.url)).json(&fault).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{fault}");
        let problem: Problem = refused.json().await.unwrap();
        assert!(problem.detail.contains(word), "{}", problem.detail);
    }
    // A page of another origin can post plain text only.
    let plain = client
        .post(format!("{}/control/faults", simulator.url))
        .body(r#"{"route": "Messages", "action": "DropAnswer"}"#);
    assert_eq!(plain.send().await.unwrap().status(), 415);
}
