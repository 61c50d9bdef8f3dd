//! The simulator over HTTP, as gateways, tests and people use it.

mod browser;
mod conversation;
mod faults;
mod service;

use aldis::{
    process::crypto,
    simulator::{Config, Entry, LedgerPage, Message, Simulator, Snapshot},
};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) const TOKEN: &str = "a token of the account demo";
pub(crate) const SERVICE: &str = "+15551230001";
pub(crate) const MIA: &str = "+15559870001";
pub(crate) const TOM: &str = "+15559870002";

/// A simulator on a port of its own, that ends with the test.
pub(crate) struct Running {
    pub(crate) url: String,
    client: Client,
    _end: DropGuard,
}

/// One account with one number, fast, and its webhooks at `service`.
fn config(service: SocketAddr) -> Config {
    let config = json!({
        "accounts": [{
            "account": "demo",
            "tokens": [TOKEN],
            "numbers": [
                {"number": SERVICE, "webhookUrl": "https://sms.example.com/desk/hooks/inbound"},
                {"number": "US:72345", "smsCapable": false},
            ],
        }],
        "settings": {
            "sentAfterMillis": 5,
            "deliveredAfterMillis": 5,
            "webhookRetryAfterMillis": 5,
            "webhookTimeoutMillis": 5000,
            "webhookBases": {"https://sms.example.com/desk": format!("http://{service}")},
        },
    });
    Config::from_yaml(&config.to_string()).unwrap()
}

impl Running {
    pub(crate) async fn start(service: SocketAddr) -> Self {
        crypto::install_providers();
        let simulator = Simulator::new(config(service), None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let ended = shutdown.clone();
        tokio::spawn(async move { simulator.serve(listener, ended).await });
        Self { url, client: Client::new(), _end: shutdown.drop_guard() }
    }

    /// A call of the control API, which must succeed.
    async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let response = self.client.request(method, format!("{}{path}", self.url)).json(&body).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// The id of the fault.
    async fn fault(&self, fault: Value) -> u64 {
        self.control(Method::POST, "/control/faults", fault).await["id"].as_u64().unwrap()
    }

    async fn customer_writes(&self, from: &str, text: &str) -> Message {
        let body = json!({"to": SERVICE, "text": text});
        let message = self.control(Method::POST, &format!("/control/handsets/{from}/messages"), body).await;
        serde_json::from_value(message).unwrap()
    }

    /// A call of the provider API.
    async fn get(&self, token: &str, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(token).send().await.unwrap()
    }

    async fn send(&self, message: Value) -> reqwest::Result<Response> {
        self.client.post(format!("{}/v1/messages", self.url)).bearer_auth(TOKEN).json(&message).send().await
    }

    async fn snapshot(&self) -> Snapshot {
        serde_json::from_value(self.control(Method::GET, "/control/state", Value::Null).await).unwrap()
    }

    async fn ledger(&self, query: &str) -> Vec<Entry> {
        let page = self.control(Method::GET, &format!("/ledger?{query}"), Value::Null).await;
        serde_json::from_value::<LedgerPage>(page).unwrap().entries
    }

    /// Waits until the simulator's state is so; says how it was when it never became so.
    async fn until(&self, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
        for _ in 0..1500 {
            let snapshot = self.snapshot().await;
            if is_so(&snapshot) {
                return snapshot;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never {what}: {:#?}", self.snapshot().await);
    }
}

/// A message from the service to Mia, with receipts wanted.
fn to_mia(text: &str, client_ref: &str) -> Value {
    json!({
        "from": SERVICE,
        "to": MIA,
        "text": text,
        "statusCallback": format!("https://sms.example.com/desk/hooks/status?t={client_ref}"),
        "clientRef": client_ref,
    })
}
