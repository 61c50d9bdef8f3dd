//! A simulator, a gateway and an engine; customers who write and an agent who answers.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aldis::{
    simulator::{Config, Entry, LedgerPage, Simulator},
    wire::ports,
};
use futures::StreamExt;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{
    engine::{DESK, ENGINE, Engine, NUMBER, ROLES, trust},
    gateway::{AUDIENCE, GATEWAY, Gateway, PUBLIC_URL},
    process::eventually,
};

/// Customers who write at the same time, each one text after the other.
pub(super) const CUSTOMERS: u64 = 6;
const TOKEN: &str = "a token of the account demo";

pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) gateway: Gateway,
    pub(super) stop: Arc<AtomicBool>,
    simulator: String,
    client: Client,
    _end: DropGuard,
}

/// What goes on at the desk.
pub(super) struct Desk {
    customers: Vec<JoinHandle<()>>,
    agent: JoinHandle<Vec<String>>,
    stream: JoinHandle<Vec<u64>>,
}

/// What went on at the desk.
pub(super) struct Work {
    /// Texts of the replies that the engine took.
    pub(super) replies: Vec<String>,
    /// Inbound messages that the stream showed.
    pub(super) streamed: Vec<u64>,
}

impl World {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = format!("http://{}", listener.local_addr().unwrap());
        let provider = json!({ "kind": "simulator", "account": "demo", "baseUrl": simulator });
        let mut gateway = Gateway::start(provider, &[("token", TOKEN)]).await;
        let carrier = Simulator::new(carrier(&gateway.public), None).unwrap();
        let end = CancellationToken::new();
        let ended = end.clone();
        tokio::spawn(async move { carrier.serve(listener, ended).await });
        let engine = Engine::start(&gateway.roles, |document| {
            document["gateway"]["user"] = json!(GATEWAY);
            document["roleIssuers"].as_array_mut().unwrap().push(trust(&gateway.issuer, AUDIENCE));
        })
        .await;
        assert_eq!(ROLES, AUDIENCE, "both speak of one namespace");
        std::fs::write(engine.dir.path().join("token"), gateway.issuer.token(ENGINE, AUDIENCE)).unwrap();
        engine.presence("ana", true).await;
        gateway.route(NUMBER, &engine.roles_url(), ENGINE).await;
        Self { engine, gateway, stop: Arc::default(), simulator, client: Client::new(), _end: end.drop_guard() }
    }

    /// Customers write and ana answers until told to stop.
    pub(super) fn work(&self) -> Desk {
        let customers =
            (0..CUSTOMERS).map(|customer| tokio::spawn(write(self.customer(customer), self.stop.clone()))).collect();
        let desk = AgentsDesk {
            client: self.client.clone(),
            url: format!("http://{}:{}", self.engine.address, ports::PUBLIC),
            token: self.engine.issuer.token("ana", DESK),
            stop: self.stop.clone(),
        };
        Desk { customers, agent: tokio::spawn(answer(desk.clone())), stream: tokio::spawn(watch(desk)) }
    }

    fn customer(&self, customer: u64) -> (Client, String, u64) {
        (self.client.clone(), format!("{}/control/handsets/{}/messages", self.simulator, number(customer)), customer)
    }

    /// Everything that the simulator saw.
    pub(super) async fn ledger(&self) -> Vec<Entry> {
        let (mut entries, mut since) = (Vec::new(), 0);
        loop {
            let url = format!("{}/ledger?since={since}", self.simulator);
            let page: LedgerPage = self.client.get(url).send().await.unwrap().json().await.unwrap();
            since = page.next;
            entries.extend(page.entries);
            if !page.more {
                return entries;
            }
        }
    }

    /// Waits until nothing is under way any more.
    pub(super) async fn settle(&self) {
        eventually("nothing waits at the engine", || async {
            let outbox = self.engine.status().await["outbox"].clone();
            if outbox["waiting"] == 0 && outbox["inFlight"] == 0 { Ok(()) } else { Err(outbox) }
        })
        .await;
        let seen = Cell::new(0);
        eventually("the simulator has told everything", || async {
            let (open, entries) = self.open_webhooks().await;
            let waiting = self.gateway.status().await.map_or(u64::MAX, |status| status.spool.waiting);
            let unchanged = seen.replace(entries) == entries;
            if open == 0 && waiting == 0 && unchanged { Ok(()) } else { Err((open, waiting, entries)) }
        })
        .await;
    }

    /// Webhooks that are not settled, and the length of the ledger.
    async fn open_webhooks(&self) -> (usize, usize) {
        use aldis::simulator::Event;
        let ledger = self.ledger().await;
        let mut open = std::collections::BTreeSet::new();
        for entry in &ledger {
            match &entry.event {
                Event::WebhookTry { webhook_id, .. } => {
                    open.insert(webhook_id.clone());
                }
                Event::WebhookEnd { webhook_id, .. } => {
                    open.remove(webhook_id);
                }
                _ => {}
            }
        }
        (open.len(), ledger.len())
    }
}

