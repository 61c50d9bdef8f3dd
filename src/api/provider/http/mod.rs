//! A carrier or gateway with a plain HTTP API, described field by field.

mod send;
mod webhooks;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use send::{HttpAnswer, HttpCheck, HttpField, HttpMeaning, HttpMessageId, HttpMethod, HttpSend};
pub use webhooks::{
    HttpAlgorithm, HttpCovered, HttpDeliveryState, HttpEncoding, HttpInbound, HttpProof, HttpProofBy, HttpState,
    HttpStatus, HttpWebhooks,
};

use super::{Capabilities, DefaultBaseUrl, Facts, NumberList, ProviderMember, SecretKey, WebhookCheck};
use crate::api::{pattern, reference::SecretRef};

/// What is so for every account.
pub(super) const FACTS: Facts = Facts {
    member: "http",
    title: "HTTP carrier",
    default_base_url: DefaultBaseUrl::None,
    own_hosts: &[],
    secret_keys: &[
        SecretKey { name: "username", required: false, about: "the user, needed with `authentication: Basic`" },
        SecretKey { name: "password", required: false, about: "the password, needed with `authentication: Basic`" },
        SecretKey { name: "webhookSecret", required: false, about: "what proves a webhook, needed with `webhooks`; with proof `Basic` it is `user:password`" },
        SecretKey { name: "KEY", required: false, about: "each key that a value names as `{{secret.KEY}}` is needed" },
    ],
    capabilities: Capabilities {
        numbers: NumberList::NotListable,
        webhook_check: WebhookCheck::NotShown,
        webhook_proof: "as `webhooks.proof` says",
        receipt_token: "callback address, as `{{callback}}`",
        inbound_parts: "carrier",
        opt_outs: "an answer that means `OptedOut`",
        inbound_media: false,
    },
};

/// An account at a carrier with a plain HTTP API. Values may hold placeholders: `{{from}}` and `{{to}}` (`+15551230001`, a short code without its
/// country), `{{fromDigits}}` and `{{toDigits}}` (without the plus sign), `{{text}}`, `{{id}}` (our id of the attempt), `{{callback}}` (the address
/// for receipts of this message), `{{coding}}` (0 for a text in the GSM 7-bit alphabet, else 2, as Kannel counts), `{{secret.KEY}}` (a key of the
/// Secret). They are percent-encoded in addresses and forms, and quoted in JSON. Redirects are not followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// A name for the account, in lower-case letters, digits and dashes. It cannot change.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("account cannot change: create a new SmsConnector for the other account"))]
    pub account: String,
    /// Address of the API, without a slash at its end; the paths below follow it. It must be on the operator's list of allowed addresses.
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub base_url: String,
    /// The Secret with the credentials. Keys: `username` and `password` with `authentication: Basic`, `webhookSecret` with `webhooks`, and each one
    /// that a placeholder `{{secret.KEY}}` names. The gateway does nothing while one of them is missing.
    pub credentials_secret_ref: SecretRef,
    /// `Basic`: HTTP's own, with the keys `username` and `password`. `None`: what the carrier asks for stands in `query`, `headers`, `form` or
    /// `json`, with `{{secret.KEY}}`. Default `None`.
    #[serde(default)]
    pub authentication: HttpAuthentication,
    /// A call by which the carrier says whether the credentials are good. Absent: they are believed (reason `Assumed`) until an attempt to send
    /// is refused for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<HttpCheck>,
    /// How a message is sent.
    pub send: HttpSend,
    /// How the carrier calls the gateway. Absent: no call is believed, so that there are neither inbound messages nor receipts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<HttpWebhooks>,
}

/// How the gateway says who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum HttpAuthentication {
    /// In the fields of a call.
    #[default]
    None,
    /// HTTP's own, with the keys `username` and `password`.
    Basic,
}

impl ProviderMember for Http {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn credentials(&self) -> &SecretRef {
        &self.credentials_secret_ref
    }

    fn given_base_url(&self) -> Option<&str> {
        Some(&self.base_url)
    }

    fn is_checked(&self) -> bool {
        self.check.is_some()
    }
}
