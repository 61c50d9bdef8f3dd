//! An agent whose machine is gone is offline soon, whatever stands between and keeps the connection open.

use reqwest::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::desk;
use crate::support::{
    engine::{DESK, Engine},
    process::eventually,
};
use aldis::wire::ports;

/// A stream as a proxy keeps it open for an agent who is gone: everything is read and acknowledged, nothing is answered.
async fn swallowed(engine: &Engine, user: &str) -> TcpStream {
    let mut connection = TcpStream::connect((engine.address, ports::PUBLIC)).await.unwrap();
    let token = engine.issuer.token(user, DESK);
    let request =
        format!("GET /v1/channels/support/stream HTTP/1.1\r\nhost: desk\r\nauthorization: Bearer {token}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    connection
}

async fn is_online(engine: &Engine, user: &str) -> bool {
    let rows = engine.sqlite(&format!(
        "SELECT value ->> 'type' AS type FROM event, json_each(body)
         WHERE value ->> 'type' IN ('AgentOnline', 'AgentOffline') AND value ->> 'user' = '{user}'
         ORDER BY last DESC, key DESC LIMIT 1"
    ));
    rows.first().is_some_and(|row| row["type"] == "AgentOnline")
}

async fn until_online(engine: &Engine, user: &str, online: bool) {
    eventually(&format!("{user} is online: {online}"), || async {
        if is_online(engine, user).await == online { Ok(()) } else { Err(()) }
    })
    .await;
}

#[tokio::test]
async fn an_agent_who_gives_no_sign_of_life_is_offline_and_one_who_answers_stays() {
    let (engine, _gateway) = desk().await;
    let mut read_and_forgotten = swallowed(&engine, "ana").await;
    until_online(&engine, "ana", true).await;
    let mut bo = super::stream::open(&engine, "bo", None).await;
    until_online(&engine, "bo", true).await;
    let swallowing = tokio::spawn(async move {
        let mut all = Vec::new();
        // Ends only because the engine ends it.
        read_and_forgotten.read_to_end(&mut all).await.map(|_| String::from_utf8_lossy(&all).into_owned())
    });
    let answering = async {
        loop {
            bo.beat().await.expect("the stream of an agent who answers goes on");
            let answer = engine.agent("bo", Method::POST, "/v1/channels/support/me/beat").send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 204);
        }
    };
    tokio::select! {
        () = answering => unreachable!("it goes on"),
        () = until_online(&engine, "ana", false) => {}
    }
    assert!(is_online(&engine, "bo").await);
    let seen = swallowing.await.unwrap().unwrap();
    assert!(seen.contains("event: Beat\ndata: {\"withinSeconds\":25}"), "{seen}");
}

#[tokio::test]
async fn an_agent_whose_client_stops_reading_is_offline_too() {
    let (engine, _gateway) = desk().await;
    let _unread = swallowed(&engine, "ana").await;
    until_online(&engine, "ana", true).await;
    until_online(&engine, "ana", false).await;
}
