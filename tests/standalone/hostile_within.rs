//! Hostile clients inside the cluster, on the ports of the internal APIs, for agents, and for health and metrics: who writes
//! and who answers notices nothing of them, and both processes stay within the memory that their containers may use.

use std::net::SocketAddr;

use aldis::wire::ports;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    kills::world::{CUSTOMERS, World},
    support::{
        engine::{DESK, ENGINE, Engine, ROLES, internal},
        gateway::{AUDIENCE, Gateway},
        hostile::{MEMORY_LIMIT_KIB, Target, allow_files, besiege, memory, open_files},
        judge::Judge,
        process::{eventually, until_none_is_left},
    },
};

/// Clients at each port.
const CLIENTS: usize = 2000;
/// Replies that must get through meanwhile.
const REPLIES: usize = 100;

const REPLY_PATH: &str = "/v1/channels/support/interactions/1/reply";

/// Every port but that for the world, with a token for those whose bodies are read there.
fn targets(engine: &Engine, gateway: &Gateway) -> Vec<Target> {
    let target = |address: String, path: &str, token: Option<String>| {
        let headers = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
        Target::new(&address, path, &headers)
    };
    let at_engine = |port| SocketAddr::new(engine.address, port).to_string();
    let at_gateway = |url: &str| url.trim_start_matches("http://").to_owned();
    vec![
        target(at_gateway(&gateway.internal), ports::MESSAGES_PATH, Some(gateway.issuer.token(ENGINE, AUDIENCE))),
        target(at_gateway(&gateway.admin), "/metrics", None),
        target(
            at_engine(ports::INTERNAL),
            &internal(ports::INBOUND_PATH),
            Some(gateway.issuer.token(crate::support::gateway::GATEWAY, ROLES)),
        ),
        target(at_engine(ports::PUBLIC), REPLY_PATH, Some(engine.issuer.token("ana", DESK))),
        target(at_engine(ports::ADMIN), "/metrics", None),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_and_replies_get_through_while_thousands_hold_every_port() {
    allow_files(20_000);
    let world = World::start().await;
    let pids = [world.engine.role.pid().unwrap(), world.gateway.pid()];
    let before = pids.map(open_files);
    let mut hostile: Vec<_> =
        targets(&world.engine, &world.gateway).into_iter().map(|target| besiege(target, CLIENTS)).collect();
    let mut work = world.work();
    eventually("replies get through", || {
        let replies = work.replies().len();
        std::future::ready(if replies >= REPLIES { Ok(()) } else { Err(replies) })
    })
    .await;
    for url in [format!("http://{}", SocketAddr::new(world.engine.address, ports::ADMIN)), world.gateway.admin.clone()]
    {
        eventually("the kubelet and whoever gathers metrics are answered", || async {
            for path in ["/livez", "/readyz", "/metrics"] {
                let answer = reqwest::get(format!("{url}{path}")).await.map_err(|error| error.to_string())?;
                answer.error_for_status().map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        })
        .await;
    }
    work.stop().await;
    let (ledger, store) = (world.settle().await, world.engine.store());
    let judge = Judge { ledger: &ledger, store: &store };
    judge.every_message_is_stored_once_and_in_order();
    judge.every_reply_arrived_once(&work.replies(), CUSTOMERS);
    work.showed_once(&judge.inbound()).await;
    for pid in pids {
        let peak = memory(pid, "VmHWM");
        assert!(peak < MEMORY_LIMIT_KIB, "the container would have been killed: {peak} KiB");
    }

    drop(work);
    until_none_is_left("the roles answer or end every one of them", || {
        let now = pids.map(open_files);
        // What the roles have open with each other stays, and differs by a few.
        std::future::ready(now.iter().zip(before).map(|(now, before)| now.saturating_sub(before + 32)).sum::<usize>())
    })
    .await;
    for clients in &mut hostile {
        clients.shutdown().await;
    }
}

#[tokio::test]
async fn nobody_reads_the_body_of_a_stranger() {
    let world = World::start().await;
    let refused: Vec<_> = targets(&world.engine, &world.gateway)
        .into_iter()
        // Health and metrics are for everybody, and have no bodies.
        .filter(|target| target.insider != target.stranger)
        .collect();
    assert_eq!(refused.len(), 3);
    for target in refused {
        let mut stream = tokio::net::TcpStream::connect(&target.address).await.unwrap();
        stream.write_all(format!("{}content-length: 1000\r\n\r\n", target.stranger).as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401", "{target:?}");
    }
}
