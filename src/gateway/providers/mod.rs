//! What a gateway needs of a provider: the trait [`Provider`]. Each provider has a folder here, and a member of [`Account`].

mod answers;
mod bandwidth;
mod basic;
mod form;
mod generic;
mod http;
mod infobip;
mod messagebird;
mod plivo;
mod reference;
mod several;
mod simulator;
mod sinch;
mod telnyx;
mod twilio;
mod vonage;

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
    response::Response,
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Deserialize;

pub(super) use http::Client;

use super::{
    credentials::Credentials,
    public_url::{Hook, NUMBER_PARAMETER, PublicUrl, TOKEN_PARAMETER},
};
use crate::{
    sms::PhoneNumber,
    wire::{
        delivery::Item,
        outbound::{NotSentReason, SendOutcome, SendRequest},
        status::{Unanswered, WebhookStatus},
    },
};

/// A provider with the credentials to use it.
pub(super) trait Provider: fmt::Debug + Send + Sync {
    /// How the provider calls a webhook.
    fn methods(&self) -> &'static [Method] {
        &[Method::POST]
    }

    /// The longest body of a webhook that is read, in bytes: a text message with all its parameters has a few kB.
    fn longest_body(&self) -> usize {
        64 * 1024
    }

    /// Whether a call claims to be the provider's, by what is known before its body is read.
    fn claims_to_be_ours(&self, head: &CallHead) -> bool;

    /// Checks that the provider made the call, and reads what it brings. Nothing is read of a call that is not believed.
    fn receive<'a>(&'a self, call: &'a WebhookCall) -> BoxFuture<'a, Result<Received, Rejected>>;

    /// Asks whether the credentials are good.
    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>>;

    /// All numbers of the account. `wanted` are the numbers that the connector offers or routes: a provider that lists short codes without
    /// their country finds it there.
    fn numbers<'a>(&'a self, wanted: &'a BTreeSet<PhoneNumber>) -> BoxFuture<'a, Result<NumberList, CheckError>>;

    /// Makes one attempt.
    fn send<'a>(&'a self, request: &'a SendRequest, public_url: &'a PublicUrl) -> BoxFuture<'a, Answer>;
}

/// What the configuration says of the provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Account {
    /// Twilio.
    Twilio(twilio::Settings),
    /// `aldis simulator`.
    Simulator(simulator::Settings),
    /// Bandwidth.
    Bandwidth(bandwidth::Settings),
    /// A carrier with a plain HTTP API.
    Http(Box<generic::Settings>),
    /// Infobip.
    Infobip(infobip::Settings),
    /// MessageBird.
    MessageBird(messagebird::Settings),
    /// Plivo.
    Plivo(plivo::Settings),
    /// Sinch.
    Sinch(sinch::Settings),
    /// Telnyx.
    Telnyx(telnyx::Settings),
    /// Vonage.
    Vonage(vonage::Settings),
}

impl Account {
    /// The account with these credentials.
    ///
    /// # Errors
    /// Which keys the Secret lacks.
    pub(super) fn connect(&self, credentials: &Credentials, client: &Client) -> Result<Arc<dyn Provider>, MissingKeys> {
        Ok(match self {
            Self::Twilio(settings) => Arc::new(twilio::Twilio::new(settings, credentials, client)?),
            Self::Simulator(settings) => Arc::new(simulator::Simulator::new(settings, credentials, client)?),
            Self::Bandwidth(settings) => Arc::new(bandwidth::Bandwidth::new(settings, credentials, client)?),
            Self::Http(settings) => Arc::new(generic::Generic::new(settings, credentials, client)?),
            Self::Infobip(settings) => Arc::new(infobip::Infobip::new(settings, credentials, client)?),
            Self::MessageBird(settings) => Arc::new(messagebird::MessageBird::new(settings, credentials, client)?),
            Self::Plivo(settings) => Arc::new(plivo::Plivo::new(settings, credentials, client)?),
            Self::Sinch(settings) => Arc::new(sinch::Sinch::new(settings, credentials, client)?),
            Self::Telnyx(settings) => Arc::new(telnyx::Telnyx::new(settings, credentials, client)?),
            Self::Vonage(settings) => Arc::new(vonage::Vonage::new(settings, credentials, client)?),
        })
    }
}

/// Keys of the Secret that are missing or empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MissingKeys(pub Vec<String>);

/// A call of a webhook before its body is read.
#[derive(Debug)]
pub(super) struct CallHead {
    pub hook: Hook,
    /// The method, one of [`Provider::methods`].
    pub method: Method,
    /// The public URL that the provider called, with the query as it came.
    pub url: String,
    /// The query as it came.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
}

/// One call of a webhook.
#[derive(Debug)]
pub(super) struct WebhookCall {
    /// All but the body.
    pub head: CallHead,
    /// The raw body.
    pub body: Bytes,
    pub received_at: Timestamp,
}

/// What a believed call brings.
#[derive(Debug)]
pub(super) struct Received {
    /// Messages and receipts, in the order in which the engines are to have them. All of them are on a disk before the provider is answered.
    pub items: Vec<Item>,
    /// What the provider takes for "I have it, and nothing is to be said".
    pub acknowledgement: Response,
}

