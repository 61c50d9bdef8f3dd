//! Limits of open files: the soft one of a shell or a container runtime is no limit for a role, and at the hard one clients are
//! served all the same.

use aldis::wire::ports;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{engine::Engine, gateway_fake::FakeGateway, process::ready};

/// Connections at once: more than the 256 files that are allowed at first.
const CONNECTIONS: usize = 400;

async fn engine(limit: &str) -> (Engine, FakeGateway) {
    let gateway = FakeGateway::start().await;
    let mut engine = Engine::start(&gateway.url, |_| {}).await;
    engine.role.kill();
    engine.role.start_again_with_open_files(limit);
    ready(engine.address).await;
    (engine, gateway)
}

/// Asks for something on an open connection, which stays open; whether there was an answer.
async fn is_answered(stream: &mut TcpStream) -> bool {
    if stream.write_all(b"GET /v1/me HTTP/1.1\r\nhost: desk\r\n\r\n").await.is_err() {
        return false;
    }
    // Nobody in particular asks: 401, with a document of known length.
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        match stream.read_buf(&mut answer).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
    }
    answer.starts_with(b"HTTP/1.1 401 ")
}

#[tokio::test]
async fn connections_beyond_the_soft_limit_of_open_files_are_served_together() {
    let (engine, _gateway) = engine("-Sn 256").await;
    let mut open = Vec::new();
    for n in 0..CONNECTIONS {
        let mut stream = TcpStream::connect((engine.address, ports::PUBLIC)).await.unwrap();
        assert!(is_answered(&mut stream).await, "connection {n} is served");
        open.push(stream);
    }
    for (n, stream) in open.iter_mut().enumerate() {
        assert!(is_answered(stream).await, "connection {n} is still served");
    }
}

#[tokio::test]
async fn at_the_hard_limit_of_open_files_clients_are_served_in_turn_and_the_log_says_why() {
    let (engine, _gateway) = engine("-n 256").await;
    let mut open = Vec::new();
    for n in 0..CONNECTIONS {
        let mut stream = TcpStream::connect((engine.address, ports::PUBLIC)).await.unwrap();
        assert!(is_answered(&mut stream).await, "connection {n} is served");
        open.push(stream);
    }
    let log = engine.role.log();
    let warned = log.lines().find(|line| line.contains("fewer files may be open")).expect("it says so at its start");
    assert!(warned.contains(r#""soft_before":256,"hard":256"#), "{warned}");
    // Most of what came last had to wait for one that went: that is said now and then, and not for each of them.
    let refusals = log.lines().filter(|line| line.contains("no connection can be accepted")).count();
    assert!((1..10).contains(&refusals), "{refusals}");
}
