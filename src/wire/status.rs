//! What a gateway or an engine tells the operator about itself (`GET /internal/status`, and `GET /internal/channels/{channel}/status`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{bot_status::BotStatus, config::ConfigHash};
use crate::sms::PhoneNumber;

/// Which configuration is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigStatus {
    /// Hash of the main document in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ConfigHash>,
    /// A newer document that could not be loaded; the one above stays in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<RejectedConfig>,
}

/// A document that could not be loaded, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedConfig {
    /// Hash of the document.
    pub hash: ConfigHash,
    /// Names the field, what is wrong and what to do.
    pub message: String,
}

/// A gateway's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// Version of the binary.
    pub version: String,
    /// Configuration in force.
    pub config: ConfigStatus,
    /// What the provider last said about the credentials.
    pub credentials: CredentialsStatus,
    /// Whether the provider answers.
    #[serde(default)]
    pub provider: ProviderStatus,
    /// When numbers were last listed completely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers_listed_at: Option<Timestamp>,
    /// Why the last listing failed, if it did; the numbers below are then of `numbers_listed_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers_error: Option<Unanswered>,
    /// Numbers at the provider, and those that are offered, asked for or routed and were looked for there. A number that is not
    /// here and is wanted has not been looked for yet.
    #[serde(default)]
    pub numbers: Vec<NumberStatus>,
    /// What waits in the spool.
    pub spool: SpoolStatus,
    /// The engine whose clock differs most from the gateway's, of those that have sent in the last ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_skew: Option<ClockSkew>,
    /// What went through, by number: items that its engine has taken and attempts to send that it asked for, counted from a number
    /// that is another one for each start of the gateway. Numbers without any, or without a route, are left out. None from a gateway
    /// that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<BTreeMap<String, u64>>,
    /// The gateway's time when it made this status.
    pub sampled_at: Timestamp,
}

/// What the provider last said about the credentials. While it does not answer, this stands: see [`ProviderStatus`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all_fields = "camelCase")]
pub enum CredentialsStatus {
    /// Not checked yet.
    Unchecked,
    /// The Secret, or some of its keys, are not there.
    Missing {
        /// Keys that are missing or empty.
        keys: Vec<String>,
        /// Whether the Secret is there at all, with any key.
        #[serde(default)]
        secret_found: bool,
    },
    /// The provider accepts them.
    Valid {
        /// When the provider last accepted them.
        checked_at: Timestamp,
    },
    /// The provider refuses them.
    Invalid {
        /// When the provider last refused them.
        checked_at: Timestamp,
        /// The provider's own code and words.
        message: String,
    },
    /// The provider knows them, and has suspended or closed the account.
    Suspended {
        /// When the provider last said so.
        checked_at: Timestamp,
        /// The provider's own code and words.
        message: String,
    },
}

/// Whether the provider answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all_fields = "camelCase")]
pub enum ProviderStatus {
    /// It was not asked yet.
    #[default]
    Unasked,
    /// It answered as it should, whatever it said.
    Answers {
        /// When it last answered.
        checked_at: Timestamp,
    },
    /// It could not be asked.
    Silent {
        /// When it was last tried.
        checked_at: Timestamp,
        /// What kept the answer away.
        #[serde(flatten)]
        why: Unanswered,
    },
}

/// Why a request to the provider had no answer that is of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unanswered {
    /// In which way.
    pub trouble: Trouble,
    /// The error in words, for people.
    pub message: String,
}

impl Unanswered {
    /// In this way, with what happened.
    pub fn new(trouble: Trouble, message: impl Into<String>) -> Self {
        Self { trouble, message: message.into() }
    }
}

/// In which way a provider could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// No connection, or no answer.
    Unreachable,
    /// No answer in time.
    Slow,
    /// An answer, but not the one that was asked for.
    Fault,
    /// It was asked too often.
    RateLimited,
}

/// One number as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberStatus {
    /// Canonical form.
    pub number: PhoneNumber,
    /// Whether the provider lists it on this account.
    pub at_provider: bool,
    /// Whether it can send and receive texts.
    pub sms_capable: bool,
    /// What the provider will call for it.
    pub webhook: WebhookStatus,
}

