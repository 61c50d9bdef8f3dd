//! Telnyx' error codes. <https://developers.telnyx.com/docs/messaging/messages/error-codes>.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::{
    gateway::providers::{Answer, CheckError, Scope, http::Answered},
    wire::outbound::{NotSentReason, RefusalClass},
};

/// One error of an answer or of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Fault {
    /// Digits.
    #[serde(default)]
    pub code: String,
    /// For people.
    #[serde(default)]
    title: String,
    /// For people.
    #[serde(default)]
    detail: String,
}

#[derive(Default, Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<Fault>,
}

impl Fault {
    /// The first error in an answer; a proxy's page has none.
    fn of(answered: &Answered) -> Self {
        let body: Errors = serde_json::from_slice(&answered.body).unwrap_or_default();
        body.errors.into_iter().next().unwrap_or_default()
    }

    fn describe(&self, status: StatusCode) -> String {
        let words = if self.detail.is_empty() { &self.title } else { &self.detail };
        match (self.code.as_str(), words.as_str()) {
            ("", _) => format!("HTTP {}", status.as_u16()),
            (code, words) => format!("HTTP {}, Telnyx error {code}: {words}", status.as_u16()),
        }
    }
}

/// What a code means when a message was refused, at once or later.
pub(super) fn refusal_class(code: &str) -> RefusalClass {
    match code {
        // Not routable, not valid, not in the form of E.164.
        "10002" | "10016" | "40001" | "40012" | "40310" => RefusalClass::InvalidNumber,
        "40300" => RefusalClass::OptedOut,
        // Inactive, not valid, not ours, its profile disabled or missing.
        "10001" | "40013" | "40305" | "40312" => RefusalClass::Sender,
        // Not registered for 10DLC.
        "40010" => RefusalClass::Account,
        "40002" | "40003" | "40015" => RefusalClass::Filtered,
        "40009" | "40302" => RefusalClass::InvalidMessage,
        _ => RefusalClass::Failed,
    }
}

/// Whether a message was not delivered in the time that it had.
pub(super) fn is_expired(code: &str) -> bool {
    matches!(code, "40005" | "40014")
}

/// What an answer other than success means for an attempt to send.
pub(super) fn refused(answered: &Answered) -> Answer {
    let fault = Fault::of(answered);
    let message = fault.describe(answered.status);
    let provider_code = (!fault.code.is_empty()).then(|| fault.code.clone());
    match (answered.status.as_u16(), fault.code.as_str()) {
        // The queue of this sender is full.
        (_, "40318") => Answer::not_sent(Scope::Number, NotSentReason::RateLimited, answered.retry_after, message),
        (400..=499, code) if refusal_class(code) != RefusalClass::Failed => {
            Answer::refused(refusal_class(code), provider_code, message)
        }
        // Codes that begin so speak of the message, whatever the status.
        (401 | 403, code) if code.starts_with("40") => Answer::refused(RefusalClass::Failed, provider_code, message),
        (_, _) => Answer::by_status(answered, provider_code, message),
    }
}

/// What an answer other than success means for a check.
pub(super) fn check_failed(answered: &Answered) -> CheckError {
    let message = Fault::of(answered).describe(answered.status);
    match answered.status.as_u16() {
        404 => CheckError::Invalid(format!("the account has no such messaging profile: {message}")),
        _ => CheckError::by_status(answered, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::SendOutcome;

    fn error(status: u16, code: &str) -> Answer {
        let body = serde_json::json!({"errors": [{"code": code, "title": "t", "detail": "d"}]}).to_string();
        refused(&Answered { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.into() })
    }

    #[test]
    fn refusals_have_their_class() {
        let cases = [
            (400, "40310", RefusalClass::InvalidNumber),
            (409, "40300", RefusalClass::OptedOut),
            (400, "40305", RefusalClass::Sender),
            (403, "40312", RefusalClass::Sender),
            (400, "40302", RefusalClass::InvalidMessage),
            (400, "49999", RefusalClass::Failed),
            (403, "40399", RefusalClass::Failed),
        ];
        for (status, code, class) in cases {
            let answer = error(status, code);
            let message = format!("HTTP {status}, Telnyx error {code}: d");
            assert_eq!(answer, Answer::refused(class, Some(code.into()), message), "{code}");
        }
    }

    #[test]
    fn what_was_not_sent_is_told_from_what_may_have_been() {
        let not_sent = |status, code| match error(status, code) {
            Answer { outcome: SendOutcome::NotSent { reason, .. }, trip: Some(trip) } => Some((reason, trip.scope)),
            _ => None,
        };
        assert_eq!(not_sent(429, "10011"), Some((NotSentReason::RateLimited, Scope::Account)));
        assert_eq!(not_sent(429, "40318"), Some((NotSentReason::RateLimited, Scope::Number)));
        assert_eq!(not_sent(401, "10009"), Some((NotSentReason::Credentials, Scope::Account)));
        assert_eq!(not_sent(404, "10005"), Some((NotSentReason::Temporary, Scope::Account)));
        assert!(matches!(error(500, "10007").outcome, SendOutcome::Unknown { .. }));
    }
}
