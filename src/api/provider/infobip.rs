//! Infobip.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{Capabilities, DefaultBaseUrl, Facts, HostPattern, NumberList, ProviderMember, SecretKey, WebhookCheck};
use crate::api::{pattern, reference::SecretRef};

/// What is so for every account.
pub(super) const FACTS: Facts = Facts {
    member: "infobip",
    title: "Infobip",
    default_base_url: DefaultBaseUrl::With { before: "https://", field: "account", after: ".api.infobip.com" },
    own_hosts: &[HostPattern("*.api.infobip.com")],
    secret_keys: &[
        SecretKey { name: "apiKey", required: true, about: "an API key of the account with the scopes `sms:message:send` and `numbers:manage`" },
        SecretKey { name: "webhookUser", required: true, about: "the user name with which Infobip calls the webhooks: choose one, and set it in the authentication settings of the notification profile" },
        SecretKey { name: "webhookPassword", required: true, about: "the password that belongs to it" },
    ],
    capabilities: Capabilities {
        numbers: NumberList::Listed,
        webhook_check: WebhookCheck::NotShown,
        webhook_proof: "user name and password (HTTP basic authentication)",
        receipt_token: "`callbackData` of the message",
        inbound_parts: "provider",
        opt_outs: "statuses 10, 14; errors 573, 603, 2050, 2052",
        inbound_media: false,
    },
};

/// An account at Infobip.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Infobip {
    /// The personal part of the account's base URL, which the portal shows beside the API keys: `abc123` of `abc123.api.infobip.com`. Lower-case
    /// letters, digits and dashes. It cannot change.
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("account cannot change: create a new SmsConnector for the other account"))]
    pub account: String,
    /// The Secret with the credentials. Keys: `apiKey`, and `webhookUser` and `webhookPassword`, with which Infobip calls the webhooks.
    pub credentials_secret_ref: SecretRef,
    /// Address of Infobip's API, without a slash at its end. It must be on the operator's list of allowed addresses. Absent: the account's own,
    /// `https://<account>.api.infobip.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub base_url: Option<String>,
}

impl ProviderMember for Infobip {
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
        self.base_url.as_deref()
    }

    fn base_url_field(&self) -> &str {
        &self.account
    }
}
