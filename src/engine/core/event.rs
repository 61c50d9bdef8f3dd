//! What happened. Events hold ids, never a text or a number, and the version of their form.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    delivery::MessageStatus,
    ids::{Attempt, CustomerId, Epoch, InteractionId, MessageId, NoteId, UserId},
};
use crate::sms::Encoding;

/// The version of the form in which events are written.
pub const EVENT_VERSION: u32 = 1;

/// Something that happened at an instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: Happened,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Happened {
    /// The engine began to run; every agent is offline.
    EngineStarted {
        /// No id of this life of the store is below; 0 in events of versions that did not say it.
        #[serde(default, skip_serializing_if = "is_zero")]
        ids_from: u64,
    },
    /// Another configuration is in force.
    ConfigApplied {
        /// Its hash.
        hash: String,
        /// What is left of the number's limit when the new limit shortens it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paced_until: Option<Timestamp>,
    },
    /// The clock went ahead at once. Timers do not count it, and nothing is forgotten until it is confirmed.
    ClockLeapt {
        /// By so much, in milliseconds.
        millis: u64,
    },
    /// A person said that the clock is right. Later events may bear earlier times.
    ClockSet {
        /// The time from now on.
        to: Timestamp,
    },
    /// Channel or campaign was disabled: timers stand still.
    Disabled,
    /// Channel and campaign are enabled again.
    Enabled,
    /// A person accepted storage that was swapped or restored. In the first versions ids jumped then; now they do at every start.
    StorageAccepted {
        /// The next customer's id.
        next_customer: CustomerId,
        /// The next interaction's id.
        next_interaction: InteractionId,
        /// The next message's id.
        next_message: MessageId,
        /// The next note's id.
        next_note: NoteId,
    },
    /// A sender was seen for the first time.
    CustomerAdded {
        /// The customer.
        customer: CustomerId,
        /// Whether he can be answered: his sender is a number.
        can_receive: bool,
    },
    /// A customer's message was recorded. Exactly one for each message that is no duplicate.
    InboundRecorded {
        /// The message.
        message: MessageId,
        /// Who wrote it.
        customer: CustomerId,
        /// What became of it.
        outcome: InboundOutcome,
        /// The interaction that it belongs to.
        interaction: Option<InteractionId>,
    },
    /// A message came again under the same provider id.
    InboundDuplicated {
        /// The first one.
        message: MessageId,
    },
    /// A customer opted out.
    OptedOut {
        /// Who.
        customer: CustomerId,
        /// By which message, inbound (a word) or outbound (the provider refused it).
        message: MessageId,
        /// How.
        by: OptOutBy,
    },
    /// A customer opted in again.
    OptedIn {
        /// Who.
        customer: CustomerId,
        /// By which message.
        message: MessageId,
    },
    /// An agent could not start an interaction with a number on a blocklist.
    StartBlocked {
        /// Who tried.
        user: UserId,
        /// With whom, if he is known.
        customer: Option<CustomerId>,
    },
    /// An interaction began.
    InteractionOpened {
        /// The interaction.
        interaction: InteractionId,
        /// With whom.
        customer: CustomerId,
        /// Who wrote first.
        origin: Origin,
        /// The customer had opted out: replies are refused.
        opted_out: bool,
    },
    /// An interaction entered the queue.
    InteractionQueued {
        /// The interaction.
        interaction: InteractionId,
        /// Whether its wait counts in the service level: it is the first, and the customer may be answered.
        measured: bool,
    },
    /// An agent has the interaction.
    InteractionAssigned {
        /// The interaction.
        interaction: InteractionId,
        /// Its owner.
        user: UserId,
        /// Its epoch from now on.
        epoch: Epoch,
    },
    /// An interaction went from its owner back to the head of the queue; it keeps its arrival time.
    InteractionRequeued {
        /// The interaction.
        interaction: InteractionId,
        /// Who had it.
        user: UserId,
        /// Its epoch from now on.
        epoch: Epoch,
        /// Why.
        reason: RequeueReason,
    },
    /// An interaction ended.
    InteractionClosed {
        /// The interaction.
        interaction: InteractionId,
        /// Why.
        reason: CloseReason,
        /// Its owner, if it had one.
        owner: Option<UserId>,
    },
    /// An interaction's service level is known.
    ServiceLevelSampled {
        /// The interaction.
        interaction: InteractionId,
        /// How it ended for the customer who waited.
        result: SampleResult,
        /// How long he waited, in milliseconds.
        waited_millis: u64,
        /// The target in force, in seconds.
        target_seconds: u64,
        /// Whether he waited no longer than the target.
        in_target: bool,
    },
    /// A message will be sent.
    OutboundCommitted {
        /// The message.
        message: MessageId,
        /// To whom.
        customer: CustomerId,
        /// The interaction that it belongs to.
        interaction: Option<InteractionId>,
        /// What it is.
        purpose: Purpose,
        /// How it is written.
        encoding: Encoding,
        /// How many messages it takes on the air.
        segments: u32,
    },
    /// An attempt to send was marked; once that is committed the message is handed to the gateway.
    AttemptStarted {
        /// The message.
        message: MessageId,
        /// The attempt.
        attempt: Attempt,
        /// The gateway must not begin after it.
        deadline: Timestamp,
        /// When the number's limit would allow one more segment than its burst.
        paced_until: Timestamp,
    },
    /// Nothing left the house. The message waits for another attempt, and the channel with it.
    AttemptNotSent {
        /// The message.
        message: MessageId,
        /// The attempt.
        attempt: Attempt,
        /// No attempt of this channel starts before.
        hold_until: Timestamp,
        /// The limit; it may have been given back what this attempt had taken.
        paced_until: Timestamp,
    },
    /// The gateway answered an attempt for good.
    AttemptEnded {
        /// The message.
        message: MessageId,
        /// The attempt.
        attempt: Attempt,
        /// How far the message is now: what the answer says, or a receipt that came before it.
        status: MessageStatus,
    },
    /// A message was given up before it was sent: the customer opted out.
    OutboundCanceled {
        /// The message.
        message: MessageId,
    },
    /// A receipt moved a message forward.
    ReceiptApplied {
        /// The message.
        message: MessageId,
        /// How far it is now.
        status: MessageStatus,
    },
    /// A receipt came for a message that is not known (yet).
    ReceiptParked,
    /// An agent's first stream opened.
    AgentOnline {
        /// Who.
        user: UserId,
    },
    /// An agent's last stream closed.
    AgentOffline {
        /// Who.
        user: UserId,
    },
    /// An agent said whether he takes interactions.
    AgentPresenceSet {
        /// Who.
        user: UserId,
        /// Whether he does.
        present: bool,
    },
    /// A member left a note.
    NoteAdded {
        /// The note.
        note: NoteId,
        /// Where.
        interaction: InteractionId,
        /// Who.
        user: UserId,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What became of a customer's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InboundOutcome {
    /// The customer opted out.
    OptedOut,
    /// The customer opted in again.
    OptedIn,
    /// A call for help.
    Help,
    /// Rejected: the sender is on a blocklist.
    Blocked,
    /// Channel or campaign is disabled: recorded, no reply.
    Disabled,
    /// Joined the customer's open interaction.
    Joined,
    /// Outside the campaign's hours.
    OutOfHours,
    /// Rejected: the queue was full.
    QueueFull,
    /// A new interaction entered the queue.
    Queued,
}

