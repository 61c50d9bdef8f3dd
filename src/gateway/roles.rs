//! The port of the other roles, 8081: engines send, the operator asks for the status.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::sync::watch;

use super::{
    current::{Active, Current},
    problem,
    sending::Sending,
    status::Reporter,
};
use crate::wire::{
    outbound::SendRequest,
    ports::{MESSAGES_PATH, STATUS_PATH},
    tokens::bearer,
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
    fn caller(&self, headers: &HeaderMap) -> Result<(Active, String), Response> {
        let Some(active) = self.current.borrow().active.clone() else {
            let response = problem::response(
                StatusCode::SERVICE_UNAVAILABLE,
                "not-ready",
                "Not ready",
                Some("no configuration yet"),
            );
            return Err(([(header::RETRY_AFTER, "2")], response).into_response());
        };
        match bearer(headers).and_then(|token| active.settings.verifier.verify(token)) {
            Ok(identity) => Ok((active, identity.user)),
            Err(error) => {
                tracing::warn!(%error, "a caller is not accepted");
                let detail = error.to_string();
                let response =
                    problem::response(StatusCode::UNAUTHORIZED, "unauthorized", "Not authenticated", Some(&detail));
                Err(([(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))], response).into_response())
            }
        }
    }
}

async fn messages(State(roles): State<Roles>, headers: HeaderMap, body: Bytes) -> Response {
    let user = match roles.caller(&headers) {
        Ok((_, user)) => user,
        Err(response) => return response,
    };
    match serde_json::from_slice::<SendRequest>(&body) {
        Ok(request) => Json(roles.sending.send(&user, request).await).into_response(),
        Err(error) => {
            problem::response(StatusCode::BAD_REQUEST, "malformed", "Not a request to send", Some(&error.to_string()))
        }
    }
}

async fn status(State(roles): State<Roles>, headers: HeaderMap) -> Response {
    match roles.caller(&headers) {
        Ok((active, user)) if user == active.settings.operator_user => roles.reporter.report().await,
        Ok((_, user)) => {
            let detail = format!("only the operator may ask for the status, not {user}");
            problem::response(StatusCode::FORBIDDEN, "forbidden", "Not allowed", Some(&detail))
        }
        Err(response) => response,
    }
}
