//! Sinch's errors: of requests <https://developers.sinch.com/docs/sms/api-reference/status-codes>, of messages
//! <https://developers.sinch.com/docs/sms/api-reference/sms/delivery-reports/delivery-report-error-codes>.

use serde::Deserialize;

use crate::{
    gateway::providers::{Answer, CheckError, Scope, http::Answered},
    wire::outbound::{NotSentReason, RefusalClass},
};

/// The account may not use the API: it has no credit, or Sinch has blocked it.
const BLOCKED: &str = "blocked_account";

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    code: String,
    /// For people.
    #[serde(default)]
    text: String,
}

impl ErrorBody {
    /// The error in an answer; a proxy's page has none.
    fn of(answered: &Answered) -> Self {
        serde_json::from_slice(&answered.body).unwrap_or_default()
    }

    fn describe(&self, answered: &Answered) -> String {
        let status = answered.status.as_u16();
        match (self.code.as_str(), self.text.as_str()) {
            ("", _) => format!("HTTP {status}"),
            (code, text) => format!("HTTP {status}, Sinch error {code}: {text}"),
        }
    }
}

/// What the code of a request means that was refused.
fn class_of_request(code: &str) -> RefusalClass {
    match code {
        "illegal_number_type" => RefusalClass::InvalidNumber,
        "unknown_campaign" => RefusalClass::Sender,
        "syntax_invalid_json"
        | "syntax_invalid_parameter_format"
        | "syntax_constraint_violation"
        | "missing_callback_url" => RefusalClass::InvalidMessage,
        _ => RefusalClass::Failed,
    }
}

/// What the code of a message means that failed after it was taken. 4xx are the REST API's own, others those of Sinch's networks: of these
/// only the ones for numbers in the United States (10DLC) are listed with what they mean for a sender.
pub(super) const fn refusal_class(code: u32) -> RefusalClass {
    match code {
        // Not routable; not valid.
        402 | 300 => RefusalClass::InvalidNumber,
        // No default originator; not valid.
        410 | 310 => RefusalClass::Sender,
        // A region that is not provisioned; blocked, without credit; a 10DLC campaign that is not active.
        412 | 413 | 60 => RefusalClass::Account,
        15 | 62 => RefusalClass::Filtered,
        // A parameter without a value; too many parts.
        405 | 411 => RefusalClass::InvalidMessage,
        _ => RefusalClass::Failed,
    }
}

/// Whether a message was not delivered in the time that it had.
pub(super) const fn is_expired(code: u32) -> bool {
    code == 406
}

/// What an answer other than success means for an attempt to send.
pub(super) fn refused(answered: &Answered) -> Answer {
    let error = ErrorBody::of(answered);
    let message = error.describe(answered);
    let provider_code = (!error.code.is_empty()).then(|| error.code.clone());
    match (answered.status.as_u16(), error.code.as_str()) {
        (_, BLOCKED) => Answer::not_sent(Scope::Account, NotSentReason::Credentials, None, message),
        (400 | 403, code) if class_of_request(code) != RefusalClass::Failed => {
            Answer::refused(class_of_request(code), provider_code, message)
        }
        (_, _) => Answer::by_status(answered, provider_code, message),
    }
}

/// What an answer other than success means for a check.
pub(super) fn check_failed(answered: &Answered) -> CheckError {
    let error = ErrorBody::of(answered);
    let message = error.describe(answered);
    match (answered.status.as_u16(), error.code.as_str()) {
        (_, BLOCKED) => CheckError::Suspended(message),
        (404, _) => CheckError::Invalid(format!("there is no such service plan in this region: {message}")),
        (_, _) => CheckError::by_status(answered, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::SendOutcome;
    use reqwest::StatusCode;

    fn answered(status: u16, code: &str) -> Answered {
        let body = serde_json::json!({"code": code, "text": "t"}).to_string().into();
        Answered { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body }
    }

    #[test]
    fn refusals_have_their_class() {
        let cases = [
            (400, "syntax_constraint_violation", RefusalClass::InvalidMessage),
            (403, "illegal_number_type", RefusalClass::InvalidNumber),
            (403, "unknown_campaign", RefusalClass::Sender),
            (400, "something_new", RefusalClass::Failed),
        ];
        for (status, code, class) in cases {
            let message = format!("HTTP {status}, Sinch error {code}: t");
            assert_eq!(refused(&answered(status, code)), Answer::refused(class, Some(code.into()), message), "{code}");
        }
    }

    #[test]
    fn what_was_not_sent_is_told_from_what_may_have_been() {
        let not_sent = |status, code| match refused(&answered(status, code)) {
            Answer { outcome: SendOutcome::NotSent { reason, .. }, trip: Some(trip) } => Some((reason, trip.scope)),
            _ => None,
        };
        let credentials = Some((NotSentReason::Credentials, Scope::Account));
        assert_eq!(not_sent(401, ""), credentials);
        assert_eq!(not_sent(403, "blocked_account"), credentials);
        assert_eq!(not_sent(403, "something_new"), credentials);
        assert_eq!(not_sent(429, ""), Some((NotSentReason::RateLimited, Scope::Account)));
        assert!(matches!(refused(&answered(500, "")).outcome, SendOutcome::Unknown { .. }));
    }

    #[test]
    fn a_blocked_account_is_told_from_a_wrong_token() {
        assert!(matches!(check_failed(&answered(403, "blocked_account")), CheckError::Suspended(_)));
        for status in [401, 403, 404] {
            assert!(matches!(check_failed(&answered(status, "")), CheckError::Invalid(_)), "{status}");
        }
    }
}
