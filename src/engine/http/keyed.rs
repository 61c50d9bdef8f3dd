//! Requests that change something: the same `Idempotency-Key` within 24 hours gets the same answer and no second effect.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    Shared, body,
    caller::Agent,
    problem::Failure,
    view::{Accepted, Done},
};
use crate::{
    engine::{
        core::command::Answer,
        http::problem::of_refusal,
        inbox::{Keyed, Outcome, Render, Request as Asked},
        store::idempotency::{RecordedAnswer, RequestId},
    },
    wire::problem::{MEDIA_TYPE, Problem},
};

/// The header with the caller's key.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in bytes.
const LONGEST_KEY: usize = 255;

/// An agent's request with its key and body.
#[derive(Debug)]
pub(super) struct Change<T> {
    pub agent: Agent,
    /// The body.
    pub body: T,
    id: RequestId,
    /// Counts among the port's bodies until the request is answered.
    _bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Shared> for Change<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Failure> {
        use axum::RequestExt;
        let mut request = request;
        let agent: Agent = request.extract_parts_with_state(shared).await?;
        let key = key(&request)?;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let bytes = body::bytes(request, body::MAX_BODY_BYTES, &shared.agents_bodies).await?;
        let id = RequestId { user: agent.user.clone(), key, request_hash: hash(&method, &path, &bytes) };
        Ok(Self { agent, body: body::json(&bytes)?, id, _bytes: bytes })
    }
}

fn key(request: &Request) -> Result<String, Failure> {
    let missing = || {
        Problem::new(400, "idempotency-key-missing", "The header Idempotency-Key is missing")
            .detail("Send a fresh key (a UUID) with each new request, and the same one when you repeat it.")
    };
    let value = request.headers().get(IDEMPOTENCY_KEY).ok_or_else(missing)?;
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= LONGEST_KEY => Ok(key.to_owned()),
        Ok(_) | Err(_) => Err(Failure::bad_request(format!(
            "The Idempotency-Key must have 1 to {LONGEST_KEY} visible ASCII characters."
        ))),
    }
}

fn hash(method: &Method, path: &str, body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [method.as_str().as_bytes(), path.as_bytes(), body] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

impl<T> Change<T> {
    /// Has the request decided, or gives the answer that it had.
    ///
    /// # Errors
    /// When the engine is ending or has too much to do, or the key belongs to another request.
    pub(super) async fn ask(self, shared: &Shared, request: Asked, render: Render) -> Result<Response, Failure> {
        match shared.engine.ask_keyed(request, self.id, render).await? {
            Keyed::First(answer) => Ok(respond(answer, false)),
            Keyed::Again(answer) => Ok(respond(answer, true)),
            Keyed::KeyReused => {
                Err(Problem::new(422, "idempotency-key-reused", "The Idempotency-Key belongs to another request")
                    .detail("Use a fresh key: this one came with another path or body in the last 24 hours.")
                    .into())
            }
        }
    }
}

fn respond(answer: RecordedAnswer, replayed: bool) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let media_type = if status.is_success() { "application/json" } else { MEDIA_TYPE };
    let mut response = (status, [(header::CONTENT_TYPE, media_type)], answer.body).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// An answer as it is stored: the document that `of` makes of what was done, or the problem that a refusal is.
pub(super) fn recorded<T: Serialize>(
    outcome: &Outcome,
    of: impl FnOnce(&Answer) -> Option<(u16, T)>,
) -> RecordedAnswer {
    let (status, body) = match outcome {
        Ok(answer) => match of(answer) {
            Some((status, document)) => (status, serde_json::to_string(&document)),
            None => (500, serde_json::to_string(&Problem::new(500, "internal", "A fault of the engine"))),
        },
        Err(refusal) => {
            let problem = of_refusal(refusal);
            (problem.status, serde_json::to_string(&problem))
        }
    };
    // Documents of strings and numbers can always be written.
    RecordedAnswer { status, body: body.unwrap_or_default() }
}

/// The recorded answer to what has nothing to say when it is done.
pub(super) fn done(outcome: &Outcome) -> RecordedAnswer {
    recorded(outcome, |_| Some((200, Done {})))
}

/// The recorded answer to what makes an interaction somebody's.
pub(super) fn accepted(outcome: &Outcome) -> RecordedAnswer {
    recorded(outcome, |answer| {
        let Answer::Accepted { epoch } = answer else { return None };
        Some((200, Accepted { epoch: epoch.0 }))
    })
}
