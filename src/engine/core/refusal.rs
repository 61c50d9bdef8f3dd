//! Why a command does nothing.

use jiff::Timestamp;

use super::{
    delivery::MessageStatus,
    ids::{Attempt, CustomerId, DispositionName, Epoch, InteractionId, MessageId, OfferId, UserId},
};

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No open interaction has this id.
    #[error("there is no open interaction {0}")]
    NotOpen(InteractionId),
    /// The owner changed since.
    #[error("the interaction's owner has changed: its epoch is {current}, not {shown}", current = current.0, shown = shown.0)]
    StaleEpoch {
        /// The epoch in force.
        current: Epoch,
        /// The epoch shown.
        shown: Epoch,
    },
    /// The offer has ended, or does not go to this user: another agent was faster, it took too long, or it was never theirs.
    #[error("offer {0} is over: another agent has the interaction, or it is offered to somebody else now")]
    OfferOver(OfferId),
    /// Somebody else has the interaction, or nobody.
    #[error("only the agent who has the interaction may do this")]
    NotOwner,
    /// The user is no member of the campaign.
    #[error("{0} is not a member of the campaign")]
    NotAMember(UserId),
    /// The member may not start interactions.
    #[error("{0} may not start interactions: the campaign's member has initiate: false")]
    MayNotInitiate(UserId),
    /// The agent has all the interactions that they may have.
    #[error(
        "the agent has, or is offered, {open} of at most {maximum} interactions; finish one, or answer an offer, first"
    )]
    AtCapacity {
        /// How many they have or are offered.
        open: u32,
        /// How many they may have.
        maximum: u32,
    },
    /// The user is no supervisor of the campaign.
    #[error("{0} is not a supervisor of the campaign")]
    NotASupervisor(UserId),
    /// The agent has the interaction.
    #[error("{0} has the interaction already")]
    AlreadyTheirs(UserId),
    /// Who takes an interaction over must be online.
    #[error("you have no stream open: what you take over would go back to the queue; open the stream first")]
    NoStream,
    /// The campaign wants to know the outcome.
    #[error("the campaign asks for a disposition; choose one of those that GET …/dispositions lists")]
    DispositionMissing,
    /// The campaign has no such disposition.
    #[error("the campaign has no disposition {0}; choose one of those that GET …/dispositions lists")]
    NoSuchDisposition(DispositionName),
    /// The interaction is being handed over already.
    #[error("the interaction is being transferred already; cancel that first")]
    InTransfer,
    /// The interaction is not being handed over.
    #[error("the interaction is not being transferred: it was taken back, declined, or took too long")]
    NotInTransfer,
    /// An agent cannot hand over to themselves.
    #[error("the interaction is yours already; name another agent, or the queue")]
    TransferToOneself,
    /// Nobody of this name is a member of the campaign.
    #[error("{0} is not a member of the campaign; name a member as the campaign writes them")]
    NoSuchMember(UserId),
    /// The agent has no stream open.
    #[error("{0} can be given nothing now: they are offline")]
    AgentOffline(UserId),
    /// The agent says that they take no interactions.
    #[error("{0} can be given nothing now: they say that they take no interactions")]
    AgentNotPresent(UserId),
    /// The campaign gives the agent no interactions.
    #[error("{0} can be given nothing: their membership has receive: false")]
    MayNotReceive(UserId),
    /// The channel or its campaign is disabled.
    #[error("the channel or its campaign is disabled")]
    Disabled,
    /// The customer opted out.
    #[error("the customer has opted out; nothing may be sent until they opt in again")]
    OptedOut,
    /// The number is on a blocklist.
    #[error("the number is on a blocklist")]
    Blocked,
    /// The sender is no number: nothing can be sent to it.
    #[error("the customer's address cannot receive messages")]
    CannotReceive,
    /// The customer has an open interaction already.
    #[error("the customer has the open interaction {0}")]
    AlreadyOpen(InteractionId),
    /// The volume is full, and the text changes nothing about the customer's consent.
    #[error("the volume is full; what is open can be finished")]
    NoRoom,
    /// There is nothing to send.
    #[error("the text is empty")]
    EmptyText,
    /// More text than a message may have.
    #[error("the text has {segments} segments; at most {maximum} can be sent")]
    TextTooLong {
        /// Segments of the text.
        segments: u32,
        /// Segments that a message may have.
        maximum: u32,
    },
    /// The shell did not hydrate the customer: a fault of ours, to be answered as one.
    #[error("customer {0} was not loaded")]
    NotHydrated(CustomerId),
    /// No message to a customer has this id.
    #[error("there is no message {0} to a customer")]
    NoSuchMessage(MessageId),
    /// The engine wrote the message by itself.
    #[error("message {0} is a text of the engine's own; only what agents and bots wrote can be sent once more")]
    NotResendable(MessageId),
    /// It is known what came of the message, or it is on its way.
    #[error("message {message} is {}: only one of which nobody knows whether it was sent (Unknown) can be sent once more", status.name())]
    NotUnknown {
        /// The message.
        message: MessageId,
        /// The state that it is in.
        status: MessageStatus,
    },
    /// A list of opt-outs says that a customer opts out later than now.
    #[error("{at} is in the future: it is {now}; write when the customer opted out, or leave it out")]
    OptOutInFuture {
        /// The place in the list, from 0.
        index: usize,
        /// The time that the list says.
        at: Timestamp,
        /// The engine's time.
        now: Timestamp,
    },
    /// The message does not wait for the answer to this attempt.
    #[error("message {message} does not wait for attempt {attempt}", attempt = attempt.0)]
    NotWaiting {
        /// The message.
        message: MessageId,
        /// The attempt.
        attempt: Attempt,
    },
}
