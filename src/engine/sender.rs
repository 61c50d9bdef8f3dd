//! Hands messages over to the gateway, each attempt until its outcome is known.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::StatusCode;
use tokio::sync::{Semaphore, mpsc::UnboundedReceiver};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    config::Settings,
    core::ids::{Attempt, MessageId},
    handle::{Handle, Request},
};
use crate::wire::{
    outbound::{SendOutcome, SendRequest},
    ports,
    tokens::TokenFile,
};

/// Attempts at the gateway at once. The number's limit is far below; this bounds memory when answers are slow.
const MAX_AT_ONCE: usize = 64;
/// The gateway answers within its provider's time limit. When it does not, the same attempt is asked for again.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// Waits between asking for the same attempt again.
const RETRY: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(200))
    .with_max_delay(Duration::from_secs(5))
    .with_jitter()
    .without_max_times();

/// A committed attempt.
pub(super) type Handover = SendRequest;

/// What it takes to reach the gateway.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) http: reqwest::Client,
    pub(super) settings: Arc<ArcSwap<Settings>>,
    pub(super) token: TokenFile,
    pub(super) engine: Handle,
    pub(super) shutdown: CancellationToken,
}

/// Why there is no outcome yet. Asking for the same attempt again is always safe: the gateway knows attempts.
#[derive(Debug, thiserror::Error)]
enum NoOutcome {
    #[error(transparent)]
    Token(#[from] crate::wire::tokens::TokenFileError),
    #[error("the gateway cannot be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    #[error("the gateway answered {status}: {body}")]
    Answered { status: StatusCode, body: String },
}

impl Sender {
    /// Works until shutdown; attempts without an outcome then are asked for again at the next start.
    pub(super) async fn run(self, mut handovers: UnboundedReceiver<Handover>) {
        let room = Arc::new(Semaphore::new(MAX_AT_ONCE));
        let attempts = TaskTracker::new();
        loop {
            let next = tokio::select! {
                next = handovers.recv() => next,
                () = self.shutdown.cancelled() => None,
            };
            let (Some(handover), Ok(permit)) = (next, Arc::clone(&room).acquire_owned().await) else { break };
            let sender = self.clone();
            attempts.spawn(async move {
                sender.deliver(handover).await;
                drop(permit);
            });
        }
        attempts.close();
        attempts.wait().await;
    }

    async fn deliver(&self, handover: Handover) {
        tokio::select! {
            outcome = self.until_outcome(&handover) => self.engine.tell(Request::SendResult {
                message: MessageId(handover.message_id),
                attempt: Attempt(handover.attempt),
                outcome,
            }),
            () = self.shutdown.cancelled() => {}
        }
    }

    async fn until_outcome(&self, handover: &Handover) -> SendOutcome {
        let mut waits = RETRY.build();
        loop {
            match self.ask(handover).await {
                Ok(outcome) => return outcome,
                Err(error) => {
                    tracing::warn!(message = handover.message_id, attempt = handover.attempt, %error, "no outcome yet");
                    tokio::time::sleep(waits.next().unwrap_or(Duration::from_secs(5))).await;
                }
            }
        }
    }

    async fn ask(&self, handover: &Handover) -> Result<SendOutcome, NoOutcome> {
        let url = format!("{}{}", self.settings.load().gateway.url.trim_end_matches('/'), ports::MESSAGES_PATH);
        let token = self.token.current()?;
        let answer = self.http.post(url).bearer_auth(&*token).json(handover).timeout(ANSWER_WITHIN).send().await?;
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer.json().await?);
        }
        let body = answer.text().await?.chars().take(300).collect();
        Err(NoOutcome::Answered { status, body })
    }
}
