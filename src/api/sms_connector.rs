//! `SmsConnector`: an account at an SMS provider.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{ConditionType, condition_list};
use super::pattern;
use super::provider::{Provider, declare_numbers, numbers_are_declared};
use super::resources::{Resources, Scheduling, Volume};

/// What is wanted of an account at an SMS provider.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "aldis.dev",
    version = "v1alpha1",
    kind = "SmsConnector",
    plural = "smsconnectors",
    singular = "smsconnector",
    shortname = "smsc",
    category = "aldis",
    namespaced,
    status = "SmsConnectorStatus",
    derive = "PartialEq",
    doc = "An account at an SMS provider. The operator keeps a gateway for it, which talks to the provider: it checks the credentials and the numbers again and again, takes inbound messages and receipts, and sends. Channels use its numbers. Short name `smsc`.",
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 45")
        .message("metadata.name must be at most 45 lower-case letters, digits and dashes, without dots: choose a shorter, simpler name"),
    validation = Rule::new("self.spec.gateway.spool.size == oldSelf.spec.gateway.spool.size || !has(self.status) || !has(self.status.volumeSize) || quantity(self.spec.gateway.spool.size).compareTo(quantity(self.status.volumeSize)) >= 0")
        .message("spec.gateway.spool.size cannot be less than what the volume has (status.volumeSize): keep the size, or make it larger"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether the connector does what its spec asks for"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why it is ready or not"),
    printcolumn(name = "Numbers", type_ = "integer", json_path = ".status.counts.numbers", description = "Numbers that the connector offers"),
    printcolumn(name = "Channels", type_ = "integer", json_path = ".status.counts.claimed", description = "Numbers that a channel uses"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Time since it was created"),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.webhook.publicUrl", priority = 1, description = "Public address that the provider sends to"),
    printcolumn(name = "Webhook", type_ = "string", json_path = ".status.conditions[?(@.type==\"WebhookInSync\")].status", priority = 1, description = "Whether the provider has our address")
)]
#[x_kube(validation = Rule::new(numbers_are_declared()).message(declare_numbers().as_str()).field_path(".numbers"))]
pub struct SmsConnectorSpec {
    /// Whether messages go out. `false`: nothing is sent, and replies wait in the engines. Customers' messages and receipts are taken and
    /// delivered as always, so that none is lost, and the account is still checked. Default `true`.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// The provider and the account. Exactly one member is set.
    pub provider: Provider,
    /// The numbers that channels may use, at most 10000. Absent: every number of the account that can do SMS. A number that is listed
    /// here but not at the provider shows in `NumbersVerified`. Where the provider cannot be asked for its numbers they must be listed here,
    /// and are believed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 10000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["number".into()]))]
    pub numbers: Vec<OfferedNumber>,
    /// How the provider reaches the gateway.
    pub webhook: Webhook,
    /// How fast the gateway may send. What is above waits in the engines; nothing is dropped.
    #[serde(default)]
    pub limits: Limits,
    /// Seconds between two checks of the credentials, numbers and webhooks at the provider; 5 to 86400. While something is wrong, be it
    /// one number that is missing, the gateway looks at least every 30 seconds. Default 300.
    #[serde(default = "check_interval")]
    #[schemars(range(min = 5, max = 86400))]
    pub check_interval_seconds: i32,
    /// The gateway's pod: resources, where it runs, its spool.
    #[serde(default)]
    pub gateway: Gateway,
}

impl SmsConnector {
    /// The conditions of a connector.
    pub const CONDITIONS: &'static [ConditionType] = &[
        ConditionType::Ready,
        ConditionType::Reconciling,
        ConditionType::Stalled,
        ConditionType::GatewayAvailable,
        ConditionType::ProviderReachable,
        ConditionType::CredentialsValid,
        ConditionType::NumbersVerified,
        ConditionType::WebhookInSync,
        ConditionType::TrafficRouted,
    ];
}

fn enabled() -> bool {
    true
}

fn check_interval() -> i32 {
    300
}

