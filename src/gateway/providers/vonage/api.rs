//! Requests to Vonage's API.

use axum::http::Method;
use reqwest::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};

use super::{Vonage, errors};
use crate::{
    gateway::{
        providers::{
            Answer, CheckError, ConfiguredWebhook, ProviderNumber,
            http::{self, Answered},
            reference,
        },
        public_url::{Hook, PublicUrl},
    },
    sms::{Encoding, PhoneNumber},
    wire::outbound::{SendOutcome, SendRequest},
};

/// The most that Vonage gives at once.
const PAGE_SIZE: u32 = 100;
/// No account has more pages; a list that goes on is going round.
const MAX_PAGES: u32 = 500;
/// Longest `callback` and longest `client-ref` that Vonage takes, in characters.
const MOST_CHARACTERS: usize = 100;
/// `status` of a part that Vonage took.
const TAKEN: &str = "0";

#[derive(Deserialize)]
struct Balance {
    #[serde(rename = "value")]
    _value: f64,
}

/// Empty for an account without numbers.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    count: usize,
    #[serde(default)]
    numbers: Vec<Number>,
}

#[derive(Deserialize)]
struct Number {
    country: String,
    msisdn: String,
    #[serde(default)]
    features: Vec<String>,
    #[serde(rename = "moHttpUrl")]
    webhook: Option<String>,
}

/// The answer to a message: an entry for each of its parts.
#[derive(Deserialize)]
struct Submitted {
    messages: Vec<Part>,
}

/// What became of a part.
#[derive(Deserialize)]
struct Part {
    /// Digits.
    status: String,
    #[serde(rename = "message-id")]
    message_id: Option<String>,
    /// For people.
    #[serde(rename = "error-text", default)]
    error_text: String,
}

impl Number {
    fn listed(self) -> Option<ProviderNumber> {
        let number = PhoneNumber::from_provider(&self.msisdn, self.country.parse().ok()).ok()?;
        let webhook = match self.webhook {
            Some(url) if !url.is_empty() => ConfiguredWebhook::Url { method: "POST".into(), url },
            // The account's own address is called, which Vonage does not show.
            Some(_) | None => ConfiguredWebhook::NotShown,
        };
        let sms_capable = self.features.iter().any(|feature| feature == "SMS");
        Some(ProviderNumber { number, sms_capable, webhook })
    }
}

impl Vonage {
    /// Asks for the balance, which every key may see. How much it is does not matter: accounts that pay later have less than nothing.
    pub(super) async fn check_balance(&self) -> Result<(), CheckError> {
        let answered = http::call(self.request(Method::GET, "/account/get-balance")).await?;
        read::<Balance>(&answered).map(|_| ())
    }

    /// Lists all numbers.
    pub(super) async fn list_numbers(&self) -> Result<Vec<ProviderNumber>, CheckError> {
        let (mut seen, mut listed) = (0, Vec::new());
        for page in 1..=MAX_PAGES {
            let request = self.request(Method::GET, "/account/numbers").query(&[("index", page), ("size", PAGE_SIZE)]);
            let Page { count, numbers } = read::<Page>(&http::call(request).await?)?;
            if numbers.is_empty() && seen < count {
                return Err(CheckError::fault(format!("a list of {count} numbers that ends after {seen}")));
            }
            seen += numbers.len();
            listed.extend(numbers.into_iter().filter_map(Number::listed));
            if seen >= count {
                return Ok(listed);
            }
        }
        Err(CheckError::fault(format!("a list of more than {MAX_PAGES} pages")))
    }

    /// Posts one message.
    pub(super) async fn post_message(&self, request: &SendRequest, public_url: &PublicUrl) -> Answer {
        let encoding = match Encoding::of(&request.text) {
            Encoding::Gsm7 => "text",
            Encoding::Ucs2 => "unicode",
        };
        let reference = reference::write(&request.receipt_token, &request.from);
        // The token is not in the address: the address may not be long, and what Vonage adds to it is signed, but not what was there.
        let callback = public_url.hook(Hook::Status);
        let mut form = vec![
            ("from", digits(&request.from)),
            ("to", digits(&request.to)),
            ("type", encoding),
            ("text", &request.text),
            ("status-report-req", "true"),
        ];
        let optional = [("client-ref", &*reference), ("callback", &*callback)];
        form.extend(optional.into_iter().filter(|(_, value)| value.len() <= MOST_CHARACTERS));
        match http::call(self.request(Method::POST, "/sms/json").form(&form)).await {
            Ok(answered) if answered.status.is_success() => submitted(&answered),
            Ok(answered) => errors::refused(&answered),
            Err(error) => error.into(),
        }
    }
}

