//! Vonage's codes: `status` of a part that was not taken, <https://developer.vonage.com/messaging/sms/guides/troubleshooting-sms>, and `err-code` of a
//! receipt, <https://developer.vonage.com/messaging/sms/guides/delivery-receipts>. Neither is a status of HTTP, which is 200 with all of them.

use std::time::Duration;

use crate::{
    gateway::providers::{Answer, CheckError, Scope, http::Answered},
    wire::outbound::{NotSentReason, RefusalClass},
};

/// For people.
pub(super) fn describe(status: &str, text: &str) -> String {
    if text.is_empty() { format!("Vonage status {status}") } else { format!("Vonage status {status}: {text}") }
}

/// What it means that no part of a message was taken, by status and text of the first.
pub(super) fn not_taken(status: &str, text: &str, retry_after: Option<Duration>) -> Answer {
    let message = describe(status, text);
    let class = match status {
        // Faster than the account may; too many connections.
        "1" | "10" => return Answer::not_sent(Scope::Account, NotSentReason::RateLimited, retry_after, message),
        // Wrong key or secret; the account wants requests to be signed, or does not want signed ones.
        "4" | "14" | "32" => return Answer::not_sent(Scope::Account, NotSentReason::Credentials, None, message),
        // A fault "whilst processing this message": that it was not taken is not said.
        "5" => return Answer::unknown(message),
        // Not routable; barred; de-activated.
        "6" | "7" | "33" => RefusalClass::InvalidNumber,
        // Suspended; no credit: nothing was taken, and the next message fares no better.
        "8" | "9" => return Answer::not_sent(Scope::Account, NotSentReason::Credentials, None, message),
        // Not for HTTP; on trial, and the receiver is not on its list.
        "11" | "29" => RefusalClass::Account,
        // A parameter is missing or not valid; too long; the callback address is not good.
        "2" | "3" | "12" | "23" => RefusalClass::InvalidMessage,
        "15" => RefusalClass::Sender,
        _ => RefusalClass::Failed,
    };
    Answer::refused(class, Some(status.to_owned()), message)
}

/// What an `err-code` means when a message was not delivered.
pub(super) fn refusal_class(code: &str) -> RefusalClass {
    match code {
        // No longer active; barred by its user or its carrier; no route.
        "3" | "4" | "12" | "14" => RefusalClass::InvalidNumber,
        // "The user has specifically requested not to receive messages from a specific service."
        "9" => RefusalClass::OptedOut,
        // Spam; filters for what India's regulator wants registered.
        "6" | "50" | "51" | "52" | "53" | "54" => RefusalClass::Filtered,
        "10" => RefusalClass::InvalidMessage,
        _ => RefusalClass::Failed,
    }
}

/// What an answer other than success means for an attempt to send.
pub(super) fn refused(answered: &Answered) -> Answer {
    Answer::by_status(answered, None, format!("HTTP {}", answered.status.as_u16()))
}

/// What an answer other than success means for a check.
pub(super) fn check_failed(answered: &Answered) -> CheckError {
    let message = format!("HTTP {}", answered.status.as_u16());
    match answered.status.as_u16() {
        // Wrong keys get 401: this one is known and may not.
        403 => CheckError::Suspended(message),
        _ => CheckError::by_status(answered, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::SendOutcome;
    use reqwest::StatusCode;

    fn status(code: &str) -> Answer {
        not_taken(code, "e", None)
    }

    #[test]
    fn refusals_have_their_class() {
        let cases = [
            ("2", RefusalClass::InvalidMessage),
            ("6", RefusalClass::InvalidNumber),
            ("29", RefusalClass::Account),
            ("12", RefusalClass::InvalidMessage),
            ("15", RefusalClass::Sender),
            ("99", RefusalClass::Failed),
        ];
        for (code, class) in cases {
            assert_eq!(status(code), Answer::refused(class, Some(code.into()), format!("Vonage status {code}: e")));
        }
    }

    #[test]
    fn what_was_not_sent_is_told_from_what_may_have_been() {
        let not_sent = |answer: Answer| match answer {
            Answer { outcome: SendOutcome::NotSent { reason, .. }, trip: Some(trip) } => Some((reason, trip.scope)),
            _ => None,
        };
        assert_eq!(not_sent(status("1")), Some((NotSentReason::RateLimited, Scope::Account)));
        assert_eq!(not_sent(status("4")), Some((NotSentReason::Credentials, Scope::Account)));
        assert_eq!(not_sent(status("9")), Some((NotSentReason::Credentials, Scope::Account)));
        assert!(matches!(status("5").outcome, SendOutcome::Unknown { .. }));
        let http =
            |status| Answered { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: Vec::new() };
        assert_eq!(not_sent(refused(&http(401))), Some((NotSentReason::Credentials, Scope::Account)));
        assert!(matches!(refused(&http(503)).outcome, SendOutcome::Unknown { .. }));
        assert!(matches!(check_failed(&http(401)), CheckError::Invalid(_)));
        assert!(matches!(check_failed(&http(403)), CheckError::Suspended(_)));
    }
}
