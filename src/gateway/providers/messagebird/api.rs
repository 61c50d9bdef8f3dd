//! Requests to MessageBird's API.

use axum::http::Method;
use reqwest::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{MessageBird, errors};
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
    wire::outbound::SendRequest,
};

/// Without a limit there are 20.
const PAGE_SIZE: usize = 100;
/// No account has more pages; a list that goes on is going round.
const MAX_PAGES: usize = 500;
/// Longest `reference` that MessageBird takes, in characters.
const MOST_REFERENCE: usize = 128;

#[derive(Deserialize)]
struct Balance {
    /// `prepaid` or `postpaid`.
    payment: String,
    amount: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    total_count: usize,
    #[serde(default)]
    items: Vec<Number>,
}

#[derive(Deserialize)]
struct Number {
    number: String,
    #[serde(default)]
    country: String,
    #[serde(default)]
    features: Vec<String>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    #[serde(default)]
    recipients: Recipients,
}

#[derive(Default, Deserialize)]
struct Recipients {
    #[serde(default)]
    items: Vec<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    message_part_count: Option<u32>,
}

impl MessageBird {
    /// Asks for the balance. An account that pays before has to have some: without it nothing is sent.
    pub(super) async fn check_balance(&self) -> Result<(), CheckError> {
        let url = format!("{}/balance", self.settings.base_url);
        let Balance { payment, amount } = read(&http::call(self.request(Method::GET, &url)).await?)?;
        if payment == "prepaid" && amount <= 0.0 {
            return Err(CheckError::Suspended(format!("the prepaid balance is used up ({amount})")));
        }
        Ok(())
    }

    /// Lists all numbers. What is called for them is a matter of flows, which no API shows.
    pub(super) async fn list_numbers(&self) -> Result<Vec<ProviderNumber>, CheckError> {
        let url = format!("{}/v1/phone-numbers", self.settings.numbers_url());
        let (mut seen, mut listed) = (0, Vec::new());
        for _ in 0..MAX_PAGES {
            let request = self.request(Method::GET, &url).query(&[("limit", PAGE_SIZE), ("offset", seen)]);
            let Page { total_count, items } = read(&http::call(request).await?)?;
            if items.is_empty() && seen < total_count {
                return Err(CheckError::fault(format!("a list of {total_count} numbers that ends after {seen}")));
            }
            seen += items.len();
            listed.extend(items.into_iter().filter_map(|item| {
                let number = PhoneNumber::from_provider(&item.number, item.country.parse().ok()).ok()?;
                let sms_capable = item.features.iter().any(|feature| feature == "sms");
                Some(ProviderNumber { number, sms_capable, webhook: ConfiguredWebhook::NotShown })
            }));
            if seen >= total_count {
                return Ok(listed);
            }
        }
        Err(CheckError::fault(format!("a list of more than {MAX_PAGES} pages")))
    }

    /// Posts one message.
    pub(super) async fn post_message(&self, request: &SendRequest, public_url: &PublicUrl) -> Answer {
        let url = format!("{}/messages", self.settings.base_url);
        match http::call(self.request(Method::POST, &url).json(&message(request, public_url))).await {
            Ok(answered) if answered.status.is_success() => accepted(&answered),
            Ok(answered) => errors::refused(&answered),
            Err(error) => error.into(),
        }
    }
}

fn message(request: &SendRequest, public_url: &PublicUrl) -> Value {
    let mut message = json!({
        "type": "sms",
        "originator": digits(&request.from),
        "recipients": [digits(&request.to)],
        "body": request.text,
        "datacoding": match Encoding::of(&request.text) {
            Encoding::Gsm7 => "plain",
            Encoding::Ucs2 => "unicode",
        },
    });
    // There are receipts only for a message with a reference.
    let reference = reference::write(&request.receipt_token, &request.from);
    if reference.len() <= MOST_REFERENCE {
        message["reference"] = reference.into();
        message["reportUrl"] = public_url.hook(Hook::Status).into();
    }
    message
}

/// A number as MessageBird wants it: without plus, short codes without their country.
fn digits(number: &str) -> &str {
    http::without_country(number).trim_start_matches('+')
}

fn accepted(answered: &Answered) -> Answer {
    match serde_json::from_slice::<Message>(&answered.body) {
        Ok(Message { id, recipients }) if !id.is_empty() => {
            let parts = recipients.items.first().and_then(|recipient| recipient.message_part_count);
            Answer::accepted(vec![id], parts.filter(|parts| *parts > 0))
        }
        Ok(_) => Answer::unknown("MessageBird answered with a message without an id".into()),
        Err(error) => Answer::unknown(format!("MessageBird answered, but not with a message: {error}")),
    }
}

fn read<T: DeserializeOwned>(answered: &Answered) -> Result<T, CheckError> {
    if answered.status != StatusCode::OK {
        return Err(errors::check_failed(answered));
    }
    let wrong = |error| CheckError::fault(format!("not an answer of MessageBird's API: {error}"));
    serde_json::from_slice(&answered.body).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::SendOutcome;

    #[test]
    fn an_accepted_message_has_an_id() {
        let answer =
            |body: &str| accepted(&Answered { status: StatusCode::CREATED, retry_after: None, body: body.into() });
        let body = r#"{"id": "e8077d80", "recipients": {"totalCount": 1, "items": [{"recipient": 15559870001, "status": "sent", "messagePartCount": 2}]}}"#;
        assert_eq!(answer(body), Answer::accepted(vec!["e8077d80".into()], Some(2)));
        assert_eq!(answer(r#"{"id": "e8077d80"}"#), Answer::accepted(vec!["e8077d80".into()], None));
        for doubtful in ["<html>", r#"{"id": ""}"#] {
            assert!(matches!(answer(doubtful).outcome, SendOutcome::Unknown { .. }), "{doubtful}");
        }
    }
}
