//! An engine's documents.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{ObjectIdentity, Origin, Parts, RateLimit, issuers::Issuer};
use crate::{api::BotSpec, sms::PhoneNumber};

/// The main document of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineConfig {
    /// [`super::FORMAT`].
    pub format: u32,
    /// The SmsChannel.
    pub channel: ObjectIdentity,
    /// The channel's `enabled`.
    pub enabled: bool,
    /// True while the channel is being deleted: nothing new comes in, the outbox is still sent.
    pub draining: bool,
    /// The channel's number.
    pub number: PhoneNumber,
    /// The gateway that carries the messages.
    pub gateway: GatewayPeer,
    /// The campaign.
    pub campaign: Campaign,
    /// How waiting interactions find an agent.
    pub strategy: Strategy,
    /// Seconds that an agent has to accept an interaction; none = they are not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_timeout_seconds: Option<u32>,
    /// The service level's target and window.
    pub service_level: ServiceLevel,
    /// Interactions that may wait; 0 = no maximum.
    pub max_queued: u32,
    /// Seconds that an interaction may wait in the queue before it counts as timed out; 0 = no limit.
    #[serde(default)]
    pub max_queue_seconds: u32,
    /// Seconds after which a transfer that nobody has taken ends; 0 = no limit.
    #[serde(default)]
    pub max_transfer_seconds: u32,
    /// Sent to a customer who finds the queue full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_full_message: Option<String>,
    /// Sent to a customer who writes outside the hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_hours_message: Option<String>,
    /// What talks to customers by itself.
    #[serde(default, skip_serializing_if = "Bots::is_empty")]
    pub bots: Bots,
    /// Which blocklists count.
    pub blocklist: BlocklistSwitches,
    /// Opt-out words and texts.
    pub opt_out: OptOut,
    /// An interaction without a message for so long is closed; seconds.
    pub session_idle_seconds: u32,
    /// A customer who writes again within so many seconds goes to the agent whom they had last, before others; 0 = to nobody in particular.
    #[serde(default)]
    pub session_reopen_seconds: u32,
    /// Limit of this number.
    pub per_number_limit: RateLimit,
    /// Closed interactions and their messages are kept so long.
    pub retention_days: u32,
    /// What is known of the store.
    pub store: StoreExpectation,
    /// A person says that the node's clock is right: [`super::super::status::ClockStatus::accept_id`] of the setting that they ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_accepted: Option<u64>,
    /// Who signs the tokens of gateway and operator, audience `aldis:<namespace>`.
    pub role_issuers: Vec<Issuer>,
    /// The operator's ServiceAccount, as its tokens name it.
    pub operator_user: String,
    /// Who signs the tokens of agents.
    pub agent_issuers: Vec<Issuer>,
    /// The `blocklist-N.json` that belong to this document.
    #[serde(default)]
    pub parts: Parts,
}

/// The gateway of the channel's connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayPeer {
    /// Base URL of its internal API, `http://smsc-<connector>.<namespace>.svc:8081`.
    pub url: String,
    /// Its ServiceAccount; only it may bring inbound messages and receipts.
    pub user: String,
    /// Provider kind, `twilio` or `simulator`.
    pub provider: String,
    /// The provider account that the number belongs to.
    pub account: String,
}

/// What the engine needs of the Campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Campaign {
    /// Name.
    pub name: String,
    /// The campaign's `enabled`.
    pub enabled: bool,
    /// IANA zone.
    pub time_zone: String,
    /// Opening hours; none = always open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// The agents who serve the campaign.
    pub members: Vec<Member>,
    /// Who may see all, give interactions to agents, take them over and close them; names with their issuers' prefixes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supervisors: Vec<String>,
    /// What agents may choose as the outcome of an interaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dispositions: Vec<Disposition>,
    /// An agent finishes no interaction without one of them.
    #[serde(default)]
    pub disposition_required: bool,
    /// Texts that agents have at hand, in the order of their shortcuts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canned_replies: Vec<CannedReply>,
    /// Web pages of other origins that may use the agents' API.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<Origin>,
}

/// What an agent may choose as the outcome of an interaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Disposition {
    /// The name that is recorded with the interaction.
    pub name: String,
    /// Where agents find it, with slashes between the levels.
    pub path: String,
}

