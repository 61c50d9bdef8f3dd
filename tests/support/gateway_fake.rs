//! A gateway as the engine sees it: it takes attempts, notes them, and answers as the test says.

use std::{collections::VecDeque, sync::Arc};

use aldis::wire::ports;
use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::process::{address, eventually};

/// How it answers an attempt.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With this document.
    Outcome(Value),
    /// With this status and no outcome.
    Status(u16),
    /// With this status and document.
    Problem(u16, Value),
    /// Not at all: the connection ends.
    Silence,
}

#[derive(Default)]
struct Seen {
    attempts: Vec<Value>,
    /// Each so manieth attempt ends in nobody knows what.
    unknown_every: Option<usize>,
    replies: VecDeque<Reply>,
}

/// A gateway on an address of its own, which ends with the test.
#[derive(Clone)]
pub struct FakeGateway {
    /// Base URL.
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    _end: Arc<DropGuard>,
}

impl FakeGateway {
    /// Starts one that accepts everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((address(), ports::INTERNAL)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let end = CancellationToken::new();
        let router = Router::new().route(ports::MESSAGES_PATH, post(take)).with_state(Arc::clone(&seen));
        let served = axum::serve(listener, router).with_graceful_shutdown(end.clone().cancelled_owned());
        tokio::spawn(async move { served.await.unwrap() });
        Self { url, seen, _end: Arc::new(end.drop_guard()) }
    }

    /// How the next attempts are answered; those after them are accepted.
    pub fn answer_with(&self, replies: impl IntoIterator<Item = Reply>) {
        self.seen.lock().replies.extend(replies);
    }

    /// From now on nobody knows what came of each so manieth attempt that no other answer is given for.
    pub fn lose_each(&self, nth: usize) {
        self.seen.lock().unknown_every = Some(nth);
    }

    /// Every attempt so far, oldest first.
    pub fn attempts(&self) -> Vec<Value> {
        self.seen.lock().attempts.clone()
    }

    /// Waits for this many attempts.
    pub async fn wait_for(&self, count: usize) -> Vec<Value> {
        eventually("the gateway has the attempts", || async {
            let attempts = self.attempts();
            if attempts.len() >= count { Ok(attempts) } else { Err(attempts) }
        })
        .await
    }
}

async fn take(State(seen): State<Arc<Mutex<Seen>>>, Json(attempt): Json<Value>) -> axum::response::Response {
    let accepted = json!({ "outcome": "Accepted", "providerMessageIds": [format!("SM{}", attempt["messageId"])] });
    let reply = {
        let mut seen = seen.lock();
        seen.attempts.push(attempt);
        let lost = seen.unknown_every.is_some_and(|nth| seen.attempts.len().is_multiple_of(nth));
        let usual = if lost { json!({ "outcome": "Unknown", "message": "the answer was lost" }) } else { accepted };
        seen.replies.pop_front().unwrap_or(Reply::Outcome(usual))
    };
    match reply {
        Reply::Outcome(outcome) => Json(outcome).into_response(),
        Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reply::Problem(status, problem) => (StatusCode::from_u16(status).unwrap(), Json(problem)).into_response(),
        Reply::Silence => std::future::pending().await,
    }
}
