//! An agent has some streams at once, and not all that the port has: a further one ends the oldest of that agent's, and nothing else.

use reqwest::Method;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use aldis::wire::ports;

use super::{MIA, desk, stream::open};
use crate::support::{
    engine::{DESK, Engine},
    hostile::allow_files,
    process::eventually,
};

/// Streams that an agent may have.
const MOST: usize = 8;
/// More than the port may have connections.
const MANY: usize = 5000;

/// How often an agent came and went.
fn comings_and_goings(engine: &Engine, user: &str) -> [usize; 2] {
    ["AgentOnline", "AgentOffline"].map(|event| {
        let query = format!(
            "SELECT 1 AS found FROM event, json_each(body)
             WHERE value ->> 'type' = '{event}' AND value ->> 'user' = '{user}'"
        );
        engine.sqlite(&query).len()
    })
}

#[tokio::test]
async fn a_further_stream_ends_the_oldest_of_the_same_agent_and_says_why() {
    let (engine, _gateway) = desk().await;
    let mut others = open(&engine, "bo", None).await;
    others.next().await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..MOST + 2 {
        let mut stream = open(&engine, "ana", None).await;
        assert_eq!(stream.next().await.unwrap().name, "Opened");
        streams.push(stream);
    }
    for ended in streams.drain(..2) {
        let last = ended.read_all().await;
        assert!(last.ends_with("event: Ended\ndata: {\"reason\":\"TooManyStreams\",\"most\":8}\n\n"), "{last}");
    }
    engine.inbound("SM-1", MIA, "hello").await;
    for stream in streams.iter_mut().chain([&mut others]) {
        stream.until("InteractionQueued").await;
    }
    let metrics = engine.metrics().await;
    assert!(metrics.contains("aldis_engine_streams_displaced_total{channel=\"support\"} 2\n"), "{metrics}");

    drop(streams);
    eventually("ana is offline", || async { if comings_and_goings(&engine, "ana")[1] > 0 { Ok(()) } else { Err(()) } })
        .await;
    assert_eq!(comings_and_goings(&engine, "ana"), [1, 1], "online all the while, with whichever streams");
}

#[tokio::test]
async fn one_member_cannot_keep_the_others_out_with_streams() {
    allow_files(10_000);
    let (engine, _gateway) = desk().await;
    let token = engine.issuer.token("ana", DESK);
    let request =
        format!("GET /v1/channels/support/stream HTTP/1.1\r\nhost: desk\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut held = Vec::new();
    for n in 0..MANY {
        let stream = TcpStream::connect((engine.address, ports::PUBLIC));
        let connected = tokio::time::timeout(crate::support::process::PATIENCE, stream).await;
        let mut stream = connected.unwrap_or_else(|_| panic!("the port takes stream {n}")).unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let mut bo = open(&engine, "bo", None).await;
    assert_eq!(bo.next().await.unwrap().name, "Opened");
    assert_eq!(comings_and_goings(&engine, "ana"), [1, 0], "not only after a silence of the other's");
    let answer = engine.agent("bo", Method::POST, "/v1/channels/support/me/beat").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 204);
}