/// Whether the provider calls our gateway for a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all_fields = "camelCase")]
pub enum WebhookStatus {
    /// Not looked at (management is `Ignore`, or not listed yet).
    Unchecked,
    /// Exactly our URL and method.
    InSync,
    /// No URL is set.
    Unset,
    /// Another URL or method is set.
    Differs {
        /// What is set, without query and user information.
        found: String,
    },
}

/// How far an engine's clock differs from the gateway's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockSkew {
    /// The engine's number.
    pub number: String,
    /// By how many milliseconds the engine's clock is ahead; negative when it is behind.
    pub engine_ahead_millis: i64,
}

impl ClockSkew {
    /// Seconds by which the engine's clock is ahead, in steps of five, so that what is said of it changes seldom. Clocks that are
    /// closer than that are as good as nodes' clocks are.
    pub const fn ahead_seconds(&self) -> i64 {
        const STEP_MILLIS: i64 = 5000;
        let half = if self.engine_ahead_millis < 0 { -STEP_MILLIS / 2 } else { STEP_MILLIS / 2 };
        self.engine_ahead_millis.saturating_add(half) / STEP_MILLIS * (STEP_MILLIS / 1000)
    }
}

/// What waits in a gateway's spool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpoolStatus {
    /// Rows that wait for their engine.
    pub waiting: u64,
    /// Rows of numbers without a route.
    pub unrouted: u64,
    /// Rows that their engine refuses; they stand outside of the order and are tried again from time to time.
    #[serde(default)]
    pub parked: u64,
    /// Age of the oldest waiting row, in seconds.
    pub oldest_wait_seconds: u64,
    /// Unrouted rows by number, the first 20 numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unrouted_numbers: BTreeMap<String, u64>,
    /// Parked rows by number, the first 20 numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parked_numbers: BTreeMap<String, ParkedNumber>,
    /// The room in the spool's volume.
    #[serde(default)]
    pub room: SpoolRoom,
    /// Names of damaged spool files that were set aside and are still in the volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<String>,
    /// What failed in the spool's database in the last half minute, but for want of room, by SQLite's name: `SystemIoFailure`, `ReadOnly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The parked rows of one number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedNumber {
    /// The number's rows that are parked.
    pub rows: u64,
    /// Why the last of them was parked.
    pub reason: String,
}

/// The room in a spool's volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpoolRoom {
    /// Whether inbound messages are turned away.
    pub state: RoomState,
    /// How much of what the spool may take it takes, in percent, a multiple of ten.
    pub used_percent: u64,
    /// Numbers that have as much in it as one number may have, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub full_numbers: Vec<String>,
    /// Numbers with so many attempts to send of the last ten minutes that there was lately no room for another one, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub full_ledgers: Vec<String>,
}

/// How much room there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomState {
    /// Enough.
    #[default]
    Enough,
    /// Some numbers have as much as they may have; what comes for them is turned away unless their engines take it.
    NumbersFull,
    /// None for inbound messages that their engines do not take; the provider is asked to come again.
    Full,
}

/// An engine's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineStatus {
    /// Version of the binary.
    pub version: String,
    /// Configuration in force.
    pub config: ConfigStatus,
    /// The store.
    pub store: StoreStatus,
    /// The engine's time beside its node's clock; none from an engine that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockStatus>,
    /// Whether the campaign is within its hours now.
    pub in_hours: bool,
    /// When `in_hours` changes next, if it ever does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours_change_at: Option<Timestamp>,
    /// The queue.
    pub queue: QueueStatus,
    /// The agents.
    pub agents: AgentsStatus,
    /// The service level over its window.
    pub service_level: ServiceLevelStatus,
    /// Messages on their way out.
    pub outbox: OutboxStatus,
    /// The bots that the channel names, and those with which conversations run. None from an engine that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bots: Option<Vec<BotStatus>>,
    /// The engine's time when it made this status.
    pub sampled_at: Timestamp,
}

impl EngineStatus {
    /// Whether the engine has nothing to do, and will not have until a text comes or somebody writes one.
    pub fn is_idle(&self) -> bool {
        let Self { queue, outbox, .. } = self;
        [queue.waiting, queue.with_bot, queue.active, outbox.waiting, outbox.in_flight].iter().all(|count| *count == 0)
    }
}

