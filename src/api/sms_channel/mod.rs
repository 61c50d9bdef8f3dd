//! `SmsChannel`: one number, its queue, and who answers.

mod opt_out;
mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::ConditionType;
use super::pattern::{self, TEXT_MAX};
use super::reference::LocalRef;
use super::resources::{Resources, Scheduling};

pub use opt_out::{HELP_WORDS, OptOut, OptOutAnsweredBy, OptOutKeywords, OptOutMessages, START_WORDS, STOP_WORDS};
pub use status::{AgentsStatus, EngineStatus, QueueStatus, ServiceLevelStatus, SmsChannelStatus};

/// What is wanted of one number and its queue.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "aldis.dev",
    version = "v1alpha1",
    kind = "SmsChannel",
    plural = "smschannels",
    singular = "smschannel",
    shortname = "sms",
    category = "aldis",
    namespaced,
    status = "SmsChannelStatus",
    selectable = ".spec.number",
    selectable = ".spec.connectorRef.name",
    selectable = ".spec.campaignRef.name",
    derive = "PartialEq",
    doc = "One number, its queue, and how its messages find a person. The operator keeps an engine for it, which holds the conversations on a volume and serves the agents. A channel belongs to a campaign (who answers, and when) and uses a number of a connector. Short name `sms`.",
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 45")
        .message("metadata.name must be at most 45 lower-case letters, digits and dashes, without dots: choose a shorter, simpler name"),
    validation = Rule::new("self.spec.engine.storage.volume.size == oldSelf.spec.engine.storage.volume.size || !has(self.status) || !has(self.status.volumeSize) || quantity(self.spec.engine.storage.volume.size).compareTo(quantity(self.status.volumeSize)) >= 0")
        .message("spec.engine.storage.volume.size cannot be less than what the volume has (status.volumeSize): keep the size, or make it larger"),
    printcolumn(name = "Number", type_ = "string", json_path = ".spec.number", description = "The channel's number"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether the channel does what its spec asks for"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why it is ready or not"),
    printcolumn(name = "Waiting", type_ = "integer", json_path = ".status.queue.waiting", description = "Interactions that wait for an agent"),
    printcolumn(name = "SL%", type_ = "integer", json_path = ".status.serviceLevel.percent", description = "Answered in time, in percent of those answered or given up"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Time since it was created"),
    printcolumn(name = "Connector", type_ = "string", json_path = ".spec.connectorRef.name", priority = 1, description = "The connector that sends and receives"),
    printcolumn(name = "Campaign", type_ = "string", json_path = ".spec.campaignRef.name", priority = 1, description = "The campaign that answers"),
    printcolumn(name = "Strategy", type_ = "string", json_path = ".spec.strategy", priority = 1, description = "How interactions are distributed"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.agents.available", priority = 1, description = "Agents who can take an interaction now")
)]
#[x_kube(
    validation = Rule::new("self.strategy != 'RingAll' || self.offer.mode == 'Ask'")
        .message("strategy RingAll asks everybody: set offer.mode to Ask, or choose another strategy").field_path(".strategy"),
    validation = Rule::new("!has(self.automations) || !has(self.automations.onQueueTimeout) || self.maxQueueSeconds > 0")
        .message("automations.onQueueTimeout would never run: set maxQueueSeconds above 0, or remove the bot").field_path(".maxQueueSeconds")
)]
pub struct SmsChannelSpec {
    /// Whether the channel works. `false`: customers' texts are recorded and not answered, except for the words of `optOut`, which
    /// count as always. Replies and new conversations are refused; what was committed before is still sent. Agents may note and finish
    /// what they have, and timers stand still. Default `true`.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The campaign that answers: its members, hours and dispositions.
    pub campaign_ref: LocalRef,
    /// The connector that receives and sends. It cannot change.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("connectorRef cannot change, since conversations belong to their number: create a new SmsChannel"))]
    pub connector_ref: LocalRef,
    /// The number: one that the connector offers, and that no other channel has. E.164 (`+15551230001`), or a short code behind its
    /// country (`US:72345`). It cannot change.
    #[schemars(length(max = 16), regex(pattern = pattern::NUMBER))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("number cannot change, since conversations belong to their number: create a new SmsChannel"))]
    pub number: String,
    /// Who gets the next interaction. `LeastRecent`: who finished their last one longest ago. `FewestInteractions`: who finished fewest today, then
    /// who has fewest. `Random`: by chance. `Linear`: the first available by the members' position, always from the first. `RoundRobin`: by
    /// position in turn, whatever the penalties. `WeightedRandom`: by chance, with a penalty p 1/(1+p) times as often as without. `RingAll`:
    /// everybody is asked, the first to accept has it; needs `offer.mode: Ask`. But for `RoundRobin` and `WeightedRandom`, a lower penalty
    /// comes first. Default `LeastRecent`.
    #[serde(default)]
    pub strategy: Strategy,
    /// How an interaction is given to an agent.
    #[serde(default)]
    pub offer: Offer,
    /// What is promised to customers, and how it is measured.
    #[serde(default)]
    pub service_level: ServiceLevel,
    /// Most interactions that wait (with the bot on start, queued or offered) at a time; 0 to 100000. A new one above it is rejected, with
    /// `queueFullMessage` if set. 0: no maximum. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100000))]
    pub max_queued: i32,
    /// Text to a customer whose interaction is rejected because the queue is full; once per customer and hour at most, and 10 segments long at
    /// most. Absent: no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = TEXT_MAX))]
    pub queue_full_message: Option<String>,
    /// Seconds that an interaction may wait in the queue; 0 to 604800. After that `automations.onQueueTimeout` runs; without that bot it goes on
    /// waiting, and the event `QueueTimedOut` and a metric say so, once. 0: no limit. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 604800))]
    pub max_queue_seconds: i32,
    /// Seconds after which a transfer that nobody has taken ends, and the interaction is that agent's alone again who transferred it; 0 to 86400.
    /// 0: no limit. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 86400))]
    pub max_transfer_seconds: i32,
    /// What customers hear who write outside the campaign's hours.
    #[serde(default)]
    pub out_of_hours: OutOfHours,
    /// Whether the blocklists of the namespace bind this channel.
    #[serde(default)]
    pub blocklist: BlocklistUse,
    /// Bots that talk to customers, of this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automations: Option<Automations>,
    /// When a conversation ends by itself, and when it goes on.
    #[serde(default)]
    pub session: Session,
    /// How STOP, START and HELP are treated. Every opt-out is kept, whatever is set here.
    #[serde(default)]
    pub opt_out: OptOut,
    /// The engine's pod and volume.
    #[serde(default)]
    pub engine: Engine,
}

