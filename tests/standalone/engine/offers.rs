//! Agents are asked whether they take an interaction.

use serde_json::{Value, json};

use super::{
    MIA, TOM,
    stream::{self, Watched},
};
use crate::support::{engine::Engine, gateway_fake::FakeGateway, process::eventually};

/// An engine that asks, with ana and bo present, their streams open, and one who waits; the id of the interaction.
async fn asking(strategy: &str, seconds: u32) -> (Engine, FakeGateway, [Watched; 2], u64) {
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |document| {
        document["strategy"] = json!(strategy);
        document["offerTimeoutSeconds"] = json!(seconds);
    })
    .await;
    for user in ["ana", "bo"] {
        engine.presence(user, true).await;
    }
    let streams = [stream::open(&engine, "ana", None).await, stream::open(&engine, "bo", None).await];
    let id = write(&engine, "SM-1", MIA).await;
    (engine, gateway, streams, id)
}

/// A customer writes; the id of the interaction that waits for an agent.
async fn write(engine: &Engine, id: &str, from: &str) -> u64 {
    assert_eq!(engine.inbound(id, from, "hello").await, (200, json!({ "outcome": "Queued" })));
    let page = engine.get("ana", "/v1/channels/support/interactions?order=newest").await;
    page["items"][0]["id"].as_u64().unwrap()
}

async fn offer(engine: &Engine, interaction: u64) -> Value {
    engine.get("ana", &format!("/v1/channels/support/interactions/{interaction}")).await["offer"].clone()
}

async fn say(engine: &Engine, user: &str, interaction: u64, answer: &str, offer: &Value) -> (u16, Value) {
    let path = format!("/v1/channels/support/interactions/{interaction}/{answer}");
    engine.post(user, &path, json!({ "offer": offer["id"] })).await
}

async fn counted(engine: &Engine, outcome: &str) -> u64 {
    let metrics = engine.metrics().await;
    let start = format!("aldis_engine_offers_total{{channel=\"support\",outcome=\"{outcome}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
    line.map_or(0, |count| count.parse().unwrap())
}

/// The next event with this name.
async fn heard(stream: &mut Watched, name: &str) -> Value {
    stream.until(name).await.pop().unwrap().data
}

#[tokio::test]
async fn of_two_who_accept_at_once_one_has_it_and_the_other_is_told() {
    let (engine, _gateway, _streams, first) = asking("RingAll", 300).await;
    let mut interaction = first;
    for round in 0..20 {
        let asked = offer(&engine, interaction).await;
        assert_eq!(asked["to"], json!(["ana", "bo"]), "{asked}");
        let (ana, bo) = tokio::join!(
            say(&engine, "ana", interaction, "accept", &asked),
            say(&engine, "bo", interaction, "accept", &asked)
        );
        let (winner, (status, lost)) = if ana.0 == 200 { ("ana", bo) } else { ("bo", ana.clone()) };
        assert_eq!((status, &lost["type"]), (409, &json!("urn:aldis:problem:offer-over")), "{lost}");
        let had = engine.get("ana", &format!("/v1/channels/support/interactions/{interaction}")).await;
        assert_eq!((&had["owner"], &had["state"], &had["offer"]), (&json!(winner), &json!("Active"), &Value::Null));
        let finish = format!("/v1/channels/support/interactions/{interaction}/finish");
        assert_eq!(engine.post(winner, &finish, json!({ "epoch": had["epoch"] })).await.0, 200);
        interaction = write(&engine, &format!("SM-round-{round}"), MIA).await;
    }
    assert_eq!(counted(&engine, "Accepted").await, 20);
}

#[tokio::test]
async fn who_declines_makes_room_for_the_next_and_everybody_sees_it() {
    let (engine, _gateway, mut streams, interaction) = asking("Linear", 300).await;
    let asked = offer(&engine, interaction).await;
    assert_eq!((&asked["id"], &asked["to"], &asked["timeoutSeconds"]), (&json!(1), &json!(["ana"]), &json!(300)));
    let me = engine.get("ana", "/v1/me").await["channels"][0].clone();
    let mine = me["offers"][0].clone();
    assert_eq!(
        (&mine["interaction"], &mine["offer"], &me["interactions"]),
        (&json!(interaction), &json!(1), &json!([]))
    );
    assert!((200..=300).contains(&mine["secondsLeft"].as_u64().unwrap()), "{me}");
    assert_eq!(engine.status().await["queue"]["waiting"], 1, "the customer waits still");

    assert_eq!(say(&engine, "bo", interaction, "decline", &asked).await.0, 409, "bo was not asked");
    assert_eq!(say(&engine, "ana", interaction, "decline", &asked).await, (200, json!({})));
    let next = offer(&engine, interaction).await;
    assert_eq!((&next["id"], &next["to"]), (&json!(2), &json!(["bo"])));
    let (status, late) = say(&engine, "ana", interaction, "accept", &asked).await;
    assert_eq!((status, &late["field"]), (409, &json!("/offer")), "{late}");
    assert_eq!(say(&engine, "bo", interaction, "accept", &next).await, (200, json!({ "epoch": 1 })));
    for stream in &mut streams {
        let offered = heard(stream, "InteractionOffered").await;
        assert_eq!((&offered["offer"], &offered["users"]), (&json!(1), &json!(["ana"])));
        assert_eq!(heard(stream, "OfferDeclined").await["user"], "ana");
        assert_eq!(heard(stream, "InteractionAssigned").await["user"], "bo");
    }
    assert_eq!((counted(&engine, "Declined").await, counted(&engine, "Accepted").await), (1, 1));
}

#[tokio::test]
async fn an_offer_and_its_answer_outlive_a_kill() {
    let (mut engine, _gateway, streams, interaction) = asking("Linear", 300).await;
    let asked = offer(&engine, interaction).await;
    engine.crash().await;
    drop(streams);
    assert_eq!(offer(&engine, interaction).await, asked);
    let accepted = say(&engine, "ana", interaction, "accept", &asked).await;
    assert_eq!(accepted, (200, json!({ "epoch": 1 })));
    engine.crash().await;
    assert_eq!(say(&engine, "ana", interaction, "accept", &asked).await, accepted, "repeated after the kill");
    assert_eq!(say(&engine, "bo", interaction, "accept", &asked).await.0, 409);
}

#[tokio::test]
async fn what_nobody_answers_goes_to_the_next() {
    let (engine, _gateway, _streams, interaction) = asking("Linear", 1).await;
    let second = write(&engine, "SM-2", TOM).await;
    eventually("both went on to bo and back", || async {
        let offers = [offer(&engine, interaction).await, offer(&engine, second).await];
        let rounds = offers.iter().all(|offer| offer["id"].as_u64().is_some_and(|id| id >= 3));
        if rounds { Ok(()) } else { Err(offers) }
    })
    .await;
    assert!(counted(&engine, "TimedOut").await >= 4);
}
