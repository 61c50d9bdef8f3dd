//! What happened. Events hold ids, never a text or a number, and the version of their form.

mod outcome;
mod stored;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    bot_run::BotSlot,
    delivery::MessageStatus,
    ids::{
        Attempt, BotName, BotVersion, CustomerId, DispositionName, Epoch, InteractionId, MessageId, NoteId, OfferId,
        UserId,
    },
};
use crate::{bot::Taken, sms::Encoding};

pub use self::{
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Channel or campaign was disabled: timers stand still.
    Disabled,
    /// Channel and campaign are enabled again.
    Enabled,
}

/// What is known of a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        /// By which message, inbound (a word) or outbound (the provider refused it).
        message: MessageId,
        /// By a word of theirs, or at the provider.
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    },
    /// A message came again under the same provider id.
    InboundDuplicated {
        /// The first one.
        message: MessageId,
    },
}

/// An interaction's way from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum InteractionEvent {
    /// An interaction began.
    InteractionOpened {
        /// The interaction.
        interaction: InteractionId,
        /// With whom.
        customer: CustomerId,
        /// The customer or the agent, whoever wrote first.
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
        /// The agent whom the customer had last, if that ended so short a time ago that they come before others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_agent: Option<UserId>,
    },
    /// A bot begins to talk to the customer.
    BotStarted {
        /// The interaction.
        interaction: InteractionId,
        /// Whether it runs on start, on a queue timeout or on end.
        slot: BotSlot,
        /// The bot.
        bot: BotName,
        /// Its version, to which the conversation keeps.
        version: BotVersion,
        /// Before the queue: the agent whom the customer had last, if they come before others there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_agent: Option<UserId>,
        /// After the end: who finished the interaction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        finished: Option<FinishedBy>,
    },
    /// A bot took its turn: what it does between two waits.
    BotStepped {
        /// The interaction.
        interaction: InteractionId,
        /// The bot.
        bot: BotName,
        /// Counts the turns, from 0.
        turn: u32,
        /// The steps that it took.
        taken: Vec<Taken>,
        /// What it waits for now; none = it ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait: Option<BotWait>,
    },
    /// The customer did not answer a bot in time.
    BotTimedOut {
        /// The interaction.
        interaction: InteractionId,
    },
    /// A bot talks no more. What becomes of the interaction is said by the next event, but for one that goes on waiting.
    BotEnded {
        /// The interaction.
        interaction: InteractionId,
        /// The bot.
        bot: BotName,
        /// Why it talks no more.
        reason: BotEndReason,
        /// The place in the queue that it asks for, 0 to 9; higher comes first.
        #[serde(default, skip_serializing_if = "is_no_priority")]
        priority: u8,
    },
    /// A bot left a note.
    BotNoted {
        /// The note.
        note: NoteId,
        /// The interaction that the note is about.
        interaction: InteractionId,
        /// The bot.
        bot: BotName,
    },
    /// An interaction has waited in the queue for too long. It goes on waiting. Once for each interaction.
    QueueTimedOut {
        /// The interaction.
        interaction: InteractionId,
    },
    /// An agent has the interaction.
    InteractionAssigned {
        /// The interaction.
        interaction: InteractionId,
        /// The agent who has it now.
        user: UserId,
        /// Its epoch from now on.
        epoch: Epoch,
        /// Their position among the members, when the strategy chose them. None: they wrote first, or an event of a version that did
        /// not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<u32>,
        /// The offer that they accepted; none = they were not asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<OfferId>,
        /// It is theirs because the customer had them last; no strategy chose.
        #[serde(default, skip_serializing_if = "is_false")]
        previous: bool,
        /// The agent who had it before, and handed it over or lost it to a supervisor's decision.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<UserId>,
        /// The supervisor who gave it to them, or took it over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserId>,
    },
    /// Agents are asked whether they take an interaction.
    InteractionOffered {
        /// The interaction.
        interaction: InteractionId,
        /// The offer.
        offer: OfferId,
        /// The agents of whom the first to accept has the interaction.
        users: Vec<UserId>,
        /// Seconds after which it ends, unless the channel is disabled meanwhile.
        timeout_seconds: u32,
        /// Their position among the members, when the strategy chose one of them. None: all of a kind are asked, or the previous agent is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<u32>,
        /// The one agent is asked because the customer had them last; no strategy chose.
        #[serde(default, skip_serializing_if = "is_false")]
        previous: bool,
    },
    /// More agents are asked, who have become available since.
    OfferExtended {
        /// The interaction.
        interaction: InteractionId,
        /// The offer.
        offer: OfferId,
        /// Who may accept it too.
        users: Vec<UserId>,
    },
    /// An agent does not take an interaction.
    OfferDeclined {
        /// The interaction.
        interaction: InteractionId,
        /// The offer.
        offer: OfferId,
        /// The agent.
        user: UserId,
    },
    /// Agents are asked no more.
    OfferWithdrawn {
        /// The interaction.
        interaction: InteractionId,
        /// The offer.
        offer: OfferId,
        /// The agents.
        users: Vec<UserId>,
        /// What ended it for them.
        reason: WithdrawalReason,
    },
    /// Agents who were asked in vain may be asked again.
    OfferRested {
        /// The interaction.
        interaction: InteractionId,
        /// The agents.
        users: Vec<UserId>,
    },
    /// An agent hands an interaction over. Until somebody has taken it, it stays theirs.
    TransferStarted {
        /// The interaction.
        interaction: InteractionId,
        /// The agent who has it.
        user: UserId,
        /// The agent who is asked whether they take it; none = it stands in the queue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<UserId>,
        /// What that agent is asked, among the interaction's offers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<OfferId>,
        /// Seconds after which it ends, unless the channel is disabled meanwhile; none = it does not end by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_seconds: Option<u32>,
    },
    /// Nobody took what was handed over: the agent who has it keeps it.
    TransferEnded {
        /// The interaction.
        interaction: InteractionId,
        /// The agent who should take it; none = it stood in the queue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<UserId>,
        /// Why nobody took it.
        reason: TransferEndReason,
    },
    /// An interaction went from its owner back to the head of the queue; it keeps its arrival time.
    InteractionRequeued {
        /// The interaction.
        interaction: InteractionId,
        /// The agent who had it.
        user: UserId,
        /// Its epoch from now on.
        epoch: Epoch,
        /// What took it from its owner.
        reason: RequeueReason,
    },
    /// An interaction ended.
    InteractionClosed {
        /// The interaction.
        interaction: InteractionId,
        /// The end that it came to.
        reason: CloseReason,
        /// Its owner, if it had one.
        owner: Option<UserId>,
        /// When its owner finished it: the date in the campaign's time zone, on which it counts as completed by them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        completed_on: Option<Date>,
        /// Its outcome, as its owner or a supervisor said when they ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        disposition: Option<DispositionName>,
        /// The supervisor who closed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserId>,
    },
    /// An interaction's service level is known.
    ServiceLevelSampled {
        /// The interaction.
        interaction: InteractionId,
        /// How it ended for the customer who waited.
        result: SampleResult,
        /// How long they waited, in milliseconds.
        waited_millis: u64,
        /// The target in force, in seconds.
        target_seconds: u64,
        /// Whether they waited no longer than the target.
        in_target: bool,
    },
    /// A member left a note.
    NoteAdded {
        /// The note.
        note: NoteId,
        /// The interaction that the note is about.
        interaction: InteractionId,
        /// The member who wrote it.
        user: UserId,
    },
}

/// A message's way to the customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// A message was given up before it was sent: the customer opted out.
    OutboundCanceled {
        /// The message.
        message: MessageId,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// An agent could not start an interaction with a number on a blocklist.
    StartBlocked {
        /// The agent who tried.
        user: UserId,
        /// With whom, if they are known.
        customer: Option<CustomerId>,
    },
}

/// An agent finished an interaction, and a bot still talks to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinishedBy {
    /// The agent.
    pub owner: UserId,
    /// The date in the campaign's time zone, on which it counts as completed by them.
    pub completed_on: Date,
    /// Its outcome, as they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<DispositionName>,
}

/// A bot waits for the customer's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BotWait {
    /// The step that asks.
    pub step: String,
    /// How often it did, from 1.
    pub attempt: u32,
    /// For so many seconds.
    pub seconds: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_no_priority(priority: &u8) -> bool {
    *priority == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