impl SmsChannel {
    /// The conditions of a channel.
    pub const CONDITIONS: &'static [ConditionType] = &[
        ConditionType::Ready,
        ConditionType::Reconciling,
        ConditionType::Stalled,
        ConditionType::ReferencesResolved,
        ConditionType::NumberValid,
        ConditionType::NumberClaimed,
        ConditionType::EngineAvailable,
        ConditionType::ConfigApplied,
        ConditionType::StorageIntact,
        ConditionType::ClockInSync,
        ConditionType::InHours,
        ConditionType::ServiceLevelMet,
        ConditionType::QueueHealthy,
    ];
}

fn yes() -> bool {
    true
}

/// Who gets the next interaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Strategy {
    /// Everybody is asked, the first to accept has it.
    RingAll,
    /// Who finished their last interaction longest ago.
    #[default]
    LeastRecent,
    /// Who finished fewest today, then who has fewest.
    FewestInteractions,
    /// By chance.
    Random,
    /// By position, always from the first.
    Linear,
    /// By position, in turn; ignores penalties.
    RoundRobin,
    /// By chance, less likely with a higher penalty.
    WeightedRandom,
}

/// How an interaction is given to an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode == 'Ask' || !has(self.timeoutSeconds)")
    .message("timeoutSeconds is for mode Ask: remove it, or set mode to Ask").field_path(".timeoutSeconds"))]
