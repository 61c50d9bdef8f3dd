//! Requests to Infobip's API.
//!
//! Shapes are those of Infobip's OpenAPI specification (3.210) and of the models of its Python SDK (6.0). In its documentation:
//! <https://www.infobip.com/docs/api/channels/sms/outbound-sms/send-sms-messages>,
//! <https://infobip.com/docs/api/platform/numbers/phone-numbers/list-purchased-numbers>.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{
    Infobip,
    errors::{self, Fault, Status},
};
use crate::{
    gateway::providers::{
        Answer, CheckError, ConfiguredWebhook, ProviderNumber, Scope,
        http::{self, Answered},
        reference,
    },
    sms::PhoneNumber,
    wire::outbound::{NotSentReason, SendRequest},
};

/// Infobip's own default; it does not say how many it gives at most.
const PAGE_SIZE: usize = 50;
/// No account has more pages; a list that goes on is going round.
const MAX_PAGES: usize = 200;
/// REJECTED_SYSTEM_ERROR: rejected by a fault of Infobip's that passes.
const SYSTEM_ERROR: i64 = 21;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    numbers: Vec<Number>,
    number_count: usize,
}

#[derive(Deserialize)]
struct Number {
    number: String,
    #[serde(default)]
    country: Option<String>,
    #[serde(default)]
    capabilities: Vec<String>,
}

#[derive(Deserialize)]
struct Taken {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default)]
    message_id: String,
    status: Status,
    #[serde(default)]
    details: Details,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(default)]
    message_count: Option<u32>,
}

impl From<Number> for Option<ProviderNumber> {
    fn from(listed: Number) -> Self {
        let country = listed.country.and_then(|country| country.parse().ok());
        Some(ProviderNumber {
            number: PhoneNumber::from_provider(&listed.number, country).ok()?,
            sms_capable: listed.capabilities.iter().any(|capability| capability == "SMS"),
            webhook: ConfiguredWebhook::NotShown,
        })
    }
}

impl Infobip {
    /// Asks for one number. The account's own resources take the scope `account-management:manage`, which also makes API keys: no key that lies in a
    /// cluster should have it.
    pub(super) async fn check_key(&self) -> Result<(), CheckError> {
        self.page(0, 1).await.map(|_| ())
    }

    /// Lists the numbers.
    pub(super) async fn list_numbers(&self, _: &BTreeSet<PhoneNumber>) -> Result<Vec<ProviderNumber>, CheckError> {
        let (mut seen, mut numbers) = (0, Vec::new());
        for page in 0..MAX_PAGES {
            let Page { numbers: listed, number_count } = self.page(page, PAGE_SIZE).await?;
            seen += listed.len();
            let is_last = listed.is_empty() || seen >= number_count;
            numbers.extend(listed.into_iter().filter_map(Option::<ProviderNumber>::from));
            if is_last {
                return Ok(numbers);
            }
        }
        Err(CheckError::fault(format!("a list of more than {MAX_PAGES} pages")))
    }

    async fn page(&self, page: usize, limit: usize) -> Result<Page, CheckError> {
        self.pace.turn().await;
        let request = self.request(Method::GET, "/numbers/1/numbers").query(&[("page", page), ("limit", limit)]);
        let answered = http::call(request).await?;
        if answered.status != StatusCode::OK {
            return Err(errors::check_failed(&answered));
        }
        let wrong = |error| CheckError::fault(format!("not an answer of Infobip's API: {error}"));
        serde_json::from_slice(&answered.body).map_err(wrong)
    }

    /// Posts one message.
    ///
    /// It names no address for its reports, so that Infobip brings them as the account's subscription says: a user name and a password can be set there
    /// only. What the message carries as `callbackData` comes back in each of them.
    pub(super) async fn post_message(&self, request: &SendRequest) -> Answer {
        // Infobip writes international numbers without the plus.
        let written = |number: &str| http::without_country(number).trim_start_matches('+').to_owned();
        let message = json!({
            "sender": written(&request.from),
            "destinations": [{"to": written(&request.to)}],
            "content": {"text": request.text},
            "webhooks": {
                "contentType": "application/json",
                "callbackData": reference::write(&request.receipt_token, &request.from),
            },
        });
        let body = json!({"messages": [message], "options": {"includeSmsCountInResponse": true}});
        match http::call(self.request(Method::POST, "/sms/3/messages").json(&body)).await {
            Ok(answered) if answered.status.is_success() => accepted(&answered),
            Ok(answered) => errors::refused(&answered),
            Err(error) => error.into(),
        }
    }
}

