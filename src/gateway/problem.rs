//! Errors over HTTP.

use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

use crate::wire::problem::{MEDIA_TYPE, Problem};

/// A problem document as an answer.
pub fn response(status: StatusCode, reason: &str, title: &str, detail: Option<&str>) -> Response {
    let mut problem = Problem::new(status.as_u16(), reason, title);
    problem.detail = detail.map(str::to_owned);
    let mut response = (status, axum::Json(problem)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}
