//! MessageBird: the REST API of before Bird.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{Capabilities, DefaultBaseUrl, Facts, HostPattern, NumberList, ProviderMember, SecretKey, WebhookCheck};
use crate::api::{pattern, reference::SecretRef};

/// What is so for every account.
pub(super) const FACTS: Facts = Facts {
    member: "messagebird",
    title: "MessageBird",
    default_base_url: DefaultBaseUrl::Fixed("https://rest.messagebird.com"),
    own_hosts: &[HostPattern("rest.messagebird.com"), HostPattern("numbers.messagebird.com")],
    secret_keys: &[
        SecretKey { name: "accessKey", required: true, about: "a live access key of the account" },
        SecretKey {
            name: "signingKey",
            required: true,
            about: "the account's signing key, by which webhooks are verified: the dashboard shows it under Developers",
        },
    ],
    capabilities: Capabilities {
        numbers: NumberList::Listed,
        webhook_check: WebhookCheck::NotShown,
        webhook_proof: "`MessageBird-Signature-JWT` (HMAC over address and body, with a time)",
        receipt_token: "`reference` of the message",
        inbound_parts: "provider",
        opt_outs: "receipt that says so",
        inbound_media: true,
    },
};

/// Nothing in the API names an account: it is whosever the access key is. That is enough, since at MessageBird a number belongs to one account.
const ACCOUNT: &str = "messagebird";

/// An account at MessageBird (the classic REST API). Its access key says which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageBird {
    /// The Secret with the credentials. Keys: `accessKey`, which also says which account it is, and `signingKey`, by which webhooks are verified.
    pub credentials_secret_ref: SecretRef,
    /// Address of MessageBird's API, without a slash at its end. It must be on the operator's list of allowed addresses. Absent:
    /// `https://rest.messagebird.com`; numbers are then listed at `https://numbers.messagebird.com`, else at the address given here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub base_url: Option<String>,
}

impl ProviderMember for MessageBird {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn account(&self) -> &str {
        ACCOUNT
    }

    fn credentials(&self) -> &SecretRef {
        &self.credentials_secret_ref
    }

    fn given_base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }
}
