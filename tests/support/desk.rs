//! An agent's client of an engine. It repeats what an engine that is away did not answer, as a good client does.

use std::time::Duration;

use futures::StreamExt;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::process::eventually;
use aldis::wire::ports::{CHANNEL_PATH, of_channel};

/// An agent at a desk.
#[derive(Clone, Debug)]
pub struct Desk {
    client: Client,
    /// Below it lies all of the channel.
    url: String,
    token: String,
}

/// A server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What it says.
    pub data: Value,
}

/// A stream that is open until this is dropped; it is opened again when it ends.
pub struct Open(JoinHandle<()>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Desk {
    /// The agent whom a token stands for, at the base URL of a channel's engine. Paths begin below the channel.
    pub fn new(url: &str, channel: &str, token: &str) -> Self {
        aldis::process::crypto::install_providers();
        Self {
            client: Client::new(),
            url: format!("{url}{}", of_channel(CHANNEL_PATH, channel)),
            token: token.to_owned(),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Asks until there is an answer that is no fault of the engine or the way to it: status and body.
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> (u16, Value) {
        loop {
            if let Ok(response) = request().timeout(Duration::from_secs(5)).send().await {
                let status = response.status().as_u16();
                if status < 500
                    && let Ok(body) = response.json().await
                {
                    return (status, body);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What is at a path: status and body.
    pub async fn try_get(&self, path: &str) -> (u16, Value) {
        self.ask(|| self.request(Method::GET, path)).await
    }

    /// What is at a path, which must be there.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.try_get(path).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// What an agent does, repeated under its key until the engine has taken it.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        self.ask(|| self.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
    }

    /// Sets the agent's presence.
    pub async fn set_presence(&self, present: bool) {
        let body = json!({ "present": present });
        let (status, body) = self.ask(|| self.request(Method::PUT, "/me/presence").json(&body)).await;
        assert_eq!(status, 200, "{body}");
    }

    /// The agent's open interactions.
    pub async fn interactions(&self) -> Vec<Value> {
        let page = self.get("/interactions?owner=me&state=Active&limit=100").await;
        page["items"].as_array().unwrap().clone()
    }

    /// Waits until the agent has an interaction with this customer; gives it with its messages.
    pub async fn given(&self, customer: &str) -> Value {
        let id = eventually(&format!("the agent has an interaction with {customer}"), || async {
            let open = self.interactions().await;
            let theirs = open.iter().find(|interaction| interaction["customer"] == customer);
            theirs.map(|interaction| interaction["id"].clone()).ok_or(open)
        })
        .await;
        self.get(&format!("/interactions/{id}")).await
    }

    /// Answers an interaction; interaction, owner and text are the key.
    pub async fn reply(&self, interaction: &Value, text: &str) -> (u16, Value) {
        let path = format!("/interactions/{}/reply", interaction["id"]);
        // Another request needs another key: after a restart the customer may have another interaction, or this one another owner.
        let key = format!("{text} in {} of {}", interaction["id"], interaction["epoch"]);
        self.post(&path, &key, &json!({ "epoch": interaction["epoch"], "text": text })).await
    }

    /// Finishes an interaction.
    pub async fn finish(&self, interaction: &Value) {
        let path = format!("/interactions/{}/finish", interaction["id"]);
        let key = format!("finish {}", interaction["id"]);
        let (status, body) = self.post(&path, &key, &json!({ "epoch": interaction["epoch"] })).await;
        assert_eq!(status, 200, "{body}");
    }

    /// The messages exchanged with a customer, oldest first.
    pub async fn messages(&self, customer: &str) -> Vec<Value> {
        let (status, page) = self.try_get(&format!("/customers/{customer}/messages?limit=100")).await;
        // Nothing has been heard of this customer yet.
        if status == 404 {
            return Vec::new();
        }
        let mut messages = page["items"].as_array().unwrap_or_else(|| panic!("{page}")).clone();
        messages.reverse();
        messages
    }

    /// Keeps a stream open, resumed where it ended, and hands on what it says.
    pub fn watch(&self, mut seen: impl FnMut(Sent) + Send + 'static) -> Open {
        let desk = self.clone();
        Open(tokio::spawn(async move {
            let mut last = 0;
            loop {
                desk.follow(&mut last, &mut seen).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }))
    }

    /// Keeps a stream open whatever it says: the agent is online.
    pub fn be_online(&self) -> Open {
        let desk = self.clone();
        Open(tokio::spawn(async move {
            loop {
                if let Ok(mut response) = desk.request(Method::GET, "/stream").send().await {
                    while let Ok(Some(_)) = response.chunk().await {
                        let _ = desk.request(Method::POST, "/me/beat").send().await;
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }))
    }

    /// Reads one stream to its end.
    async fn follow(&self, last: &mut u64, seen: &mut impl FnMut(Sent)) {
        let Ok(response) = self.request(Method::GET, "/stream").header("Last-Event-ID", *last).send().await else {
            return;
        };
        let mut chunks = futures::stream::unfold(response, |mut response| async {
            Some((response.chunk().await.ok().flatten()?, response))
        })
        .boxed();
        let mut buffer = String::new();
        // A stream that says nothing at all, not even that it lives, leads to a process that stands still.
        while let Ok(Some(chunk)) = tokio::time::timeout(Duration::from_secs(60), chunks.next()).await {
            buffer += std::str::from_utf8(&chunk).unwrap();
            while let Some((event, rest)) = buffer.split_once("\n\n") {
                if event.lines().any(|line| line == "event: Beat") {
                    // One that is lost does no harm.
                    let _ = self.request(Method::POST, "/me/beat").send().await;
                }
                let sent = parse(event);
                buffer = rest.to_owned();
                let Some(sent) = sent else { continue };
                assert_ne!(sent.name, "Reset", "the stream lost events after {last}");
                assert!(sent.id > *last || sent.name == "Opened", "{} after {last}", sent.id);
                *last = sent.id;
                seen(sent);
            }
        }
    }
}

fn parse(event: &str) -> Option<Sent> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let (id, name, data) = (field("id:")?, field("event:")?, field("data:")?);
    Some(Sent { id: id.parse().unwrap(), name: name.to_owned(), data: serde_json::from_str(data).unwrap() })
}