pub struct Offer {
    /// `Assign`: the agent has it at once. `Ask`: the agent may accept or decline. Default `Assign`.
    #[serde(default)]
    pub mode: OfferMode,
    /// Seconds that an agent has to accept, with mode `Ask`, before the next one is asked; 5 to 3600. Who was asked in vain is asked again
    /// after the others, and not before as many seconds have passed; who lets three offers in a row pass is set to not present. Absent: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 3600))]
    pub timeout_seconds: Option<i32>,
}

/// Whether agents are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum OfferMode {
    /// The agent has it at once.
    #[default]
    Assign,
    /// The agent may accept or decline.
    Ask,
}

/// What is promised to customers, and how it is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLevel {
    /// Seconds in which an interaction should be answered, from entering the queue; 1 to 604800. One that waits longer is still answered.
    /// Default 60.
    #[serde(default = "target_seconds")]
    #[schemars(range(min = 1, max = 604800))]
    pub target_seconds: i32,
    /// What counts as the answer: the agent's first `Reply`, or that an agent has the interaction (`Accept`): with `offer.mode: Ask` they accepted
    /// it, with `Assign` it was given to them. Default `Reply`.
    #[serde(default)]
    pub answered_by: AnsweredBy,
    /// Percent of interactions that should be answered in time; 1 to 100. Below, `ServiceLevelMet` is False. Default 80.
    #[serde(default = "objective_percent")]
    #[schemars(range(min = 1, max = 100))]
    pub objective_percent: i32,
    /// Seconds of the past that are measured; 60 to 86400. Default 3600.
    #[serde(default = "window_seconds")]
    #[schemars(range(min = 60, max = 86400))]
    pub window_seconds: i32,
    /// Interactions in the window below which `ServiceLevelMet` is Unknown; 1 to 10000. Default 20.
    #[serde(default = "minimum_samples")]
    #[schemars(range(min = 1, max = 10000))]
    pub minimum_samples: i32,
}

fn target_seconds() -> i32 {
    60
}

fn objective_percent() -> i32 {
    80
}

fn window_seconds() -> i32 {
    3600
}

fn minimum_samples() -> i32 {
    20
}

impl Default for ServiceLevel {
    fn default() -> Self {
        Self {
            target_seconds: target_seconds(),
            answered_by: AnsweredBy::default(),
            objective_percent: objective_percent(),
            window_seconds: window_seconds(),
            minimum_samples: minimum_samples(),
        }
    }
}

/// What counts as the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum AnsweredBy {
    /// The agent's first reply.
    #[default]
    Reply,
    /// An agent has taken it.
    Accept,
}

/// What customers hear who write outside the campaign's hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutOfHours {
    /// Text to a customer who writes outside the campaign's hours; once per customer and hour at most, and 10 segments long at most. Absent: no
    /// text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = TEXT_MAX))]
    pub message: Option<String>,
}

/// Whether the blocklists of the namespace bind this channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlocklistUse {
    /// Messages of blocked numbers are recorded and rejected. Default `true`.
    #[serde(default = "yes")]
    pub inbound: bool,
    /// Agents cannot start an interaction with a blocked number. Replies in an open one are not touched. Default `true`.
    #[serde(default = "yes")]
    pub outbound: bool,
}

impl Default for BlocklistUse {
    fn default() -> Self {
        Self { inbound: true, outbound: true }
    }
}

/// Bots that talk to customers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Automations {
    /// The bot that a new interaction meets before the queue. If it fails, the interaction goes to the queue. Absent: straight to the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_start: Option<LocalRef>,
    /// The bot that runs after an agent has finished, for example a survey. The agent is free meanwhile. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_end: Option<LocalRef>,
    /// The bot that runs when an interaction has waited for `maxQueueSeconds`. Absent: it goes on waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_queue_timeout: Option<LocalRef>,
}

