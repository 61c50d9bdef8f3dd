//! The webhooks: port 8080, called by the provider.

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use tokio::sync::watch;
use tracing::field;

use super::{
    current::{Active, Current},
    deliver::Delivery,
    metrics::{Metrics, WebhookOutcome},
    providers::{CallHead, Malformed, Provider, Received, Rejected, Unverified, WebhookCall},
    public_url::Hook,
};
use crate::{
    process::{
        bodies::Bodies,
        body::{self, BodyError},
        serve::Limits,
    },
    wire::{delivery::Item, inbound::MAX_DELIVERY_BYTES, problem::Problem},
};

/// What the whole world may take of the port. Providers and proxies keep far fewer connections, and one that waits for us is never sent
/// away. 128 bodies of 64 KiB are read at once, or thousands of those that providers send.
pub(super) const LIMITS: Limits = Limits { connections: 512, head_bytes: 16 * 1024, bodies_bytes: 8 * 1024 * 1024 };
/// When a provider should come again.
const RETRY_AFTER_SECONDS: u32 = 5;

/// What the webhooks work with.
#[derive(Clone, Debug)]
pub(super) struct Ingress {
    /// Settings and provider in force.
    pub current: watch::Receiver<Current>,
    pub delivery: Delivery,
    /// Counts.
    pub metrics: Metrics,
    /// The port's.
    pub bodies: Bodies,
}

impl Ingress {
    /// The port's routes. All paths lead to one place, since the public URL decides which of them are webhooks.
    pub(super) fn router(self) -> Router {
        Router::new().fallback(call).with_state(self)
    }

    async fn answer(&self, request: Request) -> Response {
        let Some(active) = self.current.borrow().active.clone() else {
            return not_ready("no configuration yet");
        };
        let Some(hook) = active.settings.public_url.hook_of(request.uri().path()) else {
            return Problem::new(404, "not-found", "No such webhook").into_response();
        };
        self.answer_hook(&active, hook, request).await
    }

    #[tracing::instrument(name = "webhook", skip_all, fields(provider = active.settings.provider, ?hook, outcome = field::Empty))]
    async fn answer_hook(&self, active: &Active, hook: Hook, request: Request) -> Response {
        let (response, outcome) = match &active.provider {
            Ok(provider) => self.receive(active, &**provider, hook, request).await,
            Err(missing) => {
                tracing::error!(missing = ?missing.0, "a webhook cannot be verified: the credentials are missing");
                (not_ready("credentials are missing"), WebhookOutcome::NotReady)
            }
        };
        tracing::Span::current().record("outcome", field::debug(outcome));
        tracing::debug!(status = response.status().as_u16(), "a webhook was answered");
        self.metrics.webhook(hook, outcome);
        response
    }

    async fn receive(
        &self,
        active: &Active,
        provider: &dyn Provider,
        hook: Hook,
        request: Request,
    ) -> (Response, WebhookOutcome) {
        let received_at = Timestamp::now();
        let (parts, body) = request.into_parts();
        if !provider.methods().contains(&parts.method) {
            return wrong_method(provider.methods());
        }
        let query = parts.uri.query().map(str::to_owned);
        let url = active.settings.public_url.called(hook, query.as_deref());
        let head = CallHead { hook, method: parts.method, url, query, headers: parts.headers };
        // Anybody can reach this port: nothing is read for a caller who does not even claim to be the provider.
        if !provider.claims_to_be_ours(&head) {
            tracing::debug!("a call without a signature");
            return refused(&Unverified::Signature);
        }
        let body = match body::read(body, provider.longest_body(), &self.bodies).await {
            Ok(body) => body,
            Err(error) => return unreadable(&error),
        };
        // A byte of them is six of JSON at most.
        let may_be_too_long = body.len() + head.query.as_ref().map_or(0, String::len) > MAX_DELIVERY_BYTES / 8;
        let mut received = match provider.receive(&WebhookCall { head, body, received_at }).await {
            Ok(received) => received,
            Err(Rejected::Unverified(error)) => {
                tracing::warn!("{error}");
                return refused(&error);
            }
            Err(Rejected::Malformed(Malformed(why))) => return malformed(&why),
        };
        for item in &mut received.items {
            if let Some(number) = active.settings.short_code(item.number()) {
                match item {
                    Item::Inbound(message) => message.to = number.into(),
                    Item::Receipt(receipt) => receipt.from = number.into(),
                }
            }
        }
        if may_be_too_long && received.items.iter().any(Item::is_too_long) {
            return malformed("the message is longer than an engine takes; no provider's texts are");
        }
        self.deliver(received).await
    }

    /// The provider is answered when every item is on a disk. If one is not, it brings all of them again: those that are, are known then.
    async fn deliver(&self, received: Received) -> (Response, WebhookOutcome) {
        for item in &received.items {
            if let Item::Inbound(message) = item {
                self.metrics.media_left(message.media.len());
            }
        }
        match self.delivery.accept_all(received.items).await {
            Ok(outcome) => (received.acknowledgement, outcome),
            Err(error) => {
                tracing::error!(%error, "an item is on no disk; the provider must bring it again");
                (not_ready("nothing can be stored now"), WebhookOutcome::SpoolFailed)
            }
        }
    }
}

async fn call(State(ingress): State<Ingress>, request: Request) -> Response {
    ingress.answer(request).await
}

fn not_ready(detail: &str) -> Response {
    let problem = Problem::new(503, "not-ready", "Not ready").detail(detail);
    ([(header::RETRY_AFTER, RETRY_AFTER_SECONDS.to_string())], problem).into_response()
}

fn wrong_method(methods: &[Method]) -> (Response, WebhookOutcome) {
    let allowed = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let detail = format!("webhooks are called with {allowed}; set the provider's HTTP method to it");
    let problem = Problem::new(405, "method-not-allowed", "Wrong method").detail(detail);
    (([(header::ALLOW, allowed)], problem).into_response(), WebhookOutcome::Malformed)
}

fn malformed(why: &str) -> (Response, WebhookOutcome) {
    tracing::error!(why, "a signed webhook cannot be understood");
    let problem = Problem::new(400, "malformed", "Not understood").detail(why);
    (problem.into_response(), WebhookOutcome::Malformed)
}

fn refused(error: &Unverified) -> (Response, WebhookOutcome) {
    let detail = match error {
        Unverified::Signature => "the signature does not fit; check webhook.publicUrl and the credentials".to_owned(),
        Unverified::Stale | Unverified::TooManyParameters => error.to_string(),
    };
    let problem = Problem::new(403, "bad-signature", "Not signed by the provider").detail(detail);
    (problem.into_response(), WebhookOutcome::BadSignature)
}

fn unreadable(error: &BodyError) -> (Response, WebhookOutcome) {
    if *error == BodyError::NoRoom {
        return (not_ready(&error.to_string()), WebhookOutcome::NotReady);
    }
    let problem = Problem::new(error.status(), "malformed", "Not understood").detail(error.to_string());
    (problem.into_response(), WebhookOutcome::Malformed)
}
