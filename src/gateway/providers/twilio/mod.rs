//! Twilio. Reference: <https://www.twilio.com/docs/messaging/api>.

mod api;
mod errors;
mod signature;
mod webhooks;

use std::collections::BTreeSet;

use futures::{FutureExt, future::BoxFuture};
use reqwest::Method;
use serde::Deserialize;

use super::{
    Answer, CallHead, CheckError, Client, MAX_PARAMETERS, MissingKeys, NumberList, Provider, Received, Rejected,
    Unverified, WebhookCall, form, only,
};
use crate::{
    gateway::{
        credentials::{Credentials, Secret},
        public_url::PublicUrl,
    },
    sms::PhoneNumber,
    wire::outbound::SendRequest,
};

/// Keys of the Secret.
mod keys {
    /// The account's primary auth token: signs webhooks.
    pub(super) const AUTH_TOKEN: &str = "authToken";
    /// The auth token before it, during a rotation.
    pub(super) const PREVIOUS_AUTH_TOKEN: &str = "previousAuthToken";
    /// An API key for sending, instead of the auth token.
    pub(super) const API_KEY_SID: &str = "apiKeySid";
    /// The API key's secret.
    pub(super) const API_KEY_SECRET: &str = "apiKeySecret";
}

/// What the configuration says of the account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    account_sid: String,
    base_url: String,
}

/// A Twilio account.
#[derive(Debug)]
pub(crate) struct Twilio {
    settings: Settings,
    auth_token: Secret,
    previous_auth_token: Option<Secret>,
    api_key: Option<ApiKey>,
    client: Client,
}

#[derive(Debug)]
struct ApiKey {
    sid: Secret,
    secret: Secret,
}

impl Twilio {
    /// An account with its credentials.
    ///
    /// # Errors
    /// Which keys are missing: `authToken`, or one half of an API key.
    pub(crate) fn new(settings: &Settings, credentials: &Credentials, client: &Client) -> Result<Self, MissingKeys> {
        let missing = |keys: &[&str]| MissingKeys(keys.iter().map(|key| (*key).to_owned()).collect());
        let auth_token = credentials.get(keys::AUTH_TOKEN).cloned();
        let (api_key, half) = match (credentials.get(keys::API_KEY_SID), credentials.get(keys::API_KEY_SECRET)) {
            (Some(sid), Some(secret)) => (Some(ApiKey { sid: sid.clone(), secret: secret.clone() }), None),
            (Some(_), None) => (None, Some(keys::API_KEY_SECRET)),
            (None, Some(_)) => (None, Some(keys::API_KEY_SID)),
            (None, None) => (None, None),
        };
        match (auth_token, half) {
            (Some(auth_token), None) => Ok(Self {
                settings: settings.clone(),
                auth_token,
                previous_auth_token: credentials.get(keys::PREVIOUS_AUTH_TOKEN).cloned(),
                api_key,
                client: client.clone(),
            }),
            (Some(_), Some(half)) => Err(missing(&[half])),
            (None, Some(half)) => Err(missing(&[keys::AUTH_TOKEN, half])),
            (None, None) => Err(missing(&[keys::AUTH_TOKEN])),
        }
    }

    /// Whether Twilio signed the call.
    fn verify(&self, call: &WebhookCall) -> Result<(), Unverified> {
        let headers = &call.head.headers;
        let settings = if headers.contains_key(signature::SETTINGS_HEADER) {
            Some(only(headers, signature::SETTINGS_HEADER).ok_or(Unverified::Signature)?)
        } else {
            None
        };
        let form = if webhooks::is_form(call) {
            Some(form::parse(&call.body, MAX_PARAMETERS).ok_or(Unverified::TooManyParameters)?)
        } else {
            None
        };
        let body = match &form {
            Some(pairs) => signature::SignedBody::Form(pairs),
            None => signature::SignedBody::Raw(&call.body),
        };
        let request = signature::SignedRequest {
            url: &call.head.url,
            body,
            signature: only(headers, signature::SIGNATURE_HEADER).ok_or(Unverified::Signature)?,
            settings,
        };
        let tokens = std::iter::once(&self.auth_token).chain(&self.previous_auth_token).map(Secret::reveal);
        if request.signed_by(tokens) { Ok(()) } else { Err(Unverified::Signature) }
    }

    /// A request with the credentials that are for sending.
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let (user, password) = match &self.api_key {
            Some(key) => (key.sid.reveal(), &key.secret),
            None => (self.settings.account_sid.as_str(), &self.auth_token),
        };
        self.client
            .request(method, &format!("{}{path}", self.settings.base_url))
            .basic_auth(user, Some(password.reveal()))
    }

    fn account_path(&self, rest: &str) -> String {
        format!("/2010-04-01/Accounts/{}{rest}", self.settings.account_sid)
    }
}

impl Provider for Twilio {
    fn claims_to_be_ours(&self, head: &CallHead) -> bool {
        only(&head.headers, signature::SIGNATURE_HEADER).is_some()
    }

    fn receive<'a>(&'a self, call: &'a WebhookCall) -> BoxFuture<'a, Result<Received, Rejected>> {
        async {
            self.verify(call)?;
            Ok(Received { items: webhooks::items(call)?, acknowledgement: webhooks::acknowledgement() })
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        self.check_account().boxed()
    }

    fn numbers<'a>(&'a self, wanted: &'a BTreeSet<PhoneNumber>) -> BoxFuture<'a, Result<NumberList, CheckError>> {
        async { Ok(NumberList::Listed(self.list_numbers(wanted).await?)) }.boxed()
    }

    fn send<'a>(&'a self, request: &'a SendRequest, public_url: &'a PublicUrl) -> BoxFuture<'a, Answer> {
        self.post_message(request, public_url).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing<const N: usize>(credentials: [(&str, &str); N]) -> Vec<String> {
        let client = Client::new(None).unwrap();
        let settings = Settings { account_sid: "AC1".into(), base_url: "https://api.twilio.com".into() };
        match Twilio::new(&settings, &Credentials::from(credentials), &client) {
            Ok(_) => Vec::new(),
            Err(MissingKeys(keys)) => keys,
        }
    }

    #[test]
    fn missing_keys_are_named() {
        assert_eq!(missing([]), ["authToken"]);
        assert_eq!(missing([("apiKeySid", "SK1")]), ["authToken", "apiKeySecret"]);
        assert_eq!(missing([("authToken", "x"), ("apiKeySecret", "y")]), ["apiKeySid"]);
        assert_eq!(missing([("authToken", "x"), ("apiKeySid", "SK1")]), ["apiKeySecret"]);
        assert_eq!(missing([("authToken", "x")]), [""; 0]);
        assert_eq!(missing([("authToken", "x"), ("apiKeySid", "SK1"), ("apiKeySecret", "y")]), [""; 0]);
    }
}