impl Automations {
    /// The bots, each with the moment at which it runs.
    pub fn bots(&self) -> impl Iterator<Item = (BotSlot, &LocalRef)> {
        let Self { on_start, on_end, on_queue_timeout } = self;
        let named =
            [(BotSlot::OnStart, on_start), (BotSlot::OnEnd, on_end), (BotSlot::OnQueueTimeout, on_queue_timeout)];
        named.into_iter().filter_map(|(slot, bot)| Some((slot, bot.as_ref()?)))
    }
}

/// The moments of an interaction at which a bot runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BotSlot {
    /// Before the queue.
    OnStart,
    /// After an agent has finished.
    OnEnd,
    /// When the queue takes too long.
    OnQueueTimeout,
}

impl BotSlot {
    /// The field of [`Automations`] that names the bot.
    pub const fn field(self) -> &'static str {
        match self {
            Self::OnStart => "onStart",
            Self::OnEnd => "onEnd",
            Self::OnQueueTimeout => "onQueueTimeout",
        }
    }
}

/// When a conversation ends by itself, and when it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Seconds without a message from either side after which an interaction with an agent is closed; 60 to 2592000. Default 86400.
    #[serde(default = "idle_seconds")]
    #[schemars(range(min = 60, max = 2592000))]
    pub idle_seconds: i32,
    /// Seconds after an interaction's end in which a new one of the same customer goes to the previous agent before others, while they are
    /// available; 0 to 2592000. 0: never. Who is forgotten after `engine.storage.retentionDays` has none. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2592000))]
    pub reopen_seconds: i32,
}

fn idle_seconds() -> i32 {
    86400
}

impl Default for Session {
    fn default() -> Self {
        Self { idle_seconds: idle_seconds(), reopen_seconds: 0 }
    }
}

/// The engine's pod and volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Engine {
    /// CPU and memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where the pod may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
    /// Secrets of which the channel's bots may show keys to the services that they call (`http.headers[].secretKeyRef` of a Bot), at most 8. They are
    /// mounted into the pod, which starts anew when this list changes; what a Secret holds may change at any time. A Secret or key that is
    /// missing holds up nothing: the calls that need it fail. The Secrets of the namespace's connectors cannot be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub bot_secrets: Vec<LocalRef>,
    /// Where conversations are kept, and for how long.
    #[serde(default)]
    pub storage: EngineStorage,
}

/// Where conversations are kept, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineStorage {
    /// Days that closed interactions and their messages are kept; 1 to 3650. Opt-outs are kept for ever. Default 90.
    #[serde(default = "retention_days")]
    #[schemars(range(min = 1, max = 3650))]
    pub retention_days: i32,
    /// A volume of the engine's own.
    #[serde(default)]
    pub volume: EngineVolume,
}

fn retention_days() -> i32 {
    90
}

impl Default for EngineStorage {
    fn default() -> Self {
        Self { retention_days: retention_days(), volume: EngineVolume::default() }
    }
}

/// A volume of the engine's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.className) == has(oldSelf.className) && (!has(self.className) || self.className == oldSelf.className)")
    .message("className cannot change: a volume stays in its storage class").field_path(".className"))]
pub struct EngineVolume {
    /// Size of the volume. It can grow, if the storage class can, and never shrinks; a size that the volume was not given can be taken
    /// back. Default `1Gi`, enough for about a million messages.
    #[serde(default = "volume_size")]
    #[schemars(length(min = 1, max = 20), regex(pattern = pattern::STORAGE_SIZE))]
    pub size: String,
    /// StorageClass of the volume. Absent: the cluster's default. It cannot change later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::OBJECT_NAME))]
    pub class_name: Option<String>,
    /// What becomes of the volume when the channel is deleted. `Retain`: it stays, and a new channel of the same name and number takes it
    /// over. `Delete`: the conversations go with the channel. Default `Retain`.
    #[serde(default)]
    pub on_delete: OnDelete,
}

fn volume_size() -> String {
    "1Gi".into()
}

impl Default for EngineVolume {
    fn default() -> Self {
        Self { size: volume_size(), class_name: None, on_delete: OnDelete::default() }
    }
}

/// What becomes of a volume when its owner is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum OnDelete {
    /// It stays.
    #[default]
    Retain,
    /// It goes too.
    Delete,
}
