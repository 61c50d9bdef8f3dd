//! Calls of Twilio's REST API, version 2010-04-01.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Twilio, errors};
use crate::{
    gateway::{
        providers::{
            Answer, CheckError, ConfiguredWebhook, ProviderNumber,
            http::{self, Answered},
        },
        public_url::PublicUrl,
    },
    sms::PhoneNumber,
    wire::{
        outbound::{SendOutcome, SendRequest},
        status::{Trouble, Unanswered},
    },
};

/// The most that Twilio gives at once.
const PAGE_SIZE: u32 = 1000;
/// No account has more pages; a list that goes on is going round.
const MAX_PAGES: usize = 200;

#[derive(Deserialize)]
struct Account {
    status: String,
}

#[derive(Deserialize)]
struct NumberPage {
    incoming_phone_numbers: Vec<IncomingPhoneNumber>,
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct ShortCodePage {
    short_codes: Vec<ShortCode>,
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct IncomingPhoneNumber {
    phone_number: String,
    #[serde(default)]
    capabilities: Capabilities,
    #[serde(flatten)]
    webhook: Webhook,
}

#[derive(Deserialize)]
struct ShortCode {
    short_code: String,
    #[serde(flatten)]
    webhook: Webhook,
}

#[derive(Default, Deserialize)]
struct Capabilities {
    #[serde(default)]
    sms: bool,
}

#[derive(Deserialize)]
struct Webhook {
    sms_url: Option<String>,
    sms_method: Option<String>,
    sms_application_sid: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    sid: String,
    status: Option<String>,
    /// A number in quotes.
    num_segments: Option<String>,
    error_code: Option<u32>,
    error_message: Option<String>,
}

/// One page of a list.
trait Page: DeserializeOwned {
    type Item;
    fn open(self) -> (Vec<Self::Item>, Option<String>);
}

impl Page for NumberPage {
    type Item = IncomingPhoneNumber;
    fn open(self) -> (Vec<Self::Item>, Option<String>) {
        (self.incoming_phone_numbers, self.next_page_uri)
    }
}

impl Page for ShortCodePage {
    type Item = ShortCode;
    fn open(self) -> (Vec<Self::Item>, Option<String>) {
        (self.short_codes, self.next_page_uri)
    }
}

impl From<Webhook> for ConfiguredWebhook {
    fn from(webhook: Webhook) -> Self {
        let set = |value: Option<String>| value.filter(|value| !value.is_empty());
        match (set(webhook.sms_application_sid), set(webhook.sms_url)) {
            // An application takes the place of the URL.
            (Some(application), _) => Self::Other(format!("TwiML application {application}")),
            (None, Some(url)) => Self::Url { method: set(webhook.sms_method).unwrap_or_else(|| "POST".into()), url },
            (None, None) => Self::Unset,
        }
    }
}

impl Twilio {
    /// Asks for the account. This takes the auth token: standard API keys may not.
    pub(super) async fn check_account(&self) -> Result<(), CheckError> {
        let url = format!("{}{}", self.settings.base_url, self.account_path(".json"));
        let request = self
            .client
            .request(Method::GET, &url)
            .basic_auth(&self.settings.account_sid, Some(self.auth_token.reveal()));
        let account: Account = read(http::call(request).await?)?;
        match account.status.as_str() {
            "active" => Ok(()),
            status => Err(CheckError::Suspended(format!("the account is {status}"))),
        }
    }

    /// Lists numbers and, when one is wanted, short codes; with the API key if there is one, which so is checked too.
    pub(super) async fn list_numbers(&self, wanted: &BTreeSet<PhoneNumber>) -> Result<Vec<ProviderNumber>, CheckError> {
        let first = format!("{}?PageSize={PAGE_SIZE}", self.account_path("/IncomingPhoneNumbers.json"));
        let listed = self.list::<NumberPage>(first).await?.into_iter().filter_map(|listed| {
            let number = PhoneNumber::from_provider(&listed.phone_number, None).ok()?;
            Some(ProviderNumber { number, sms_capable: listed.capabilities.sms, webhook: listed.webhook.into() })
        });
        let mut numbers: Vec<_> = listed.collect();
        let wanted: Vec<_> = wanted.iter().filter(|number| number.short_code_country().is_some()).collect();
        if !wanted.is_empty() {
            let first = format!("{}?PageSize={PAGE_SIZE}", self.account_path("/SMS/ShortCodes.json"));
            // Twilio lists short codes without a country; the wanted ones know theirs.
            numbers.extend(self.list::<ShortCodePage>(first).await?.into_iter().filter_map(|listed| {
                let number = (*wanted.iter().find(|number| number.digits() == listed.short_code)?).clone();
                Some(ProviderNumber { number, sms_capable: true, webhook: listed.webhook.into() })
            }));
        }
        Ok(numbers)
    }

    async fn list<P: Page>(&self, first: String) -> Result<Vec<P::Item>, CheckError> {
        let mut items = Vec::new();
        let mut next = Some(first);
        for _ in 0..MAX_PAGES {
            let Some(path) = next else { return Ok(items) };
            let (more, after) = read::<P>(http::call(self.request(Method::GET, &path)).await?)?.open();
            items.extend(more);
            // Always a path below the same base: credentials go nowhere else.
            next = after.filter(|path| path.starts_with('/') && !path.starts_with("//"));
        }
        Err(CheckError::Unasked(Unanswered::new(Trouble::Fault, format!("a list of more than {MAX_PAGES} pages"))))
    }

    /// Posts one message.
    pub(super) async fn post_message(&self, request: &SendRequest, public_url: &PublicUrl) -> Answer {
        let callback = public_url.status_callback(&request.receipt_token, &request.from);
        let form = [
            ("To", http::without_country(&request.to)),
            ("From", http::without_country(&request.from)),
            ("Body", request.text.as_str()),
            ("StatusCallback", &callback),
        ];
        match http::call(self.request(Method::POST, &self.account_path("/Messages.json")).form(&form)).await {
            Ok(answered) if answered.status.is_success() => accepted(&answered),
            Ok(answered) => errors::refused(&answered),
            Err(error) => error.into(),
        }
    }
}

fn accepted(answered: &Answered) -> Answer {
    let outcome = match serde_json::from_slice::<Message>(&answered.body) {
        Ok(message) if matches!(message.status.as_deref(), Some("failed" | "undelivered")) => {
            let code = message.error_code.unwrap_or_default();
            SendOutcome::Refused {
                class: errors::refusal_class(code),
                provider_code: (code != 0).then(|| code.to_string()),
                message: message.error_message.unwrap_or_else(|| "Twilio could not send it".into()),
            }
        }
        Ok(message) => SendOutcome::Accepted {
            segments: message.num_segments.and_then(|segments| segments.parse().ok()).filter(|segments| *segments > 0),
            provider_message_ids: vec![message.sid],
        },
        Err(error) => {
            return Answer::unknown(format!("Twilio answered {} but not with a message: {error}", answered.status));
        }
    };
    Answer { outcome, trip: None }
}

fn read<T: DeserializeOwned>(answered: Answered) -> Result<T, CheckError> {
    if answered.status != StatusCode::OK {
        return Err(errors::check_failed(&answered));
    }
    let wrong =
        |error| CheckError::Unasked(Unanswered::new(Trouble::Fault, format!("not an answer of Twilio's API: {error}")));
    serde_json::from_slice(&answered.body).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::RefusalClass;

    fn answer(body: &str) -> SendOutcome {
        accepted(&Answered { status: StatusCode::CREATED, retry_after: None, body: body.into() }).outcome
    }

    #[test]
    fn an_accepted_message_has_an_id() {
        let body =
            r#"{"sid": "SM1", "status": "queued", "num_segments": "2", "error_code": null, "error_message": null}"#;
        let expected = SendOutcome::Accepted { provider_message_ids: vec!["SM1".into()], segments: Some(2) };
        assert_eq!(answer(body), expected);
        // With a Messaging Service the segments are not known yet.
        let body = r#"{"sid": "SM1", "status": "accepted", "num_segments": "0"}"#;
        let expected = SendOutcome::Accepted { provider_message_ids: vec!["SM1".into()], segments: None };
        assert_eq!(answer(body), expected);
    }

    #[test]
    fn a_message_that_failed_at_once_is_refused() {
        let refused =
            answer(r#"{"sid": "SM1", "status": "failed", "error_code": 30034, "error_message": "unregistered"}"#);
        let expected = SendOutcome::Refused {
            class: RefusalClass::Account,
            provider_code: Some("30034".into()),
            message: "unregistered".into(),
        };
        assert_eq!(refused, expected);
    }

    #[test]
    fn success_without_a_message_is_doubtful() {
        assert!(matches!(answer("<html>"), SendOutcome::Unknown { .. }));
    }

    #[test]
    fn an_application_takes_the_place_of_the_url() {
        let webhook = |application: &str, url: &str| {
            let set = |text: &str| Some(text.to_owned());
            let webhook = Webhook { sms_url: set(url), sms_method: set(""), sms_application_sid: set(application) };
            ConfiguredWebhook::from(webhook)
        };
        assert_eq!(webhook("", ""), ConfiguredWebhook::Unset);
        assert_eq!(webhook("", "u"), ConfiguredWebhook::Url { method: "POST".into(), url: "u".into() });
        assert_eq!(webhook("AP1", "u"), ConfiguredWebhook::Other("TwiML application AP1".into()));
    }
}
