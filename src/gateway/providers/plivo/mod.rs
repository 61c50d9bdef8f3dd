//! Plivo. Reference: <https://www.plivo.com/docs/messaging/api/messages>.

mod api;
mod errors;
mod signature;
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

/// Keys of the Secret.
mod keys {
    /// The account's auth token: signs webhooks.
    pub(super) const AUTH_TOKEN: &str = "authToken";
    /// The auth token before it, during a rotation.
    pub(super) const PREVIOUS_AUTH_TOKEN: &str = "previousAuthToken";
}

/// What the configuration says of the account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    auth_id: String,
    base_url: String,
}

/// An account.
#[derive(Debug)]
pub(crate) struct Plivo {
    settings: Settings,
    auth_token: Secret,
    previous_auth_token: Option<Secret>,
    client: Client,
}

impl Plivo {
    /// An account with its credentials.
    ///
    /// # Errors
    /// Which keys are missing.
    pub(crate) fn new(settings: &Settings, credentials: &Credentials, client: &Client) -> Result<Self, MissingKeys> {
        let [auth_token] = credentials.require([keys::AUTH_TOKEN]).map_err(MissingKeys)?;
        let previous_auth_token = credentials.get(keys::PREVIOUS_AUTH_TOKEN).cloned();
        Ok(Self { settings: settings.clone(), auth_token, previous_auth_token, client: client.clone() })
    }

    /// A request below the account, whose path ends with a slash as Plivo's all do.
    fn request(&self, method: Method, rest: &str) -> reqwest::RequestBuilder {
        let Settings { auth_id, base_url } = &self.settings;
        self.client
            .request(method, &format!("{base_url}/v1/Account/{auth_id}/{rest}"))
            .basic_auth(auth_id, Some(self.auth_token.reveal()))
    }
}

impl Provider for Plivo {
    fn claims_to_be_ours(&self, head: &CallHead) -> bool {
        signature::is_there(&head.headers)
    }

    fn receive<'a>(&'a self, call: &'a WebhookCall) -> BoxFuture<'a, Result<Received, Rejected>> {
        async {
            let tokens = std::iter::once(&self.auth_token).chain(&self.previous_auth_token).map(Secret::reveal);
            signature::verify(tokens, call)?;
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
