//! Sinch: the SMS REST API.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Capabilities, DefaultBaseUrl, Facts, HostPattern, NumberList, ProviderMember, SecretKey, WebhookCheck};
use crate::api::{pattern, reference::SecretRef};

/// What is so for every service plan.
pub(super) const FACTS: Facts = Facts {
    member: "sinch",
    title: "Sinch",
    default_base_url: DefaultBaseUrl::With { before: "https://", field: "region", after: ".sms.api.sinch.com" },
    own_hosts: &[HostPattern("*.sms.api.sinch.com")],
    secret_keys: &[
        SecretKey { name: "apiToken", required: true, about: "the API token of the service plan" },
        SecretKey { name: "webhookSecret", required: false, about: "the secret with which Sinch signs webhooks; this, or the next two, must be there, and where it is, only signatures count" },
        SecretKey { name: "webhookUser", required: false, about: "the user that Sinch shows with webhooks; together with `webhookPassword`" },
        SecretKey { name: "webhookPassword", required: false, about: "the user's password" },
    ],
    capabilities: Capabilities {
        numbers: NumberList::NotListable,
        webhook_check: WebhookCheck::NotShown,
        webhook_proof: "`x-sinch-webhook-signature` (HMAC-SHA256), or basic authentication",
        receipt_token: "callback address of the message",
        inbound_parts: "provider; of binary messages engine",
        opt_outs: "nothing that can be told from another failure",
        inbound_media: true,
    },
};

/// A service plan of Sinch's SMS REST API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sinch {
    /// Id of the service plan, from the Sinch Build Dashboard under SMS, Service APIs. It cannot change.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("servicePlanId cannot change: create a new SmsConnector for the other account"))]
    pub service_plan_id: String,
    /// Where Sinch keeps the service plan. It decides the address of the API.
    pub region: SinchRegion,
    /// The Secret with the credentials. Keys: `apiToken`; and for webhooks `webhookSecret` (signatures), or `webhookUser` and
    /// `webhookPassword` (basic authentication).
    pub credentials_secret_ref: SecretRef,
    /// Address of Sinch's API, without a slash at its end. It must be on the operator's list of allowed addresses. Absent:
    /// `https://<region>.sms.api.sinch.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub base_url: Option<String>,
}

/// Where Sinch keeps a service plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "lowercase")]
pub enum SinchRegion {
    /// United States.
    #[default]
    Us,
    /// European Union.
    Eu,
    /// Australia.
    Au,
    /// Brazil.
    Br,
    /// Canada.
    Ca,
}

impl SinchRegion {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
            Self::Au => "au",
            Self::Br => "br",
            Self::Ca => "ca",
        }
    }
}

impl ProviderMember for Sinch {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn account(&self) -> &str {
        &self.service_plan_id
    }

    fn credentials(&self) -> &SecretRef {
        &self.credentials_secret_ref
    }

    fn given_base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }

    fn base_url_field(&self) -> &str {
        self.region.as_str()
    }
}