/// A number that channels may use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferedNumber {
    /// The number: E.164 (`+15551230001`), or a short code behind its country (`US:72345`).
    #[schemars(length(max = 16), regex(pattern = pattern::NUMBER))]
    pub number: String,
}

/// How the provider reaches the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Address under which the provider reaches this gateway, without a slash at its end. Your ingress must pass it on to Service
    /// `smsc-<name>`, port 8080. The provider is given `<publicUrl>/hooks/inbound` and `<publicUrl>/hooks/status`; signatures are
    /// checked over exactly this address, whatever Host or forwarded headers say. Example: `https://sms.example.com/twilio-us`.
    #[schemars(length(max = 512), regex(pattern = pattern::BASE_URL))]
    pub public_url: String,
    /// What to do about the addresses that the provider has for the numbers. `Observe`: compare, and report a difference in
    /// `WebhookInSync`. `Ignore`: do not look. Neither changes anything at the provider. Default `Observe`.
    #[serde(default)]
    pub management: WebhookManagement,
}

/// What to do about the webhook addresses that the provider has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum WebhookManagement {
    /// Compare and report.
    #[default]
    Observe,
    /// Do not look.
    Ignore,
}

/// How fast the gateway may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// All numbers of the account together. Default 10 segments in 1 second.
    #[serde(default = "account_rate")]
    pub account: Rate,
    /// Each number by itself. Default 1 segment in 1 second, as carriers allow a US long code.
    #[serde(default = "number_rate")]
    pub per_number: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self { account: account_rate(), per_number: number_rate() }
    }
}

fn account_rate() -> Rate {
    Rate { segments: 10, per_seconds: 1 }
}

fn number_rate() -> Rate {
    Rate { segments: 1, per_seconds: 1 }
}

/// A number of segments in a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// Segments, 1 to 100000. A text of 160 GSM-7 or 70 other characters is one segment; longer ones are split.
    #[schemars(range(min = 1, max = 100000))]
    pub segments: i32,
    /// Seconds, 1 to 3600.
    #[schemars(range(min = 1, max = 3600))]
    pub per_seconds: i32,
}

/// The gateway's pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// CPU and memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where the pod may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
    /// The volume that holds acknowledged messages while an engine is away, and every attempt to send. It stays when the connector is
    /// deleted (PersistentVolumeClaim `smsc-<name>`), and a new connector of the same name and account takes it over.
    #[serde(default)]
    pub spool: Volume,
}

/// What the operator sees of a connector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmsConnectorStatus {
    /// The generation of the spec that this status speaks of. -1: not looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// What is right and wrong: `Ready`, `Reconciling`, `Stalled`, `GatewayAvailable`, `ProviderReachable`, `CredentialsValid`,
    /// `NumbersVerified`, `WebhookInSync`, `TrafficRouted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition_list")]
    pub conditions: Vec<Condition>,
    /// How many numbers there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<ConnectorCounts>,
    /// Up to 200 of the numbers: those with something wrong first, then those of channels, then the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["number".into()]))]
    pub numbers: Vec<NumberStatus>,
    /// The gateway that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayStatus>,
    /// Size that the spool's volume was given last. `gateway.spool.size` can go back to it, and not below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub volume_size: Option<String>,
}

/// How many numbers there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorCounts {
    /// Numbers that the connector offers.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub numbers: i64,
    /// Offered numbers that the provider says can do SMS.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub sms_capable: i64,
    /// Offered numbers that a channel has claimed.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub claimed: i64,
    /// Messages kept in the spool because no channel has their number. They are delivered if one appears.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub unrouted: i64,
}

/// One number of the connector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NumberStatus {
    /// The number: E.164, or a short code behind its country.
    #[schemars(length(max = 16))]
    pub number: String,
    /// Whether the provider says that the number can do SMS. Absent: not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_capable: Option<bool>,
    /// Whether the account has the number. Absent: not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_provider: Option<bool>,
    /// Name of the channel of this namespace that uses the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub channel: Option<String>,
}

/// The gateway that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// Hash of the configuration in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub config_hash: Option<String>,
    /// Version of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
}
