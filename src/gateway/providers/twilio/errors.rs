//! Twilio's error codes: <https://www.twilio.com/docs/api/errors>. The list moves, so an unknown code is a plain failure that keeps
//! its number.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::{
    gateway::providers::{Answer, CheckError, Scope, http::Answered},
    wire::{
        outbound::{NotSentReason, RefusalClass},
        status::{Trouble, Unanswered},
    },
};

/// The validity period ran out before it was delivered.
pub(super) const VALIDITY_EXPIRED: &str = "30036";

/// The body of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ErrorBody {
    /// The code.
    #[serde(default)]
    pub code: u32,
    /// For people.
    #[serde(default)]
    pub message: String,
}

impl ErrorBody {
    /// The error in an answer; a proxy's page has none.
    pub(super) fn of(answered: &Answered) -> Self {
        serde_json::from_slice(&answered.body).unwrap_or_default()
    }

    fn describe(&self, status: StatusCode) -> String {
        match (self.code, self.message.as_str()) {
            (0, "") => format!("HTTP {}", status.as_u16()),
            (0, message) => format!("HTTP {}: {message}", status.as_u16()),
            (code, message) => format!("HTTP {}, Twilio error {code}: {message}", status.as_u16()),
        }
    }
}

/// What a code means when a message was refused, at once or later.
pub(super) const fn refusal_class(code: u32) -> RefusalClass {
    match code {
        // To: invalid, not mobile, not reachable from this sender, unknown or landline.
        21211 | 21217 | 21401 | 21407 | 21421 | 21612 | 21614 | 30005 | 30006 => RefusalClass::InvalidNumber,
        21610 => RefusalClass::OptedOut,
        // From: invalid, not ours, not SMS-capable, missing.
        21212 | 21603 | 21606 | 21618 | 21659 | 21660 | 21661 => RefusalClass::Sender,
        // Trial, region not enabled, suspended, not registered or verified.
        20005 | 21408 | 21608 | 30002 | 30027 | 30032 | 30034 => RefusalClass::Account,
        30004 | 30007 | 30037 | 30038 => RefusalClass::Filtered,
        // Body missing or too long, or otherwise not to be sent.
        21602 | 21605 | 21617 | 21619 | 21623 | 30009 | 30019 => RefusalClass::InvalidMessage,
        _ => RefusalClass::Failed,
    }
}

/// What an answer other than success means for an attempt to send.
pub(super) fn refused(answered: &Answered) -> Answer {
    let error = ErrorBody::of(answered);
    let message = error.describe(answered.status);
    let provider_code = (error.code != 0).then(|| error.code.to_string());
    let rate_limited =
        |scope| Answer::not_sent(scope, NotSentReason::RateLimited, answered.retry_after, message.clone());
    match (answered.status.as_u16(), error.code) {
        // The queue of this sender is full.
        (_, 21611 | 30001) => rate_limited(Scope::Number),
        (_, 20429) => rate_limited(Scope::Account),
        (400..=499, code) if code != 0 && known(code) => Answer::refused(refusal_class(code), provider_code, message),
        // Twilio may have taken a message although it answers with 5xx (its error dictionary excludes it for none of them).
        (_, _) => Answer::by_status(answered, provider_code, message),
    }
}

/// What an answer other than success means for a check.
pub(super) fn check_failed(answered: &Answered) -> CheckError {
    let error = ErrorBody::of(answered);
    let message = error.describe(answered.status);
    match (answered.status.as_u16(), error.code) {
        // Account not active.
        (_, 20005) => CheckError::Suspended(message),
        // The account SID is not one that these credentials know.
        (404, _) => CheckError::Invalid(message),
        (_, 20429) => CheckError::Unasked(Unanswered::new(Trouble::RateLimited, message)),
        (_, _) => CheckError::by_status(answered, message),
    }
}

const fn known(code: u32) -> bool {
    !matches!(refusal_class(code), RefusalClass::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::SendOutcome;

    fn answered(status: u16, body: &str) -> Answered {
        Answered { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.into() }
    }

    fn error(status: u16, code: u32) -> Answer {
        refused(&answered(status, &format!(r#"{{"code": {code}, "message": "m", "status": {status}}}"#)))
    }

    #[test]
    fn refusals_have_their_class() {
        let cases = [
            (21211, RefusalClass::InvalidNumber),
            (21614, RefusalClass::InvalidNumber),
            (21610, RefusalClass::OptedOut),
            (21606, RefusalClass::Sender),
            (21608, RefusalClass::Account),
            (21617, RefusalClass::InvalidMessage),
            (29999, RefusalClass::Failed),
        ];
        for (code, expected) in cases {
            let SendOutcome::Refused { class, provider_code, message } = error(400, code).outcome else {
                panic!("{code}")
            };
            assert_eq!((class, provider_code.as_deref()), (expected, Some(&*code.to_string())));
            assert_eq!(message, format!("HTTP 400, Twilio error {code}: m"));
        }
        let SendOutcome::Refused { class: RefusalClass::Account, .. } = error(403, 21408).outcome else {
            panic!("region")
        };
    }

    #[test]
    fn what_was_not_taken_is_not_sent() {
        let cases = [
            (error(401, 20003), Scope::Account, NotSentReason::Credentials),
            (error(403, 20403), Scope::Account, NotSentReason::Credentials),
            (error(404, 20404), Scope::Account, NotSentReason::Temporary),
            (error(429, 20429), Scope::Account, NotSentReason::RateLimited),
            (refused(&answered(429, "slow down")), Scope::Account, NotSentReason::RateLimited),
            (error(400, 21611), Scope::Number, NotSentReason::RateLimited),
            (refused(&answered(302, "")), Scope::Account, NotSentReason::Temporary),
        ];
        for (answer, scope, expected) in cases {
            let SendOutcome::NotSent { reason, .. } = answer.outcome else { panic!("{answer:?}") };
            assert_eq!(reason, expected);
            assert_eq!(answer.trip.map(|trip| (trip.scope, trip.reason)), Some((scope, expected)));
        }
    }

    #[test]
    fn faults_are_doubtful() {
        for status in [500, 502, 503, 504, 408] {
            let answer = refused(&answered(status, "<html>"));
            assert!(matches!(answer.outcome, SendOutcome::Unknown { .. }), "{status}: {answer:?}");
            assert!(answer.trip.is_some(), "{status}");
        }
    }

    #[test]
    fn checks_tell_refusals_from_faults() {
        assert!(matches!(check_failed(&answered(401, r#"{"code": 20003, "message": "Authenticate"}"#)),
            CheckError::Invalid(message) if message == "HTTP 401, Twilio error 20003: Authenticate"));
        for status in [400, 500, 302] {
            let failed = check_failed(&answered(status, ""));
            assert_eq!(failed, CheckError::Unasked(Unanswered::new(Trouble::Fault, format!("HTTP {status}"))));
        }
        assert!(matches!(
            check_failed(&answered(429, "")),
            CheckError::Unasked(Unanswered { trouble: Trouble::RateLimited, .. })
        ));
        let inactive = r#"{"code": 20005, "message": "Account not active"}"#;
        assert!(matches!(check_failed(&answered(401, inactive)), CheckError::Suspended(_)));
    }
}
