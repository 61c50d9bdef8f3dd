//! Telnyx. Reference: <https://developers.telnyx.com/docs/messaging/messages/send-message>.

mod api;
mod errors;
mod signature;
mod webhooks;

use std::collections::BTreeSet;

use futures::{FutureExt, future::BoxFuture};
use reqwest::Method;
use serde::Deserialize;

use super::{
    Answer, CallHead, CheckError, Client, MissingKeys, NumberList, Provider, Received, Rejected, WebhookCall, only,
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
    /// An API key (v2).
    pub(super) const API_KEY: &str = "apiKey";
    /// The account's public key, base64.
    pub(super) const PUBLIC_KEY: &str = "publicKey";
}

/// What the configuration says of the account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    messaging_profile_id: String,
    base_url: String,
}

/// A messaging profile of an account.
#[derive(Debug)]
pub(crate) struct Telnyx {
    settings: Settings,
    api_key: Secret,
    public_key: Secret,
    client: Client,
}

impl Telnyx {
    /// A profile with the account's credentials.
    ///
    /// # Errors
    /// Which keys are missing.
    pub(crate) fn new(settings: &Settings, credentials: &Credentials, client: &Client) -> Result<Self, MissingKeys> {
        let [api_key, public_key] = credentials.require([keys::API_KEY, keys::PUBLIC_KEY]).map_err(MissingKeys)?;
        Ok(Self { settings: settings.clone(), api_key, public_key, client: client.clone() })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, &format!("{}{path}", self.settings.base_url)).bearer_auth(self.api_key.reveal())
    }
}

impl Provider for Telnyx {
    fn claims_to_be_ours(&self, head: &CallHead) -> bool {
        only(&head.headers, signature::SIGNATURE_HEADER).is_some()
    }

    fn receive<'a>(&'a self, call: &'a WebhookCall) -> BoxFuture<'a, Result<Received, Rejected>> {
        async {
            signature::verify(self.public_key.reveal(), call)?;
            Ok(Received { items: webhooks::items(call)?, acknowledgement: webhooks::acknowledgement() })
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        self.check_profile().boxed()
    }

    fn numbers<'a>(&'a self, wanted: &'a BTreeSet<PhoneNumber>) -> BoxFuture<'a, Result<NumberList, CheckError>> {
        async { Ok(NumberList::Listed(self.list_numbers(wanted).await?)) }.boxed()
    }

    fn send<'a>(&'a self, request: &'a SendRequest, public_url: &'a PublicUrl) -> BoxFuture<'a, Answer> {
        self.post_message(request, public_url).boxed()
    }
}
