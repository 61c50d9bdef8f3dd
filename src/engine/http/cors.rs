//! Web pages of other origins: which of them browsers let use the agents' API. Tokens stand in a header that the page sets, so nothing is
//! ever allowed with cookies.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Shared, problem::Failure};
use crate::wire::{config::Origin, problem::Problem};

/// What pages may send.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT");
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, last-event-id");
/// What pages may read beyond the body.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static("retry-after, location, idempotency-replayed");
/// Seconds for which a browser need not ask again whether it may send a request. Whether the page may read the answer is said by each.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Answers browsers that ask what a page may send, and says in each answer which page may read it, by the configuration in force.
pub(super) async fn cross_origin(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = origin.as_ref().filter(|origin| is_allowed(&shared, origin)).cloned();
    let mut response = match (&origin, is_preflight(&request)) {
        (Some(origin), true) => preflight(origin, allowed.is_some()),
        (Some(_), false) | (None, _) => {
            let mut response = next.run(request).await;
            if allowed.is_some() {
                response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
            }
            response
        }
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(allowed) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    }
    response
}

fn is_allowed(shared: &Shared, origin: &HeaderValue) -> bool {
    let origin = origin.to_str().ok().and_then(|text| text.parse::<Origin>().ok());
    origin.is_some_and(|origin| shared.settings.load().allowed_origins.contains(&origin))
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(origin: &HeaderValue, is_allowed: bool) -> Response {
    if !is_allowed {
        let detail = format!("Add {origin:?} to the Campaign's allowedOrigins if agents use this page.");
        let problem =
            Problem::new(403, "origin-not-allowed", "Pages of this origin may not use the API").detail(detail);
        return Failure::from(problem).into_response();
    }
    let headers = HeaderMap::from_iter([
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ]);
    (StatusCode::NO_CONTENT, headers).into_response()
}