/// A text that agents have at hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CannedReply {
    /// What an agent types to find it.
    pub shortcut: String,
    /// The text, as it stands.
    pub text: String,
    /// What agents see in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The language of the text as BCP 47 writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// The bots of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bots {
    /// Meets a customer before the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_start: Option<Bot>,
    /// Talks to a customer who has waited for too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_queue_timeout: Option<Bot>,
    /// Talks to a customer after the agent has finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_end: Option<Bot>,
}

impl Bots {
    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.on_start.is_none() && self.on_queue_timeout.is_none() && self.on_end.is_none()
    }
}

/// A bot without faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bot {
    /// The name of its object.
    pub name: String,
    /// What it says and asks.
    pub spec: BotSpec,
}

/// Opening hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// `Monday` … `Sunday` to ranges; a day without a range is closed.
    #[serde(default)]
    pub weekly: BTreeMap<Weekday, Vec<TimeRange>>,
    /// Dates to ranges that replace that day's; no range = closed.
    #[serde(default)]
    pub exceptions: BTreeMap<Date, Vec<TimeRange>>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A part of a day, in minutes from midnight of local time: `from` belongs to it, `to` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeRange {
    /// 0 to 1439.
    pub from_minute: u16,
    /// 1 to 1440, after `from_minute`.
    pub to_minute: u16,
}

/// One who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The user's name with its issuer's prefix.
    pub user: String,
    /// Place in the order, lowest first.
    pub position: u32,
    /// 0 to 100; lower is asked first.
    pub penalty: u32,
    /// May be given interactions.
    pub receive: bool,
    /// May start interactions.
    pub initiate: bool,
    /// Open interactions at once.
    pub max_interactions: u32,
}

/// How waiting interactions find an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// Whose last finish is the longest ago.
    LeastRecent,
    /// Who finished the fewest today, then who has the fewest.
    FewestInteractions,
    /// By chance.
    Random,
    /// By position, always from the first.
    Linear,
    /// By position, in turn.
    RoundRobin,
    /// All with the lowest penalty are asked. Needs `offer_timeout_seconds`.
    RingAll,
    /// By chance, less likely with a higher penalty.
    WeightedRandom,
}

/// Target and window of the service level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLevel {
    /// Seconds from entering the queue until the answer.
    pub target_seconds: u32,
    /// What counts as the answer.
    #[serde(default)]
    pub answered_by: AnsweredBy,
    /// Samples of the last so many seconds count.
    pub window_seconds: u32,
}

/// What ends a customer's wait for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnsweredBy {
    /// The agent's first reply.
    #[default]
    Reply,
    /// An agent has the interaction.
    Accept,
}

/// Which blocklists count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlocklistSwitches {
    /// Messages of listed numbers are rejected.
    pub inbound: bool,
    /// Agents cannot start interactions with listed numbers.
    pub outbound: bool,
}

/// Opt-out words and texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OptOut {
    /// Whether the provider or the engine answers these words.
    pub answered_by: OptOutAnsweredBy,
    /// Words that opt out, compared without case and punctuation.
    pub stop_keywords: Vec<String>,
    /// Words that opt in again.
    pub start_keywords: Vec<String>,
    /// Words that ask for help.
    pub help_keywords: Vec<String>,
    /// The one confirmation of an opt-out.
    pub stopped_message: String,
    /// The confirmation of an opt-in.
    pub started_message: String,
    /// The answer to a call for help.
    pub help_message: String,
}

/// Who answers opt-out words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptOutAnsweredBy {
    /// The engine.
    Aldis,
    /// The provider; the engine records only.
    Provider,
}

/// What the operator knows of the channel's store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreExpectation {
    /// The id that the channel's status remembers. Another one sends nothing until it is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id that a person accepted by annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_id: Option<String>,
    /// True while the channel's condition says that the commit counter went back: nothing is sent until the id is accepted.
    #[serde(default)]
    pub held: bool,
}

/// One `blocklist-N.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlocklistPart {
    /// [`super::FORMAT`].
    pub format: u32,
    /// The entries.
    pub entries: Vec<BlocklistEntry>,
}

/// One blocked number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlocklistEntry {
    /// Canonical form.
    pub number: PhoneNumber,
    /// Which way it is blocked.
    pub direction: BlockDirection,
    /// From then on it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Which way a number is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "their names say it")]
pub enum BlockDirection {
    Inbound,
    Outbound,
    Both,
}
