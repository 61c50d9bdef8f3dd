//! Requests to Plivo's API.

use std::collections::{BTreeSet, HashMap};

use reqwest::{Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Plivo, errors};
use crate::{
    gateway::{
        providers::{
            Answer, CheckError, ConfiguredWebhook, ProviderNumber,
            http::{self, Answered},
        },
        public_url::PublicUrl,
    },
    sms::PhoneNumber,
    wire::outbound::{RefusalClass, SendRequest},
};

/// The most that Plivo gives at once.
const PAGE_SIZE: usize = 20;
/// No account has more pages; a list that goes on is going round.
const MAX_PAGES: usize = 1000;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Account {
    billing_mode: Option<String>,
    /// A number in quotes.
    cash_credits: Option<Value>,
    auto_recharge: Option<bool>,
}

#[derive(Deserialize)]
struct Page {
    objects: Vec<Number>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Meta {
    /// Path of the next page.
    next: Option<String>,
}

#[derive(Deserialize)]
struct Number {
    number: String,
    #[serde(default)]
    sms_enabled: bool,
    /// Path of the application.
    application: Option<String>,
}

#[derive(Deserialize)]
struct Application {
    message_url: Option<String>,
    message_method: Option<String>,
    enabled: Option<bool>,
}

#[derive(Deserialize)]
struct Taken {
    #[serde(default)]
    message_uuid: Vec<String>,
    #[serde(default)]
    invalid_number: Vec<String>,
}

impl Account {
    /// Whether Plivo takes no messages for want of money: it says "Insufficient Credit" or fails them with code 900.
    fn without_credit(&self) -> Option<String> {
        let credits = match self.cash_credits.as_ref()? {
            Value::String(text) => text.parse().ok()?,
            other => other.as_f64()?,
        };
        let empty =
            self.billing_mode.as_deref() == Some("prepaid") && self.auto_recharge != Some(true) && credits <= 0.0;
        empty.then(|| format!("the prepaid account has no credit ({credits}), and is not recharged by itself"))
    }
}

impl Application {
    /// What Plivo calls for the messages of a number.
    fn webhook(self) -> ConfiguredWebhook {
        let set = |value: Option<String>| value.filter(|value| !value.is_empty());
        match (set(self.message_url), self.enabled) {
            (Some(_), Some(false)) => ConfiguredWebhook::Other("an application that is disabled".into()),
            (Some(url), _) => {
                ConfiguredWebhook::Url { method: set(self.message_method).unwrap_or_else(|| "POST".into()), url }
            }
            (None, _) => ConfiguredWebhook::Unset,
        }
    }
}

impl Plivo {
    /// Asks for the account.
    pub(super) async fn check_account(&self) -> Result<(), CheckError> {
        let account: Account = read(&http::call(self.request(Method::GET, "")).await?)?;
        account.without_credit().map_or(Ok(()), |why| Err(CheckError::Suspended(why)))
    }

    /// Lists numbers. Applications are asked for those numbers only that somebody wants, each application once.
    pub(super) async fn list_numbers(&self, wanted: &BTreeSet<PhoneNumber>) -> Result<Vec<ProviderNumber>, CheckError> {
        let (mut numbers, mut applications) = (Vec::new(), HashMap::new());
        for listed in self.list().await? {
            let Ok(number) = PhoneNumber::from_provider(&listed.number, None) else { continue };
            let webhook = match &listed.application {
                _ if !wanted.contains(&number) => ConfiguredWebhook::NotShown,
                None => ConfiguredWebhook::Unset,
                Some(path) => self.webhook_of(path, &mut applications).await?,
            };
            numbers.push(ProviderNumber { number, sms_capable: listed.sms_enabled, webhook });
        }
        Ok(numbers)
    }

