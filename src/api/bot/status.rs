//! What the operator answers about a bot: its faults, what runs, and what failed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::conditions::condition_list;

/// Versions of a bot that are listed at most.
pub const LISTED_VERSIONS: usize = 20;
/// Failures of a bot's steps that are listed at most.
pub const LISTED_FAILURES: usize = 20;

/// What the operator sees of a bot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BotStatus {
    /// The generation of the spec that this status speaks of. -1: not looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// What is right and wrong: `Ready`, `Reconciling`, `Stalled`, `StepsSucceed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition_list")]
    pub conditions: Vec<Condition>,
    /// Version that new conversations begin with: a hash of the steps. Absent while the bot has faults and never was without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// How many faults the steps have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub fault_count: Option<i32>,
    /// The first 20 faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["step".into(), "position".into()]))]
    pub faults: Vec<FaultStatus>,
    /// The channels that name the bot in `spec.automations`, or in which a conversation with it still runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<BotChannels>,
    /// Conversations that run, in all channels and on all versions, also on those that `conversations` does not list. This, `channels`,
    /// `conversations` and `lastFailures` are written when they change, at most once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub running: Option<i64>,
    /// Conversations that run, by the version that they keep to: the present one first, then those with the most; the first 20. A version
    /// with none is not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["version".into()]))]
    pub conversations: Vec<BotConversations>,
    /// How many entries `lastFailures` would have if it listed all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub failure_count: Option<i32>,
    /// Steps that failed, by step, reason and channel: the 20 that failed last, newest first. An entry goes when its channel's `retentionDays`
    /// have passed without another failure of its kind, or with the channel. An engine tells of 20 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["step".into(), "reason".into(), "channel".into()]))]
    pub last_failures: Vec<StepFailure>,
    /// When the engine answered that was asked longest ago: all that engines said of the bot is of then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_at: Option<jiff::Timestamp>,
}

/// A fault in the steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FaultStatus {
    /// Name of the step. Empty: the bot as a whole.
    #[serde(default)]
    #[schemars(length(max = 63))]
    pub step: String,
    /// Where in the step: `ask.text[12]`.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub position: String,
    /// What is wrong, and what to do about it.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// The channels of a bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BotChannels {
    /// How many there are.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub total: i64,
    /// Those of them whose engine does not answer, or is of a version that does not tell. What it said last counts, as long as the operator
    /// was not started since.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub silent: i64,
}

/// Conversations with one version of a bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BotConversations {
    /// The version with which they began: what `status.version` was then.
    #[schemars(length(max = 64))]
    pub version: String,
    /// Conversations that run.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub count: i64,
    /// Channels in which they do.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub channels: i64,
}

/// A step that failed in a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepFailure {
    /// Name of the step. Empty: the bot could not even begin.
    #[serde(default)]
    #[schemars(length(max = 63))]
    pub step: String,
    /// In which way it failed. `NoAnswer` and `TimedOut` (at a question without `onInvalid` or `onTimeout`), `TooManyVariables`, `TooManyTurns` and
    /// `Lost` (the version is not there) ended the bot. `Call…` is a call of a service that failed, after which the bot went on at `onError`:
    /// `CallTimedOut`, `CallUnreachable`, `CallStatus` (not 2xx), `CallTooLong`, `CallNotJson`, `CallAddress` and `CallNoSecret` (a Secret, or its
    /// key, is not there). `Other`: the engine is newer than the operator.
    pub reason: StepFailureReason,
    /// The channel.
    #[schemars(length(max = 63))]
    pub channel: String,
    /// How often it did since `since`.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub count: i64,
    /// When it failed for the first time that is counted.
    pub since: jiff::Timestamp,
    /// When it failed for the last time.
    pub at: jiff::Timestamp,
}

/// In which way a step failed. `Call…`: the service could not be asked, and the bot went on at `onError`. All others ended the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum StepFailureReason {
    /// No attempt gave an accepted answer, and the step has no `onInvalid`.
    NoAnswer,
    /// No answer came in time, and the step has no `onTimeout`.
    TimedOut,
    /// The variables would take more than they may.
    TooManyVariables,
    /// The conversation went on for too long.
    TooManyTurns,
    /// The bot's version, or the step, is not there.
    Lost,
    /// The service's answer was not complete in time.
    CallTimedOut,
    /// No connection to the service stood, or it broke.
    CallUnreachable,
    /// The status of the service's answer is not of the class 2xx.
    CallStatus,
    /// The service's answer is longer than `maxResponseBytes`.
    CallTooLong,
    /// The service's answer is no JSON.
    CallNotJson,
    /// The address cannot be called: a variable made another one of it, or its host has only addresses that are never called.
    CallAddress,
    /// A Secret that a header shows, or its key, is not there.
    CallNoSecret,
    /// One that this version of the operator does not know; the engine is newer.
    #[serde(other)]
    Other,
}

impl StepFailureReason {
    /// Whether the customer alone brings it about: they say nothing, or nothing of use, or go on for ever.
    pub const fn is_customers(self) -> bool {
        match self {
            Self::NoAnswer | Self::TimedOut | Self::TooManyTurns => true,
            Self::TooManyVariables
            | Self::Lost
            | Self::CallTimedOut
            | Self::CallUnreachable
            | Self::CallStatus
            | Self::CallTooLong
            | Self::CallNotJson
            | Self::CallAddress
            | Self::CallNoSecret
            | Self::Other => false,
        }
    }
}