/// A number as Vonage wants it: without plus, short codes without their country.
fn digits(number: &str) -> &str {
    http::without_country(number).trim_start_matches('+')
}

/// A message of several parts is taken part by part.
fn submitted(answered: &Answered) -> Answer {
    let parts = match serde_json::from_slice::<Submitted>(&answered.body) {
        Ok(Submitted { messages }) => messages,
        Err(error) => return Answer::unknown(format!("Vonage answered, but not with a message: {error}")),
    };
    let Some(refused) = parts.iter().find(|part| part.status != TAKEN) else {
        let segments = u32::try_from(parts.len()).ok().filter(|parts| *parts > 0);
        let ids: Vec<_> = parts.into_iter().filter_map(|part| part.message_id).collect();
        return if ids.is_empty() {
            Answer::unknown("Vonage answered with a message without an id".into())
        } else {
            Answer::accepted(ids, segments)
        };
    };
    let taken = parts.iter().filter(|part| part.status == TAKEN).count();
    if taken > 0 {
        let why = errors::describe(&refused.status, &refused.error_text);
        let message = format!("Vonage took {taken} of {} parts: {why}", parts.len());
        return Answer { outcome: SendOutcome::Unknown { message }, trip: None };
    }
    errors::not_taken(&refused.status, &refused.error_text, answered.retry_after)
}

fn read<T: DeserializeOwned>(answered: &Answered) -> Result<T, CheckError> {
    if answered.status != StatusCode::OK {
        return Err(errors::check_failed(answered));
    }
    let wrong = |error| CheckError::fault(format!("not an answer of Vonage's API: {error}"));
    serde_json::from_slice(&answered.body).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::{NotSentReason, RefusalClass};
    use serde_json::{Value, json};

    fn answer(messages: &Value) -> Answer {
        let body = json!({"message-count": "1", "messages": messages}).to_string();
        submitted(&Answered { status: StatusCode::OK, retry_after: None, body: body.into() })
    }

    #[test]
    fn each_part_that_was_taken_has_an_id() {
        let part = |id: &str| json!({"to": "15559870001", "message-id": id, "status": "0", "remaining-balance": "3.1"});
        assert_eq!(answer(&json!([part("A")])), Answer::accepted(vec!["A".into()], Some(1)));
        assert_eq!(answer(&json!([part("A"), part("B")])), Answer::accepted(vec!["A".into(), "B".into()], Some(2)));
        let unknown = |answer: &Answer| matches!(answer.outcome, SendOutcome::Unknown { .. });
        for nonsense in [json!([]), json!([{"status": "0"}]), json!({"status": "0"})] {
            let answer = answer(&nonsense);
            assert!(unknown(&answer) && answer.trip.is_some(), "{nonsense}");
        }
        // A part left the house.
        let some = answer(&json!([part("A"), {"status": "1", "error-text": "Throughput Rate Exceeded"}]));
        assert!(unknown(&some) && some.trip.is_none());
    }

    #[test]
    fn what_no_part_of_was_taken_is_refused_or_not_sent() {
        let refused = answer(&json!([{"status": "6", "error-text": "Un-routable message - rejected"}]));
        let message = "Vonage status 6: Un-routable message - rejected".to_owned();
        assert_eq!(refused, Answer::refused(RefusalClass::InvalidNumber, Some("6".into()), message));
        let throttled = answer(&json!([{"status": "1", "error-text": "Throughput Rate Exceeded"}]));
        assert!(matches!(throttled.outcome, SendOutcome::NotSent { reason: NotSentReason::RateLimited, .. }));
    }

    #[test]
    fn numbers_are_listed_with_what_is_called_for_them() {
        let listed = |json: Value| serde_json::from_value::<Number>(json).unwrap().listed();
        let number = listed(json!({
            "country": "GB", "msisdn": "447700900000", "moHttpUrl": "https://a.example/x", "type": "mobile-lvn", "features": ["VOICE", "SMS"],
        }));
        let webhook = ConfiguredWebhook::Url { method: "POST".into(), url: "https://a.example/x".into() };
        let expected = ProviderNumber { number: "+447700900000".parse().unwrap(), sms_capable: true, webhook };
        assert_eq!(number, Some(expected));
        let code =
            listed(json!({"country": "US", "msisdn": "72345", "type": "mobile-shortcode", "features": ["VOICE"]}));
        let expected = ProviderNumber {
            number: "US:72345".parse().unwrap(),
            sms_capable: false,
            webhook: ConfiguredWebhook::NotShown,
        };
        assert_eq!(code, Some(expected));
    }
}
