//! Vonage: the SMS API of what was Nexmo.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Capabilities, DefaultBaseUrl, Facts, HostPattern, NumberList, ProviderMember, SecretKey, WebhookCheck};
use crate::api::{pattern, reference::SecretRef};

/// What is so for every account.
pub(super) const FACTS: Facts = Facts {
    member: "vonage",
    title: "Vonage",
    default_base_url: DefaultBaseUrl::Fixed("https://rest.nexmo.com"),
    own_hosts: &[HostPattern("rest.nexmo.com")],
    secret_keys: &[
        SecretKey { name: "apiSecret", required: true, about: "the API key's secret" },
        SecretKey {
            name: "signatureSecret",
            required: true,
            about: "the signature secret, by which webhooks are verified: the dashboard shows it under API settings",
        },
    ],
    capabilities: Capabilities {
        numbers: NumberList::Listed,
        webhook_check: WebhookCheck::Compared,
        webhook_proof: "parameter `sig` (MD5 or HMAC over all parameters, with a time)",
        receipt_token: "`client-ref` of the message",
        inbound_parts: "engine",
        opt_outs: "receipt with `err-code` 9",
        inbound_media: false,
    },
};

/// An API key of Vonage has eight characters (OpenAPI document of the SMS API).
const API_KEY: &str = "^[0-9A-Za-z]{8}$";

/// An account at Vonage, used by its SMS API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Vonage {
    /// The API key, from the dashboard: eight letters and digits. It names the account and is no secret. It cannot change.
    #[schemars(length(min = 8, max = 8), regex(pattern = API_KEY))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("apiKey cannot change: create a new SmsConnector for the other account"))]
    pub api_key: String,
    /// How Vonage signs webhooks: the signature method that the dashboard shows under API settings, where a HMAC can be chosen, which is
    /// better. `Md5Hash`: "MD5 hash". `HmacMd5`, `HmacSha1`, `HmacSha256`, `HmacSha512`: "MD5 HMAC", "SHA1 HMAC", and so on. Default
    /// `Md5Hash`, as at Vonage.
    #[serde(default)]
    pub signature_method: SignatureMethod,
    /// The Secret with the credentials. Keys: `apiSecret`, and `signatureSecret`, by which webhooks are verified.
    pub credentials_secret_ref: SecretRef,
    /// Address of Vonage's API, without a slash at its end. It must be on the operator's list of allowed addresses. Absent:
    /// `https://rest.nexmo.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub base_url: Option<String>,
}

/// How Vonage signs webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum SignatureMethod {
    /// MD5 over the parameters and the secret.
    #[default]
    Md5Hash,
    /// HMAC with MD5.
    HmacMd5,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
}

impl ProviderMember for Vonage {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn account(&self) -> &str {
        &self.api_key
    }

    fn credentials(&self) -> &SecretRef {
        &self.credentials_secret_ref
    }

    fn given_base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }
}
