//! What happened. Events hold ids, never a text or a number, and the version of their form.

mod interaction;
mod outcome;
mod stored;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    delivery::MessageStatus,
    ids::{AssemblyId, Attempt, CustomerId, InteractionId, MessageId, NoteId, UserId},
};
use crate::sms::Encoding;

pub use self::{
    interaction::{BotWait, FinishedBy, InteractionEvent},
    outcome::{
        BotEndReason, CloseReason, InboundOutcome, OptOutBy, Origin, Purpose, RequeueReason, SampleResult,
        TransferEndReason, WithdrawalReason,
    },
    stored::{EVENT_VERSION, UnreadableEvent},
};

/// Something that happened at an instant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// The engine's time at the decision.
    pub at: Timestamp,
    /// The happening, with what belongs to it.
    #[serde(flatten)]
    pub what: Happened,
}

/// Something that happened, by what it concerns. The form that is stored and streamed does not show it: an event's `type` there is the
/// name of the inner variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Happened {
    /// What the engine itself began to do, or was told by the operator or a person.
    Engine(EngineEvent),
    /// The time by which the channel's timers count stops, goes on, goes ahead or is set.
    Clock(ClockEvent),
    /// What is known of a customer.
    Customer(CustomerEvent),
    /// A customer's message came in.
    Inbound(InboundEvent),
    /// An interaction's way from its beginning to its end.
    Interaction(InteractionEvent),
    /// A message's way to the customer.
    Outbound(OutboundEvent),
    /// What an agent does, but for their work on an interaction.
    Agent(AgentEvent),
}

/// What the engine itself began to do, or was told by the operator or a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum EngineEvent {
    /// The engine began to run; every agent is offline.
    EngineStarted {
        /// No id of this life of the store is below; 0 in events of versions that did not say it.
        #[serde(default, skip_serializing_if = "is_zero")]
        ids_from: u64,
    },
    /// Another configuration is in force.
    ConfigApplied {
        /// The hash of the configuration document.
        hash: String,
        /// What is left of the number's limit when the new limit shortens it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paced_until: Option<Timestamp>,
    },
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
}

/// The time by which the channel's timers count stops, goes on, goes ahead or is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum ClockEvent {
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
    /// Another date in the campaign's time zone: what happens from now on counts for it.
    DayBegan {
        /// The date.
        on: Date,
    },
    /// Channel or campaign was disabled: timers stand still.
    Disabled,
    /// Channel and campaign are enabled again.
    Enabled,
}

/// What is known of a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum CustomerEvent {
    /// A sender was seen for the first time.
    CustomerAdded {
        /// The customer.
        customer: CustomerId,
        /// Whether they can be answered: their sender is a number.
        can_receive: bool,
    },
    /// A customer opted out.
    OptedOut {
        /// The customer who opted out.
        customer: CustomerId,
        /// By a word of theirs, at the provider, or elsewhere before.
        #[serde(flatten)]
        by: OptOutBy,
    },
    /// A customer opted in again.
    OptedIn {
        /// The customer who opted in.
        customer: CustomerId,
        /// By which message.
        message: MessageId,
    },
}

/// A customer's message came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum InboundEvent {
    /// A customer's message was recorded. Exactly one for each message that is no duplicate.
    InboundRecorded {
        /// The message.
        message: MessageId,
        /// The customer who wrote it.
        customer: CustomerId,
        /// What the engine made of it.
        outcome: InboundOutcome,
        /// The interaction that it belongs to.
        interaction: Option<InteractionId>,
        /// The parts that it was joined from; none for a text that came as one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parts: Option<Parts>,
    },
    /// A part of a long text is kept until the others are there.
    PartKept {
        /// The text.
        assembly: AssemblyId,
        /// The customer who wrote it.
        customer: CustomerId,
        /// What the customer's device called it.
        reference: u16,
        /// How many parts it has.
        total: u8,
        /// Which of them this is.
        sequence: u8,
        /// Bytes of this part.
        bytes: u64,
    },
    /// A part came again.
    PartRepeated {
        /// The text that it belongs to.
        assembly: AssemblyId,
        /// Its place among the parts, from 1.
        sequence: u8,
        /// It says something else than the first one, or came again too often, and is a message of its own.
        #[serde(default, skip_serializing_if = "is_false")]
        differs: bool,
    },
    /// The other parts of a text did not come in time. What is there becomes a message.
    PartsTimedOut {
        /// The text.
        assembly: AssemblyId,
    },
    /// A message came again under the same provider id.
    InboundDuplicated {
        /// The first one.
        message: MessageId,
    },
}

/// The parts that a message was joined from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Parts {
    /// What the text was called while not all were there; none when only one part came to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assembly: Option<AssemblyId>,
    /// How many parts the customer's text has.
    pub total: u8,
    /// Which of them are missing; none = the text is whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<u8>,
    /// When the gateway received the first of them.
    pub received_at: Timestamp,
}

/// A message's way to the customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum OutboundEvent {
    /// A message will be sent.
    OutboundCommitted {
        /// The message.
        message: MessageId,
        /// To whom.
        customer: CustomerId,
        /// The interaction that it belongs to.
        interaction: Option<InteractionId>,
        /// Why the engine sends it.
        purpose: Purpose,
        /// The character set that it is sent in.
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
    /// Somebody asked for a message to be sent once more, of which nobody knows whether it was sent. It may reach the customer twice.
    ResendRequested {
        /// The message.
        message: MessageId,
        /// To whom.
        customer: CustomerId,
        /// The interaction that it belongs to.
        interaction: InteractionId,
        /// Why the engine sent it.
        purpose: Purpose,
        /// How many messages it takes on the air.
        segments: u32,
        /// The last attempt; the next one follows.
        attempt: Attempt,
        /// The agent or supervisor who asked.
        user: UserId,
    },
    /// A message was given up before it was sent: the customer opted out.
    OutboundCanceled {
        /// The message.
        message: MessageId,
        /// It should have been sent once more: nobody knows what came of it before, as ever.
        #[serde(default, skip_serializing_if = "is_false")]
        resend: bool,
    },
    /// A receipt moved a message forward.
    ReceiptApplied {
        /// The message.
        message: MessageId,
        /// The state that the receipt brings it to.
        status: MessageStatus,
    },
    /// A receipt came for a message that is not known (yet).
    ReceiptParked,
}

/// What an agent does, but for their work on an interaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum AgentEvent {
    /// An agent's first stream opened.
    AgentOnline {
        /// The agent whose stream it is.
        user: UserId,
    },
    /// An agent's last stream closed.
    AgentOffline {
        /// The agent whose stream it was.
        user: UserId,
    },
    /// An agent said whether they take interactions, or let too many offers pass.
    AgentPresenceSet {
        /// The agent who said so.
        user: UserId,
        /// Whether they do.
        present: bool,
        /// How many offers in a row they let pass, when the engine set it for that. None: they said so themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missed: Option<u32>,
    },
    /// A supervisor imported opt-outs. The events of those who were not opted out before come first.
    OptOutsImported {
        /// The supervisor.
        user: UserId,
        /// Numbers on the list.
        listed: u32,
        /// Of these, customers who were not opted out before.
        opted_out: u32,
    },
    /// An agent could not start an interaction with a number on a blocklist.
    StartBlocked {
        /// The agent who tried.
        user: UserId,
        /// With whom, if they are known.
        customer: Option<CustomerId>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
