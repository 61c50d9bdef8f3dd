//! Twilio.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{
    Capabilities, DefaultBaseUrl, Facts, HostPattern, NumberList, ProviderMember, SecretKey, WebhookCheck,
};
use crate::api::{pattern, reference::SecretRef};

/// What is so for every account.
pub(super) const FACTS: Facts = Facts {
    member: "twilio",
    title: "Twilio",
    default_base_url: DefaultBaseUrl::Fixed("https://api.twilio.com"),
    // The API, its regions and edges.
    own_hosts: &[
        HostPattern("api.twilio.com"),
        HostPattern("api.*.twilio.com"),
        HostPattern("api.*.*.twilio.com"),
    ],
    secret_keys: &[
        SecretKey { name: "authToken", required: true, about: "the account's primary auth token, which signs webhooks" },
        SecretKey { name: "previousAuthToken", required: false, about: "the token before it, whose signatures are accepted during a rotation" },
        SecretKey { name: "apiKeySid", required: false, about: "an API key, used for sending instead of the token; together with `apiKeySecret`" },
        SecretKey { name: "apiKeySecret", required: false, about: "the API key's secret" },
    ],
    capabilities: Capabilities {
        numbers: NumberList::Listed,
        webhook_check: WebhookCheck::Compared,
        webhook_proof: "`X-Twilio-Signature` (HMAC-SHA1 or HMAC-SHA256)",
        receipt_token: "callback address of the message",
        inbound_parts: "provider",
        opt_outs: "`OptOutType`; error 21610",
        inbound_media: true,
    },
};

/// An account (or subaccount) of Twilio.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Twilio {
    /// Account SID: `AC` and 32 hexadecimal digits, from the Twilio console. It cannot change.
    #[schemars(length(min = 34, max = 34), regex(pattern = r"^AC[0-9a-fA-F]{32}$"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("accountSid cannot change: create a new SmsConnector for the other account"))]
    pub account_sid: String,
    /// The Secret with the credentials. Keys: `authToken` (the primary token, which signs webhooks), optional `previousAuthToken`
    /// (accepted for signatures while tokens are rotated), optional `apiKeySid` and `apiKeySecret` (used for sending).
    pub credentials_secret_ref: SecretRef,
    /// Address of Twilio's API, without a slash at its end. It must be on the operator's list of allowed addresses. Absent:
    /// `https://api.twilio.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub base_url: Option<String>,
}

impl ProviderMember for Twilio {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn account(&self) -> &str {
        &self.account_sid
    }

    fn credentials(&self) -> &SecretRef {
        &self.credentials_secret_ref
    }

    fn given_base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }
}