    async fn list(&self) -> Result<Vec<Number>, CheckError> {
        let mut numbers = Vec::new();
        for page in 0..MAX_PAGES {
            let query = [("limit", PAGE_SIZE), ("offset", page * PAGE_SIZE)];
            let answered = http::call(self.request(Method::GET, "Number/").query(&query)).await?;
            let Page { objects, meta } = read(&answered)?;
            let ends = meta.next.is_none() || objects.is_empty();
            numbers.extend(objects);
            if ends {
                return Ok(numbers);
            }
        }
        Err(CheckError::fault(format!("a list of more than {MAX_PAGES} pages")))
    }

    async fn webhook_of(
        &self,
        path: &str,
        known: &mut HashMap<String, ConfiguredWebhook>,
    ) -> Result<ConfiguredWebhook, CheckError> {
        // The id is all that is taken from the path: credentials go to no other place than the account's.
        let id = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Ok(ConfiguredWebhook::Other(format!("application {id:?}")));
        }
        if let Some(webhook) = known.get(id) {
            return Ok(webhook.clone());
        }
        let answered = http::call(self.request(Method::GET, &format!("Application/{id}/"))).await?;
        let webhook = if answered.status == StatusCode::NOT_FOUND {
            ConfiguredWebhook::Other(format!("application {id}, which the account does not have"))
        } else {
            read::<Application>(&answered)?.webhook()
        };
        known.insert(id.to_owned(), webhook.clone());
        Ok(webhook)
    }

    /// Posts one message.
    pub(super) async fn post_message(&self, request: &SendRequest, public_url: &PublicUrl) -> Answer {
        let message = json!({
            "src": http::without_country(&request.from),
            "dst": http::without_country(&request.to),
            "text": request.text,
            "type": "sms",
            "url": public_url.status_callback(&request.receipt_token, &request.from),
            "method": "POST",
        });
        match http::call(self.request(Method::POST, "Message/").json(&message)).await {
            Ok(answered) if answered.status.is_success() => accepted(&answered),
            Ok(answered) => errors::refused(&answered),
            Err(error) => error.into(),
        }
    }
}

fn accepted(answered: &Answered) -> Answer {
    match serde_json::from_slice::<Taken>(&answered.body) {
        Ok(Taken { message_uuid, .. }) if !message_uuid.is_empty() => Answer::accepted(message_uuid, None),
        Ok(Taken { invalid_number, .. }) if !invalid_number.is_empty() => {
            let message = "Plivo took no message: the receiver's number is not valid".into();
            Answer::refused(RefusalClass::InvalidNumber, None, message)
        }
        Ok(_) => Answer::unknown(format!("Plivo answered {} without the id of a message", answered.status)),
        Err(error) => Answer::unknown(format!("Plivo answered {} but not with a message: {error}", answered.status)),
    }
}

