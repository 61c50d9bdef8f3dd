//! A client of a running simulator: customers who write, what they received, and the ledger of all it saw.

use std::collections::BTreeSet;

use aldis::{
    simulator::{Entry, Event, LedgerPage, Message, Route, Snapshot},
    wire::simulator::MessageStatus,
};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::process::{eventually, until_none_is_left};

/// A simulator, wherever it runs.
#[derive(Clone, Debug)]
pub struct Carrier {
    url: String,
    client: Client,
}

impl Carrier {
    /// The simulator at a base URL.
    pub fn new(url: &str) -> Self {
        aldis::process::crypto::install_providers();
        Self { url: url.to_owned(), client: Client::new() }
    }

    /// Waits until it answers.
    pub async fn ready(&self) {
        eventually("the simulator answers", || self.try_state()).await;
    }

    /// A customer writes to a service number.
    pub async fn customer_writes(&self, from: &str, to: &str, text: &str) -> Message {
        let body = json!({ "to": to, "text": text });
        let message = self.control(Method::POST, &format!("/control/handsets/{from}/messages"), &body).await;
        serde_json::from_value(message).unwrap()
    }

    /// A customer's device sends a part of a long text.
    pub async fn customer_writes_part(&self, from: &str, to: &str, part: [u16; 3], text: &str) -> Message {
        let [reference, total, sequence] = part;
        let part = json!({ "reference": reference, "total": total, "sequence": sequence });
        let body = json!({ "to": to, "text": text, "part": part });
        let message = self.control(Method::POST, &format!("/control/handsets/{from}/messages"), &body).await;
        serde_json::from_value(message).unwrap()
    }

    /// A call of the control API, which must succeed.
    pub async fn control(&self, method: Method, path: &str, body: &Value) -> Value {
        let response = self.client.request(method, format!("{}{path}", self.url)).json(body).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// Makes it fast, and so stubborn that every webhook is acknowledged in the end.
    pub async fn insist(&self) {
        let mut settings = serde_json::to_value(self.state().await.settings).unwrap();
        settings["sentAfterMillis"] = json!(20);
        settings["deliveredAfterMillis"] = json!(20);
        settings["webhookAttempts"] = json!(100_000);
        // Doubled after each try, so one that is not taken for a minute is tried seven times and more.
        settings["webhookRetryAfterMillis"] = json!(1);
        settings["webhookTimeoutMillis"] = json!(5000);
        self.control(Method::PUT, "/control/settings", &settings).await;
    }

    /// What a page shows.
    pub async fn state(&self) -> Snapshot {
        self.try_state().await.unwrap()
    }

    async fn try_state(&self) -> Result<Snapshot, String> {
        let url = format!("{}/control/state", self.url);
        let response = self.client.get(url).send().await.map_err(|error| error.to_string())?;
        response.json().await.map_err(|error| error.to_string())
    }

    /// Waits until a text has been delivered to a handset.
    pub async fn until_delivered(&self, handset: &str, text: &str) {
        let query = format!("number={}&limit=10000", handset.replace('+', "%2B"));
        eventually(&format!("{text:?} is delivered to {handset}"), || async {
            let theirs = self.page(&query).await.entries;
            let sent = theirs.iter().find_map(|entry| match &entry.event {
                Event::ApiRequest { message, text: Some(sent), .. } if sent == text => message.as_ref()?.message_id.clone(),
                _ => None,
            });
            let delivered = theirs.iter().any(|entry| {
                matches!(&entry.event, Event::MessageStatus { message, status: MessageStatus::Delivered } if message.message_id == sent)
            });
            if sent.is_some() && delivered { Ok(()) } else { Err(theirs.into_iter().map(|entry| entry.event).collect::<Vec<_>>()) }
        })
        .await;
    }

    /// Waits until another message of a customer is acknowledged than those until now.
    pub async fn until_another_is_acknowledged(&self) {
        let since = self.ledger().await.last().map_or(0, |entry| entry.seq);
        eventually("another message is acknowledged", || async {
            let ended = self.page(&format!("since={since}&kind=WebhookEnd&limit=10000")).await.entries;
            let inbound =
                |entry: &Entry| matches!(entry.event, Event::WebhookEnd { route: Route::Inbound, delivered: true, .. });
            if ended.iter().any(inbound) { Ok(()) } else { Err(ended.len()) }
        })
        .await;
    }

    /// Everything that the simulator saw.
    pub async fn ledger(&self) -> Vec<Entry> {
        let (mut entries, mut since) = (Vec::new(), 0);
        loop {
            let page = self.page(&format!("since={since}&limit=10000")).await;
            since = page.next;
            entries.extend(page.entries);
            if !page.more {
                return entries;
            }
        }
    }

    /// The first thousand entries that fit a query.
    pub async fn page(&self, query: &str) -> LedgerPage {
        let url = format!("{}/ledger?{query}", self.url);
        self.client.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Waits until every webhook is taken.
    pub async fn settle(&self) {
        until_none_is_left("webhooks that nobody has taken", || async { self.state().await.webhooks.len() }).await;
    }
}

/// How many webhooks were tried and are not settled.
pub fn open_webhooks(ledger: &[Entry]) -> usize {
    let mut open = BTreeSet::new();
    for entry in ledger {
        match &entry.event {
            Event::WebhookTry { webhook_id, .. } => {
                open.insert(webhook_id);
            }
            Event::WebhookEnd { webhook_id, .. } => {
                open.remove(webhook_id);
            }
            Event::ApiRequest { .. }
            | Event::CustomerMessage { .. }
            | Event::MessageStatus { .. }
            | Event::FaultAdded { .. }
            | Event::FaultRemoved { .. } => {}
        }
    }
    open.len()
}
