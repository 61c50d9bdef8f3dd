//! What a step asks of a service, with the variables in it. Pure.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use super::{
    compiled::{Action, BodyField, CompiledBot, HeaderValue, HttpCall, StepId},
    http::has_dot_segment,
    run::CallFailure,
    template::Piece,
    values::{Given, Values},
};
use crate::api::{bot::HttpMethod, reference::SecretKeyRef};

/// Bytes of path and query at most: RFC 9110, section 4.1, recommends that servers take 8000 at least.
const MAX_PATH_BYTES: usize = 8000;

/// A request as it goes out, but for what Secrets hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be done with the resource.
    pub method: HttpMethod,
    /// Scheme, host and port.
    pub origin: String,
    /// Path and query.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(String, RequestHeader)>,
    /// The JSON object that is sent; none: no body.
    pub body: Option<Vec<u8>>,
    /// Whether the answer's body is read.
    pub reads_body: bool,
    /// Seconds in all, 1 to 30.
    pub timeout_seconds: u32,
    /// Bytes of the answer, 1 to 1048576.
    pub max_response_bytes: u32,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestHeader {
    /// A text without control characters.
    Text(String),
    /// What a Secret holds.
    Secret(SecretKeyRef),
}

/// What a step asks; none when it is no step that calls.
///
/// # Errors
/// [`CallFailure::Address`] when the variables lead elsewhere than the step says: one that stands in the path is absent or empty, or makes a part
/// of it `.` or `..`; or when path and query are too long.
pub fn request(
    bot: &CompiledBot,
    step: StepId,
    values: &Values,
    given: &Given<'_>,
) -> Option<Result<Request, CallFailure>> {
    let Action::Http(call) = &bot.step(step)?.action else { return None };
    Some(of_call(call, values, given))
}

fn of_call(call: &HttpCall, values: &Values, given: &Given<'_>) -> Result<Request, CallFailure> {
    let header = |value: &HeaderValue| match value {
        HeaderValue::Text(template) => {
            RequestHeader::Text(values.rendered(given, template).replace(char::is_control, " ").trim().to_owned())
        }
        HeaderValue::Secret(secret) => RequestHeader::Secret(secret.clone()),
    };
    let body = (!call.json.is_empty()).then(|| {
        let field = |field: &BodyField| (field.field.clone(), values.rendered(given, &field.value).into());
        // In the order of the names, whatever order the crate keeps.
        let fields: BTreeMap<String, Value> = call.json.iter().map(field).collect();
        json!(fields).to_string().into_bytes()
    });
    Ok(Request {
        method: call.method,
        origin: call.origin.clone(),
        path: path(call, values, given)?,
        headers: call.headers.iter().map(|(name, value)| (name.clone(), header(value))).collect(),
        body,
        reads_body: call.into.is_some(),
        timeout_seconds: call.timeout_seconds,
        max_response_bytes: call.max_response_bytes,
    })
}

fn path(call: &HttpCall, values: &Values, given: &Given<'_>) -> Result<String, CallFailure> {
    let mut path = String::new();
    for piece in call.path.pieces() {
        match piece {
            Piece::Literal(text) => path += text,
            Piece::Variable { path: variable, .. } => {
                let value = values.text(given, variable).unwrap_or_default();
                // `/orders/` is another resource than `/orders/17`.
                if value.is_empty() && !path.contains('?') {
                    return Err(CallFailure::Address);
                }
                for byte in value.bytes() {
                    push_encoded(&mut path, byte);
                    if path.len() > MAX_PATH_BYTES {
                        return Err(CallFailure::Address);
                    }
                }
            }
        }
    }
    if has_dot_segment(&path) { Err(CallFailure::Address) } else { Ok(path) }
}

/// Only what RFC 3986, section 2.3, calls unreserved stands as it is.
fn push_encoded(path: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        path.push(char::from(byte));
    } else {
        // Writing into a String does not fail.
        let _ = write!(path, "%{byte:02X}");
    }
}
