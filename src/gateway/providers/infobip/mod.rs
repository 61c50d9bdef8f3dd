//! Infobip. Reference: <https://www.infobip.com/docs/api/channels/sms>.

mod api;
mod errors;
mod pace;
mod webhooks;

use std::collections::BTreeSet;

use futures::{FutureExt, future::BoxFuture};
use reqwest::{Method, header::AUTHORIZATION};
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
    /// An API key.
    pub(super) const API_KEY: &str = "apiKey";
    /// With which Infobip calls the webhooks.
    pub(super) const WEBHOOK_USER: &str = "webhookUser";
    /// With which Infobip calls the webhooks.
    pub(super) const WEBHOOK_PASSWORD: &str = "webhookPassword";
}

/// Infobip brings up to 100 reports in one call unless the notification profile says otherwise, and each has up to 1 kB.
const LONGEST_BODY: usize = 256 * 1024;

/// What the configuration says of the account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    base_url: String,
}

/// An account.
#[derive(Debug)]
pub(crate) struct Infobip {
    settings: Settings,
    api_key: Secret,
    webhook_user: Secret,
    webhook_password: Secret,
    client: Client,
    /// Of the list of numbers.
    pace: pace::Pace,
}

impl Infobip {
    /// An account with its credentials.
    ///
    /// # Errors
    /// Which keys are missing.
    pub(crate) fn new(settings: &Settings, credentials: &Credentials, client: &Client) -> Result<Self, MissingKeys> {
        let [api_key, webhook_user, webhook_password] =
            credentials.require([keys::API_KEY, keys::WEBHOOK_USER, keys::WEBHOOK_PASSWORD]).map_err(MissingKeys)?;
        let (settings, client, pace) = (settings.clone(), client.clone(), pace::Pace::default());
        Ok(Self { settings, api_key, webhook_user, webhook_password, client, pace })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, &format!("{}{path}", self.settings.base_url))
            .header(AUTHORIZATION, format!("App {}", self.api_key.reveal()))
    }
}

impl Provider for Infobip {
    fn longest_body(&self) -> usize {
        LONGEST_BODY
    }

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
        self.check_key().boxed()
    }

    fn numbers<'a>(&'a self, wanted: &'a BTreeSet<PhoneNumber>) -> BoxFuture<'a, Result<NumberList, CheckError>> {
        async { Ok(NumberList::Listed(self.list_numbers(wanted).await?)) }.boxed()
    }

    fn send<'a>(&'a self, request: &'a SendRequest, _: &'a PublicUrl) -> BoxFuture<'a, Answer> {
        self.post_message(request).boxed()
    }
}