fn read<T: DeserializeOwned>(answered: &Answered) -> Result<T, CheckError> {
    if answered.status != StatusCode::OK {
        return Err(errors::check_failed(answered));
    }
    let wrong = |error| CheckError::fault(format!("not an answer of Plivo's API: {error}"));
    serde_json::from_slice(&answered.body).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gateway::{credentials::Credentials, providers::Client},
        wire::outbound::SendOutcome,
    };
    use axum::{Json, Router, extract::Request};
    use parking_lot::Mutex;
    use std::sync::Arc;

    const ID: &str = "MA2025RK4E639VJFZAGV";

    /// The lists of an account with three numbers on two pages and one application. Returns the paths that were asked for.
    async fn listed(wanted: &[&str]) -> (Vec<ProviderNumber>, Vec<String>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let answer = move |request: Request| {
            let uri = request.uri().to_string();
            seen.lock().push(uri.clone());
            let number = |number: &str| json!({"number": number, "sms_enabled": true, "application": format!("/v1/Account/{ID}/Application/77/")});
            let answered = match uri.strip_prefix(&format!("/v1/Account/{ID}/")).unwrap() {
                "Number/?limit=20&offset=0" => {
                    json!({"meta": {"next": "/more"}, "objects": [number("15551230001"), number("15551230002")]})
                }
                "Number/?limit=20&offset=20" => json!({"meta": {"next": null}, "objects": [number("15551230003")]}),
                "Application/77/" => {
                    json!({"message_url": "https://a.example/x", "message_method": "POST", "enabled": true})
                }
                other => panic!("{other}"),
            };
            std::future::ready(Json(answered))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let settings = super::super::Settings { auth_id: ID.into(), base_url };
        let client = Client::new(None).unwrap();
        let plivo = Plivo::new(&settings, &Credentials::from([("authToken", "x")]), &client).unwrap();
        let wanted = wanted.iter().map(|number| number.parse().unwrap()).collect();
        let numbers = plivo.list_numbers(&wanted).await.unwrap();
        let asked = asked.lock().clone();
        (numbers, asked)
    }

    #[tokio::test]
    async fn each_application_is_asked_for_once_and_only_for_numbers_that_are_wanted() {
        let (numbers, asked) = listed(&["+15551230001", "+15551230003"]).await;
        let ours = ConfiguredWebhook::Url { method: "POST".into(), url: "https://a.example/x".into() };
        let seen: Vec<_> = numbers.iter().map(|number| (number.number.as_str(), number.webhook.clone())).collect();
        assert_eq!(
            seen,
            [("+15551230001", ours.clone()), ("+15551230002", ConfiguredWebhook::NotShown), ("+15551230003", ours)]
        );
        assert_eq!(asked.iter().filter(|path| path.contains("Application")).count(), 1, "{asked:?}");
        let (_, asked) = listed(&[]).await;
        assert!(!asked.iter().any(|path| path.contains("Application")), "{asked:?}");
    }

    #[test]
    fn an_accepted_message_has_an_id() {
        let answer =
            |body: &str| accepted(&Answered { status: StatusCode::ACCEPTED, retry_after: None, body: body.into() });
        let body = r#"{"message": "message(s) queued", "message_uuid": ["db3ce55a"], "api_id": "db342550"}"#;
        assert_eq!(answer(body), Answer::accepted(vec!["db3ce55a".into()], None));
        let invalid = answer(r#"{"message_uuid": [], "invalid_number": ["1"]}"#).outcome;
        assert!(matches!(invalid, SendOutcome::Refused { class: RefusalClass::InvalidNumber, .. }), "{invalid:?}");
        for body in ["<html>", r#"{"message_uuid": []}"#] {
            assert!(matches!(answer(body).outcome, SendOutcome::Unknown { .. }), "{body}");
        }
    }

    #[test]
    fn an_account_without_credit_cannot_send() {
        let empty = |mode: &str, credits: Value, recharged: bool| {
            let account = json!({"billing_mode": mode, "cash_credits": credits, "auto_recharge": recharged});
            serde_json::from_value::<Account>(account).unwrap().without_credit().is_some()
        };
        assert!(empty("prepaid", json!("0.00000"), false));
        assert!(empty("prepaid", json!(-0.1), false));
        assert!(!empty("prepaid", json!("1.80900"), false));
        assert!(!empty("prepaid", json!("0.00000"), true));
        assert!(!empty("postpaid", json!("-5.0"), false));
        assert!(serde_json::from_str::<Account>("{}").unwrap().without_credit().is_none(), "a subaccount may not say");
    }

    #[test]
    fn the_applications_address_is_what_plivo_calls() {
        let webhook = |application: Value| serde_json::from_value::<Application>(application).unwrap().webhook();
        let url = |method: &str| ConfiguredWebhook::Url { method: method.into(), url: "https://a.example/x".into() };
        let application = |method: Option<&str>, enabled| json!({"message_url": "https://a.example/x", "message_method": method, "enabled": enabled});
        assert_eq!(webhook(application(Some("GET"), true)), url("GET"));
        assert_eq!(webhook(application(None, true)), url("POST"));
        assert_eq!(webhook(json!({"message_url": ""})), ConfiguredWebhook::Unset);
        let disabled = ConfiguredWebhook::Other("an application that is disabled".into());
        assert_eq!(webhook(application(None, false)), disabled);
    }
}
