//! `Bot`: a conversation that runs by itself.

mod status;
mod step;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::conditions::ConditionType;
use super::pattern::{self, TEXT_MAX};

pub use status::{
    BotChannels, BotConversations, BotStatus, FaultStatus, LISTED_FAILURES, LISTED_VERSIONS, StepFailure,
    StepFailureReason,
};
pub use step::{
    Answer, Ask, Assignment, Branch, BranchCase, Condition as BranchCondition, Finish, HandOff, Header, Http,
    HttpMethod, InHours, JsonField, Say, Set, Step,
};

/// What a bot says and asks.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "aldis.dev",
    version = "v1alpha1",
    kind = "Bot",
    plural = "bots",
    singular = "bot",
    shortname = "smsbot",
    category = "aldis",
    namespaced,
    status = "BotStatus",
    derive = "PartialEq",
    doc = "A conversation that runs by itself: named steps that say, ask, branch, call a service, and hand off to the queue or finish. Channels name bots in `spec.automations`. The steps are checked as a whole; a fault shows in the status with its step and position. A conversation that has begun keeps the version of the bot it began with.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the bot has no faults"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready or not"
    ),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.version",
        description = "Version that new conversations begin with"
    ),
    printcolumn(
        name = "Running",
        type_ = "integer",
        json_path = ".status.running",
        description = "Conversations that run, in all channels and on all versions"
    ),
    printcolumn(
        name = "Failed",
        type_ = "date",
        json_path = ".status.lastFailures[0].at",
        description = "Time since a step failed last"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since it was created"
    ),
    printcolumn(
        name = "Faults",
        type_ = "integer",
        json_path = ".status.faultCount",
        priority = 1,
        description = "Faults in the steps"
    )
)]
pub struct BotSpec {
    /// Name of the step that begins. Absent: the first of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = pattern::LABEL))]
    pub start_at: Option<String>,
    /// The steps, 1 to 200. Each does exactly one thing, then goes to `next`, or to the step below it.
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub steps: Vec<Step>,
    /// Seconds that the bot waits for the customer where a step has no `timeoutSeconds`; 10 to 86400. Then the step's `onTimeout` follows. Without
    /// it the bot says `idleMessage` and has failed: on start the interaction goes to the queue, otherwise it is closed. Default 600.
    #[serde(default = "idle_seconds")]
    #[schemars(range(min = 10, max = 86400))]
    pub idle_seconds: i32,
    /// Text to a customer who gave no answer in time where the step has no `onTimeout`; `{{ variable }}` as in `say`. Absent: no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = TEXT_MAX))]
    pub idle_message: Option<String>,
}

impl Bot {
    /// The conditions of a bot.
    pub const CONDITIONS: &'static [ConditionType] =
        &[ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled, ConditionType::StepsSucceed];
}

fn idle_seconds() -> i32 {
    600
}
