//! Bandwidth.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{Capabilities, DefaultBaseUrl, Facts, HostPattern, NumberList, ProviderMember, SecretKey, WebhookCheck};
use crate::api::{pattern, reference::SecretRef};

/// What is so for every account.
pub(super) const FACTS: Facts = Facts {
    member: "bandwidth",
    title: "Bandwidth",
    default_base_url: DefaultBaseUrl::Fixed("https://messaging.bandwidth.com"),
    own_hosts: &[HostPattern("messaging.bandwidth.com")],
    secret_keys: &[
        SecretKey { name: "clientId", required: true, about: "the client id of an API credential with the roles for messaging, numbers and applications" },
        SecretKey { name: "clientSecret", required: true, about: "its client secret" },
        SecretKey { name: "webhookUser", required: true, about: "the user name with which Bandwidth calls the webhooks: choose one, and set it as callback user of the application" },
        SecretKey { name: "webhookPassword", required: true, about: "the password that belongs to it" },
    ],
    capabilities: Capabilities {
        numbers: NumberList::Listed,
        webhook_check: WebhookCheck::Compared,
        webhook_proof: "user name and password (HTTP basic authentication)",
        receipt_token: "`tag` of the message",
        inbound_parts: "provider",
        opt_outs: "errors 4475, 4775",
        inbound_media: true,
    },
};

/// A messaging application of an account at Bandwidth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bandwidth {
    /// Id of the account, as the Bandwidth App shows it: digits, usually seven. It cannot change.
    #[schemars(length(min = 1, max = 12), regex(pattern = "^[0-9]{1,12}$"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("accountId cannot change: create a new SmsConnector for the other account"))]
    pub account_id: String,
    /// Id of the messaging application whose locations have the numbers, from the Bandwidth App under Applications: a UUID.
    #[schemars(length(min = 36, max = 36), regex(pattern = pattern::UUID))]
    pub application_id: String,
    /// The Secret with the credentials. Keys: `clientId` and `clientSecret` of an API credential, and `webhookUser` and `webhookPassword`, with which
    /// Bandwidth calls the webhooks.
    pub credentials_secret_ref: SecretRef,
    /// Address of Bandwidth's messaging API, without a slash at its end. It must be on the operator's list of allowed addresses. Absent:
    /// `https://messaging.bandwidth.com`. Tokens and numbers are then asked for at `https://api.bandwidth.com`, else at this address too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub base_url: Option<String>,
}

impl ProviderMember for Bandwidth {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn account(&self) -> &str {
        &self.account_id
    }

    fn credentials(&self) -> &SecretRef {
        &self.credentials_secret_ref
    }

    fn given_base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }
}
