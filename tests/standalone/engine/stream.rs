//! The stream: numbered events, resumed where a client stopped; being connected is being online.

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use super::{MIA, TOM, desk, given};
use crate::support::{
    engine::Engine,
    gateway_fake::FakeGateway,
    process::{PATIENCE, eventually},
};

/// A server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) data: Value,
}

/// An open stream.
pub(super) struct Watched {
    chunks: futures::stream::BoxStream<'static, reqwest::Result<axum::body::Bytes>>,
    buffer: String,
}

/// Opens a stream.
pub(super) async fn open(engine: &Engine, user: &str, last: Option<u64>) -> Watched {
    let mut request = engine.agent(user, Method::GET, "/v1/channels/support/stream");
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Watched { chunks: chunks(response), buffer: String::new() }
}

/// What comes on a stream that was opened by hand.
pub(super) fn watch(response: reqwest::Response) -> Watched {
    assert_eq!(response.status().as_u16(), 200);
    Watched { chunks: chunks(response), buffer: String::new() }
}

fn chunks(response: reqwest::Response) -> futures::stream::BoxStream<'static, reqwest::Result<axum::body::Bytes>> {
    futures::stream::unfold(response, |mut response| async {
        let chunk = response.chunk().await.transpose()?;
        Some((chunk, response))
    })
    .boxed()
}

impl Watched {
    /// The next event; none when the stream ended.
    pub(super) async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.buffer = rest;
                match parse(&event) {
                    Some(sent) => return Some(sent),
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.chunks.next()).await.expect("the stream says something")?;
            self.buffer += std::str::from_utf8(&chunk.ok()?).unwrap();
        }
    }

    /// Everything up to the end, as it came.
    pub(super) async fn read_all(mut self) -> String {
        while let Some(Ok(chunk)) = tokio::time::timeout(PATIENCE, self.chunks.next()).await.expect("the stream ends") {
            self.buffer += std::str::from_utf8(&chunk).unwrap();
        }
        self.buffer
    }

    /// Waits for the next call for a sign of life; none when the stream ended.
    pub(super) async fn beat(&mut self) -> Option<()> {
        while !self.buffer.contains("event: Beat\n") {
            self.buffer += std::str::from_utf8(&self.chunks.next().await?.ok()?).unwrap();
        }
        self.buffer.clear();
        Some(())
    }

    /// Everything up to the first event with this name.
    pub(super) async fn until(&mut self, name: &str) -> Vec<Sent> {
        let mut seen = Vec::new();
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before {name}: {seen:?}"));
            let found = event.name == name;
            seen.push(event);
            if found {
                return seen;
            }
        }
    }
}

fn parse(event: &str) -> Option<Sent> {
    let field =
        |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim_start().to_owned());
    let data = field("data:")?;
    Some(Sent {
        id: field("id:")?.parse().unwrap(),
        name: field("event:")?,
        data: serde_json::from_str(&data).unwrap(),
    })
}

#[tokio::test]
async fn a_client_that_comes_back_misses_nothing_even_after_a_restart() {
    let (mut engine, _gateway) = desk().await;
    let mut first = open(&engine, "bo", None).await;
    let opened = first.next().await.unwrap();
    assert_eq!((opened.name.as_str(), &opened.data["after"]), ("Opened", &json!(opened.id)));
    engine.inbound("SM-1", MIA, "one").await;
    let seen = first.until("InteractionQueued").await;
    let last = seen.last().unwrap().id;
    assert!(seen.windows(2).all(|pair| pair[0].id < pair[1].id), "{seen:?}");
    drop(first);

    engine.inbound("SM-2", TOM, "two").await;
    let mut second = open(&engine, "bo", Some(last)).await;
    second.next().await.unwrap();
    let resumed = second.until("InteractionQueued").await;
    assert!(resumed.iter().all(|event| event.id > last), "{resumed:?}");
    assert_eq!(resumed.iter().filter(|event| event.name == "InboundRecorded").count(), 1);

    engine.crash().await;
    let mut third = open(&engine, "bo", Some(last)).await;
    third.next().await.unwrap();
    let replayed = third.until("InteractionQueued").await;
    assert_eq!(replayed, resumed, "the stored events are the same");
}

#[tokio::test]
async fn a_number_that_was_never_given_out_resets_the_client() {
    let (engine, _gateway) = desk().await;
    let reset = open(&engine, "bo", Some(1_000_000)).await.next().await.unwrap();
    assert_eq!(reset.name, "Reset");
    let bad = engine
        .agent("bo", Method::GET, "/v1/channels/support/stream")
        .header("Last-Event-ID", "last")
        .send()
        .await
        .unwrap();
    assert_eq!(bad.status().as_u16(), 400);
}

#[tokio::test]
async fn an_agent_is_online_while_one_stream_is_open() {
    let (engine, _gateway) = desk().await;
    let online = async |expected: u64| {
        eventually("so many agents are online", || async {
            let online = engine.status().await["agents"]["online"].clone();
            if online == expected { Ok(()) } else { Err(online) }
        })
        .await;
    };
    let first = open(&engine, "ana", None).await;
    let second = open(&engine, "ana", None).await;
    online(1).await;
    drop(first);
    engine.inbound("SM-1", MIA, "hello").await;
    given(&engine, "ana").await;
    drop(second);
    online(0).await;
}

#[tokio::test]
async fn a_stream_ends_with_the_membership_and_with_the_engine() {
    let gateway = FakeGateway::start().await;
    let mut engine = Engine::start(&gateway.url, |_| {}).await;
    let mut ana = open(&engine, "ana", None).await;
    let mut bo = open(&engine, "bo", None).await;
    engine
        .configure(|document| {
            document["campaign"]["members"].as_array_mut().unwrap().remove(0);
        })
        .await;
    while ana.next().await.is_some() {}
    assert_eq!(
        engine.agent("ana", Method::GET, "/v1/channels/support/stream").send().await.unwrap().status().as_u16(),
        403
    );
    assert!(engine.role.terminate(), "an open stream does not hold up the end");
    while bo.next().await.is_some() {}
}
