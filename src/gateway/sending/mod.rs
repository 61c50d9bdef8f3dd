//! Sending: one attempt at a time, written down before the provider is called, and never made twice.

mod bounded_request;
mod circuit_breaker;
mod clock_skew;
mod token_bucket;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{sync::watch, task::JoinError};
use tokio_util::task::TaskTracker;
use tracing::field;

use super::{
    checking::Checks,
    current::{Active, Current},
    metrics::{Metrics, ProviderCall},
    providers::{CheckError, Provider, Scope, Trip},
    spool::{AttemptKey, Begun, Spool, SpoolError},
    traffic::Traffic,
};
use crate::{
    sms::{self, MAX_SEGMENTS},
    wire::{
        outbound::{NotSentReason, RefusalClass, SendOutcome, SendRequest},
        status::{ClockSkew, Trouble},
    },
};
pub(super) use bounded_request::{BoundedRequest, OutOfBounds};
use circuit_breaker::CircuitBreakers;
use clock_skew::ClockSkews;
use token_bucket::TokenBucket;

/// When to come again after a refusal that a change of configuration heals.
const AFTER_CHANGE: Duration = Duration::from_secs(2);
/// When to come again while credentials are not good.
const AFTER_CREDENTIALS: Duration = Duration::from_secs(5);
/// When to come again after a failure of the spool.
const AFTER_SPOOL: Duration = Duration::from_secs(1);
/// When to come again while a number has as many attempts in the ledger as one may have.
const AFTER_FULL: Duration = Duration::from_secs(10);
/// When to come again with a new attempt after one that came too late.
const AFTER_LATE: Duration = Duration::from_secs(1);
/// When to come again with a new attempt after one whose ids belong to another message.
const AFTER_OTHER: Duration = Duration::from_millis(100);

type Flight = Shared<BoxFuture<'static, Result<SendOutcome, SpoolError>>>;

/// Makes attempts. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Sending(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spool: Spool,
    current: watch::Receiver<Current>,
    checks: Checks,
    metrics: Metrics,
    traffic: Traffic,
    bucket: Mutex<Option<TokenBucket>>,
    breakers: Mutex<CircuitBreakers>,
    clocks: Mutex<ClockSkews>,
    /// Attempts under way: a repeated one waits for the same end.
    flights: Mutex<HashMap<AttemptKey, Flight>>,
    tasks: TaskTracker,
}

/// Takes an attempt from the list when its task ends, however it ends.
struct FlightGuard {
    inner: Arc<Inner>,
    key: AttemptKey,
}

impl Drop for FlightGuard {
    fn drop(&mut self) {
        self.inner.flights.lock().remove(&self.key);
    }
}

/// An attempt that an engine wants made.
struct Attempt {
    request: SendRequest,
    /// Segments of the text.
    segments: u32,
    key: AttemptKey,
    /// The provider is called before this or not at all.
    until: Instant,
}

/// An attempt that is not made.
struct Held {
    reason: NotSentReason,
    retry_after: Duration,
    message: String,
}

impl Held {
    fn new(reason: NotSentReason, retry_after: Duration, message: impl Into<String>) -> Self {
        Self { reason, retry_after, message: message.into() }
    }
}

impl From<Held> for SendOutcome {
    fn from(held: Held) -> Self {
        let retry_after_millis = u64::try_from(held.retry_after.as_millis()).unwrap_or(u64::MAX);
        Self::NotSent { reason: held.reason, retry_after_millis, message: held.message }
    }
}

impl Sending {
    /// Makes attempts with what is in force.
    pub(super) fn new(
        spool: Spool,
        current: watch::Receiver<Current>,
        checks: Checks,
        metrics: Metrics,
        traffic: Traffic,
    ) -> Self {
        Self(Arc::new(Inner {
            spool,
            current,
            checks,
            metrics,
            traffic,
            bucket: Mutex::default(),
            breakers: Mutex::default(),
            clocks: Mutex::default(),
            flights: Mutex::default(),
            tasks: TaskTracker::new(),
        }))
    }