/// Who wrote first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all_fields = "camelCase")]
pub enum Origin {
    /// The customer.
    Customer,
    /// An agent.
    Agent {
        /// Who.
        user: UserId,
    },
}

/// How a customer opted out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OptOutBy {
    /// With a word.
    Keyword,
    /// At the provider, which refused a message to him for it.
    Provider,
}

/// Why an interaction went back to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RequeueReason {
    /// Its owner was offline for too long.
    OwnerOffline,
    /// Its owner is no member any more.
    OwnerRemoved,
}

/// Why an interaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CloseReason {
    /// Its owner finished it.
    Finished,
    /// The campaign was closed when the customer wrote.
    OutOfHours,
    /// No message for too long.
    Idle,
    /// The customer opted out while it waited.
    OptedOut,
}

/// How an interaction ended for a customer who waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SampleResult {
    /// An agent replied.
    Answered,
    /// The system closed it.
    Unanswered,
    /// The customer opted out.
    Abandoned,
    /// An agent finished it without a reply.
    NoReply,
}

/// What an outbound message is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Purpose {
    /// An agent's reply.
    Reply {
        /// Who wrote it.
        user: UserId,
    },
    /// The first message of an interaction that an agent started.
    Start {
        /// Who wrote it.
        user: UserId,
    },
    /// The text for those who write outside the hours.
    OutOfHours,
    /// The text for those who find the queue full.
    QueueFull,
    /// The one confirmation of an opt-out.
    OptOutConfirmation,
    /// The confirmation of an opt-in.
    OptInConfirmation,
    /// The answer to a call for help.
    Help,
}

