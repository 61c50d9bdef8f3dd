//! What the operator answers about a channel.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::conditions::condition_list;

/// What the operator sees of a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmsChannelStatus {
    /// The generation of the spec that this status speaks of. -1: not looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// What is right and wrong: `Ready`, `Reconciling`, `Stalled`, `ReferencesResolved`, `NumberValid`, `NumberClaimed`,
    /// `EngineAvailable`, `ConfigApplied`, `StorageIntact`, `ClockInSync`, `InHours`, `ServiceLevelMet`, `QueueHealthy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition_list")]
    pub conditions: Vec<Condition>,
    /// The queue, as of `sampledAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueStatus>,
    /// The agents, as of `sampledAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<AgentsStatus>,
    /// The service level over the window, as of `sampledAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_level: Option<ServiceLevelStatus>,
    /// When queue, agents and service level were read. They are written when they change, at most once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_at: Option<jiff::Timestamp>,
    /// The engine that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineStatus>,
    /// Size that the engine's volume was given last. `engine.storage.volume.size` can go back to it, and not below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub volume_size: Option<String>,
}

/// The queue of a channel, or of all channels of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueStatus {
    /// Interactions that wait for an agent.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub waiting: i64,
    /// Seconds that the oldest of them has waited; rounded.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub oldest_wait_seconds: i64,
    /// Interactions that a bot talks to before they wait for an agent.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub with_bot: i64,
    /// Interactions with an agent.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub active: i64,
}

/// The agents of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentsStatus {
    /// Agents whose desk is connected.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub online: i64,
    /// Agents who are connected and present and have room for one more interaction.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub available: i64,
}

/// The service level over the window: counts, and percentages made of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLevelStatus {
    /// `answeredInTarget` in percent of `answered + unanswered + noReply - noReplyInTarget`, rounded down. Absent: there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub percent: Option<i32>,
    /// `answeredInTarget + abandonedInTarget` in percent of the same and `abandoned`, rounded down. Absent: there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub percent_with_abandoned: Option<i32>,
    /// Interactions that an agent answered.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub answered: i64,
    /// Those answered within the target.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub answered_in_target: i64,
    /// Interactions whose customer opted out while waiting.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub abandoned: i64,
    /// Those abandoned within the target.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub abandoned_in_target: i64,
    /// Interactions that the system closed unanswered after they had entered the queue.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub unanswered: i64,
    /// Interactions that an agent finished without a reply. Those that were finished after the target count as missed in both
    /// percentages, as they did while they waited; the others (there was nothing to answer) count in neither.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub no_reply: i64,
    /// Those finished without a reply within the target.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub no_reply_in_target: i64,
}

/// The engine that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineStatus {
    /// Hash of the configuration in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub config_hash: Option<String>,
    /// Version of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// Id of the store that holds the conversations. To accept another one, set annotation `aldis.dev/accept-storage` to its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub store_id: Option<String>,
    /// Commits that the store had when it was last read. A lower number means that an older copy was put in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub store_commits: Option<i64>,
}
