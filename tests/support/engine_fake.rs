//! An engine as the gateway sees it: takes messages and receipts, and can be away, slow, or in trouble with single messages.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use aldis::wire::{
    config::issuers::Issuer,
    delivery::Item,
    inbound::InboundMessage,
    ports,
    receipt::Receipt,
    tokens::{Verifier, bearer},
};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    gateway::{AUDIENCE, GATEWAY},
    issuer::TestIssuer,
    process::address,
};

/// How the engine behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Takes everything.
    Well,
    /// Answers everything with a status.
    Answers(u16),
    /// Takes everything, but answers too late.
    Late(Duration),
    /// Answers with a status when the text is `poison`, takes everything else.
    Poisoned(u16),
    /// Has no room for anything new: takes receipts, and `STOP`.
    NoRoom,
    /// Is of a version that takes one item in a request, and takes its time for each.
    Older(Duration),
}

#[derive(Debug, Default)]
struct Taken {
    messages: Vec<InboundMessage>,
    receipts: Vec<Receipt>,
    known: HashSet<String>,
    posts: u64,
    requests: u64,
    now: u64,
    most: u64,
}

/// An engine on a port that it keeps.
#[derive(Clone)]
pub struct EngineFake {
    /// Its base URL.
    pub url: String,
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    taken: Arc<Mutex<Taken>>,
    verifier: Arc<Verifier>,
    running: Arc<Mutex<CancellationToken>>,
}