impl Purpose {
    /// Whether it may go to a customer who opted out: only what answers the customer's own opt-out or call for help may.
    pub const fn answers_opted_out(&self) -> bool {
        match self {
            Self::OptOutConfirmation | Self::Help => true,
            Self::Reply { .. } | Self::Start { .. } | Self::OutOfHours | Self::QueueFull | Self::OptInConfirmation => {
                false
            }
        }
    }
}

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEvent {
    /// Written by a newer version of Aldis.
    #[error("the event has version {found}, and this version of Aldis reads up to {EVENT_VERSION}; run the newer one")]
    Newer {
        /// Its version.
        found: u64,
    },
    /// Not an event.
    #[error("not an event: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Without a version.
    #[error("the event has no version")]
    NoVersion,
}

/// Brings an event's JSON from one version to the next.
type Upcaster = fn(&mut Value);

/// The upcaster at place `n` reads version `n + 1`. There is one for every version but the newest.
const UPCASTERS: [Upcaster; EVENT_VERSION as usize - 1] = [];

impl Event {
    /// The event as it is stored: one JSON object with its version `v`.
    pub fn to_json(&self) -> Value {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Value::Object(fields) = &mut json {
            fields.insert("v".into(), EVENT_VERSION.into());
        }
        json
    }

    /// Writes what [`to_json`](Self::to_json) gives.
    ///
    /// # Errors
    /// Never, as far as is known: it is made of strings, numbers and names.
    pub fn write_json(&self, into: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        #[derive(Serialize)]
        struct Versioned<'e> {
            v: u32,
            #[serde(flatten)]
            event: &'e Event,
        }
        serde_json::to_writer(into, &Versioned { v: EVENT_VERSION, event: self })
    }

    /// Reads an event of this or an older version.
    ///
    /// # Errors
    /// When it is of a newer version, or not an event.
    pub fn from_json(mut json: Value) -> Result<Self, UnreadableEvent> {
        let found = json.get("v").and_then(Value::as_u64).ok_or(UnreadableEvent::NoVersion)?;
        if found > u64::from(EVENT_VERSION) {
            return Err(UnreadableEvent::Newer { found });
        }
        for upcast in UPCASTERS.iter().skip(usize::try_from(found.saturating_sub(1)).unwrap_or(usize::MAX)) {
            upcast(&mut json);
        }
        Ok(serde_json::from_value(json)?)
    }

    /// The event's type, as it is stored and counted.
    pub const fn name(&self) -> &'static str {
        match &self.what {
            Happened::EngineStarted { .. } => "EngineStarted",
            Happened::ConfigApplied { .. } => "ConfigApplied",
            Happened::ClockLeapt { .. } => "ClockLeapt",
            Happened::ClockSet { .. } => "ClockSet",
            Happened::Disabled => "Disabled",
            Happened::Enabled => "Enabled",
            Happened::StorageAccepted { .. } => "StorageAccepted",
            Happened::CustomerAdded { .. } => "CustomerAdded",
            Happened::InboundRecorded { .. } => "InboundRecorded",
            Happened::InboundDuplicated { .. } => "InboundDuplicated",
            Happened::OptedOut { .. } => "OptedOut",
            Happened::OptedIn { .. } => "OptedIn",
            Happened::StartBlocked { .. } => "StartBlocked",
            Happened::InteractionOpened { .. } => "InteractionOpened",
            Happened::InteractionQueued { .. } => "InteractionQueued",
            Happened::InteractionAssigned { .. } => "InteractionAssigned",
            Happened::InteractionRequeued { .. } => "InteractionRequeued",
            Happened::InteractionClosed { .. } => "InteractionClosed",
            Happened::ServiceLevelSampled { .. } => "ServiceLevelSampled",
            Happened::OutboundCommitted { .. } => "OutboundCommitted",
            Happened::AttemptStarted { .. } => "AttemptStarted",
            Happened::AttemptNotSent { .. } => "AttemptNotSent",
            Happened::AttemptEnded { .. } => "AttemptEnded",
            Happened::OutboundCanceled { .. } => "OutboundCanceled",
            Happened::ReceiptApplied { .. } => "ReceiptApplied",
            Happened::ReceiptParked => "ReceiptParked",
            Happened::AgentOnline { .. } => "AgentOnline",
            Happened::AgentOffline { .. } => "AgentOffline",
            Happened::AgentPresenceSet { .. } => "AgentPresenceSet",
            Happened::NoteAdded { .. } => "NoteAdded",
        }
    }
}