    /// Waits for the attempts under way.
    pub(super) async fn ended(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// The engine whose clock differs most from ours, of those that asked lately.
    pub(super) fn clock_skew(&self) -> Option<ClockSkew> {
        self.0.clocks.lock().worst(Instant::now())
    }

    /// Closes a circuit breaker that bad credentials had opened.
    pub(super) fn credentials_valid(&self) {
        self.0.breakers.lock().credentials_valid();
    }

    /// Makes an attempt for `user`, or says what came of it before. Once begun it ends, whoever stops waiting for it.
    ///
    /// `NotSent` always means that this very attempt was never made: that is looked up first, whoever asks. The store's id in
    /// the request is known to its engine only.
    ///
    /// # Errors
    /// When the ledger cannot be read, so that nobody can tell whether the attempt was made: ask again.
    pub(super) async fn send(&self, user: &str, request: BoundedRequest) -> Result<SendOutcome, SpoolError> {
        let BoundedRequest { key, request } = request;
        let now = Instant::now();
        let active = self.0.current.borrow().active.clone();
        let may_send =
            |active: &Active| active.settings.route(&request.from).is_some_and(|route| route.engine_user == user);
        let active =
            active.filter(may_send).ok_or_else(|| format!("{user} is not the engine of {} here", request.from));
        if active.is_ok() {
            self.0.clocks.lock().note(&request.from, request.sent_at, Timestamp::now(), now);
        }
        let attempt = Attempt {
            key,
            segments: sms::segments(&request.text).count,
            until: now.checked_add(Duration::from_millis(request.begin_within_millis)).unwrap_or(now),
            request,
        };
        let flight = {
            let mut flights = self.0.flights.lock();
            match flights.get(&attempt.key) {
                Some(flight) => {
                    // It may wait for long, and the first one has all that is needed.
                    drop(attempt);
                    flight.clone()
                }
                None => {
                    let key = attempt.key.clone();
                    let flight = self.begin(active, attempt);
                    flights.insert(key, flight.clone());
                    flight
                }
            }
        };
        flight.await
    }

    /// Called with the list of flights locked, so that the guard is dropped after the entry was made.
    fn begin(&self, active: Result<Active, String>, attempt: Attempt) -> Flight {
        let guard = FlightGuard { inner: Arc::clone(&self.0), key: attempt.key.clone() };
        let task = self.0.tasks.spawn(async move { guard.inner.observed_attempt(active, &attempt).await });
        let ended = |end: Result<Result<SendOutcome, SpoolError>, JoinError>| {
            end.unwrap_or_else(|error| {
                Ok(SendOutcome::Unknown { message: format!("the attempt ended early: {error}") })
            })
        };
        task.map(ended).boxed().shared()
    }
}

impl Inner {
    #[tracing::instrument(
        name = "attempt",
        skip_all,
        fields(
            provider = active.as_ref().map_or("none", |active| active.settings.provider.as_str()),
            message_id = attempt.request.message_id,
            attempt = attempt.request.attempt,
            outcome = field::Empty,
        )
    )]
    async fn observed_attempt(
        &self,
        active: Result<Active, String>,
        attempt: &Attempt,
    ) -> Result<SendOutcome, SpoolError> {
        let is_of_its_engine = active.is_ok();
        let outcome = self.outcome_of(active, attempt).await?;
        tracing::Span::current().record("outcome", outcome.name());
        tracing::debug!("an attempt to send has ended");
        self.metrics.attempt(&outcome);
        if is_of_its_engine {
            self.traffic.note(&attempt.request.from, 1);
        }
        Ok(outcome)
    }

    async fn outcome_of(&self, active: Result<Active, String>, attempt: &Attempt) -> Result<SendOutcome, SpoolError> {
        let begun = self.spool.look_up(attempt.key.clone()).await?;
        if let Some(outcome) = self.not_new(&begun, attempt) {
            return Ok(outcome);
        }
        let age = attempt.request.begun_millis_ago.map(Duration::from_millis);
        if attempt.request.asked_before && !self.spool.would_know(&attempt.key.number, age) {
            self.metrics.answered_by_ledger(&begun);
            let message =
                "the ledger of attempts does not reach back to the beginning of this one: it may have been made";
            return Ok(SendOutcome::Unknown { message: message.into() });
        }
        let new = async {
            let active = active.map_err(|message| Held::new(NotSentReason::NotRouted, AFTER_CHANGE, message))?;
            self.make_if_permitted(&active, attempt).await
        };
        Ok(new.await.unwrap_or_else(SendOutcome::from))
    }

    /// An attempt that was not made before.
    async fn make_if_permitted(&self, active: &Active, attempt: &Attempt) -> Result<SendOutcome, Held> {
        if attempt.segments > MAX_SEGMENTS {
            let message = format!("the text has {} segments; a message has at most {MAX_SEGMENTS}", attempt.segments);
            return Ok(SendOutcome::Refused { class: RefusalClass::InvalidMessage, provider_code: None, message });
        }
        let provider = self.permit(active, attempt)?;
        let (now, from) = (Instant::now(), &attempt.request.from);
        let admitted = self.breakers.lock().admit(from, now);
        let half_open = admitted.map_err(|(reason, wait)| {
            Held::new(reason, wait, "the provider asked for less, or had a fault: the circuit breaker is open")
        })?;
        let made = match half_open {
            Some(NotSentReason::Temporary | NotSentReason::Unreachable) => match self.probe(&*provider, from).await {
                Ok(()) => self.make(active, &*provider, attempt).await,
                Err(held) => Err(held),
            },
            Some(_) | None => self.make(active, &*provider, attempt).await,
        };
        if made.is_err() {
            self.breakers.lock().not_made(from);
        }
        made
    }

    /// Whether settings and credentials allow an attempt now.
    fn permit(&self, active: &Active, attempt: &Attempt) -> Result<Arc<dyn Provider>, Held> {
        if !active.settings.enabled {
            return Err(Held::new(NotSentReason::Disabled, AFTER_CREDENTIALS, "the connector is disabled"));
        }
        attempt.in_time()?;
        let credentials = |message: String| Held::new(NotSentReason::Credentials, AFTER_CREDENTIALS, message);
        let provider = active
            .provider
            .clone()
            .map_err(|missing| credentials(format!("the Secret lacks {}", missing.0.join(", "))))?;
        match self.checks.refused() {
            Some(message) => Err(credentials(message)),
            None => Ok(provider),
        }
    }

    /// After a fault: asks the provider what does no harm, before a customer's message is risked.
    async fn probe(&self, provider: &dyn Provider, from: &str) -> Result<(), Held> {
        let began = Instant::now();
        let checked = provider.check().await;
        let ended = Instant::now();
        self.metrics.provider_call(ProviderCall::Check, checked.is_ok(), ended - began);
        let (reason, message) = match checked {
            Ok(()) => return Ok(()),
            Err(CheckError::Unasked(unanswered)) => {
                let reason = match unanswered.trouble {
                    Trouble::Unreachable => NotSentReason::Unreachable,
                    Trouble::RateLimited => NotSentReason::RateLimited,
                    Trouble::Slow | Trouble::Fault => NotSentReason::Temporary,
                };
                (reason, unanswered.message)
            }
            Err(CheckError::Invalid(message) | CheckError::Suspended(message)) => {
                self.checks.again();
                (NotSentReason::Credentials, message)
            }
        };
        let mut breakers = self.breakers.lock();
        breakers.ended(from, Some(Trip { scope: Scope::Account, reason, at_least: None }), began, ended);
        Err(Held::new(reason, breakers.remaining(from, ended), message))
    }

    /// The attempt itself: limit, ledger, provider, ledger.
    async fn make(&self, active: &Active, provider: &dyn Provider, attempt: &Attempt) -> Result<SendOutcome, Held> {
        let request = &attempt.request;
        self.acquire(active, attempt)?;
        let begun = self.spool.begin(attempt.key.clone()).await.map_err(|error| {
            self.refund(attempt);
            // Nothing was sent, and nothing will be: the caller goes on with a new attempt.
            Held::new(NotSentReason::Spool, AFTER_SPOOL, error.to_string())
        })?;
        if let Some(outcome) = self.not_new(&begun, attempt) {
            self.refund(attempt);
            self.breakers.lock().not_made(&request.from);
            return Ok(outcome);
        }
        // The commit may have taken its time. What it took of the limit is not given back: the limit also bounds what an engine can
        // have written that leaves too little time.
        let outcome = match attempt.in_time() {
            Ok(()) => self.call(active, provider, attempt).await,
            Err(late) => {
                self.breakers.lock().not_made(&request.from);
                late.into()
            }
        };
        if let Err(error) = self.spool.finish(attempt.key.clone(), outcome.clone()).await {
            // The engine learns it now; asked again, we could only say that nobody knows.
            tracing::error!(%error, "the outcome of an attempt is not on the disk");
        }
        Ok(outcome)
    }

    async fn call(&self, active: &Active, provider: &dyn Provider, attempt: &Attempt) -> SendOutcome {
        let (request, began) = (&attempt.request, Instant::now());
        let answer = provider.send(request, &active.settings.public_url).await;
        let ended = Instant::now();
        let answered = matches!(answer.outcome, SendOutcome::Accepted { .. } | SendOutcome::Refused { .. });
        self.metrics.provider_call(ProviderCall::Send, answered, ended - began);
        // What stops the whole account may be its credentials, or the provider: whoever looks at the status should know soon.
        if answer.trip.is_some_and(|trip| trip.scope == Scope::Account) {
            self.checks.again();
        }
        let remaining = {
            let mut breakers = self.breakers.lock();
            breakers.ended(&request.from, answer.trip, began, ended);
            breakers.remaining(&request.from, ended)
        };
        match answer.outcome {
            SendOutcome::NotSent { reason, message, .. } => {
                self.refund(attempt);
                tracing::warn!(from = request.from, ?reason, message, "nothing was sent");
                Held::new(reason, remaining, message).into()
            }
            outcome @ (SendOutcome::Accepted { .. } | SendOutcome::Refused { .. } | SendOutcome::Unknown { .. }) => {
                outcome
            }
        }
    }

    fn acquire(&self, active: &Active, attempt: &Attempt) -> Result<(), Held> {
        let (limit, now) = (active.settings.account_limit, Instant::now());
        let acquired = self.bucket.lock().get_or_insert_with(|| TokenBucket::new(limit, now)).try_acquire(
            limit,
            attempt.segments,
            now,
        );
        acquired.map_err(|wait| {
            let message = format!("the account may send {} segments in {} s", limit.segments, limit.per_seconds);
            Held::new(NotSentReason::AccountLimit, wait, message)
        })
    }

    fn refund(&self, attempt: &Attempt) {
        if let Some(bucket) = &mut *self.bucket.lock() {
            bucket.refund(attempt.segments);
        }
    }

    /// What the ledger says of an attempt: `None` when nothing stands in the way.
    fn not_new(&self, begun: &Begun, attempt: &Attempt) -> Option<SendOutcome> {
        let outcome = match begun {
            Begun::New => return None,
            Begun::Recorded(Some(outcome)) => outcome.clone(),
            Begun::Recorded(None) => {
                let message = "this attempt was begun; what came of it was not written down";
                SendOutcome::Unknown { message: message.into() }
            }
            Begun::OtherContent => {
                let message = "the ledger has this attempt with another receiver or text; this text was not sent";
                Held::new(NotSentReason::OtherContent, AFTER_OTHER, message).into()
            }
            Begun::Late => {
                let message = "a later attempt of this message was made already";
                Held::new(NotSentReason::DeadlinePassed, AFTER_LATE, message).into()
            }
            Begun::NoRoom => {
                self.metrics.no_room_for_attempt();
                let message = format!(
                    "the spool has as many attempts to send from {} of the last ten minutes as one number may have; send fewer, or \
                     enlarge spec.gateway.spool.size",
                    attempt.key.number
                );
                tracing::warn!(from = attempt.key.number, "there is no room for an attempt in the ledger");
                Held::new(NotSentReason::Spool, AFTER_FULL, message).into()
            }
        };
        self.metrics.answered_by_ledger(begun);
        Some(outcome)
    }
}

impl Attempt {
    fn in_time(&self) -> Result<(), Held> {
        if Instant::now() < self.until {
            return Ok(());
        }
        let message = format!("the attempt was to begin within {} ms of the request", self.request.begin_within_millis);
        Err(Held::new(NotSentReason::DeadlinePassed, AFTER_LATE, message))
    }
}
