//! An interaction's way from its beginning to its end: the queue, offers, bots, agents, the close.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    super::{
        bot_run::BotSlot,
        ids::{BotName, BotVersion, CustomerId, DispositionName, Epoch, InteractionId, NoteId, OfferId, UserId},
    },
    BotEndReason, CloseReason, Origin, RequeueReason, SampleResult, TransferEndReason, WithdrawalReason, is_false,
};
use crate::bot::Taken;

/// An interaction's way from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
        /// The step at which it failed, if it did at one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
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

/// An agent finished an interaction, and a bot still talks to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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

/// What a bot waits for after its turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum BotWait {
    /// The customer's answer.
    Answer {
        /// The step that asks.
        step: String,
        /// How often it did, from 1.
        attempt: u32,
        /// For so many seconds.
        seconds: u32,
    },
    /// The answer of a service.
    Service {
        /// The step that calls it.
        calls: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_no_priority(priority: &u8) -> bool {
    *priority == 0
}
