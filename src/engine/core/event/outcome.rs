//! Why something happened, and how it ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    bot::Failure,
    engine::core::ids::{MessageId, UserId},
};

/// What became of a customer's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// A bot talks to the customer of a new interaction before it enters the queue.
    Bot,
}

/// The side whose message began an interaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "by", rename_all_fields = "camelCase")]
pub enum Origin {
    /// The customer.
    Customer,
    /// An agent.
    Agent {
        /// The agent who wrote first.
        user: UserId,
    },
}

/// How a customer opted out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "by", rename_all_fields = "camelCase")]
pub enum OptOutBy {
    /// With a word.
    Keyword {
        /// The text that was the word.
        message: MessageId,
    },
    /// At the provider, which took a text of theirs for an opt-out, or refused a message to them for one.
    Provider {
        /// That text, or that message.
        message: MessageId,
    },
    /// On another channel or in another system: a supervisor brought it along.
    Import {
        /// The supervisor.
        user: UserId,
        /// When the customer opted out there, as the supervisor says; when it was brought along, if they did not say.
        since: Timestamp,
    },
}

/// Why an interaction went back to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum RequeueReason {
    /// Its owner was offline for too long.
    OwnerOffline,
    /// Its owner is neither a member nor a supervisor any more.
    OwnerRemoved,
}

/// Why an agent is asked no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum WithdrawalReason {
    /// Nobody accepted in time.
    TimedOut,
    /// The agent was offline for too long.
    AgentOffline,
    /// The agent said that they take no interactions.
    AgentNotPresent,
    /// The agent is no member any more.
    AgentRemoved,
}

/// Why nobody took what an agent handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum TransferEndReason {
    /// Its owner took it back.
    Canceled,
    /// The agent to whom it should go declined.
    Declined,
    /// Nobody took it in time.
    TimedOut,
    /// The agent to whom it should go was offline for too long.
    AgentOffline,
    /// The agent to whom it should go takes no interactions.
    AgentNotPresent,
    /// The agent to whom it should go is no member any more.
    AgentRemoved,
    /// Its owner was offline for too long.
    OwnerOffline,
    /// Its owner is neither a member nor a supervisor any more.
    OwnerRemoved,
    /// A supervisor gave it to somebody.
    Assigned,
    /// The interaction was closed.
    Closed,
}

impl From<RequeueReason> for TransferEndReason {
    fn from(reason: RequeueReason) -> Self {
        match reason {
            RequeueReason::OwnerOffline => Self::OwnerOffline,
            RequeueReason::OwnerRemoved => Self::OwnerRemoved,
        }
    }
}

impl From<WithdrawalReason> for TransferEndReason {
    fn from(reason: WithdrawalReason) -> Self {
        match reason {
            WithdrawalReason::TimedOut => Self::TimedOut,
            WithdrawalReason::AgentOffline => Self::AgentOffline,
            WithdrawalReason::AgentNotPresent => Self::AgentNotPresent,
            WithdrawalReason::AgentRemoved => Self::AgentRemoved,
        }
    }
}

/// Why a bot talks no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum BotEndReason {
    /// It came to a step that hands off.
    HandedOff,
    /// It came to a step that finishes.
    Finished,
    /// It failed: no attempt gave an accepted answer.
    NoAnswer,
    /// It failed: no answer came in time.
    TimedOut,
    /// It failed: its variables would take more than they may.
    TooManyVariables,
    /// It failed: the conversation went on for too long.
    TooManyTurns,
    /// It failed: its version, or a step of it, is not there.
    Lost,
    /// The customer opted out.
    OptedOut,
    /// A supervisor gave the interaction to somebody.
    Assigned,
    /// A supervisor closed the interaction.
    Closed,
}

impl From<Failure> for BotEndReason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoAnswer => Self::NoAnswer,
            Failure::TimedOut => Self::TimedOut,
            Failure::TooManyVariables => Self::TooManyVariables,
            Failure::TooManyTurns => Self::TooManyTurns,
            Failure::Lost => Self::Lost,
        }
    }
}

/// Why an interaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum CloseReason {
    /// Its owner finished it; with a bot on end, once that has ended.
    Finished,
    /// The campaign was closed when the customer wrote.
    OutOfHours,
    /// No message for too long.
    Idle,
    /// The customer opted out while no agent had it.
    OptedOut,
    /// A supervisor closed it.
    BySupervisor,
    /// A bot finished it before it entered the queue.
    BotFinished,
    /// It had waited for too long, and the bot that ran then finished it or failed.
    QueueTimeout,
}

/// How an interaction ended for a customer who waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum SampleResult {
    /// An agent replied or, where that counts as the answer, had it.
    Answered,
    /// The system closed it.
    Unanswered,
    /// The customer opted out.
    Abandoned,
    /// An agent finished it, or a supervisor closed it, without a reply.
    NoReply,
}

/// What an outbound message is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Purpose {
    /// An agent's reply.
    Reply {
        /// The agent who wrote it.
        user: UserId,
    },
    /// The first message of an interaction that an agent started.
    Start {
        /// The agent who wrote it.
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
    /// A text of a bot.
    Bot,
}

impl Purpose {
    /// Whether it may go to a customer who opted out: only what answers the customer's own opt-out or call for help may.
    pub const fn answers_opted_out(&self) -> bool {
        match self {
            Self::OptOutConfirmation | Self::Help => true,
            Self::Reply { .. }
            | Self::Start { .. }
            | Self::OutOfHours
            | Self::QueueFull
            | Self::OptInConfirmation
            | Self::Bot => false,
        }
    }
}
