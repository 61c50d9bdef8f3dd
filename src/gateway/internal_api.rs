//! The internal API, port 8081: engines send, the operator asks for the status.

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::sync::watch;

use super::{
    current::{Active, Current},
    sending::{BoundedRequest, OutOfBounds, Sending},
    spool::SpoolError,
    status::Reporter,
    under_way::UnderWay,
};
use crate::{
    process::{
        bodies::Bodies,
        body::{self, BodyError},
        serve::Limits,
    },
    wire::{
        outbound::{MAX_SEND_BYTES, NOT_READY, SendOutcome, SendRequest},
        ports::{MESSAGES_PATH, STATUS_PATH},
        problem::Problem,
        status::GatewayStatus,
        tokens::{TokenError, bearer},
    },
};

/// One connection or two of each engine that sends, and the operator. Their tokens are the cluster's, of a kilobyte or two.
pub(super) const LIMITS: Limits = Limits { connections: 1024, head_bytes: 8 * 1024, bodies_bytes: 64 * MAX_SEND_BYTES };

/// Requests to send that one engine may have under way. It makes half as many at once; the others are those that it gave up and repeats.
const UNDER_WAY_OF_ONE: usize = 128;

/// The API's state.
#[derive(Clone, Debug)]
pub(super) struct InternalApi {
    /// Settings in force: who may call.
    pub current: watch::Receiver<Current>,
    /// Makes attempts.
    pub sending: Sending,
    /// Makes the status.
    pub reporter: Reporter,
    /// The port's.
    pub bodies: Bodies,
    /// Requests to send that wait for their outcome.
    pub under_way: UnderWay,
}

impl InternalApi {
    pub(super) fn router(self) -> Router {
        Router::new().route(MESSAGES_PATH, post(messages)).route(STATUS_PATH, get(status)).with_state(self)
    }

    fn caller(&self, headers: &HeaderMap) -> Result<(Active, String), Denied> {
        let active = self.current.borrow().active.clone().ok_or(Denied::NotReady)?;
        let verified = bearer(headers).and_then(|token| active.settings.verifier.verify(token));
        let identity = verified.map_err(Denied::Unauthenticated)?;
        Ok((active, identity.user.clone()))
    }
}

/// Why a caller gets no answer.
enum Denied {
    NotReady,
    Unauthenticated(TokenError),
    NotOperator(String),
    TooMany,
    Body(BodyError),
    Malformed(serde_json::Error),
    OutOfBounds(OutOfBounds),
    Unreadable(SpoolError),
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::NotReady => unavailable("no configuration yet"),
            Self::Unauthenticated(error) => {
                tracing::warn!(%error, "a caller is not accepted");
                Problem::new(401, "unauthorized", "Not authenticated").detail(error.to_string()).into_response()
            }
            Self::NotOperator(user) => {
                let detail = format!("only the operator may ask for the status, not {user}");
                Problem::new(403, "forbidden", "Not allowed").detail(detail).into_response()
            }
            Self::TooMany => unavailable(&format!("{UNDER_WAY_OF_ONE} requests of this engine are under way already")),
            Self::Body(BodyError::NoRoom) => unavailable(&BodyError::NoRoom.to_string()),
            Self::Body(error) => malformed(error.status(), &error.to_string()).into_response(),
            Self::Malformed(error) => malformed(400, &error.to_string()).into_response(),
            Self::OutOfBounds(error) => malformed(400, &error.to_string()).field(error.field()).into_response(),
            Self::Unreadable(error) => unavailable(&error.to_string()),
        }
    }
}

fn malformed(status: u16, detail: &str) -> Problem {
    Problem::new(status, "malformed", "Not a request to send").detail(detail)
}

fn unavailable(detail: &str) -> Response {
    let problem = Problem::new(503, NOT_READY, "Not ready").detail(detail);
    ([(header::RETRY_AFTER, "2")], problem).into_response()
}

async fn messages(State(api): State<InternalApi>, request: Request) -> Result<Json<SendOutcome>, Denied> {
    // First who calls: nothing is read for a stranger.
    let (_, user) = api.caller(request.headers())?;
    let _counted = api.under_way.count(&user, UNDER_WAY_OF_ONE).ok_or(Denied::TooMany)?;
    let (head, body) = request.into_parts();
    drop(head);
    let body = body::read(body, MAX_SEND_BYTES, &api.bodies).await.map_err(Denied::Body)?;
    let request: SendRequest = serde_json::from_slice(&body).map_err(Denied::Malformed)?;
    // The provider may take its time, and others need the room.
    drop(body);
    let request = BoundedRequest::try_from(request).map_err(Denied::OutOfBounds)?;
    api.sending.send(&user, request).await.map(Json).map_err(Denied::Unreadable)
}

async fn status(State(api): State<InternalApi>, headers: HeaderMap) -> Result<Json<GatewayStatus>, Denied> {
    let (active, user) = api.caller(&headers)?;
    if user != active.settings.operator_user {
        return Err(Denied::NotOperator(user));
    }
    Ok(Json(api.reporter.report()))
}
