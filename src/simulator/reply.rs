//! What every HTTP answer of the simulator has in common: JSON, and problems as RFC 9457 says.

use crate::wire::{
    problem::MEDIA_TYPE,
    simulator::{Problem, ProblemClass},
};
use axum::{
    extract::{FromRequest, Request, rejection::JsonRejection},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};

/// An answer as JSON.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    (status, axum::Json(body)).into_response()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, &self);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A problem with the request, with its exact status.
pub(super) fn wrong(status: StatusCode, detail: impl Into<String>) -> Problem {
    Problem { status: status.as_u16(), ..Problem::new(ProblemClass::InvalidRequest, detail) }
}

/// There is nothing of that name.
pub(super) fn missing(what: &str, name: impl std::fmt::Display) -> Problem {
    wrong(StatusCode::NOT_FOUND, format!("there is no {what} {name}"))
}

pub(super) async fn not_found(uri: Uri) -> Problem {
    wrong(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    wrong(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}

/// A JSON body; what is wrong with it is answered as a problem. The content type must say JSON, so that a page of another
/// origin cannot post here.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let parsed: Result<axum::Json<T>, JsonRejection> = axum::Json::from_request(request, state).await;
        match parsed {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(error) => {
                let status = match error.status() {
                    StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
                    other => other,
                };
                Err(wrong(status, error.body_text()))
            }
        }
    }
}
