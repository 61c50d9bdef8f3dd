//! Sinch: the SMS REST API. Reference: <https://developers.sinch.com/docs/sms/api-reference>.

mod api;
mod binary;
mod errors;
mod proof;
mod webhooks;

use std::collections::BTreeSet;

use futures::{FutureExt, future::BoxFuture};
use reqwest::Method;
use serde::Deserialize;

use super::{Answer, CallHead, CheckError, Client, MissingKeys, NumberList, Provider, Received, Rejected, WebhookCall};
use crate::{
    gateway::{
        credentials::{Credentials, Secret},
        public_url::PublicUrl,
    },
    sms::PhoneNumber,
    wire::outbound::SendRequest,
};
use proof::Proof;

/// Keys of the Secret.
mod keys {
    /// The API token of the service plan.
    pub(super) const API_TOKEN: &str = "apiToken";
    /// The secret of webhooks' signatures.
    pub(super) const WEBHOOK_SECRET: &str = "webhookSecret";
    /// The user of webhooks' basic authentication.
    pub(super) const WEBHOOK_USER: &str = "webhookUser";
    /// The password of webhooks' basic authentication.
    pub(super) const WEBHOOK_PASSWORD: &str = "webhookPassword";
    /// What is missing where webhooks have no proof at all.
    pub(super) const ANY_PROOF: &str = "webhookSecret (or webhookUser with webhookPassword)";
}

/// What the configuration says of the service plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    service_plan_id: String,
    base_url: String,
}

/// A service plan.
#[derive(Debug)]
pub(crate) struct Sinch {
    settings: Settings,
    api_token: Secret,
    proof: Proof,
    client: Client,
}

impl Sinch {
    /// A service plan with its credentials.
    ///
    /// # Errors
    /// Which keys are missing: `apiToken`, and what proves webhooks.
    pub(crate) fn new(settings: &Settings, credentials: &Credentials, client: &Client) -> Result<Self, MissingKeys> {
        let api_token = credentials.require([keys::API_TOKEN]);
        let proof = proof(credentials);
        match (api_token, proof) {
            (Ok([api_token]), Ok(proof)) => {
                Ok(Self { settings: settings.clone(), api_token, proof, client: client.clone() })
            }
            (api_token, proof) => {
                let missing = api_token.err().into_iter().flatten().chain(proof.err().map(str::to_owned));
                Err(MissingKeys(missing.collect()))
            }
        }
    }

    /// A request below the service plan.
    fn request(&self, method: Method, rest: &str) -> reqwest::RequestBuilder {
        let Settings { service_plan_id, base_url } = &self.settings;
        self.client
            .request(method, &format!("{base_url}/xms/v1/{service_plan_id}/{rest}"))
            .bearer_auth(self.api_token.reveal())
    }
}

/// By what webhooks are believed. Where there is a secret for signatures, nothing else counts: the stronger proof was set up on purpose.
fn proof(credentials: &Credentials) -> Result<Proof, &'static str> {
    let get = |key| credentials.get(key).cloned();
    match (get(keys::WEBHOOK_SECRET), get(keys::WEBHOOK_USER), get(keys::WEBHOOK_PASSWORD)) {
        (Some(secret), _, _) => Ok(Proof::Signature { secret }),
        (None, Some(user), Some(password)) => Ok(Proof::Basic { user, password }),
        (None, Some(_), None) => Err(keys::WEBHOOK_PASSWORD),
        (None, None, Some(_)) => Err(keys::WEBHOOK_USER),
        (None, None, None) => Err(keys::ANY_PROOF),
    }
}

impl Provider for Sinch {
    fn claims_to_be_ours(&self, head: &CallHead) -> bool {
        self.proof.is_there(&head.headers)
    }

    fn receive<'a>(&'a self, call: &'a WebhookCall) -> BoxFuture<'a, Result<Received, Rejected>> {
        async {
            self.proof.verify(call)?;
            Ok(Received { items: webhooks::items(call)?, acknowledgement: webhooks::acknowledgement() })
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        self.check_plan().boxed()
    }

    /// Numbers are listed by another API, with credentials of the whole project that a gateway has no need of.
    fn numbers<'a>(&'a self, _: &'a BTreeSet<PhoneNumber>) -> BoxFuture<'a, Result<NumberList, CheckError>> {
        async { Ok(NumberList::NotListable) }.boxed()
    }

    fn send<'a>(&'a self, request: &'a SendRequest, public_url: &'a PublicUrl) -> BoxFuture<'a, Answer> {
        self.post_batch(request, public_url).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing<const N: usize>(credentials: [(&str, &str); N]) -> Vec<String> {
        let client = Client::new(None).unwrap();
        let settings = Settings { service_plan_id: "p".into(), base_url: "https://us.sms.api.sinch.com".into() };
        match Sinch::new(&settings, &Credentials::from(credentials), &client) {
            Ok(_) => Vec::new(),
            Err(MissingKeys(keys)) => keys,
        }
    }

    #[test]
    fn missing_keys_are_named() {
        let any = "webhookSecret (or webhookUser with webhookPassword)";
        assert_eq!(missing([]), ["apiToken", any]);
        assert_eq!(missing([("apiToken", "t")]), [any]);
        assert_eq!(missing([("webhookSecret", "s")]), ["apiToken"]);
        assert_eq!(missing([("apiToken", "t"), ("webhookUser", "u")]), ["webhookPassword"]);
        assert_eq!(missing([("apiToken", "t"), ("webhookPassword", "p")]), ["webhookUser"]);
        assert_eq!(missing([("apiToken", "t"), ("webhookSecret", "s")]), [""; 0]);
        assert_eq!(missing([("apiToken", "t"), ("webhookUser", "u"), ("webhookPassword", "p")]), [""; 0]);
        assert_eq!(missing([("apiToken", "t"), ("webhookSecret", "s"), ("webhookUser", "u")]), [""; 0]);
    }
}
