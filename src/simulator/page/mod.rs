//! The page with the handsets. It is written by hand and loads nothing from elsewhere.

use super::Simulator;
use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};

/// The page may load its own two files and talk to its own origin, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(super) fn router() -> Router<Simulator> {
    Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", include_str!("index.html"))))
        .route("/page/style.css", get(async || file("text/css; charset=utf-8", include_str!("style.css"))))
        .route("/page/app.js", get(async || file("text/javascript; charset=utf-8", include_str!("app.js"))))
        .route("/page/lamp.svg", get(async || file("image/svg+xml", include_str!("lamp.svg"))))
}

fn file(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, content).into_response()
}
