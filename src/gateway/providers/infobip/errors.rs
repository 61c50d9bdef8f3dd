//! Infobip's statuses, error codes and refusals.
//!
//! <https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes>. A status says where a message is, an error what the operator
//! said; both have ids of their own.

use serde::Deserialize;

use crate::{
    gateway::providers::{Answer, CheckError, http::Answered},
    wire::outbound::RefusalClass,
};

/// How far a message came: the group, and the status within it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub group_id: i64,
    pub id: i64,
    #[serde(default)]
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
}

/// What the operator said. The id 0 is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Fault {
    #[serde(default)]
    pub id: i64,
    #[serde(default)]
    pub name: String,
}

/// The body of a refusal, in both forms in which Infobip writes them: `ApiError` and `ApiException` of its OpenAPI specification.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Refusal {
    error_code: String,
    description: String,
    violations: Vec<Violation>,
    request_error: RequestError,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Violation {
    property: String,
    violation: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestError {
    service_exception: ServiceException,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServiceException {
    message_id: String,
    text: String,
}

impl Refusal {
    /// The refusal in an answer; a proxy's page has none.
    fn of(answered: &Answered) -> Self {
        serde_json::from_slice(&answered.body).unwrap_or_default()
    }

    fn code(&self) -> Option<String> {
        let codes = [&self.error_code, &self.request_error.service_exception.message_id];
        codes.into_iter().find(|code| !code.is_empty()).cloned()
    }

    fn describe(&self, answered: &Answered) -> String {
        let status = answered.status.as_u16();
        let Some(code) = self.code() else { return format!("HTTP {status}") };
        let said = [&self.description, &self.request_error.service_exception.text];
        let mut words = said.into_iter().find(|words| !words.is_empty()).cloned().unwrap_or_default();
        for Violation { property, violation } in &self.violations {
            words += &format!(" {property}: {violation}");
        }
        format!("HTTP {status}, Infobip error {code}: {}", words.trim())
    }
}

/// What status and error mean when a message was refused, at once or later.
pub(super) fn refusal_class(status: &Status, error: &Fault) -> RefusalClass {
    match of_status(status.id) {
        RefusalClass::Failed => of_error(error.id),
        class => class,
    }
}

fn of_status(id: i64) -> RefusalClass {
    match id {
        // PREFIX_MISSING, MISSING_TO, REJECTED_DESTINATION.
        8 | 51 | 52 => RefusalClass::InvalidNumber,
        // DND, DESTINATION_BLOCKLISTED.
        10 | 14 => RefusalClass::OptedOut,
        // SOURCE, SENDER.
        11 | 13 => RefusalClass::Sender,
        // NETWORK (not set up on the account), NOT_ENOUGH_CREDITS, PREPAID_PACKAGE_EXPIRED, DESTINATION_NOT_REGISTERED (a trial),
        // ROUTE_NOT_AVAILABLE.
        6 | 12 | 17 | 18 | 19 => RefusalClass::Account,
        // FLOODING_FILTER, SIGNALS_BLOCKED.
        20 | 87 => RefusalClass::Filtered,
        // INVALID_UDH, MESSAGE_TOO_LONG.
        24 | 25 => RefusalClass::InvalidMessage,
        _ => RefusalClass::Failed,
    }
}

fn of_error(id: i64) -> RefusalClass {
    match id {
        // UNKNOWN_SUBSCRIBER, TELESERVICE_NOT_PROVISIONED, INVALID_DESTINATION_ADDRESS, INVALID_REQUEST_DESTINATION,
        // DESTINATION_NOT_SMS_PROVISIONED, DEST_ADDRESS_UNABLE_TO_RECEIVE_SMS, DEACTIVATED_LIST.
        1 | 11 | 351 | 352 | 568 | 629 | 3041 => RefusalClass::InvalidNumber,
        // SC_BLOCKED_BY_END_USER, CONTENT_BLOCKED (by STOP), DEST_ADDRESS_BLACKLISTED (DND), BLACKLISTED_DESTINATIONADDRESS.
        573 | 603 | 2050 | 2052 => RefusalClass::OptedOut,
        // INVALID_SOURCE_ADDRESS, SOURCE_ADDRESS_IS_BLOCKED, TF_NUMBER_NOT_VERIFIED, SC_NOT_PROVISIONED, SC_EXPIRED, SC_BLOCKED,
        // BLACKLISTED_SENDERADDRESS.
        368 | 375 | 488 | 562..=564 | 2053 => RefusalClass::Sender,
        // ACCOUNT_ACCESS_DENIED, LIMIT_REACHED, QUOTA_REACHED, CAMPAIGN_ID_REJECTED, CAMPAIGNID_NOT_PROVISIONED, MONTHLY_LIMIT_REACHED,
        // 10DLC_LIMIT_REACHED.
        433 | 541 | 542 | 571 | 572 | 4099 | 4202 => RefusalClass::Account,
        // CONTENT_BLOCKED_BY_OPERATOR, BLOCKED_BY_CAMPAIGN_BLACKLIST, REJECTED_SPAM_BY_OPERATOR, SIGNALS_BLOCKED,
        // DESTINATION_FLOODING, DESTINATION_TXT_FLOODING.
        561 | 604 | 607 | 608 | 4103 | 4104 => RefusalClass::Filtered,
        355 => RefusalClass::InvalidMessage,
        _ => RefusalClass::Failed,
    }
}

/// What an answer other than success means for an attempt to send.
pub(super) fn refused(answered: &Answered) -> Answer {
    let refusal = Refusal::of(answered);
    let message = refusal.describe(answered);
    match answered.status.as_u16() {
        400 => Answer::refused(RefusalClass::InvalidMessage, refusal.code(), message),
        _ => Answer::by_status(answered, refusal.code(), message),
    }
}

/// What an answer other than success means for a check.
pub(super) fn check_failed(answered: &Answered) -> CheckError {
    CheckError::by_status(answered, Refusal::of(answered).describe(answered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::{NotSentReason, SendOutcome};
    use reqwest::StatusCode;
    use serde_json::json;

    fn answered(status: u16, body: &serde_json::Value) -> Answered {
        let status = StatusCode::from_u16(status).unwrap();
        Answered { status, retry_after: None, body: body.to_string().into() }
    }

    #[test]
    fn both_forms_of_refusals_are_read() {
        let violations = json!([{"property": "messages[0].content.text", "violation": "must not be null"}]);
        let body =
            json!({"errorCode": "E400", "description": "Request cannot be processed.", "violations": violations});
        let message =
            "HTTP 400, Infobip error E400: Request cannot be processed. messages[0].content.text: must not be null";
        let expected = Answer::refused(RefusalClass::InvalidMessage, Some("E400".into()), message.into());
        assert_eq!(refused(&answered(400, &body)), expected);
        let exception = json!({"messageId": "UNAUTHORIZED", "text": "Invalid login details"});
        let body = json!({"requestError": {"serviceException": exception}});
        let message = "HTTP 401, Infobip error UNAUTHORIZED: Invalid login details";
        assert_eq!(check_failed(&answered(401, &body)), CheckError::Invalid(message.into()));
        assert_eq!(check_failed(&answered(403, &json!("<html>"))), CheckError::Invalid("HTTP 403".into()));
    }

    #[test]
    fn what_was_not_sent_is_told_from_what_may_have_been() {
        let not_sent = |status| match refused(&answered(status, &json!({}))).outcome {
            SendOutcome::NotSent { reason, .. } => Some(reason),
            _ => None,
        };
        assert_eq!(not_sent(429), Some(NotSentReason::RateLimited));
        assert_eq!(not_sent(401), Some(NotSentReason::Credentials));
        assert_eq!(not_sent(403), Some(NotSentReason::Credentials));
        assert_eq!(not_sent(500), None);
    }

    #[test]
    fn the_status_says_more_than_the_error() {
        let class = |status, error| {
            let status = Status { group_id: 5, id: status, ..Status::default() };
            refusal_class(&status, &Fault { id: error, ..Fault::default() })
        };
        assert_eq!(class(14, 2052), RefusalClass::OptedOut);
        assert_eq!(class(11, 1), RefusalClass::Sender);
        assert_eq!(class(9, 603), RefusalClass::OptedOut);
        assert_eq!(class(4, 607), RefusalClass::Filtered);
        assert_eq!(class(9, 27), RefusalClass::Failed);
    }
}
