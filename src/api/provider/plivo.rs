//! Plivo.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{Capabilities, DefaultBaseUrl, Facts, HostPattern, NumberList, ProviderMember, SecretKey, WebhookCheck};
use crate::api::{pattern, reference::SecretRef};

/// What is so for every account.
pub(super) const FACTS: Facts = Facts {
    member: "plivo",
    title: "Plivo",
    default_base_url: DefaultBaseUrl::Fixed("https://api.plivo.com"),
    own_hosts: &[HostPattern("api.plivo.com")],
    secret_keys: &[
        SecretKey { name: "authToken", required: true, about: "the account's auth token, which also signs webhooks" },
        SecretKey { name: "previousAuthToken", required: false, about: "the token before it, whose signatures are accepted during a rotation" },
    ],
    capabilities: Capabilities {
        numbers: NumberList::Listed,
        webhook_check: WebhookCheck::Compared,
        webhook_proof: "`X-Plivo-Signature-V3`; without one `X-Plivo-Signature-V2`, which covers the address only",
        receipt_token: "callback address of the message",
        inbound_parts: "provider",
        opt_outs: "`MessageIntent`; error 200 in receipts",
        inbound_media: true,
    },
};

/// An account (or subaccount) of Plivo.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plivo {
    /// Auth ID, from the overview page of the Plivo console: `MA` (`SA` for a subaccount) and 18 capital letters and digits. It cannot change.
    #[schemars(length(min = 20, max = 20), regex(pattern = r"^(MA|SA)[0-9A-Z]{18}$"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("authId cannot change: create a new SmsConnector for the other account"))]
    pub auth_id: String,
    /// The Secret with the credentials. Keys: `authToken`, which also signs webhooks, and optional `previousAuthToken` (accepted for
    /// signatures while tokens are rotated).
    pub credentials_secret_ref: SecretRef,
    /// Address of Plivo's API, without a slash at its end. It must be on the operator's list of allowed addresses. Absent:
    /// `https://api.plivo.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub base_url: Option<String>,
}

impl ProviderMember for Plivo {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn account(&self) -> &str {
        &self.auth_id
    }

    fn credentials(&self) -> &SecretRef {
        &self.credentials_secret_ref
    }

    fn given_base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }
}
