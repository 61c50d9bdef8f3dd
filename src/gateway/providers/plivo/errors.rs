//! Plivo's errors: words of its API, and codes of messages that failed later.
//!
//! <https://www.plivo.com/docs/messaging/troubleshooting/error-codes> and <https://www.plivo.com/docs/messaging/api/response>.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    gateway::providers::{Answer, CheckError, Scope, http::Answered},
    wire::outbound::{NotSentReason, RefusalClass},
};

#[derive(Default, Deserialize)]
struct ErrorBody {
    /// Words, or an object with words for each parameter.
    #[serde(default)]
    error: Value,
}

/// Plivo's words in an answer; a proxy's page has none.
fn words(answered: &Answered) -> String {
    let body: ErrorBody = serde_json::from_slice(&answered.body).unwrap_or_default();
    match body.error {
        Value::Null => String::new(),
        Value::String(words) => words,
        other => other.to_string(),
    }
}

fn describe(answered: &Answered, words: &str) -> String {
    let status = answered.status.as_u16();
    if words.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}, Plivo says: {words}") }
}

/// What the code of a message means that failed after it was taken.
pub(super) fn refusal_class(code: &str) -> RefusalClass {
    match code {
        // Not valid, or not in use any more.
        "50" | "70" => RefusalClass::InvalidNumber,
        "200" => RefusalClass::OptedOut,
        // Not valid, not ours or without SMS; toll-free from the United States to Canada.
        "40" | "201" => RefusalClass::Sender,
        // A country that the account may not send to, no credit, disabled.
        "450" | "900" | "910" => RefusalClass::Account,
        "30" => RefusalClass::Filtered,
        "10" | "110" => RefusalClass::InvalidMessage,
        _ => RefusalClass::Failed,
    }
}

/// Whether a message was not delivered in the time that it had.
pub(super) fn is_expired(code: &str) -> bool {
    code == "420"
}

/// What an answer other than success means for an attempt to send. Plivo's API has words and no codes: of them only those are read that its
/// documentation quotes.
pub(super) fn refused(answered: &Answered) -> Answer {
    let words = words(answered);
    let message = describe(answered, &words);
    let says = |phrase| words.to_lowercase().contains(phrase);
    match answered.status.as_u16() {
        // No message is taken then; the check finds the account without credit.
        402 => Answer::not_sent(Scope::Account, NotSentReason::Credentials, None, message),
        400..=499 if says("insufficient credit") => {
            Answer::not_sent(Scope::Account, NotSentReason::Credentials, None, message)
        }
        400 if says("caller id is not allowed") => Answer::refused(RefusalClass::Sender, None, message),
        // The SDK's `GeoPermissionError`: the account may not send to that country.
        403 if !words.is_empty() => Answer::refused(RefusalClass::Account, None, message),
        _ => Answer::by_status(answered, None, message),
    }
}

/// What an answer other than success means for a check.
pub(super) fn check_failed(answered: &Answered) -> CheckError {
    let message = describe(answered, &words(answered));
    match answered.status.as_u16() {
        404 => CheckError::Invalid(format!("there is no such account: {message}")),
        _ => CheckError::by_status(answered, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::SendOutcome;
    use reqwest::StatusCode;

    fn error(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        refused(&Answered { status, retry_after: None, body: body.into() })
    }

    #[test]
    fn refusals_have_their_class() {
        let cases = [
            (400, r#"{"error": "dst parameter missing"}"#, RefusalClass::Failed, "dst parameter missing"),
            (400, r#"{"error": {"dst": ["wrong"]}}"#, RefusalClass::Failed, r#"{"dst":["wrong"]}"#),
            (
                400,
                r#"{"error": "This caller ID is not allowed for outbound message."}"#,
                RefusalClass::Sender,
                "This caller ID is not allowed for outbound message.",
            ),
            (403, r#"{"error": "country"}"#, RefusalClass::Account, "country"),
        ];
        for (status, body, class, words) in cases {
            let message = format!("HTTP {status}, Plivo says: {words}");
            assert_eq!(error(status, body), Answer::refused(class, None, message), "{body}");
        }
    }

    #[test]
    fn what_was_not_sent_is_told_from_what_may_have_been() {
        let not_sent = |status, body| match error(status, body) {
            Answer { outcome: SendOutcome::NotSent { reason, .. }, trip: Some(trip) } => Some((reason, trip.scope)),
            _ => None,
        };
        let credentials = Some((NotSentReason::Credentials, Scope::Account));
        assert_eq!(not_sent(401, ""), credentials);
        assert_eq!(not_sent(400, r#"{"error": "Insufficient Credit"}"#), credentials);
        assert_eq!(not_sent(402, ""), credentials);
        assert_eq!(not_sent(403, "<html>"), credentials, "not Plivo's own words");
        assert_eq!(not_sent(429, ""), Some((NotSentReason::RateLimited, Scope::Account)));
        assert_eq!(not_sent(404, r#"{"error": "not found"}"#), Some((NotSentReason::Temporary, Scope::Account)));
        assert!(matches!(error(500, "<html>").outcome, SendOutcome::Unknown { .. }));
    }
}
