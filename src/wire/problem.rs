//! Errors over HTTP as RFC 9457 problem documents (`application/problem+json`).

use serde::{Deserialize, Serialize};

/// Media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

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
    /// The field of the request that is at fault, as a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Problem {
    /// A problem of the kind `reason` (kebab-case).
    pub fn new(status: u16, reason: &str, title: impl Into<String>) -> Self {
        Self { kind: format!("urn:aldis:problem:{reason}"), title: title.into(), status, detail: None, field: None }
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
