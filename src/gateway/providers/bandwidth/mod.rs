//! Bandwidth. Reference: <https://dev.bandwidth.com/docs/messaging>.

mod account;
mod api;
mod errors;
mod token;
mod webhooks;

use std::collections::BTreeSet;

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;

use super::{
    Answer, CallHead, CheckError, Client, MissingKeys, NumberList, Provider, Received, Rejected, WebhookCall, basic,
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
    /// Of an API credential.
    pub(super) const CLIENT_ID: &str = "clientId";
    /// Of an API credential.
    pub(super) const CLIENT_SECRET: &str = "clientSecret";
    /// With which Bandwidth calls the webhooks.
    pub(super) const WEBHOOK_USER: &str = "webhookUser";
    /// With which Bandwidth calls the webhooks.
    pub(super) const WEBHOOK_PASSWORD: &str = "webhookPassword";
}

/// Where Bandwidth itself takes messages.
const OWN_MESSAGING: &str = "https://messaging.bandwidth.com";
/// Where Bandwidth itself gives tokens and shows accounts.
const OWN_API: &str = "https://api.bandwidth.com";

/// What the configuration says of the account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    account_id: String,
    application_id: String,
    base_url: String,
}

/// A messaging application of an account.
#[derive(Debug)]
pub(crate) struct Bandwidth {
    settings: Settings,
    webhook_user: Secret,
    webhook_password: Secret,
    client: Client,
    tokens: token::Tokens,
}

impl Settings {
    /// Where tokens are given and the account is shown: whatever stands in for Bandwidth does so for both of its hosts.
    fn api_url(&self) -> &str {
        if self.base_url == OWN_MESSAGING { OWN_API } else { &self.base_url }
    }
}

impl Bandwidth {
    /// An application with the account's credentials.
    ///
    /// # Errors
    /// Which keys are missing.
    pub(crate) fn new(settings: &Settings, credentials: &Credentials, client: &Client) -> Result<Self, MissingKeys> {
        let [client_id, client_secret, webhook_user, webhook_password] = credentials
            .require([keys::CLIENT_ID, keys::CLIENT_SECRET, keys::WEBHOOK_USER, keys::WEBHOOK_PASSWORD])
            .map_err(MissingKeys)?;
        let tokens = token::Tokens::new(settings.api_url(), client_id, client_secret, client);
        Ok(Self { settings: settings.clone(), webhook_user, webhook_password, client: client.clone(), tokens })
    }
}

impl Provider for Bandwidth {
    fn claims_to_be_ours(&self, head: &CallHead) -> bool {
        basic::verify(&head.headers, &self.webhook_user, &self.webhook_password).is_ok()
    }

    fn receive<'a>(&'a self, call: &'a WebhookCall) -> BoxFuture<'a, Result<Received, Rejected>> {
        async {
            basic::verify(&call.head.headers, &self.webhook_user, &self.webhook_password)?;
            Ok(Received { items: webhooks::items(call)?, acknowledgement: webhooks::acknowledgement() })
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        self.check_messaging().boxed()
    }

    fn numbers<'a>(&'a self, _: &'a BTreeSet<PhoneNumber>) -> BoxFuture<'a, Result<NumberList, CheckError>> {
        async { Ok(NumberList::Listed(self.list_numbers().await?)) }.boxed()
    }

    fn send<'a>(&'a self, request: &'a SendRequest, _: &'a PublicUrl) -> BoxFuture<'a, Answer> {
        self.post_message(request).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_for_bandwidth_does_so_for_both_hosts() {
        let api_url = |base_url: &str| {
            let settings = Settings { account_id: "1".into(), application_id: "a".into(), base_url: base_url.into() };
            settings.api_url().to_owned()
        };
        assert_eq!(api_url("https://messaging.bandwidth.com"), "https://api.bandwidth.com");
        assert_eq!(api_url("http://proxy:8090/x"), "http://proxy:8090/x");
    }
}
