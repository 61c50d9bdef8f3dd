//! Requests to Telnyx' API.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::{Telnyx, errors};
use crate::{
    gateway::{
        providers::{
            Answer, CheckError, ConfiguredWebhook, ProviderNumber,
            http::{self, Answered},
        },
        public_url::PublicUrl,
    },
    sms::PhoneNumber,
    wire::outbound::SendRequest,
};

/// The most that Telnyx gives at once.
const PAGE_SIZE: u32 = 250;
/// No profile has more pages; a list that goes on is going round.
const MAX_PAGES: u32 = 200;
/// The version of webhooks that are read.
const WEBHOOK_VERSION: &str = "2";

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Meta {
    total_pages: u32,
}

#[derive(Deserialize)]
struct Profile {
    enabled: bool,
    webhook_url: Option<String>,
    webhook_api_version: Option<String>,
}

#[derive(Deserialize)]
struct Number {
    phone_number: String,
    features: Option<Features>,
}

#[derive(Deserialize)]
struct Features {
    sms: Option<SmsFeatures>,
}

#[derive(Deserialize)]
struct SmsFeatures {
    #[serde(default)]
    domestic_two_way: bool,
    #[serde(default)]
    international_inbound: bool,
    #[serde(default)]
    international_outbound: bool,
}

#[derive(Deserialize)]
struct ShortCode {
    short_code: String,
    country_code: String,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    parts: Option<u32>,
}

impl Profile {
    /// What Telnyx calls for every number of the profile.
    fn webhook(&self) -> ConfiguredWebhook {
        let set = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        match (set(&self.webhook_url), set(&self.webhook_api_version)) {
            (None, _) => ConfiguredWebhook::Unset,
            (Some(_), Some(version)) if version != WEBHOOK_VERSION => {
                ConfiguredWebhook::Other(format!("webhooks of API version {version}; set version {WEBHOOK_VERSION}"))
            }
            (Some(url), _) => ConfiguredWebhook::Url { method: "POST".into(), url },
        }
    }
}

impl Number {
    fn can_do_sms(&self) -> bool {
        self.features
            .as_ref()
            .and_then(|features| features.sms.as_ref())
            .is_some_and(|sms| sms.domestic_two_way || (sms.international_inbound && sms.international_outbound))
    }
}

impl Telnyx {
    /// Asks for the profile.
    pub(super) async fn check_profile(&self) -> Result<(), CheckError> {
        let profile = self.profile().await?;
        if profile.enabled { Ok(()) } else { Err(CheckError::Suspended("the messaging profile is disabled".into())) }
    }

    async fn profile(&self) -> Result<Profile, CheckError> {
        let answered = http::call(self.request(Method::GET, &self.profile_path(""))).await?;
        Ok(read::<Data<Profile>>(&answered)?.data)
    }

    /// Lists numbers and, when one is wanted, short codes.
    pub(super) async fn list_numbers(&self, wanted: &BTreeSet<PhoneNumber>) -> Result<Vec<ProviderNumber>, CheckError> {
        let webhook = self.profile().await?.webhook();
        let listed = self.list::<Number>("/phone_numbers").await?.into_iter().filter_map(|listed| {
            let number = PhoneNumber::from_provider(&listed.phone_number, None).ok()?;
            Some(ProviderNumber { number, sms_capable: listed.can_do_sms(), webhook: webhook.clone() })
        });
        let mut numbers: Vec<_> = listed.collect();
        if wanted.iter().any(|number| number.short_code_country().is_some()) {
            numbers.extend(self.list::<ShortCode>("/short_codes").await?.into_iter().filter_map(|listed| {
                let country = listed.country_code.parse().ok();
                let number = PhoneNumber::from_provider(&listed.short_code, country).ok()?;
                Some(ProviderNumber { number, sms_capable: true, webhook: webhook.clone() })
            }));
        }
        Ok(numbers)
    }

    async fn list<T: DeserializeOwned>(&self, list: &str) -> Result<Vec<T>, CheckError> {
        let mut items = Vec::new();
        for page in 1..=MAX_PAGES {
            let query = [("page[number]", page), ("page[size]", PAGE_SIZE)];
            let answered = http::call(self.request(Method::GET, &self.profile_path(list)).query(&query)).await?;
            let Page { data, meta } = read::<Page<T>>(&answered)?;
            items.extend(data);
            if page >= meta.total_pages {
                return Ok(items);
            }
        }
        Err(CheckError::fault(format!("a list of more than {MAX_PAGES} pages")))
    }

    /// Posts one message.
    pub(super) async fn post_message(&self, request: &SendRequest, public_url: &PublicUrl) -> Answer {
        let message = json!({
            "from": http::without_country(&request.from),
            "to": http::without_country(&request.to),
            "text": request.text,
            "messaging_profile_id": self.settings.messaging_profile_id,
            // Before the profile's own, which Telnyx calls if this one does not answer.
            "webhook_url": public_url.status_callback(&request.receipt_token, &request.from),
        });
        match http::call(self.request(Method::POST, "/v2/messages").json(&message)).await {
            Ok(answered) if answered.status.is_success() => accepted(&answered),
            Ok(answered) => errors::refused(&answered),
            Err(error) => error.into(),
        }
    }

    fn profile_path(&self, rest: &str) -> String {
        format!("/v2/messaging_profiles/{}{rest}", self.settings.messaging_profile_id)
    }
}

fn accepted(answered: &Answered) -> Answer {
    match serde_json::from_slice::<Data<Message>>(&answered.body) {
        Ok(Data { data }) => Answer::accepted(vec![data.id], data.parts.filter(|parts| *parts > 0)),
        Err(error) => Answer::unknown(format!("Telnyx answered {} but not with a message: {error}", answered.status)),
    }
}

fn read<T: DeserializeOwned>(answered: &Answered) -> Result<T, CheckError> {
    if answered.status != StatusCode::OK {
        return Err(errors::check_failed(answered));
    }
    let wrong = |error| CheckError::fault(format!("not an answer of Telnyx' API: {error}"));
    serde_json::from_slice(&answered.body).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_message_has_an_id() {
        let answer = |body: &str| accepted(&Answered { status: StatusCode::OK, retry_after: None, body: body.into() });
        let body =
            r#"{"data": {"record_type": "message", "id": "40385f64", "parts": 2, "to": [{"status": "queued"}]}}"#;
        assert_eq!(answer(body), Answer::accepted(vec!["40385f64".into()], Some(2)));
        assert!(matches!(answer("<html>").outcome, crate::wire::outbound::SendOutcome::Unknown { .. }));
    }

    #[test]
    fn the_profiles_webhook_must_be_of_the_version_that_is_read() {
        let webhook = |url: Option<&str>, version: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Profile { enabled: true, webhook_url: owned(url), webhook_api_version: owned(version) }.webhook()
        };
        let ours = ConfiguredWebhook::Url { method: "POST".into(), url: "https://a.example/x".into() };
        assert_eq!(webhook(None, Some("2")), ConfiguredWebhook::Unset);
        assert_eq!(webhook(Some(""), None), ConfiguredWebhook::Unset);
        assert_eq!(webhook(Some("https://a.example/x"), Some("2")), ours);
        let other = webhook(Some("https://a.example/x"), Some("1"));
        assert_eq!(other, ConfiguredWebhook::Other("webhooks of API version 1; set version 2".into()));
    }
}
