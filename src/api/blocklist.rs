//! `Blocklist`: numbers that are not talked to.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{ConditionType, condition_list};
use super::pattern;
use super::reference::LocalRef;

/// Which numbers are blocked, and for whom.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "aldis.dev",
    version = "v1alpha1",
    kind = "Blocklist",
    plural = "blocklists",
    singular = "blocklist",
    shortname = "smsbl",
    category = "aldis",
    namespaced,
    status = "BlocklistStatus",
    derive = "PartialEq",
    doc = "Numbers that are not talked to. Inbound, their messages are recorded and rejected; outbound, agents cannot start an interaction with them. Every blocked attempt is recorded. A channel may opt out by `spec.blocklist`. Use several objects for more than 2000 numbers.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the entries are in force"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready or not"
    ),
    printcolumn(
        name = "Entries",
        type_ = "integer",
        json_path = ".status.entries.active",
        description = "Entries that have not expired"
    ),
    printcolumn(
        name = "Channels",
        type_ = "integer",
        json_path = ".status.channels",
        description = "Channels that the list binds"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since it was created"
    )
)]
pub struct BlocklistSpec {
    /// The campaigns whose channels the list binds, at most 100. Absent: every channel of the namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub campaigns: Vec<LocalRef>,
    /// The numbers, at most 2000; use several objects for more. The bound is what plain `kubectl apply` can keep of an object in its
    /// annotation of 256 kB.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["number".into()]))]
    pub entries: Vec<BlockedNumber>,
}

impl Blocklist {
    /// The conditions of a blocklist.
    pub const CONDITIONS: &'static [ConditionType] =
        &[ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled, ConditionType::ReferencesResolved];
}

/// A number that is not talked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlockedNumber {
    /// The customer's number: E.164 (`+15551230001`), or a short code behind its country (`US:72345`).
    #[schemars(length(max = 16), regex(pattern = pattern::NUMBER))]
    pub number: String,
    /// `Inbound`: the customer's messages are rejected. `Outbound`: agents cannot start an interaction. `Both`. Default `Both`.
    #[serde(default)]
    pub direction: Direction,
    /// Why, for the people who read this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reason: Option<String>,
    /// When the entry ends by itself, in UTC: `2026-12-31T23:59:59Z`. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), regex(pattern = pattern::INSTANT))]
    pub expires_at: Option<Timestamp>,
}

/// Which way is blocked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Direction {
    /// The customer's messages.
    Inbound,
    /// Interactions that agents start.
    Outbound,
    /// Either.
    #[default]
    Both,
}

/// What the operator sees of a blocklist.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlocklistStatus {
    /// The generation of the spec that this status speaks of. -1: not looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// What is right and wrong: `Ready`, `Reconciling`, `Stalled`, `ReferencesResolved`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition_list")]
    pub conditions: Vec<Condition>,
    /// How many entries there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<EntryCounts>,
    /// Channels that the list binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub channels: Option<i64>,
}

/// How many entries there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryCounts {
    /// Entries that bind now.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub active: i64,
    /// Entries that have expired and can be removed.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub expired: i64,
}
