//! `aldis simulator`.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{Capabilities, DefaultBaseUrl, Facts, NumberList, ProviderMember, SecretKey, WebhookCheck};
use crate::api::{pattern, reference::SecretRef};

/// What is so for every account.
pub(super) const FACTS: Facts = Facts {
    member: "simulator",
    title: "Simulator",
    default_base_url: DefaultBaseUrl::None,
    // Anybody can run one, and it says what it likes.
    own_hosts: &[],
    secret_keys: &[SecretKey { name: "token", required: true, about: "the account's token, which also signs webhooks" }],
    capabilities: Capabilities {
        numbers: NumberList::Listed,
        webhook_check: WebhookCheck::Compared,
        webhook_proof: "`x-aldis-simulator-signature` (HMAC-SHA256 with a time)",
        receipt_token: "callback address of the message",
        inbound_parts: "engine",
        opt_outs: "error `OptedOut`",
        inbound_media: false,
    },
};

/// The carrier that comes with Aldis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Simulator {
    /// Account at the simulator: lower-case letters, digits and dashes, at most 63. It cannot change. Default `simulator`.
    #[serde(default = "account")]
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("account cannot change: create a new SmsConnector for the other account"))]
    pub account: String,
    /// The Secret with the credentials. Key: `token`, which also signs webhooks.
    pub credentials_secret_ref: SecretRef,
    /// Address of the simulator, without a slash at its end. It must be on the operator's list of allowed addresses. Example:
    /// `http://aldis-simulator.default:8090`.
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub base_url: String,
}

fn account() -> String {
    "simulator".into()
}

impl ProviderMember for Simulator {
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
}
