//! A browser's `EventSource` opens a stream with a ticket instead of a token.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::{MIA, desk, stream};
use crate::support::{
    engine::{DESK, Engine, answer},
    gateway_fake::FakeGateway,
};

const STREAM: &str = "/v1/channels/support/stream";

async fn ticket(engine: &Engine, user: &str) -> String {
    let (status, issued) = answer(engine.agent(user, Method::POST, &format!("{STREAM}-ticket"))).await;
    assert_eq!((status, &issued["expiresInSeconds"]), (201, &json!(30)), "{issued}");
    issued["ticket"].as_str().unwrap().to_owned()
}

/// What an `EventSource` sends: an address and nothing else.
async fn event_source(engine: &Engine, query: &str) -> reqwest::Response {
    let url = format!("http://{}:{}{STREAM}?{query}", engine.address, aldis::wire::ports::PUBLIC);
    Client::new().get(url).send().await.unwrap()
}

async fn refused(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let problem: Value = response.json().await.unwrap();
    (status, problem["type"].clone())
}

#[tokio::test]
async fn a_ticket_opens_one_stream_of_its_agent_and_is_never_logged() {
    let (mut engine, _gateway) = desk().await;
    let void = (401, json!("urn:aldis:problem:ticket-not-accepted"));
    let first = ticket(&engine, "bo").await;
    let mut opened = stream::watch(event_source(&engine, &format!("ticket={first}")).await);
    assert_eq!(opened.next().await.unwrap().name, "Opened");
    engine.inbound("SM-1", MIA, "one").await;
    let last = opened.until("InteractionQueued").await.last().unwrap().id;
    assert_eq!(engine.status().await["agents"]["online"], 1, "it is bo's stream");
    assert_eq!(refused(event_source(&engine, &format!("ticket={first}")).await).await, void, "once");
    drop(opened);

    engine.inbound("SM-2", MIA, "two").await;
    let second = ticket(&engine, "bo").await;
    let again = event_source(&engine, &format!("ticket={second}&lastEventId={last}")).await;
    let mut again = stream::watch(again);
    assert_eq!(again.next().await.unwrap().id, last, "it goes on where the first one ended");
    let missed = again.until("InboundRecorded").await;
    assert!(missed.iter().all(|event| event.id > last), "nothing comes twice: {missed:?}");

    let third = ticket(&engine, "bo").await;
    let both = engine.agent("bo", Method::GET, &format!("{STREAM}?ticket={third}"));
    assert_eq!(answer(both).await.0, 400);
    for bad in ["ticket=", "ticket=x", "ticket=%FF", &format!("ticket={}", engine.issuer.token("bo", DESK))] {
        assert_eq!(refused(event_source(&engine, bad).await).await.0, 401, "{bad}");
    }
    let elsewhere = format!("http://{}:{}/v1/me?ticket={third}", engine.address, aldis::wire::ports::PUBLIC);
    assert_eq!(Client::new().get(elsewhere).send().await.unwrap().status().as_u16(), 401, "for a stream only");
    assert_eq!(refused(event_source(&engine, &format!("ticket={third}&lastEventId=x")).await).await.0, 422);
    let opened = stream::watch(event_source(&engine, &format!("ticket={third}")).await);
    drop(opened);
    assert_eq!(refused(event_source(&engine, &format!("ticket={third}")).await).await, void, "it was good until then");
    assert_eq!(answer(engine.agent("eve", Method::POST, &format!("{STREAM}-ticket"))).await.0, 403);

    let fourth = ticket(&engine, "bo").await;
    engine.crash().await;
    assert_eq!(refused(event_source(&engine, &format!("ticket={fourth}")).await).await, void, "of an earlier start");
    let log = engine.role.log();
    for ticket in [first, second, third, fourth] {
        assert!(!log.contains(&ticket), "a ticket is in the log:\n{log}");
    }
}

#[tokio::test]
async fn a_ticket_opens_nothing_for_who_is_no_member_any_more() {
    let gateway = FakeGateway::start().await;
    let mut engine = Engine::start(&gateway.url, |_| {}).await;
    let (open, unused) = (ticket(&engine, "bo").await, ticket(&engine, "bo").await);
    let mut opened = stream::watch(event_source(&engine, &format!("ticket={open}")).await);
    engine.configure(|document| drop(document["campaign"]["members"].as_array_mut().unwrap().remove(1))).await;
    while opened.next().await.is_some() {}
    assert_eq!(refused(event_source(&engine, &format!("ticket={unused}")).await).await.0, 403);
}

/// The ticket does not outlive the token, and neither does the stream that it opens.
#[tokio::test]
async fn a_stream_of_a_ticket_ends_with_the_token_that_the_ticket_was_got_with() {
    let (engine, _gateway) = desk().await;
    let now = jiff::Timestamp::now().as_second();
    let claims =
        json!({ "iss": engine.issuer.url, "sub": "bo", "aud": [DESK], "iat": now, "nbf": now - 60, "exp": now + 4 });
    let token = engine.issuer.sign(&claims);
    let url = format!("http://{}:{}{STREAM}-ticket", engine.address, aldis::wire::ports::PUBLIC);
    let (status, issued) = answer(Client::new().post(url).bearer_auth(&token)).await;
    assert_eq!(status, 201, "{issued}");
    let ticket = issued["ticket"].as_str().unwrap();
    let mut opened = stream::watch(event_source(&engine, &format!("ticket={ticket}")).await);
    while opened.next().await.is_some() {}
}
