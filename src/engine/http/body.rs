//! Request bodies: bounded, JSON, with the field at fault named.

use axum::{body::Bytes, extract::Request};
use serde::de::DeserializeOwned;

use super::problem::Failure;
use crate::{
    process::{
        bodies::Bodies,
        body::{self, BodyError},
    },
    wire::problem::Problem,
};

/// Largest body of an agent: the longest text that can be sent takes 6 kB even when every character is escaped.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;

/// The bytes of a body of at most `most`. They count among the port's `bodies` until they are dropped.
///
/// # Errors
/// 413 when there are more than the port takes, 408 when they do not come in time, 400 when they cannot be read, 503 when the
/// port's bodies hold as much as they may.
pub(super) async fn bytes(request: Request, most: usize, bodies: &Bodies) -> Result<Bytes, Failure> {
    body::read(request.into_body(), most, bodies).await.map_err(|error| match error {
        BodyError::TooLong(_) => Problem::new(error.status(), "too-large", "The body is too large").into(),
        BodyError::TooSlow => Problem::new(error.status(), "too-slow", "The body did not come in time").into(),
        BodyError::NoRoom => Failure::unavailable("Too many bodies are being read."),
        BodyError::Broken(_) => Failure::bad_request(error.to_string()),
    })
}

/// Reads a JSON body.
///
/// # Errors
/// 400 when it is not JSON, 422 with the field when it is not what is expected.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    // Most bodies are as they should be. Only for one that is not, the way to the field at fault is followed.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| fault(&error))?;
    reader.end().map_err(|error| Failure::bad_request(format!("The body is not JSON: {error}")))?;
    Ok(value)
}

fn fault(error: &serde_path_to_error::Error<serde_json::Error>) -> Failure {
    use serde_path_to_error::Segment;
    let inner = error.inner();
    if !inner.is_data() {
        return Failure::bad_request(format!("The body is not JSON: {inner}"));
    }
    let pointer: String = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } | Segment::Enum { variant: key } => Some(format!("/{key}")),
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Unknown => None,
        })
        .collect();
    // A field that is missing has no place of its own: the message names it.
    let message = inner.to_string();
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'))
        .map(|(name, _)| format!("/{name}"));
    Failure::invalid(&(pointer + missing.as_deref().unwrap_or_default()), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its form counts")]
    struct Reply {
        epoch: u32,
        text: String,
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let cases = [
            (r#"{"epoch": 1}"#, 422, Some("/text")),
            (r#"{"epoch": "1", "text": ""}"#, 422, Some("/epoch")),
            (r#"{"epoch": -1, "text": ""}"#, 422, Some("/epoch")),
            (r#"{"epoch": 1, "text": 7}"#, 422, Some("/text")),
            ("7", 422, Some("")),
            (r#"{"epoch": 1, "text": "#, 400, None),
            (r#"{"epoch": 1, "text": ""} {}"#, 400, None),
            ("", 400, None),
        ];
        for (body, status, field) in cases {
            let problem = json::<Reply>(body.as_bytes()).unwrap_err().problem;
            assert_eq!((problem.status, problem.field.as_deref()), (status, field), "{body}: {problem:?}");
        }
        assert!(json::<Reply>(br#"{"epoch": 1, "text": "hi", "later": true}"#).is_ok(), "unknown fields are tolerated");
    }
}