/// Why nothing of a call is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rejected {
    /// It is not believed.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// It is believed, and not understood.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl CallHead {
    /// The receipt token that the address of a status webhook carries back to us.
    fn token(&self) -> Option<String> {
        self.parameter(TOKEN_PARAMETER)
    }

    /// Our number that the address carries back to us; none in addresses that an earlier version gave to the provider.
    fn own_number(&self) -> Option<PhoneNumber> {
        self.parameter(NUMBER_PARAMETER)?.parse().ok()
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.query.as_deref().and_then(|query| form::find(query.as_bytes(), name))
    }
}

/// A signed webhook that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub String);

/// Why a call of a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unverified {
    /// There is no signature, or one that does not fit.
    #[error("the signature does not fit the credentials, the public URL and the body")]
    Signature,
    /// It is signed, and was made long ago, or not yet.
    #[error("the signature is of another time; see that the clock of the gateway's node is right")]
    Stale,
    /// More parameters than any provider sends: they are not even sorted.
    #[error("the body has more than {MAX_PARAMETERS} parameters")]
    TooManyParameters,
}

/// Parameters of a form at most. Twilio sends about 20, and four more for each of at most ten files.
pub(super) const MAX_PARAMETERS: usize = 500;

/// A check that did not come to a good end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CheckError {
    /// The provider refuses the credentials.
    Invalid(String),
    /// The provider has suspended or closed the account.
    Suspended(String),
    /// The provider did not answer (in time), or not as it should.
    Unasked(Unanswered),
}

/// What a provider says of an account's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NumberList {
    /// All of them.
    Listed(Vec<ProviderNumber>),
    /// The provider cannot be asked: those that the connector declares are believed.
    NotListable,
}

/// A number as the provider lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProviderNumber {
    /// Canonical form.
    pub number: PhoneNumber,
    /// Whether it can send and receive texts.
    pub sms_capable: bool,
    /// What the provider calls for it.
    pub webhook: ConfiguredWebhook,
}

/// What the provider calls for a number's inbound messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConfiguredWebhook {
    /// The provider does not show it.
    NotShown,
    /// Nothing.
    Unset,
    /// A URL.
    Url {
        /// The HTTP method.
        method: String,
        /// The URL as configured.
        url: String,
    },
    /// Something that takes the URL's place; the text says what.
    Other(String),
}

/// The provider's answer to an attempt, and what it means for the next ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// What became of the attempt. `retryAfterMillis` is set by the caller, who knows how often this happened.
    pub outcome: SendOutcome,
    /// Whether it opens a circuit breaker.
    pub trip: Option<Trip>,
}

/// Opens a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trip {
    pub scope: Scope,
    pub reason: NotSentReason,
    /// For how long at least, when the provider says.
    pub at_least: Option<Duration>,
}

/// Whose attempts a circuit breaker stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Every number of the account.
    Account,
    /// The sending number.
    Number,
}

impl ConfiguredWebhook {
    /// How this compares with what the provider should call.
    pub(super) fn compare(&self, expected: &str) -> WebhookStatus {
        match self {
            Self::NotShown => WebhookStatus::Unchecked,
            Self::Unset => WebhookStatus::Unset,
            // A fragment is no part of what is called: Twilio keeps its own settings for retries and time-outs there.
            Self::Url { method, url } if method.eq_ignore_ascii_case("POST") && before(url, '#') == expected => {
                WebhookStatus::InSync
            }
            Self::Url { method, url } => WebhookStatus::Differs { found: format!("{method} {}", presentable(url)) },
            Self::Other(what) => WebhookStatus::Differs { found: what.clone() },
        }
    }
}

/// The value of a header. One that comes twice is none.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (_, _) => None,
    }
}

fn before(text: &str, end: char) -> &str {
    text.split(end).next().unwrap_or_default()
}

/// A URL without user information, query and fragment: these may hold secrets.
fn presentable(url: &str) -> String {
    let shown = before(before(url, '#'), '?');
    match shown.split_once("://") {
        Some((scheme, rest)) => {
            let host = before(rest, '/');
            let without_user = host.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{without_user}{}", &rest[host.len()..])
        }
        None => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str = "https://sms.example.com/x/hooks/inbound";

    #[test]
    fn a_webhook_is_in_sync_when_url_and_method_are_ours() {
        let url = |method: &str, url: &str| ConfiguredWebhook::Url { method: method.into(), url: url.into() };
        let differs = |found: &str| WebhookStatus::Differs { found: found.into() };
        let cases = [
            (ConfiguredWebhook::NotShown, WebhookStatus::Unchecked),
            (ConfiguredWebhook::Unset, WebhookStatus::Unset),
            (url("POST", EXPECTED), WebhookStatus::InSync),
            (url("post", &format!("{EXPECTED}#rc=3&rp=all")), WebhookStatus::InSync),
            (url("GET", EXPECTED), differs("GET https://sms.example.com/x/hooks/inbound")),
            (url("POST", &format!("{EXPECTED}/")), differs("POST https://sms.example.com/x/hooks/inbound/")),
            (url("POST", "https://u:p@h.example/a?key=1#f"), differs("POST https://h.example/a")),
            (url("POST", "https://demo.twilio.com@evil.example"), differs("POST https://evil.example")),
            (url("POST", "nonsense"), differs("POST nonsense")),
            (ConfiguredWebhook::Other("application AP1".into()), differs("application AP1")),
        ];
        for (configured, status) in cases {
            assert_eq!(configured.compare(EXPECTED), status, "{configured:?}");
        }
    }
}
