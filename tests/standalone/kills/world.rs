//! A simulator, a gateway and an engine; customers who write and an agent who answers.

use std::{cell::Cell, time::Duration};

use aldis::simulator::{Config, Entry, Simulator};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{
    carrier::{Carrier, open_webhooks},
    desk::Desk,
    engine::{CHANNEL, DESK, ENGINE, Engine, NUMBER, ROLES, trust},
    gateway::{AUDIENCE, GATEWAY, Gateway, PUBLIC_URL},
    process::eventually,
    traffic::{Pace, Traffic},
};
use aldis::wire::ports;

/// Customers who write at the same time, each one text after the other.
pub(crate) const CUSTOMERS: u64 = 6;
const TOKEN: &str = "a token of the account demo";

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) gateway: Gateway,
    pub(crate) carrier: Carrier,
    _end: DropGuard,
}

impl World {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = format!("http://{}", listener.local_addr().unwrap());
        let provider = json!({ "kind": "simulator", "account": "demo", "baseUrl": simulator });
        let mut gateway = Gateway::start(provider, &[("token", TOKEN)]).await;
        let carrier = Simulator::new(config(&gateway.public), None).unwrap();
        let end = CancellationToken::new();
        let ended = end.clone();
        tokio::spawn(async move { carrier.serve(listener, ended).await });
        let engine = Engine::start(&gateway.internal, |document| {
            document["gateway"]["user"] = json!(GATEWAY);
            document["roleIssuers"].as_array_mut().unwrap().push(trust(&gateway.issuer, AUDIENCE));
        })
        .await;
        assert_eq!(ROLES, AUDIENCE, "both speak of one namespace");
        std::fs::write(engine.dir.path().join("token"), gateway.issuer.token(ENGINE, AUDIENCE)).unwrap();
        engine.presence("ana", true).await;
        gateway.route(NUMBER, &engine.internal_url(), ENGINE).await;
        Self { engine, gateway, carrier: Carrier::new(&simulator), _end: end.drop_guard() }
    }

    /// Ana's client.
    pub(crate) fn desk(&self) -> Desk {
        let url = format!("http://{}:{}", self.engine.address, ports::PUBLIC);
        Desk::new(&url, CHANNEL, &self.engine.issuer.token("ana", DESK))
    }

    /// Customers write and ana answers until told to stop.
    pub(crate) fn work(&self) -> Traffic {
        let desk = self.desk();
        let (customer_pause, agent_pause) = (Duration::from_millis(80), Duration::from_millis(15));
        Traffic::start(&self.carrier, &desk, NUMBER, Pace { customers: CUSTOMERS, customer_pause, agent_pause })
    }

    /// Waits until nothing is under way any more; gives everything that the simulator saw.
    pub(crate) async fn settle(&self) -> Vec<Entry> {
        eventually("nothing waits at the engine", || async {
            let outbox = self.engine.status().await["outbox"].clone();
            if outbox["waiting"] == 0 && outbox["inFlight"] == 0 { Ok(()) } else { Err(outbox) }
        })
        .await;
        let seen = Cell::new(0);
        eventually("the simulator has told everything", || async {
            let ledger = self.carrier.ledger().await;
            let open = open_webhooks(&ledger);
            let waiting = self.gateway.status().await.map_or(u64::MAX, |status| status.spool.waiting);
            let unchanged = seen.replace(ledger.len()) == ledger.len();
            if open == 0 && waiting == 0 && unchanged { Ok(ledger) } else { Err((open, waiting, seen.get())) }
        })
        .await
    }
}

/// A provider that tries a webhook for as long as it takes, one text of a customer after the other.
fn config(gateway: &str) -> Config {
    let config = json!({
        "accounts": [{
            "account": "demo",
            "tokens": [TOKEN],
            "numbers": [{ "number": NUMBER, "webhookUrl": format!("{PUBLIC_URL}/hooks/inbound") }],
        }],
        "settings": {
            "sentAfterMillis": 20,
            "deliveredAfterMillis": 20,
            "webhookAttempts": 100_000,
            "webhookRetryAfterMillis": 1,
            "webhookTimeoutMillis": 5000,
            "ordered": true,
            "webhookBases": { PUBLIC_URL: format!("http://{gateway}") },
        },
    });
    Config::from_yaml(&config.to_string()).unwrap()
}
