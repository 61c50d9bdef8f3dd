//! Errors over HTTP as RFC 9457 problem documents (`application/problem+json`).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

/// Media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Reason of the problem in an engine's 503: it has no room for anything new, and takes only what ends something that is open or changes
/// a customer's consent.
pub(crate) const STORAGE_FULL: &str = "storage-full";

/// One problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:aldis:problem:<reason>`, stable; programs branch on this.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short summary, the same for each `type`.
    pub title: String,
    /// HTTP status code.
    pub status: u16,
    /// What went wrong this time and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The field of the request that is at fault: a JSON pointer into its body, `?name` in its query, `{name}` in its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Problem {
    /// A problem of the kind `reason` (kebab-case).
    pub fn new(status: u16, reason: &str, title: impl Into<String>) -> Self {
        Self { kind: format!("urn:aldis:problem:{reason}"), title: title.into(), status, detail: None, field: None }
    }

    /// Whether it is of the kind `reason`.
    pub(crate) fn is(&self, reason: &str) -> bool {
        self.kind.strip_prefix("urn:aldis:problem:") == Some(reason)
    }

    /// Adds what went wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names the field at fault, as a JSON pointer.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A status that HTTP does not have can only be a fault of ours.
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
