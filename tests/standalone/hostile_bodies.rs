//! Insiders that bring bodies and do not end them: whoever brings a whole one is served all the same, and the process stays within what
//! the decision on the memory of ports allows.

use std::net::SocketAddr;

use aldis::wire::ports;
use reqwest::{Client, Method};
use serde_json::json;

use crate::{
    engine::MIA,
    support::{
        engine::{DESK, ENGINE, Engine, GATEWAY, ROLES, answer, internal},
        gateway::{self, Gateway},
        gateway_fake::FakeGateway,
        hostile::{Target, Watched, allow_files, hold_bodies},
        twilio_fake::{TOKEN, TwilioFake},
    },
};

/// What all ports of a role may hold together, in KiB.
const ALL_PORTS_KIB: u64 = 96 * 1024;
/// Requests that are served meanwhile on each port.
const SERVED: usize = 50;

/// Heads have nearly as many fields as they may.
fn target(address: &str, path: &str, token: &str) -> Target {
    let more: String = (0..40).map(|n| format!("x-{n}: a\r\n")).collect();
    Target::new(address, path, &format!("idempotency-key: a\r\nauthorization: Bearer {token}\r\n{more}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_with_thousands_of_half_sent_bodies_serves_others_within_its_memory() {
    allow_files(10_000);
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |_| {}).await;
    let pid = engine.role.pid().unwrap();
    let watched = Watched::begin(pid);
    let at = |port| SocketAddr::new(engine.address, port).to_string();
    let agents = target(&at(ports::PUBLIC), "/v1/channels/support/interactions", &engine.issuer.token("ana", DESK));
    let roles = target(&at(ports::INTERNAL), &internal(ports::INBOUND_PATH), &engine.issuer.token(GATEWAY, ROLES));
    let _hostile = [
        hold_bodies(agents, 4000, 60_000).await,
        hold_bodies(roles.clone(), 300, 1_000_000).await,
        hold_bodies(roles, 300, 120_000).await,
    ];
    for n in 0..SERVED {
        engine.presence("bo", n % 2 == 0).await;
        assert_eq!(engine.inbound(&format!("SM-{n}"), MIA, "hello").await.0, 200);
    }
    let held = watched.grown_by();
    println!("{held} KiB more at most");
    assert!(held < ALL_PORTS_KIB, "{held} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_with_a_thousand_half_sent_bodies_serves_others_within_its_memory() {
    allow_files(10_000);
    let twilio = TwilioFake::start().await;
    let gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
    let pid = gateway.pid();
    let watched = Watched::begin(pid);
    let token = gateway.issuer.token(ENGINE, gateway::AUDIENCE);
    let address = gateway.internal.trim_start_matches("http://").to_owned();
    let webhooks = Target::new(&gateway.public, "/hooks/inbound", "x-twilio-signature: AAAA\r\n");
    let _hostile = [
        hold_bodies(target(&address, ports::MESSAGES_PATH, &token), 1000, 60_000).await,
        hold_bodies(webhooks, 500, 60_000).await,
    ];
    let client = Client::new();
    for _ in 0..SERVED {
        // It is read, and is no request to send.
        let url = format!("{}{}", gateway.internal, ports::MESSAGES_PATH);
        let asked = client.request(Method::POST, url).bearer_auth(&token).json(&json!({}));
        assert_eq!(answer(asked).await.0, 400);
        // It is read, and the signature does not fit.
        let webhook = client.post(format!("http://{}/hooks/inbound", gateway.public));
        let webhook = webhook.header("x-twilio-signature", "AAAA").form(&[("Body", "hello")]);
        assert_eq!(answer(webhook).await.0, 403);
    }
    let held = watched.grown_by();
    println!("{held} KiB more at most");
    assert!(held < ALL_PORTS_KIB, "{held} KiB");
}
