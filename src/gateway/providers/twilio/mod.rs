//! Twilio. Reference: <https://www.twilio.com/docs/messaging/api>.

mod api;
mod errors;
mod signature;
mod webhooks;

use reqwest::Method;

use super::{Client, MAX_PARAMETERS, MissingKeys, Unverified, WebhookCall, form, only};
use crate::gateway::credentials::{Credentials, Secret};

pub(super) use signature::SIGNATURE_HEADER;
pub(super) use webhooks::{acknowledgement, inbound, receipt};

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

/// A Twilio account.
#[derive(Debug)]
pub(crate) struct Twilio {
    account_sid: String,
    base_url: String,
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
    pub(crate) fn new(
        account_sid: &str,
        base_url: &str,
        credentials: &Credentials,
        client: &Client,
    ) -> Result<Self, MissingKeys> {
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
                account_sid: account_sid.to_owned(),
                base_url: base_url.to_owned(),
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
    pub(crate) fn verify(&self, call: &WebhookCall) -> Result<(), Unverified> {
        let settings = if call.headers.contains_key(signature::SETTINGS_HEADER) {
            Some(only(&call.headers, signature::SETTINGS_HEADER).ok_or(Unverified::Signature)?)
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
            url: &call.url,
            body,
            signature: only(&call.headers, signature::SIGNATURE_HEADER).ok_or(Unverified::Signature)?,
            settings,
        };
        let tokens = std::iter::once(&self.auth_token).chain(&self.previous_auth_token).map(Secret::reveal);
        if request.signed_by(tokens) { Ok(()) } else { Err(Unverified::Signature) }
    }

    /// A request with the credentials that are for sending.
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let (user, password) = match &self.api_key {
            Some(key) => (key.sid.reveal(), &key.secret),
            None => (self.account_sid.as_str(), &self.auth_token),
        };
        self.client.request(method, &format!("{}{path}", self.base_url)).basic_auth(user, Some(password.reveal()))
    }

    fn account_path(&self, rest: &str) -> String {
        format!("/2010-04-01/Accounts/{}{rest}", self.account_sid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing<const N: usize>(credentials: [(&str, &str); N]) -> Vec<String> {
        let client = Client::new(None).unwrap();
        match Twilio::new("AC1", "https://api.twilio.com", &Credentials::from(credentials), &client) {
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
