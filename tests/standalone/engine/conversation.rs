//! A customer writes, an agent answers, the receipt comes back.

use aldis::wire::ports;
use reqwest::Method;
use serde_json::json;

use super::{MIA, desk, given, reply};
use crate::support::{
    engine::{GATEWAY, NUMBER, answer, internal},
    process::eventually,
};

#[tokio::test]
async fn a_text_is_queued_given_to_an_agent_answered_and_delivered() {
    let (engine, gateway) = desk().await;
    assert_eq!(engine.inbound("SM-in-1", MIA, "Where is my parcel?").await, (200, json!({ "outcome": "Queued" })));
    assert_eq!(engine.status().await["queue"]["waiting"], 1, "nobody is online");

    let _stream = super::stream::open(&engine, "ana", None).await;
    let interaction = given(&engine, "ana").await;
    assert_eq!(interaction["messages"][0]["text"], "Where is my parcel?");
    assert_eq!(engine.inbound("SM-in-2", MIA, "Hello?").await, (200, json!({ "outcome": "Joined" })));

    let (status, answered) = reply(&engine, "ana", &interaction, "It comes today.").await;
    assert_eq!(status, 202, "{answered}");
    let attempt = gateway.wait_for(1).await.remove(0);
    assert_eq!(
        (&attempt["from"], &attempt["to"], &attempt["text"]),
        (&json!(NUMBER), &json!(MIA), &json!("It comes today."))
    );
    assert_eq!(
        (&attempt["messageId"], &attempt["attempt"], &attempt["segments"]),
        (&answered["message"], &json!(1), &json!(1))
    );

    let receipt = json!({
        "providerMessageId": "SM-unknown", "from": NUMBER, "token": attempt["receiptToken"], "state": "Delivered",
        "receivedAt": jiff::Timestamp::now(),
    });
    let sent = answer(engine.as_role(GATEWAY, Method::POST, &internal(ports::RECEIPTS_PATH)).json(&receipt)).await;
    assert_eq!(sent.0, 200, "{}", sent.1);
    let path = format!("/v1/channels/support/customers/{MIA}/messages");
    let newest = eventually("the reply is delivered", || async {
        let newest = engine.get("ana", &path).await["items"][0].clone();
        if newest["status"] == "Delivered" { Ok(newest) } else { Err(newest) }
    })
    .await;
    assert_eq!(
        (&newest["text"], &newest["user"], &newest["purpose"]),
        (&json!("It comes today."), &json!("ana"), &json!("Reply"))
    );

    let level = engine.status().await["serviceLevel"].clone();
    assert_eq!(
        (&level["answered"], &level["answeredInTarget"], &level["percent"]),
        (&json!(1), &json!(1), &json!(100))
    );
    let finish = format!("/v1/channels/support/interactions/{}/finish", interaction["id"]);
    assert_eq!(engine.post("ana", &finish, json!({ "epoch": interaction["epoch"] })).await.0, 200);
    let closed = engine.get("ana", &format!("/v1/channels/support/interactions/{}", interaction["id"])).await;
    assert_eq!((&closed["state"], &closed["closeReason"]), (&json!("Closed"), &json!("Finished")));
    assert_eq!(engine.status().await["queue"]["active"], 0);
}

#[tokio::test]
async fn an_agent_starts_a_conversation_and_leaves_a_note() {
    let (engine, gateway) = desk().await;
    let (status, started) = engine
        .post("ana", "/v1/channels/support/interactions", json!({ "number": MIA, "text": "Your parcel is here." }))
        .await;
    assert_eq!(status, 201, "{started}");
    assert_eq!(gateway.wait_for(1).await[0]["to"], MIA);
    let path = format!("/v1/channels/support/interactions/{}", started["interaction"]);
    assert_eq!(engine.post("bo", &format!("{path}/note"), json!({ "text": "She called." })).await.0, 201);
    let conversation = engine.get("bo", &path).await;
    assert_eq!((&conversation["owner"], &conversation["startedBy"]), (&json!("ana"), &json!("ana")));
    assert_eq!(
        (&conversation["notes"][0]["user"], &conversation["notes"][0]["text"]),
        (&json!("bo"), &json!("She called."))
    );
    assert_eq!(engine.inbound("SM-in-1", MIA, "I come at noon.").await.1["outcome"], "Joined");
}

#[tokio::test]
async fn an_opt_out_is_confirmed_once_and_absolute() {
    let (engine, gateway) = desk().await;
    let _stream = super::stream::open(&engine, "ana", None).await;
    engine.inbound("SM-in-1", MIA, "Hello").await;
    let interaction = given(&engine, "ana").await;
    assert_eq!(engine.inbound("SM-in-2", MIA, "Stop.").await.1["outcome"], "OptedOut");
    assert_eq!(engine.inbound("SM-in-3", MIA, "STOP").await.1["outcome"], "OptedOut");
    assert_eq!(gateway.wait_for(1).await[0]["text"], "You will get no more messages.");
    let (status, problem) = reply(&engine, "ana", &interaction, "But why?").await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:aldis:problem:opted-out")));
    assert_eq!(engine.inbound("SM-in-4", MIA, "start").await.1["outcome"], "OptedIn");
    let texts: Vec<_> = gateway.wait_for(2).await.iter().map(|attempt| attempt["text"].clone()).collect();
    assert_eq!(texts, ["You will get no more messages.", "You will get messages again."]);
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let (engine, _gateway) = desk().await;
    for number in 0..5 {
        engine.inbound(&format!("SM-{number}"), MIA, &format!("text {number}")).await;
    }
    let path = format!("/v1/channels/support/customers/{MIA}/messages?limit=2");
    let mut texts = Vec::new();
    let mut page = engine.get("ana", &path).await;
    loop {
        texts.extend(
            page["items"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        page = engine.get("ana", &format!("{path}&cursor={cursor}")).await;
    }
    assert_eq!(texts, ["text 4", "text 3", "text 2", "text 1", "text 0"]);
}
