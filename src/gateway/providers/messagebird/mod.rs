//! MessageBird, by its REST API of before Bird. Reference: the provider's SDKs, <https://github.com/messagebird/python-rest-api> (2.2) and
//! <https://github.com/messagebird/go-rest-api> (9).

mod api;
mod errors;
mod parameters;
mod signature;
mod webhooks;

use std::collections::BTreeSet;

use axum::http::Method;
use futures::{FutureExt, future::BoxFuture};
use reqwest::{Url, header::AUTHORIZATION};
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
    /// Of the account.
    pub(super) const ACCESS_KEY: &str = "accessKey";
    /// Signs webhooks.
    pub(super) const SIGNING_KEY: &str = "signingKey";
}

/// The host of the API for messages.
const OWN_HOST: &str = "rest.messagebird.com";
/// Where MessageBird has the API for numbers.
const OWN_NUMBERS_URL: &str = "https://numbers.messagebird.com";

/// What the configuration says of the account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    base_url: String,
}

/// The account that an access key belongs to.
#[derive(Debug)]
pub(crate) struct MessageBird {
    settings: Settings,
    access_key: Secret,
    signing_key: Secret,
    client: Client,
}

impl Settings {
    /// Where numbers are listed. What stands in for MessageBird has both APIs at one address.
    fn numbers_url(&self) -> &str {
        let own = |url: Url| url.scheme() == "https" && url.host_str() == Some(OWN_HOST) && url.port().is_none();
        if Url::parse(&self.base_url).is_ok_and(own) { OWN_NUMBERS_URL } else { &self.base_url }
    }
}

impl MessageBird {
    /// An account with its credentials.
    ///
    /// # Errors
    /// Which keys are missing.
    pub(crate) fn new(settings: &Settings, credentials: &Credentials, client: &Client) -> Result<Self, MissingKeys> {
        let [access_key, signing_key] =
            credentials.require([keys::ACCESS_KEY, keys::SIGNING_KEY]).map_err(MissingKeys)?;
        Ok(Self { settings: settings.clone(), access_key, signing_key, client: client.clone() })
    }

    fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        let key = format!("AccessKey {}", self.access_key.reveal());
        self.client.request(method, url).header(AUTHORIZATION, key)
    }
}

impl Provider for MessageBird {
    /// A receipt comes by GET; for messages the flow decides.
    fn methods(&self) -> &'static [Method] {
        &[Method::GET, Method::POST]
    }

    fn claims_to_be_ours(&self, head: &CallHead) -> bool {
        only(&head.headers, signature::HEADER).is_some()
    }

    fn receive<'a>(&'a self, call: &'a WebhookCall) -> BoxFuture<'a, Result<Received, Rejected>> {
        async {
            signature::verify(self.signing_key.reveal(), call)?;
            Ok(Received { items: webhooks::items(call)?, acknowledgement: webhooks::acknowledgement() })
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        self.check_balance().boxed()
    }

    fn numbers<'a>(&'a self, _: &'a BTreeSet<PhoneNumber>) -> BoxFuture<'a, Result<NumberList, CheckError>> {
        async { Ok(NumberList::Listed(self.list_numbers().await?)) }.boxed()
    }

    fn send<'a>(&'a self, request: &'a SendRequest, public_url: &'a PublicUrl) -> BoxFuture<'a, Answer> {
        self.post_message(request, public_url).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_host_of_their_own_only_at_messagebird() {
        for (base_url, numbers_url) in [
            ("https://rest.messagebird.com", OWN_NUMBERS_URL),
            ("http://rest.messagebird.com", "http://rest.messagebird.com"),
            ("https://rest.messagebird.com:8443", "https://rest.messagebird.com:8443"),
            ("https://rest.messagebird.com.evil.example", "https://rest.messagebird.com.evil.example"),
            ("http://proxy.svc:8080/mb", "http://proxy.svc:8080/mb"),
        ] {
            assert_eq!(Settings { base_url: base_url.into() }.numbers_url(), numbers_url);
        }
    }
}