/// Infobip answers 200 also for a message that it rejects.
fn accepted(answered: &Answered) -> Answer {
    let doubtful = |why: &str| Answer::unknown(format!("Infobip answered {}, but {why}", answered.status));
    let message = match serde_json::from_slice::<Taken>(&answered.body) {
        Ok(Taken { messages }) => messages.into_iter().next(),
        Err(error) => return doubtful(&format!("not with a message: {error}")),
    };
    let Some(Message { message_id, status, details }) = message else { return doubtful("with no message") };
    let said = format!("Infobip status {} {}: {}", status.id, status.name, status.description);
    match (status.group_id, status.id) {
        (5, SYSTEM_ERROR) => Answer::not_sent(Scope::Account, NotSentReason::Temporary, None, said),
        // Undeliverable, expired, rejected.
        (2 | 4 | 5, id) => {
            Answer::refused(errors::refusal_class(&status, &Fault::default()), Some(id.to_string()), said)
        }
        (_, _) if message_id.is_empty() => doubtful("the message has no id"),
        (_, _) => Answer::accepted(vec![message_id], details.message_count.filter(|count| *count > 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::{RefusalClass, SendOutcome};

    fn answer(group: i64, id: i64) -> Answer {
        let status = json!({"groupId": group, "groupName": "G", "id": id, "name": "NAME", "description": "d"});
        let message = json!({"messageId": "M1", "status": status, "destination": "1", "details": {"messageCount": 2}});
        let body = json!({"bulkId": "B1", "messages": [message]}).to_string();
        accepted(&Answered { status: StatusCode::OK, retry_after: None, body: body.into() })
    }

    #[test]
    fn an_answer_says_whether_the_message_was_taken() {
        assert_eq!(answer(1, 26), Answer::accepted(vec!["M1".into()], Some(2)));
        let refused =
            |class, id: i64| Answer::refused(class, Some(id.to_string()), format!("Infobip status {id} NAME: d"));
        assert_eq!(answer(5, 12), refused(RefusalClass::Account, 12));
        assert_eq!(answer(5, 14), refused(RefusalClass::OptedOut, 14));
        assert_eq!(answer(4, 87), refused(RefusalClass::Filtered, 87));
        assert_eq!(answer(2, 31), refused(RefusalClass::Failed, 31));
        assert!(matches!(answer(5, 21).outcome, SendOutcome::NotSent { reason: NotSentReason::Temporary, .. }));
    }

    #[test]
    fn an_answer_without_a_message_is_doubtful() {
        for body in ["<html>", "{}", r#"{"messages": []}"#, r#"{"messages": [{"status": {"groupId": 1, "id": 26}}]}"#] {
            let answered = Answered { status: StatusCode::OK, retry_after: None, body: body.into() };
            assert!(matches!(accepted(&answered).outcome, SendOutcome::Unknown { .. }), "{body}");
        }
    }

    #[test]
    fn short_codes_come_with_their_country() {
        let listed = |number: &str, country: Option<&str>, capability: &str| {
            let capabilities = vec![capability.to_owned()];
            let number = Number { number: number.into(), country: country.map(str::to_owned), capabilities };
            Option::<ProviderNumber>::from(number).map(|number| (number.number.to_string(), number.sms_capable))
        };
        assert_eq!(listed("447860041117", Some("GB"), "SMS"), Some(("+447860041117".into(), true)));
        assert_eq!(listed("72345", Some("US"), "SMS"), Some(("US:72345".into(), true)));
        assert_eq!(listed("447860041117", Some("GB"), "VOICE"), Some(("+447860041117".into(), false)));
        assert_eq!(listed("72345", None, "SMS"), None);
    }
}
