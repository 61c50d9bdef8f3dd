//! The port of the other roles, 8081: engines send, the operator asks for the status.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::sync::watch;

use super::{
    current::{Active, Current},
    problem,
    sending::Sending,
    spool::SpoolError,
    status::Reporter,
};
use crate::wire::{
    outbound::{SendOutcome, SendRequest},
    ports::{MESSAGES_PATH, STATUS_PATH},
    status::GatewayStatus,
    tokens::{TokenError, bearer},
};

/// Longest request: a text of at most a few thousand characters.
const MAX_BODY: usize = 64 * 1024;

/// What the port works with.
#[derive(Clone, Debug)]
pub struct Roles {
    /// Settings in force: who may call.
    pub current: watch::Receiver<Current>,
    /// Makes attempts.
    pub sending: Sending,
    /// Makes the status.
    pub reporter: Reporter,
}

impl Roles {
    /// The port's routes.
    pub fn router(self) -> Router {
        Router::new()
            .route(MESSAGES_PATH, post(messages))
            .route(STATUS_PATH, get(status))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(self)
    }

    /// Who calls.
    fn caller(&self, headers: &HeaderMap) -> Result<(Active, String), Denied> {
        let active = self.current.borrow().active.clone().ok_or(Denied::NotReady)?;
        let verified = bearer(headers).and_then(|token| active.settings.verifier.verify(token));
        let identity = verified.map_err(Denied::Unauthenticated)?;
        Ok((active, identity.user))
    }
}

/// Why a caller gets no answer.
enum Denied {
    NotReady,
    Unauthenticated(TokenError),
    NotOperator(String),
    Malformed(serde_json::Error),
    Unreadable(SpoolError),
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::NotReady => unavailable("no configuration yet"),
            Self::Unauthenticated(error) => {
                tracing::warn!(%error, "a caller is not accepted");
                let detail = error.to_string();
                let response =
                    problem::response(StatusCode::UNAUTHORIZED, "unauthorized", "Not authenticated", Some(&detail));
                ([(header::WWW_AUTHENTICATE, "Bearer")], response).into_response()
            }
            Self::NotOperator(user) => {
                let detail = format!("only the operator may ask for the status, not {user}");
                problem::response(StatusCode::FORBIDDEN, "forbidden", "Not allowed", Some(&detail))
            }
            Self::Malformed(error) => {
                let detail = error.to_string();
                problem::response(StatusCode::BAD_REQUEST, "malformed", "Not a request to send", Some(&detail))
            }
            Self::Unreadable(error) => unavailable(&error.to_string()),
        }
    }
}

fn unavailable(detail: &str) -> Response {
    let response = problem::response(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready", Some(detail));
    ([(header::RETRY_AFTER, "2")], response).into_response()
}

async fn messages(State(roles): State<Roles>, headers: HeaderMap, body: Bytes) -> Result<Json<SendOutcome>, Denied> {
    let (_, user) = roles.caller(&headers)?;
    let request: SendRequest = serde_json::from_slice(&body).map_err(Denied::Malformed)?;
    roles.sending.send(&user, request).await.map(Json).map_err(Denied::Unreadable)
}

async fn status(State(roles): State<Roles>, headers: HeaderMap) -> Result<Json<GatewayStatus>, Denied> {
    let (active, user) = roles.caller(&headers)?;
    if user != active.settings.operator_user {
        return Err(Denied::NotOperator(user));
    }
    roles.reporter.report().await.map(Json).map_err(Denied::Unreadable)
}
