//! Hands messages over to the gateway, each attempt until its outcome is known.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::Timestamp;
use parking_lot::Mutex;
use reqwest::StatusCode;
use tokio::sync::{Semaphore, mpsc::UnboundedReceiver};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::field;

use super::{
    config::Settings,
    core::ids::{Attempt, MessageId},
    inbox::{Handle, Request},
};
use crate::wire::{
    outbound::{NOT_READY, NotSentReason, SendOutcome, SendRequest},
    ports,
    problem::Problem,
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

/// Least wait after an attempt that was not sent; doubles with each further one up to [`LONGEST_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

/// A committed attempt.
#[derive(Clone, Debug)]
pub(super) struct Handover {
    /// The first request; its age and its time to begin are those of `at`.
    pub(super) request: SendRequest,
    /// When the request was made.
    pub(super) at: Instant,
}

impl Handover {
    /// The request as it is now. After the first one the attempt may have been made already.
    fn request(&self, asked_before: bool, now: Instant) -> SendRequest {
        let elapsed = now.saturating_duration_since(self.at).as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let request = self.request.clone();
        SendRequest {
            asked_before: request.asked_before || asked_before,
            begun_millis_ago: request.begun_millis_ago.map(|millis| millis.saturating_add(elapsed)),
            begin_within_millis: request.begin_within_millis.saturating_sub(elapsed),
            sent_at: Timestamp::now(),
            ..request
        }
    }
}

/// How often in a row nothing was sent. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff(Arc<Mutex<Failures>>);

#[derive(Debug, Default)]
struct Failures {
    in_a_row: u32,
    /// When the last of them was counted.
    counted: Option<Instant>,
}

impl Backoff {
    /// The outcome of an attempt that began at `began`, with a wait that grows while nothing goes well, whatever the gateway asks
    /// for: each attempt costs a commit. The limit of the account is no failure; the gateway says exactly how long it takes.
    fn apply(&self, outcome: SendOutcome, began: Instant, now: Instant) -> SendOutcome {
        match outcome {
            SendOutcome::NotSent { reason, retry_after_millis, message } => {
                let least = match reason {
                    NotSentReason::AccountLimit => FIRST_BACKOFF,
                    _ => self.0.lock().next(began, now),
                };
                let least = u64::try_from(least.as_millis()).unwrap_or(u64::MAX);
                SendOutcome::NotSent { reason, retry_after_millis: retry_after_millis.max(least), message }
            }
            outcome @ (SendOutcome::Accepted { .. } | SendOutcome::Refused { .. } | SendOutcome::Unknown { .. }) => {
                *self.0.lock() = Failures::default();
                outcome
            }
        }
    }
}

impl Failures {
    /// Attempts that were under way together fail together, and are one failure.
    fn next(&mut self, began: Instant, now: Instant) -> Duration {
        if self.counted.is_none_or(|counted| counted <= began) {
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.counted = Some(now);
        }
        FIRST_BACKOFF.saturating_mul(1 << (self.in_a_row - 1).min(10)).min(LONGEST_BACKOFF)
    }
}

/// What it takes to reach the gateway.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) http: reqwest::Client,
    pub(super) settings: Arc<ArcSwap<Settings>>,
    pub(super) token: TokenFile,
    pub(super) engine: Handle,
    pub(super) backoff: Backoff,
    pub(super) shutdown: CancellationToken,
}

/// Why there is no outcome yet. Asking for the same attempt again is always safe: the gateway knows attempts.
#[derive(Debug, thiserror::Error)]
enum NoOutcome {
    #[error(transparent)]
    Token(#[from] crate::wire::tokens::TokenFileError),
    #[error("the gateway cannot be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    #[error("the gateway turned the request away with {status}: {body}")]
    TurnedAway { status: StatusCode, body: String },
    #[error("the gateway answered {status}: {body}")]
    Answered { status: StatusCode, body: String },
}

impl NoOutcome {
    /// Whether the gateway may have heard the question. A connection that never stood carried nothing, and what was turned away was not
    /// made.
    fn may_have_been_heard(&self) -> bool {
        match self {
            Self::Token(_) | Self::TurnedAway { .. } => false,
            Self::Unreachable(error) => !error.is_connect(),
            Self::Answered { .. } => true,
        }
    }
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

