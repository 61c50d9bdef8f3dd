//! A gateway's documents.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ObjectIdentity, Parts, RateLimit, issuers::Issuer};
use crate::sms::PhoneNumber;

/// The main document of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayConfig {
    /// [`super::FORMAT`].
    pub format: u32,
    /// The SmsConnector.
    pub connector: ObjectIdentity,
    /// False: nothing is sent, webhooks are still answered and kept.
    pub enabled: bool,
    /// The provider.
    pub provider: Provider,
    /// Numbers offered to channels; none = every SMS-capable one that the provider lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Vec<PhoneNumber>>,
    /// Numbers that channels ask for and that have no route yet: the gateway says whether the provider has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<PhoneNumber>,
    /// Webhooks.
    pub webhook: Webhook,
    /// Limit of the whole account.
    pub account_limit: RateLimit,
    /// Seconds between checks of credentials and numbers.
    pub check_interval_seconds: u32,
    /// Days that an unrouted message is kept.
    pub retention_days: u32,
    /// Who signs the tokens of engines and of the operator, audience `aldis:<namespace>`.
    pub role_issuers: Vec<Issuer>,
    /// The operator's ServiceAccount, as its tokens name it.
    pub operator_user: String,
    /// The `routes-N.json` that belong to this document.
    #[serde(default)]
    pub parts: Parts,
}

/// The provider of a connector. What each needs stands at the gateway, which refuses a document that lacks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// The provider as the member of `spec.provider` is called.
    pub kind: String,
    /// Address of its API, without a trailing slash.
    pub base_url: String,
    /// The member's other fields, as the spec has them.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

/// What the provider calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// The URL that the provider uses, without a trailing slash and without `/hooks/…`. Signatures are checked over it.
    pub public_url: String,
    /// Whether the gateway looks at what the provider has configured.
    pub management: WebhookManagement,
}

/// What the gateway does about webhooks at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebhookManagement {
    /// Compares and reports.
    Observe,
    /// Does not look.
    Ignore,
}

/// One `routes-N.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Routes {
    /// [`super::FORMAT`].
    pub format: u32,
    /// The routes.
    pub routes: Vec<Route>,
}

/// Where a number's messages go, and who may send from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Canonical form.
    pub number: PhoneNumber,
    /// The SmsChannel: an engine's internal paths name it.
    pub channel: String,
    /// Base URL of the engine's internal API, `http://sms-<channel>.<namespace>.svc:8081`.
    pub engine_url: String,
    /// The engine's ServiceAccount, `system:serviceaccount:<namespace>:sms-<channel>`.
    pub engine_user: String,
}
