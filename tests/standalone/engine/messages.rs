//! A client that hears ids on the stream gets exactly what is new.

use reqwest::Method;
use serde_json::{Value, json};

use super::{MIA, TOM, desk, given, reply};
use crate::support::{
    engine::{Engine, answer},
    process::eventually,
};

fn texts(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

async fn problem(engine: &Engine, path: &str) -> (u16, Value) {
    let (status, problem) = answer(engine.agent("ana", Method::GET, path)).await;
    (status, problem["type"].clone())
}

#[tokio::test]
async fn one_message_is_read_by_its_id_with_how_far_it_came() {
    let (engine, _gateway) = desk().await;
    let _stream = super::stream::open(&engine, "ana", None).await;
    engine.inbound("SM-1", MIA, "hello").await;
    let interaction = given(&engine, "ana").await;
    let (status, replied) = reply(&engine, "ana", &interaction, "Hi!").await;
    assert_eq!(status, 202, "{replied}");
    let path = |id: &Value| format!("/v1/channels/support/messages/{id}");
    let sent = eventually("the reply is accepted", || async {
        let sent = engine.get("bo", &path(&replied["message"])).await;
        if sent["status"] == "Accepted" { Ok(sent) } else { Err(sent) }
    })
    .await;
    assert_eq!(
        (&sent["id"], &sent["interaction"], &sent["direction"], &sent["user"], &sent["text"]),
        (&replied["message"], &interaction["id"], &json!("Outbound"), &json!("ana"), &json!("Hi!"))
    );
    let received = engine.get("ana", &path(&interaction["messages"][0]["id"])).await;
    assert_eq!(received, interaction["messages"][0], "as the conversation shows it");

    let not_found = (404, json!("urn:aldis:problem:not-found"));
    for nothing in ["1", "0", "x", "18446744073709551615"] {
        assert_eq!(problem(&engine, &path(&json!(nothing)).replace('"', "")).await, not_found, "{nothing}");
    }
    for id in [&replied["message"], &json!(1)] {
        let (status, _) = answer(engine.agent("eve", Method::GET, &path(id))).await;
        assert_eq!(status, 403, "who is no member learns nothing about {id}");
    }
}

#[tokio::test]
async fn what_came_after_a_known_message_is_read_in_order() {
    let (engine, _gateway) = desk().await;
    for number in 0..5 {
        engine.inbound(&format!("SM-{number}"), MIA, &format!("text {number}")).await;
        engine.inbound(&format!("SM-tom-{number}"), TOM, "from somebody else").await;
    }
    let path = format!("/v1/channels/support/customers/{MIA}/messages");
    let all = engine.get("ana", &path).await;
    let id = |place: usize| all["items"][place]["id"].as_u64().unwrap();
    let oldest = id(4);
    let first = engine.get("ana", &format!("{path}?after={oldest}&limit=3")).await;
    assert_eq!(texts(&first), ["text 1", "text 2", "text 3"]);
    assert_eq!(first["nextCursor"], Value::Null);
    let last = first["items"][2]["id"].as_u64().unwrap();
    let second = engine.get("ana", &format!("{path}?after={last}&limit=3")).await;
    assert_eq!(texts(&second), ["text 4"]);
    for (after, expected) in [(0, 5), (oldest + 1, 4), (id(0), 0), (u64::MAX, 0), (i64::MAX as u64, 0)] {
        let newer = engine.get("ana", &format!("{path}?after={after}")).await;
        assert_eq!(texts(&newer).len(), expected, "after {after}: {newer}");
    }

    let cursor = engine.get("ana", &format!("{path}?limit=2")).await["nextCursor"].as_str().unwrap().to_owned();
    let refused = (400, json!("urn:aldis:problem:bad-request"));
    assert_eq!(problem(&engine, &format!("{path}?after={oldest}&cursor={cursor}")).await, refused);
    let unreadable = (422, json!("urn:aldis:problem:invalid-field"));
    assert_eq!(problem(&engine, &format!("{path}?after=x")).await, unreadable);
    // The cursor of an id that no store can have.
    assert_eq!(problem(&engine, &format!("{path}?cursor=OTIyMzM3MjAzNjg1NDc3NTgwOA")).await, unreadable);
    let unknown = "/v1/channels/support/customers/+15559879999/messages?after=0";
    assert_eq!(problem(&engine, unknown).await.0, 404);
}
