//! Telnyx.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{Capabilities, DefaultBaseUrl, Facts, HostPattern, NumberList, ProviderMember, SecretKey, WebhookCheck};
use crate::api::{pattern, reference::SecretRef};

/// What is so for every account.
pub(super) const FACTS: Facts = Facts {
    member: "telnyx",
    title: "Telnyx",
    default_base_url: DefaultBaseUrl::Fixed("https://api.telnyx.com"),
    own_hosts: &[HostPattern("api.telnyx.com")],
    secret_keys: &[
        SecretKey { name: "apiKey", required: true, about: "an API key (v2) of the account" },
        SecretKey { name: "publicKey", required: true, about: "the account's public key, by which webhooks are verified: base64, as the portal shows it beside the API keys" },
    ],
    capabilities: Capabilities {
        numbers: NumberList::Listed,
        webhook_check: WebhookCheck::Compared,
        webhook_proof: "`telnyx-signature-ed25519` with a time",
        receipt_token: "callback address of the message",
        inbound_parts: "provider",
        opt_outs: "error 40300",
        inbound_media: true,
    },
};

/// A messaging profile of an account at Telnyx.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Telnyx {
    /// Id of the messaging profile that the numbers belong to, from the portal under Messaging: a UUID. It cannot change.
    #[schemars(length(min = 36, max = 36), regex(pattern = pattern::UUID))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("messagingProfileId cannot change: create a new SmsConnector for the other account"))]
    pub messaging_profile_id: String,
    /// The Secret with the credentials. Keys: `apiKey`, and `publicKey`, the account's public key, by which webhooks are verified.
    pub credentials_secret_ref: SecretRef,
    /// Address of Telnyx's API, without a slash at its end. It must be on the operator's list of allowed addresses. Absent:
    /// `https://api.telnyx.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub base_url: Option<String>,
}

impl ProviderMember for Telnyx {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn account(&self) -> &str {
        &self.messaging_profile_id
    }

    fn credentials(&self) -> &SecretRef {
        &self.credentials_secret_ref
    }

    fn given_base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }
}