impl EngineFake {
    /// An engine that believes tokens of `issuer`.
    pub async fn start(issuer: &TestIssuer) -> Self {
        let trusted = Issuer {
            issuer: issuer.url.clone(),
            audience: AUDIENCE.into(),
            user_claim: "sub".into(),
            user_prefix: String::new(),
            keys: issuer.keys(),
        };
        // Its own address: nobody takes its port while it is away.
        let listener = TcpListener::bind((address(), ports::INTERNAL)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let engine = Self {
            url: format!("http://{address}"),
            address,
            mood: Arc::new(Mutex::new(Mood::Well)),
            taken: Arc::default(),
            verifier: Arc::new(Verifier::new(&[trusted]).unwrap()),
            running: Arc::default(),
        };
        engine.serve(listener);
        engine
    }

    fn serve(&self, listener: TcpListener) {
        let router = Router::new()
            .route(&ports::of_channel(ports::INBOUND_PATH, "support"), post(inbound))
            .route(&ports::of_channel(ports::RECEIPTS_PATH, "support"), post(receipts))
            .route(&ports::of_channel(ports::DELIVERIES_PATH, "support"), post(deliveries))
            .with_state(self.clone());
        let ended = CancellationToken::new();
        *self.running.lock() = ended.clone();
        tokio::spawn(async move { ended.run_until_cancelled(async { axum::serve(listener, router).await }).await });
    }

    /// Nobody listens any more.
    pub fn away(&self) {
        self.running.lock().cancel();
    }

    /// Listens again.
    pub async fn back(&self) {
        for _ in 0..200 {
            match TcpListener::bind(self.address).await {
                Ok(listener) => return self.serve(listener),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("{} is still taken", self.address);
    }

    /// Behaves so from now on.
    pub fn mood(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }

    /// Messages in the order in which they were first taken.
    pub fn messages(&self) -> Vec<InboundMessage> {
        self.taken.lock().messages.clone()
    }

    /// Receipts as they came.
    pub fn receipts(&self) -> Vec<Receipt> {
        self.taken.lock().receipts.clone()
    }

    /// Messages and receipts seen, whatever came of them.
    pub fn posts(&self) -> u64 {
        self.taken.lock().posts
    }

    /// Requests seen. One may bring several items.
    pub fn requests(&self) -> u64 {
        self.taken.lock().requests
    }

    /// The most posts at once since this was asked last.
    pub fn most_at_once(&self) -> u64 {
        std::mem::take(&mut self.taken.lock().most)
    }

    /// Waits until the messages are so.
    pub async fn until(&self, what: &str, is_so: impl Fn(&[InboundMessage]) -> bool) {
        for _ in 0..1200 {
            if is_so(&self.messages()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never {what}: {:#?}", self.messages());
    }

    async fn behave(&self, headers: &HeaderMap, text: &str) -> Result<(), Response> {
        {
            let mut taken = self.taken.lock();
            taken.posts += 1;
            taken.now += 1;
            taken.most = taken.most.max(taken.now);
        }
        // Long enough for others to come at the same time.
        if matches!(*self.mood.lock(), Mood::Answers(_)) {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        self.taken.lock().now -= 1;
        let caller = bearer(headers).and_then(|token| self.verifier.verify(token));
        if !caller.is_ok_and(|identity| identity.user == GATEWAY) {
            return Err(StatusCode::UNAUTHORIZED.into_response());
        }
        let mood = *self.mood.lock();
        match mood {
            Mood::Answers(status) => Err(StatusCode::from_u16(status).unwrap().into_response()),
            Mood::Poisoned(status) if text == "poison" => Err(StatusCode::from_u16(status).unwrap().into_response()),
            Mood::NoRoom if !matches!(text, "" | "STOP") => {
                let full = json!({"type": "urn:aldis:problem:storage-full", "title": "full", "status": 503});
                Err((StatusCode::SERVICE_UNAVAILABLE, Json(full)).into_response())
            }
            Mood::Well | Mood::Late(_) | Mood::Poisoned(_) | Mood::NoRoom | Mood::Older(_) => Ok(()),
        }
    }

    async fn dawdle(&self) {
        let mood = *self.mood.lock();
        if let Mood::Late(delay) | Mood::Older(delay) = mood {
            tokio::time::sleep(delay).await;
        }
    }
}

async fn inbound(
    State(engine): State<EngineFake>,
    headers: HeaderMap,
    Json(message): Json<InboundMessage>,
) -> Response {
    engine.taken.lock().requests += 1;
    take_message(&engine, &headers, message).await
}

async fn receipts(State(engine): State<EngineFake>, headers: HeaderMap, Json(receipt): Json<Receipt>) -> Response {
    engine.taken.lock().requests += 1;
    take_receipt(&engine, &headers, receipt).await
}

/// Each item is answered as it would be by itself; what concerns all is answered once.
async fn deliveries(
    State(engine): State<EngineFake>,
    headers: HeaderMap,
    Json(deliveries): Json<Vec<Item>>,
) -> Response {
    engine.taken.lock().requests += 1;
    if matches!(*engine.mood.lock(), Mood::Older(_)) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let taken = futures::future::join_all(deliveries.into_iter().map(async |delivery| match delivery {
        Item::Inbound(message) => take_message(&engine, &headers, message).await,
        Item::Receipt(receipt) => take_receipt(&engine, &headers, receipt).await,
    }));
    let mut answers = Vec::new();
    for response in taken.await {
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED || matches!(*engine.mood.lock(), Mood::Answers(_)) {
            return response;
        }
        let body = axum::body::to_bytes(response.into_body(), 64 * 1024).await.unwrap();
        let problem = || json!({"type": "about:blank", "title": "", "status": status.as_u16()});
        answers.push((!status.is_success()).then(|| serde_json::from_slice(&body).unwrap_or_else(|_| problem())));
    }
    Json(answers).into_response()
}

async fn take_message(engine: &EngineFake, headers: &HeaderMap, message: InboundMessage) -> Response {
    if let Err(response) = engine.behave(headers, &message.text).await {
        return response;
    }
    let new = {
        let mut taken = engine.taken.lock();
        let new = taken.known.insert(message.provider_message_id.clone());
        if new {
            taken.messages.push(message);
        }
        new
    };
    engine.dawdle().await;
    Json(json!({"outcome": if new { "Queued" } else { "Duplicate" }})).into_response()
}

async fn take_receipt(engine: &EngineFake, headers: &HeaderMap, receipt: Receipt) -> Response {
    if let Err(response) = engine.behave(headers, "").await {
        return response;
    }
    engine.taken.lock().receipts.push(receipt);
    engine.dawdle().await;
    StatusCode::NO_CONTENT.into_response()
}