impl Desk {
    /// Waits until all have stopped.
    pub(super) async fn finish(self) -> Work {
        for customer in self.customers {
            customer.await.unwrap();
        }
        Work { replies: self.agent.await.unwrap(), streamed: self.stream.await.unwrap() }
    }
}

/// A customer's number.
pub(super) fn number(customer: u64) -> String {
    format!("+1555987{customer:04}")
}

/// A provider that tries a webhook for as long as it takes, one text of a customer after the other.
fn carrier(gateway: &str) -> Config {
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

async fn write((client, url, customer): (Client, String, u64), stop: Arc<AtomicBool>) {
    for count in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let text = json!({ "to": NUMBER, "text": format!("text {customer}-{count}") });
        assert!(client.post(&url).json(&text).send().await.unwrap().status().is_success());
        tokio::time::sleep(Duration::from_millis(60 + 10 * customer)).await;
    }
}

#[derive(Clone)]
struct AgentsDesk {
    client: Client,
    url: String,
    token: String,
    stop: Arc<AtomicBool>,
}

impl AgentsDesk {
    /// Asks until there is an answer that is no fault of ours.
    async fn ask(&self, request: impl Fn(&Client) -> reqwest::RequestBuilder) -> Option<(u16, Value)> {
        loop {
            if let Ok(response) =
                request(&self.client).bearer_auth(&self.token).timeout(Duration::from_secs(5)).send().await
            {
                let status = response.status().as_u16();
                if status < 500
                    && let Ok(body) = response.json().await
                {
                    return Some((status, body));
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Answers everybody in turn, each reply repeated under its key until the engine has taken it.
async fn answer(desk: AgentsDesk) -> Vec<String> {
    let mut taken = Vec::new();
    while !desk.stop.load(Ordering::Relaxed) {
        let list = format!("{}/v1/interactions?owner=me&state=Active", desk.url);
        let Some((200, page)) = desk.ask(|client| client.get(&list)).await else { continue };
        for interaction in page["items"].as_array().unwrap() {
            let text = format!("reply {} to {}", taken.len(), interaction["customer"].as_str().unwrap());
            let url = format!("{}/v1/interactions/{}/reply", desk.url, interaction["id"]);
            let body = json!({ "epoch": interaction["epoch"], "text": text });
            match desk.ask(|client| client.post(&url).header("Idempotency-Key", &text).json(&body)).await {
                Some((202, _)) => taken.push(text),
                // A restart may have put it back into the queue.
                Some((409, _)) => {}
                other => panic!("{text}: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    taken
}

/// Keeps a stream open and resumes it; notes the inbound messages that it shows.
async fn watch(desk: AgentsDesk) -> Vec<u64> {
    let (mut last, mut shown) = (0_u64, Vec::new());
    let mut idle_since_stop = 0;
    while idle_since_stop < 20 {
        let request = desk.client.get(format!("{}/v1/stream", desk.url)).bearer_auth(&desk.token);
        let Ok(response) = request.header("Last-Event-ID", last).send().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let mut chunks = futures::stream::unfold(response, |mut response| async {
            Some((response.chunk().await.ok().flatten()?, response))
        })
        .boxed();
        let mut buffer = String::new();
        loop {
            let next = tokio::time::timeout(Duration::from_millis(250), chunks.next()).await;
            let chunk = match next {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(_) if desk.stop.load(Ordering::Relaxed) && idle_since_stop >= 20 => break,
                Err(_) => {
                    idle_since_stop += u32::from(desk.stop.load(Ordering::Relaxed));
                    continue;
                }
            };
            idle_since_stop = 0;
            buffer += std::str::from_utf8(&chunk).unwrap();
            while let Some((event, rest)) =
                buffer.split_once("\n\n").map(|(event, rest)| (event.to_owned(), rest.to_owned()))
            {
                buffer = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let (Some(id), Some(name), Some(data)) = (field("id:"), field("event:"), field("data:")) else {
                    continue;
                };
                assert_ne!(name, "Reset", "the stream lost events after {last}");
                let id: u64 = id.parse().unwrap();
                assert!(id > last || name == "Opened", "{id} after {last}");
                last = id;
                if name == "InboundRecorded" {
                    let data: Value = serde_json::from_str(data).unwrap();
                    shown.push(data["message"].as_u64().unwrap());
                }
            }
        }
    }
    shown
}