    #[tracing::instrument(
        name = "attempt",
        skip_all,
        fields(
            channel = self.settings.load().channel_name,
            message_id = handover.request.message_id,
            attempt = handover.request.attempt,
            outcome = field::Empty,
        )
    )]
    async fn deliver(&self, handover: Handover) {
        let outcome = tokio::select! {
            outcome = self.until_outcome(&handover) => outcome,
            () = self.shutdown.cancelled() => return,
        };
        tracing::Span::current().record("outcome", outcome.name());
        tracing::debug!("the gateway has answered an attempt");
        self.engine.tell(Request::SendResult {
            message: MessageId(handover.request.message_id),
            attempt: Attempt(handover.request.attempt),
            outcome: self.backoff.apply(outcome, handover.at, Instant::now()),
        });
    }

    async fn until_outcome(&self, handover: &Handover) -> SendOutcome {
        let mut waits = RETRY.build();
        let mut asked_before = false;
        loop {
            let request = handover.request(asked_before, Instant::now());
            match self.ask(&request).await {
                Ok(outcome) => return outcome,
                Err(error) => {
                    tracing::warn!(%error, "no outcome yet");
                    asked_before |= error.may_have_been_heard();
                    tokio::time::sleep(waits.next().unwrap_or(Duration::from_secs(5))).await;
                }
            }
        }
    }

    async fn ask(&self, request: &SendRequest) -> Result<SendOutcome, NoOutcome> {
        let url = format!("{}{}", self.settings.load().gateway.url.trim_end_matches('/'), ports::MESSAGES_PATH);
        let token = self.token.current()?;
        let answer = self.http.post(url).bearer_auth(&*token).json(request).timeout(ANSWER_WITHIN).send().await?;
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer.json().await?);
        }
        let whole = answer.text().await?;
        let body = whole.chars().take(300).collect();
        Err(match is_turned_away(status, &whole) {
            true => NoOutcome::TurnedAway { status, body },
            false => NoOutcome::Answered { status, body },
        })
    }
}

/// Whether an answer promises that nothing was made of the request: the caller is not let in, or the gateway itself says that it is not
/// ready. The 503 of somebody in between promises nothing.
fn is_turned_away(status: StatusCode, body: &str) -> bool {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        StatusCode::SERVICE_UNAVAILABLE => {
            serde_json::from_str::<Problem>(body).is_ok_and(|problem| problem.is(NOT_READY))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_sent(reason: NotSentReason, retry_after_millis: u64) -> SendOutcome {
        SendOutcome::NotSent { reason, retry_after_millis, message: String::new() }
    }

    fn wait(outcome: &SendOutcome) -> u64 {
        match outcome {
            SendOutcome::NotSent { retry_after_millis, .. } => *retry_after_millis,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn attempts_that_are_not_made_come_ever_more_slowly_until_one_goes_well() {
        let backoff = Backoff::default();
        let mut now = Instant::now();
        let mut fail = |reason, asked| {
            now += Duration::from_secs(1);
            wait(&backoff.apply(not_sent(reason, asked), now, now))
        };
        let waits = [0; 9].map(|asked| fail(NotSentReason::DeadlinePassed, asked));
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(fail(NotSentReason::RateLimited, 60_000), 60_000, "longer when asked to");
        assert_eq!(fail(NotSentReason::AccountLimit, 250), 250, "a limit is no failure");
        backoff.apply(SendOutcome::Accepted { provider_message_ids: Vec::new(), segments: None }, now, now);
        let (began, ended) = (now, now + Duration::from_secs(1));
        let together = [0; 9].map(|_| wait(&backoff.apply(not_sent(NotSentReason::Temporary, 0), began, ended)));
        assert_eq!(together, [100; 9], "what was under way together is one failure");
    }

    #[test]
    fn a_request_grows_older_and_is_new_only_once() {
        let request = SendRequest {
            store_id: "s".into(),
            message_id: 1,
            attempt: 1,
            asked_before: false,
            begun_millis_ago: Some(5),
            begin_within_millis: 30_000,
            sent_at: Timestamp::UNIX_EPOCH,
            from: String::new(),
            to: String::new(),
            text: String::new(),
            segments: 1,
            receipt_token: String::new(),
        };
        let at = Instant::now();
        let handover = Handover { request, at };
        let later = |seconds| handover.request(seconds > 0, at + Duration::from_secs(seconds));
        let first = later(0);
        assert!(!first.asked_before && first.sent_at > Timestamp::UNIX_EPOCH);
        assert_eq!((first.begun_millis_ago, first.begin_within_millis), (Some(5), 30_000));
        let second = later(20);
        assert!(second.asked_before);
        assert_eq!((second.begun_millis_ago, second.begin_within_millis), (Some(20_005), 10_000));
        assert_eq!(later(31).begin_within_millis, 0, "only to be looked up");
    }
}