/// The identity and state of an engine's store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreStatus {
    /// Made at the store's creation.
    pub id: String,
    /// Commits since creation; never goes down in one store.
    pub commits: u64,
    /// The number that the store belongs to.
    pub number: PhoneNumber,
    /// The provider account that the store belongs to.
    pub account: String,
    /// The volume is full: nothing new is taken.
    #[serde(default)]
    pub full: bool,
    /// Whether anything may be sent: false while the store is not the expected one and not accepted.
    pub accepted: bool,
}

/// An engine's time beside its node's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockStatus {
    /// How far the engine's time is ahead of the clock, in seconds; 0 while they agree. The clock is behind or was ahead before.
    pub ahead_seconds: u64,
    /// The clock went ahead at once by so much, in seconds, and nobody has confirmed it; 0 when it did not.
    pub leapt_seconds: u64,
    /// When that counts as confirmed. Nothing is deleted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leap_confirmed_at: Option<Timestamp>,
    /// Names the acceptance of the clock that would count now; each counts once.
    pub accept_id: u64,
    /// How far the engine's time is ahead of that of whoever asked, in minutes. Only they know it.
    #[serde(skip)]
    pub ahead_of_asker_minutes: i64,
}

/// The queue, now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueStatus {
    /// Interactions that wait for an agent.
    pub waiting: u64,
    /// How long the oldest of them has waited, in seconds.
    pub oldest_wait_seconds: u64,
    /// Interactions that a bot has.
    pub with_bot: u64,
    /// Interactions that an agent has.
    pub active: u64,
    /// Waiting interactions that are past the service level's target.
    pub waiting_beyond_target: u64,
    /// `maxQueued` in force; 0 = no maximum.
    pub max_queued: u64,
}

/// The agents, now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentsStatus {
    /// With an open stream.
    pub online: u64,
    /// Online, present and with room for another interaction.
    pub available: u64,
}

/// The service level over its window: counts, so that sums over channels are right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLevelStatus {
    /// Answered by an agent.
    pub answered: u64,
    /// … of these within the target.
    pub answered_in_target: u64,
    /// The customer opted out while waiting.
    pub abandoned: u64,
    /// … of these within the target.
    pub abandoned_in_target: u64,
    /// Closed by the system after entering the queue.
    pub unanswered: u64,
    /// Finished by an agent without a reply.
    #[serde(default)]
    pub no_reply: u64,
    /// … of these within the target: they count in no percentage.
    #[serde(default)]
    pub no_reply_in_target: u64,
    /// Floored percentage, none while there is no sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u64>,
    /// The same with abandoned interactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_with_abandoned: Option<u64>,
}

/// Messages on their way out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxStatus {
    /// Not sent yet.
    pub waiting: u64,
    /// At the gateway right now.
    pub in_flight: u64,
    /// Sent or not, nobody knows; waits for a receipt.
    pub unknown: u64,
}

#[cfg(test)]
pub(crate) mod fixture {
    use serde_json::{Value, json};

    use super::EngineStatus;

    /// What an engine says of itself that is well and has nothing to do, with this over it.
    pub(crate) fn engine(overlay: &Value) -> EngineStatus {
        let mut said = json!({
            "version": "0.1.0", "config": {}, "inHours": true, "sampledAt": "2026-01-01T00:00:00Z",
            "queue": {"waiting": 0, "oldestWaitSeconds": 0, "withBot": 0, "active": 0, "waitingBeyondTarget": 0, "maxQueued": 0},
            "agents": {"online": 0, "available": 0},
            "store": {"id": "store", "commits": 7, "number": "+15551230001", "account": "simulator", "accepted": true},
            "serviceLevel": {"answered": 0, "answeredInTarget": 0, "abandoned": 0, "abandonedInTarget": 0, "unanswered": 0},
            "outbox": {"waiting": 0, "inFlight": 0, "unknown": 0},
        });
        for (field, value) in overlay.as_object().into_iter().flatten() {
            said[field] = value.clone();
        }
        serde_json::from_value(said).unwrap()
    }
}
