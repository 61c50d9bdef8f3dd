//! The same request twice has one effect; an agent who knows an old owner's epoch has none.

use reqwest::Method;
use serde_json::json;

use super::{MIA, desk, given, reply};
use crate::support::engine::answer;

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_and_sends_nothing_again() {
    let (mut engine, gateway) = desk().await;
    let _stream = super::stream::open(&engine, "ana", None).await;
    engine.inbound("SM-1", MIA, "hello").await;
    let interaction = given(&engine, "ana").await;
    let path = format!("/v1/channels/support/interactions/{}/reply", interaction["id"]);
    let body = json!({ "epoch": interaction["epoch"], "text": "once" });
    let repeated = |user: &str, body: &serde_json::Value| {
        engine.agent(user, Method::POST, &path).header("Idempotency-Key", "k-1").json(body)
    };
    let first = answer(repeated("ana", &body)).await;
    assert_eq!(first.0, 202, "{}", first.1);
    let again = repeated("ana", &body).send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!((again.status().as_u16(), again.json().await.unwrap()), first);

    let other = answer(repeated("ana", &json!({ "epoch": interaction["epoch"], "text": "twice" }))).await;
    assert_eq!((other.0, &other.1["type"]), (422, &json!("urn:aldis:problem:idempotency-key-reused")));
    let others = answer(repeated("bo", &body)).await;
    assert_eq!(others.1["type"], "urn:aldis:problem:not-owner", "keys are each user's own");

    let key = "k-1";
    engine.crash().await;
    let after = answer(engine.agent("ana", Method::POST, &path).header("Idempotency-Key", key).json(&body)).await;
    assert_eq!(after, first, "kept over a restart");
    gateway.wait_for(1).await;
    assert_eq!(engine.sqlite("SELECT count(*) AS n FROM message WHERE direction = 'Outbound'")[0]["n"], 1);
}

#[tokio::test]
async fn many_at_once_with_one_key_have_one_effect() {
    let (engine, _gateway) = desk().await;
    let ask = || {
        let body = json!({ "number": MIA, "text": "hello" });
        answer(
            engine
                .agent("ana", Method::POST, "/v1/channels/support/interactions")
                .header("Idempotency-Key", "same")
                .json(&body),
        )
    };
    let answers = futures::future::join_all((0..20).map(|_| ask())).await;
    assert!(answers.iter().all(|answer| answer == &answers[0] && answer.0 == 201), "{answers:?}");
    assert_eq!(engine.sqlite("SELECT count(*) AS n FROM message")[0]["n"], 1);
}

#[tokio::test]
async fn a_message_that_comes_twice_is_stored_once() {
    let (mut engine, _gateway) = desk().await;
    assert_eq!(engine.inbound("SM-1", MIA, "hello").await.1["outcome"], "Queued");
    assert_eq!(engine.inbound("SM-1", MIA, "hello").await.1["outcome"], "Duplicate");
    engine.crash().await;
    assert_eq!(engine.inbound("SM-1", MIA, "hello").await.1["outcome"], "Duplicate");
    assert_eq!(engine.sqlite("SELECT count(*) AS n FROM message")[0]["n"], 1);
}

#[tokio::test]
async fn an_old_epoch_is_refused() {
    let (mut engine, _gateway) = desk().await;
    let stream = super::stream::open(&engine, "ana", None).await;
    engine.inbound("SM-1", MIA, "hello").await;
    let before = given(&engine, "ana").await;
    // Ana leaves the campaign and comes back: the interaction went to the queue and to her again, under a new epoch.
    let ana = engine.document["campaign"]["members"][0].clone();
    engine
        .configure(|document| {
            document["campaign"]["members"].as_array_mut().unwrap().remove(0);
        })
        .await;
    engine.configure(|document| document["campaign"]["members"].as_array_mut().unwrap().insert(0, ana)).await;
    drop(stream);
    let _stream = super::stream::open(&engine, "ana", None).await;
    let after = given(&engine, "ana").await;
    assert!(after["epoch"].as_u64() > before["epoch"].as_u64(), "{before} {after}");
    let (status, problem) = reply(&engine, "ana", &before, "too late").await;
    assert_eq!(
        (status, &problem["type"], &problem["field"]),
        (409, &json!("urn:aldis:problem:stale-epoch"), &json!("/epoch"))
    );
    assert_eq!(reply(&engine, "ana", &after, "in time").await.0, 202);
}

#[tokio::test]
async fn a_refusal_that_passes_is_not_given_again() {
    let (mut engine, gateway) = desk().await;
    let _stream = super::stream::open(&engine, "ana", None).await;
    engine.inbound("SM-1", MIA, "hello").await;
    let interaction = given(&engine, "ana").await;
    engine.configure(|document| document["enabled"] = json!(false)).await;
    let path = format!("/v1/channels/support/interactions/{}/reply", interaction["id"]);
    let body = json!({ "epoch": interaction["epoch"], "text": "once" });
    let refused = answer(engine.agent("ana", Method::POST, &path).header("Idempotency-Key", "k-1").json(&body)).await;
    assert_eq!((refused.0, &refused.1["type"]), (409, &json!("urn:aldis:problem:disabled")));
    engine.configure(|document| document["enabled"] = json!(true)).await;
    let ask = || answer(engine.agent("ana", Method::POST, &path).header("Idempotency-Key", "k-1").json(&body));
    let taken = ask().await;
    assert_eq!(taken.0, 202, "{}", taken.1);
    assert_eq!(ask().await, taken, "what was done is");
    gateway.wait_for(1).await;
    assert_eq!(gateway.attempts().len(), 1);
}
