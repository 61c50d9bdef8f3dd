//! Bandwidth's error codes and refusals. <https://dev.bandwidth.com/docs/messaging/errors>.
//!
//! Only the code counts: descriptions change.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::{
    gateway::providers::{Answer, CheckError, http::Answered},
    wire::outbound::RefusalClass,
};

/// The body of a refusal: `CreateMessageRequestError` of Bandwidth's SDK.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Refusal {
    #[serde(rename = "type")]
    kind: String,
    description: String,
    field_errors: Vec<FieldError>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FieldError {
    field_name: String,
    description: String,
}

impl Refusal {
    /// The refusal in an answer; a proxy's page has none.
    fn of(answered: &Answered) -> Self {
        serde_json::from_slice(&answered.body).unwrap_or_default()
    }

    fn code(&self) -> Option<String> {
        (!self.kind.is_empty()).then(|| self.kind.clone())
    }

    fn describe(&self, status: StatusCode) -> String {
        let mut text = format!("HTTP {}", status.as_u16());
        if !self.kind.is_empty() {
            text += &format!(", Bandwidth error {}: {}", self.kind, self.description);
        }
        for FieldError { field_name, description } in &self.field_errors {
            text += &format!(" {field_name}: {description}");
        }
        text
    }

    /// By the field that is wrong.
    fn class(&self) -> RefusalClass {
        let field = self.field_errors.first().map_or("", |error| error.field_name.as_str());
        match field.split(['[', '.']).next().unwrap_or_default() {
            "to" => RefusalClass::InvalidNumber,
            "from" => RefusalClass::Sender,
            "applicationId" => RefusalClass::Account,
            _ => RefusalClass::InvalidMessage,
        }
    }
}

/// What a code means when a message was refused later.
pub(super) fn refusal_class(code: i64) -> RefusalClass {
    match code {
        // Malformed, not in service, without SMS, an emergency number, a landline, deactivated.
        4303 | 4350 | 4404 | 4406 | 4408 | 4434 | 4492 | 4720 | 4721 => RefusalClass::InvalidNumber,
        4475 | 4775 => RefusalClass::OptedOut,
        // Malformed, not ours, not in service, on a list of Bandwidth's, a short code that is not (or no more) provisioned, toll-free and not
        // verified.
        4302 | 4403 | 4405 | 4407 | 4481 | 4740 | 4792 | 4793 | 4795 => RefusalClass::Sender,
        // No permission for this service, destination, country or kind of number, wrong application, not registered for 10DLC or above what
        // that allows.
        4001 | 4421 | 4431..=4433 | 4451 | 4452 | 4476 | 4493 | 4773 | 4774 | 4780 | 4781 | 4785 => {
            RefusalClass::Account
        }
        // Spam, lists of blocked receivers, shortened addresses.
        4470 | 4482 | 4770..=4772 => RefusalClass::Filtered,
        4301 | 4751 | 4752 => RefusalClass::InvalidMessage,
        _ => RefusalClass::Failed,
    }
}

/// What an answer other than success means for an attempt to send.
pub(super) fn refused(answered: &Answered) -> Answer {
    let refusal = Refusal::of(answered);
    let message = refusal.describe(answered.status);
    match answered.status.as_u16() {
        400 => Answer::refused(refusal.class(), refusal.code(), message),
        _ => Answer::by_status(answered, refusal.code(), message),
    }
}

/// What an answer other than success means for a check.
pub(super) fn check_failed(answered: &Answered) -> CheckError {
    let message = Refusal::of(answered).describe(answered.status);
    match answered.status.as_u16() {
        403 => CheckError::Invalid(format!("the API credential may not use messaging: {message}")),
        _ => CheckError::by_status(answered, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::{NotSentReason, SendOutcome};
    use serde_json::json;

    fn answered(status: u16, body: &serde_json::Value) -> Answered {
        let status = StatusCode::from_u16(status).unwrap();
        Answered { status, retry_after: None, body: body.to_string().into() }
    }

    #[test]
    fn a_refusal_has_the_class_of_its_field() {
        let cases = [
            ("to[0]", RefusalClass::InvalidNumber),
            ("from", RefusalClass::Sender),
            ("applicationId", RefusalClass::Account),
            ("text", RefusalClass::InvalidMessage),
        ];
        for (field, class) in cases {
            let fields = json!([{"fieldName": field, "description": "is wrong"}]);
            let body = json!({"type": "request-validation", "description": "d", "fieldErrors": fields});
            let message = format!("HTTP 400, Bandwidth error request-validation: d {field}: is wrong");
            let expected = Answer::refused(class, Some("request-validation".into()), message);
            assert_eq!(refused(&answered(400, &body)), expected);
        }
    }

    #[test]
    fn what_was_not_sent_is_told_from_what_may_have_been() {
        let not_sent = |status| {
            let body = json!({"type": "max-message-queue-size-exceeded", "description": "d"});
            match refused(&answered(status, &body)).outcome {
                SendOutcome::NotSent { reason, .. } => Some(reason),
                _ => None,
            }
        };
        assert_eq!(not_sent(429), Some(NotSentReason::RateLimited));
        assert_eq!(not_sent(401), Some(NotSentReason::Credentials));
        assert_eq!(not_sent(403), Some(NotSentReason::Credentials));
        assert_eq!(not_sent(404), Some(NotSentReason::Temporary));
        assert_eq!(not_sent(500), None);
    }

    #[test]
    fn codes_have_their_class() {
        let cases = [
            (4303, RefusalClass::InvalidNumber),
            (4775, RefusalClass::OptedOut),
            (4405, RefusalClass::Sender),
            (4476, RefusalClass::Account),
            (4770, RefusalClass::Filtered),
            (4301, RefusalClass::InvalidMessage),
            (4750, RefusalClass::Failed),
            (9999, RefusalClass::Failed),
        ];
        for (code, class) in cases {
            assert_eq!(refusal_class(code), class, "{code}");
        }
    }
}
