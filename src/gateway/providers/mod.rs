//! What a gateway needs of a provider. The set is closed: each provider is a member of [`Provider`].

mod form;
mod http;
mod simulator;
mod twilio;

use std::{collections::BTreeSet, time::Duration};

use axum::{body::Bytes, http::HeaderMap, response::Response};
use jiff::Timestamp;

pub(super) use http::Client;

use super::{
    credentials::Credentials,
    public_url::{NUMBER_PARAMETER, PublicUrl, TOKEN_PARAMETER},
};
use crate::{
    sms::PhoneNumber,
    wire::{
        config::gateway,
        inbound::InboundMessage,
        outbound::{NotSentReason, SendOutcome, SendRequest},
        receipt::Receipt,
        status::{Unanswered, WebhookStatus},
    },
};

/// A provider with the credentials to use it.
#[derive(Debug)]
pub(super) enum Provider {
    /// Twilio.
    Twilio(twilio::Twilio),
    /// `aldis simulator`.
    Simulator(simulator::Simulator),
}

/// Keys of the Secret that are missing or empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MissingKeys(pub Vec<String>);

/// One call of a webhook.
#[derive(Debug)]
pub(super) struct WebhookCall {
    /// The public URL that the provider called, with the query as it came.
    pub url: String,
    /// The query as it came.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Bytes,
    pub received_at: Timestamp,
}

impl WebhookCall {
    /// The receipt token that the address of a status webhook carries back to us.
    fn token(&self) -> Option<String> {
        self.parameter(TOKEN_PARAMETER)
    }

    /// Our number that the address carries back to us; none in addresses that an earlier version gave to the provider.
    fn own_number(&self) -> Option<PhoneNumber> {
        self.parameter(NUMBER_PARAMETER).and_then(|number| number.parse().ok())
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

impl Provider {
    /// The configured provider with these credentials.
    ///
    /// # Errors
    /// Which keys the Secret lacks.
    pub(super) fn new(
        config: &gateway::Provider,
        credentials: &Credentials,
        client: &Client,
    ) -> Result<Self, MissingKeys> {
        Ok(match config {
            gateway::Provider::Twilio { account_sid, base_url } => {
                Self::Twilio(twilio::Twilio::new(account_sid, base_url, credentials, client)?)
            }
            gateway::Provider::Simulator { account, base_url } => {
                Self::Simulator(simulator::Simulator::new(account, base_url, credentials, client)?)
            }
        })
    }

    /// Whether a call claims to be signed; known before its body is read.
    pub(super) fn has_signature(&self, headers: &HeaderMap) -> bool {
        let name = match self {
            Self::Twilio(_) => twilio::SIGNATURE_HEADER,
            Self::Simulator(_) => simulator::SIGNATURE_HEADER,
        };
        only(headers, name).is_some()
    }

    /// Whether the provider really made this call.
    ///
    /// # Errors
    /// When it cannot be believed.
    pub(super) fn verify(&self, call: &WebhookCall) -> Result<(), Unverified> {
        match self {
            Self::Twilio(twilio) => twilio.verify(call),
            Self::Simulator(simulator) => simulator.verify(call),
        }
    }

    /// The customer's message in a verified call.
    ///
    /// # Errors
    /// When it lacks what a message must have.
    pub(super) fn inbound(&self, call: &WebhookCall) -> Result<InboundMessage, Malformed> {
        match self {
            Self::Twilio(_) => twilio::inbound(call),
            Self::Simulator(_) => simulator::inbound(call),
        }
    }

    /// The receipt in a verified call; `None` when it brings no news that counts.
    ///
    /// # Errors
    /// When it lacks what a receipt must have.
    pub(super) fn receipt(&self, call: &WebhookCall) -> Result<Option<Receipt>, Malformed> {
        match self {
            Self::Twilio(_) => twilio::receipt(call),
            Self::Simulator(_) => simulator::receipt(call).map(Some),
        }
    }

    /// What the provider takes for "I have it, and nothing is to be said".
    pub(super) fn acknowledgement(&self) -> Response {
        match self {
            Self::Twilio(_) => twilio::acknowledgement(),
            Self::Simulator(_) => simulator::acknowledgement(),
        }
    }

    /// Asks whether the credentials are good.
    ///
    /// # Errors
    /// When they are not, or nobody can tell now.
    pub(super) async fn check(&self) -> Result<(), CheckError> {
        match self {
            Self::Twilio(twilio) => twilio.check().await,
            Self::Simulator(simulator) => simulator.check().await,
        }
    }

    /// All numbers of the account. `wanted` are the numbers that the connector offers or routes: a provider that lists short
    /// codes without their country finds it there.
    ///
    /// # Errors
    /// When the list could not be read completely.
    pub(super) async fn numbers(&self, wanted: &BTreeSet<PhoneNumber>) -> Result<Vec<ProviderNumber>, CheckError> {
        match self {
            Self::Twilio(twilio) => twilio.numbers(wanted).await,
            Self::Simulator(simulator) => simulator.numbers().await,
        }
    }

    /// Makes one attempt.
    pub(super) async fn send(&self, request: &SendRequest, public_url: &PublicUrl) -> Answer {
        match self {
            Self::Twilio(twilio) => twilio.send(request, public_url).await,
            Self::Simulator(simulator) => simulator.send(request, public_url).await,
        }
    }
}

impl ConfiguredWebhook {
    /// How this compares with what the provider should call.
    pub(super) fn compare(&self, expected: &str) -> WebhookStatus {
        match self {
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

impl Answer {
    /// The provider's own fault, or a lost answer: nobody knows whether it took the message. The account's circuit breaker opens, so that an
    /// outage does not make every message doubtful.
    fn unknown(message: String) -> Self {
        let trip = Trip { scope: Scope::Account, reason: NotSentReason::Temporary, at_least: None };
        Self { outcome: SendOutcome::Unknown { message }, trip: Some(trip) }
    }

    /// Nothing left the house.
    fn not_sent(scope: Scope, reason: NotSentReason, at_least: Option<Duration>, message: String) -> Self {
        Self {
            outcome: SendOutcome::NotSent { reason, retry_after_millis: 0, message },
            trip: Some(Trip { scope, reason, at_least }),
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
