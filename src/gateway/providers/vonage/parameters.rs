//! Parameters of a webhook: in the query of a GET, or in the form or the JSON object that a POST brings.
//!
//! Only one place is read: the query of a POST is ours, and no signature covers it.

use axum::http::{Method, header::CONTENT_TYPE};
use serde_json::{Map, Value};

use crate::gateway::providers::{CallHead, MAX_PARAMETERS, Unverified, WebhookCall, form, only};

/// The parameter with the signature.
pub(super) const SIGNATURE: &str = "sig";

/// Names and values, as Vonage signs them.
#[derive(Debug)]
pub(super) struct Parameters(pub Vec<(String, String)>);

enum Body {
    Form,
    Json,
}

/// What the body is, by its media type.
fn body(head: &CallHead) -> Option<Body> {
    let media_type = only(&head.headers, CONTENT_TYPE.as_str())?;
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Some(Body::Json)
    } else {
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded").then_some(Body::Form)
    }
}

/// Whether a call has a place for a signature.
pub(super) fn may_be_signed(head: &CallHead) -> bool {
    match head.method {
        Method::GET => head.query.as_deref().is_some_and(|query| form::find(query.as_bytes(), SIGNATURE).is_some()),
        _ => body(head).is_some(),
    }
}

impl Parameters {
    /// The parameters of a call.
    ///
    /// # Errors
    /// When there are none that could be signed.
    pub(super) fn of(call: &WebhookCall) -> Result<Self, Unverified> {
        let form = |encoded: &[u8]| form::parse(encoded, MAX_PARAMETERS).ok_or(Unverified::TooManyParameters);
        let pairs = match (&call.head.method, body(&call.head)) {
            (&Method::GET, _) => form(call.head.query.as_deref().unwrap_or_default().as_bytes())?,
            (_, Some(Body::Form)) => form(&call.body)?,
            (_, Some(Body::Json)) => json(&call.body)?,
            (_, None) => return Err(Unverified::Signature),
        };
        Ok(Self(pairs))
    }

    /// The value of a parameter that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

fn json(body: &[u8]) -> Result<Vec<(String, String)>, Unverified> {
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(|_| Unverified::Signature)?;
    if object.len() > MAX_PARAMETERS {
        return Err(Unverified::TooManyParameters);
    }
    let text = |(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(number) => Ok((name, number.to_string())),
        // Vonage sends none of these, and how it would sign them is not known.
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(Unverified::Signature),
    };
    object.into_iter().map(text).collect()
}
