//! MessageBird's codes: of answers (`ResponseError` of its PHP SDK), and of receipts,
//! <https://docs.bird.com/api/channels-api/message-status-and-interactions/message-failure-sources/sms-platform-extended-error-codes>.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::{
    gateway::providers::{Answer, CheckError, Scope, http::Answered},
    wire::outbound::{NotSentReason, RefusalClass},
};

/// The access key is wrong or may not.
const NOT_ALLOWED: u32 = 2;
const MISSING_PARAMETER: u32 = 9;
const INVALID_PARAMETER: u32 = 10;
const BAD_REQUEST: u32 = 21;
const NOT_ENOUGH_BALANCE: u32 = 25;

#[derive(Debug, Default, Deserialize)]
struct Fault {
    #[serde(default)]
    code: u32,
    /// For people.
    #[serde(default)]
    description: String,
    /// Which one is at fault.
    #[serde(default)]
    parameter: Option<String>,
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
        match self.code {
            0 => format!("HTTP {}", status.as_u16()),
            code => format!("HTTP {}, MessageBird error {code}: {}", status.as_u16(), self.description),
        }
    }
}

/// What an answer other than success means for an attempt to send.
pub(super) fn refused(answered: &Answered) -> Answer {
    let fault = Fault::of(answered);
    let message = fault.describe(answered.status);
    let code = (fault.code != 0).then(|| fault.code.to_string());
    match (answered.status.as_u16(), fault.code) {
        (400..=499, NOT_ALLOWED | NOT_ENOUGH_BALANCE) => {
            Answer::not_sent(Scope::Account, NotSentReason::Credentials, None, message)
        }
        (400..=499, MISSING_PARAMETER | INVALID_PARAMETER | BAD_REQUEST) => {
            let class = match fault.parameter.as_deref() {
                Some("recipient" | "recipients") => RefusalClass::InvalidNumber,
                Some("originator") => RefusalClass::Sender,
                Some(_) | None => RefusalClass::InvalidMessage,
            };
            Answer::refused(class, code, message)
        }
        (_, _) => Answer::by_status(answered, code, message),
    }
}

/// What an answer other than success means for a check.
pub(super) fn check_failed(answered: &Answered) -> CheckError {
    let fault = Fault::of(answered);
    let message = fault.describe(answered.status);
    match fault.code {
        NOT_ALLOWED => CheckError::Invalid(message),
        _ => CheckError::by_status(answered, message),
    }
}

/// What `statusReason` and `statusErrorCode` of a receipt say of why a message was not delivered.
pub(super) fn refusal_class(reason: &str, code: &str) -> RefusalClass {
    match (reason, code) {
        ("opted out subscriber", _) | (_, "103") => RefusalClass::OptedOut,
        // Unknown, or not identified: "the receiver number is not associated with an active line".
        ("unknown subscriber", _) | (_, "1" | "5") => RefusalClass::InvalidNumber,
        ("insufficient balance", _) => RefusalClass::Account,
        _ => RefusalClass::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::SendOutcome;
    use serde_json::json;

    fn answered(status: u16, code: u32, parameter: &str) -> Answered {
        let body = json!({"errors": [{"code": code, "description": "d", "parameter": parameter}]}).to_string();
        Answered { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.into() }
    }

    #[test]
    fn refusals_have_their_class() {
        let cases = [
            (9, "recipient", RefusalClass::InvalidNumber),
            (10, "originator", RefusalClass::Sender),
            (10, "body", RefusalClass::InvalidMessage),
            (77, "", RefusalClass::Failed),
        ];
        for (code, parameter, class) in cases {
            let message = format!("HTTP 422, MessageBird error {code}: d");
            let expected = Answer::refused(class, Some(code.to_string()), message);
            assert_eq!(refused(&answered(422, code, parameter)), expected, "{code}");
        }
    }

    #[test]
    fn what_was_not_sent_is_told_from_what_may_have_been() {
        let not_sent = |status, code| match refused(&answered(status, code, "")) {
            Answer { outcome: SendOutcome::NotSent { reason, .. }, trip: Some(trip) } => Some((reason, trip.scope)),
            _ => None,
        };
        assert_eq!(not_sent(401, 2), Some((NotSentReason::Credentials, Scope::Account)));
        assert_eq!(not_sent(422, 2), Some((NotSentReason::Credentials, Scope::Account)));
        assert_eq!(not_sent(422, 25), Some((NotSentReason::Credentials, Scope::Account)));
        assert_eq!(not_sent(429, 0), Some((NotSentReason::RateLimited, Scope::Account)));
        assert!(matches!(refused(&answered(500, 99, "")).outcome, SendOutcome::Unknown { .. }));
        assert!(matches!(check_failed(&answered(401, 2, "")), CheckError::Invalid(_)));
    }

    #[test]
    fn a_receipts_reason_or_its_code_tells_the_class() {
        assert_eq!(refusal_class("opted out subscriber", ""), RefusalClass::OptedOut);
        assert_eq!(refusal_class("", "103"), RefusalClass::OptedOut);
        assert_eq!(refusal_class("unknown subscriber", "1"), RefusalClass::InvalidNumber);
        assert_eq!(refusal_class("carrier rejected", "34"), RefusalClass::Failed);
    }
}
