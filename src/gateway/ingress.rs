//! The webhooks: port 8080, called by the provider.

use std::time::Duration;

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    current::{Active, Current},
    deliver::Delivery,
    metrics::{Metrics, Outcome},
    problem,
    providers::{Provider, WebhookCall},
    public_url::Hook,
    spool::Item,
};

/// Longest body: a text message with all its parameters has a few kB.
const MAX_BODY: usize = 256 * 1024;
/// Until the body is there.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// When a provider should come again.
const RETRY_AFTER_SECONDS: u32 = 5;

/// What the webhooks work with.
#[derive(Clone, Debug)]
pub struct Ingress {
    /// Settings and provider in force.
    pub current: watch::Receiver<Current>,
    /// Where items go.
    pub delivery: Delivery,
    /// Counts.
    pub metrics: Metrics,
}

impl Ingress {
    /// The port's routes. All paths lead to one place, since the public URL decides which of them are webhooks.
    pub fn router(self) -> Router {
        Router::new().fallback(call).with_state(self)
    }

    async fn answer(&self, request: Request) -> Response {
        let Some(active) = self.current.borrow().active.clone() else {
            return not_ready("no configuration yet");
        };
        let Some(hook) = active.settings.public_url.hook_of(request.uri().path()) else {
            return problem::response(StatusCode::NOT_FOUND, "not-found", "No such webhook", None);
        };
        if request.method() != Method::POST {
            let detail = "webhooks are called with POST; set the provider's HTTP method to POST";
            let response =
                problem::response(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Wrong method", Some(detail));
            return ([(header::ALLOW, "POST")], response).into_response();
        }
        let (response, outcome) = match &active.provider {
            Ok(provider) => self.take(&active, provider, hook, request).await,
            Err(missing) => {
                tracing::error!(missing = ?missing.0, "a webhook cannot be verified: the credentials are missing");
                (not_ready("credentials are missing"), Outcome::NotReady)
            }
        };
        self.metrics.webhook(hook, outcome);
        response
    }

    async fn take(&self, active: &Active, provider: &Provider, hook: Hook, request: Request) -> (Response, Outcome) {
        let received_at = Timestamp::now();
        let (head, body) = request.into_parts();
        let body = match tokio::time::timeout(BODY_DEADLINE, to_bytes(body, MAX_BODY)).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => return malformed(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long or broken"),
            Err(_) => return malformed(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        };
        let query = head.uri.query().map(str::to_owned);
        let url = active.settings.public_url.called(hook, query.as_deref());
        let call = WebhookCall { url, query, headers: head.headers, body, received_at };
        if let Err(error) = provider.verify(&call) {
            tracing::warn!(?hook, "{error}");
            let detail = "the signature does not fit; check webhook.publicUrl and the credentials";
            let response =
                problem::response(StatusCode::FORBIDDEN, "bad-signature", "Not signed by the provider", Some(detail));
            return (response, Outcome::BadSignature);
        }
        let item = match hook {
            Hook::Inbound => provider.inbound(&call).map(|message| Some(Item::Inbound(message))),
            Hook::Status => provider.receipt(&call).map(|receipt| receipt.map(Item::Receipt)),
        };
        match item {
            Ok(Some(item)) => self.deliver(provider, item).await,
            Ok(None) => (provider.acknowledgement(), Outcome::Ignored),
            Err(error) => {
                tracing::error!(?hook, %error, "a signed webhook cannot be understood");
                malformed(StatusCode::BAD_REQUEST, &error.to_string())
            }
        }
    }

    async fn deliver(&self, provider: &Provider, item: Item) -> (Response, Outcome) {
        match self.delivery.accept(item).await {
            Ok(outcome) => (provider.acknowledgement(), outcome),
            Err(error) => {
                tracing::error!(%error, "an item is on no disk; the provider must bring it again");
                (not_ready("nothing can be stored now"), Outcome::SpoolFailed)
            }
        }
    }
}

async fn call(State(ingress): State<Ingress>, request: Request) -> Response {
    ingress.answer(request).await
}

fn not_ready(detail: &str) -> Response {
    let response = problem::response(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready", Some(detail));
    ([(header::RETRY_AFTER, RETRY_AFTER_SECONDS.to_string())], response).into_response()
}

fn malformed(status: StatusCode, detail: &str) -> (Response, Outcome) {
    (problem::response(status, "malformed", "Not understood", Some(detail)), Outcome::Malformed)
}
