//! Vonage, by its SMS API. Reference: <https://developer.vonage.com/en/api/sms>.

mod api;
mod errors;
mod parameters;
mod signature;
mod webhooks;

use std::collections::BTreeSet;

use axum::http::Method;
use futures::{FutureExt, future::BoxFuture};
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
use parameters::Parameters;

/// Keys of the Secret.
mod keys {
    /// The API key's secret.
    pub(super) const API_SECRET: &str = "apiSecret";
    /// Signs webhooks.
    pub(super) const SIGNATURE_SECRET: &str = "signatureSecret";
}

/// What the configuration says of the account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    api_key: String,
    signature_method: signature::Method,
    base_url: String,
}

/// An account.
#[derive(Debug)]
pub(crate) struct Vonage {
    settings: Settings,
    api_secret: Secret,
    signature_secret: Secret,
    client: Client,
}

impl Vonage {
    /// An account with its credentials.
    ///
    /// # Errors
    /// Which keys are missing.
    pub(crate) fn new(settings: &Settings, credentials: &Credentials, client: &Client) -> Result<Self, MissingKeys> {
        let [api_secret, signature_secret] =
            credentials.require([keys::API_SECRET, keys::SIGNATURE_SECRET]).map_err(MissingKeys)?;
        Ok(Self { settings: settings.clone(), api_secret, signature_secret, client: client.clone() })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, &format!("{}{path}", self.settings.base_url))
            .basic_auth(&self.settings.api_key, Some(self.api_secret.reveal()))
    }
}

impl Provider for Vonage {
    /// The account's settings decide: GET, POST with a form, or POST with JSON.
    fn methods(&self) -> &'static [Method] {
        &[Method::GET, Method::POST]
    }

    /// The signature of a POST is in its body: it can only be told whether there may be one.
    fn claims_to_be_ours(&self, head: &CallHead) -> bool {
        parameters::may_be_signed(head)
    }

    fn receive<'a>(&'a self, call: &'a WebhookCall) -> BoxFuture<'a, Result<Received, Rejected>> {
        async {
            let parameters = Parameters::of(call)?;
            let secret = self.signature_secret.reveal();
            signature::verify(self.settings.signature_method, secret, &parameters, call.received_at)?;
            let items = webhooks::items(&parameters, call.received_at)?;
            Ok(Received { items, acknowledgement: webhooks::acknowledgement() })
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        self.check_balance().boxed()
    }

    /// Short codes are listed with their country.
    fn numbers<'a>(&'a self, _: &'a BTreeSet<PhoneNumber>) -> BoxFuture<'a, Result<NumberList, CheckError>> {
        async { Ok(NumberList::Listed(self.list_numbers().await?)) }.boxed()
    }

    fn send<'a>(&'a self, request: &'a SendRequest, public_url: &'a PublicUrl) -> BoxFuture<'a, Answer> {
        self.post_message(request, public_url).boxed()
    }
}
