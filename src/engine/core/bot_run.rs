//! A bot that runs in an interaction. Its variables and texts are no part of the state: the shell brings them for each turn.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    clock::ChannelTime,
    ids::{BotName, BotVersion, MessageId},
};

/// The moments of an interaction at which a bot runs.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    schemars::JsonSchema,
)]
pub enum BotSlot {
    /// Before an interaction enters the queue.
    OnStart,
    /// When it has waited there for too long.
    OnQueueTimeout,
    /// After its agent has finished it.
    OnEnd,
}

/// A bot as the channel names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotRef {
    /// The bot.
    pub name: BotName,
    /// The version that conversations begin with now.
    pub version: BotVersion,
}

/// The bots of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bots {
    /// Meets a customer before the queue.
    pub on_start: Option<BotRef>,
    /// Talks to a customer who has waited for too long.
    pub on_queue_timeout: Option<BotRef>,
    /// Talks to a customer after the agent has finished.
    pub on_end: Option<BotRef>,
}

/// A bot that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BotRun {
    /// The moment at which it began.
    pub slot: BotSlot,
    /// The bot.
    pub bot: BotName,
    /// The version that it began with, to which it keeps.
    pub version: BotVersion,
    /// When it began: tells it from the others of its interaction.
    #[serde(default)]
    pub begun_at: Timestamp,
    /// Counts what it did, from 0: a turn is what it does between two waits.
    pub turn: u32,
    /// Its own turn, or the customer.
    pub waits: BotWaits,
}

/// One turn of one run: each run of an interaction counts its turns anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunTurn {
    /// When its run began, which no other run of the interaction did.
    pub begun_at: Timestamp,
    /// Counts within the run, from 0.
    pub turn: u32,
}

/// What a bot waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all_fields = "camelCase")]
pub enum BotWaits {
    /// For its turn: the shell brings what it needs, the answer of a service included.
    Turn {
        /// What it goes on with.
        with: TurnInput,
    },
    /// For the customer.
    Answer {
        /// The step that asks, and how often it did, from 1.
        question: Question,
        /// When it is too late.
        until: ChannelTime,
    },
}

/// A question that was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// The step.
    pub step: String,
    /// How often it was put, from 1.
    pub attempt: u32,
}

/// What a bot goes on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all_fields = "camelCase")]
pub enum TurnInput {
    /// It begins.
    Begin,
    /// The customer wrote after this question was put.
    Answer {
        /// The question.
        question: Question,
        /// The customer's message.
        message: MessageId,
    },
    /// Nothing came in time.
    TimedOut {
        /// The question.
        question: Question,
    },
    /// A service answered, or did not: the shell calls it. A call whose result is not committed is made again.
    Called {
        /// The step that calls.
        step: String,
    },
}

impl BotRun {
    /// One that begins.
    pub(super) fn begin(slot: BotSlot, bot: &BotName, version: &BotVersion, at: Timestamp) -> Self {
        let waits = BotWaits::Turn { with: TurnInput::Begin };
        Self { slot, bot: bot.clone(), version: version.clone(), begun_at: at, turn: 0, waits }
    }

    /// The turn that is next.
    pub const fn next_turn(&self) -> RunTurn {
        RunTurn { begun_at: self.begun_at, turn: self.turn }
    }

    /// Whether its next turn needs the answer of a service.
    pub(super) const fn calls(&self) -> bool {
        matches!(self.waits, BotWaits::Turn { with: TurnInput::Called { .. } })
    }

    /// What its next turn goes on with, if it waits for none but the shell.
    pub const fn input(&self) -> Option<&TurnInput> {
        match &self.waits {
            BotWaits::Turn { with } => Some(with),
            BotWaits::Answer { .. } => None,
        }
    }

    /// When it waits for the customer no more.
    pub(super) const fn until(&self) -> Option<ChannelTime> {
        match &self.waits {
            BotWaits::Turn { .. } => None,
            BotWaits::Answer { until, .. } => Some(*until),
        }
    }

    /// The customer wrote: the answer, if the bot waits for one.
    pub(super) fn answer(&mut self, message: MessageId) {
        if let BotWaits::Answer { question, .. } = &self.waits {
            let question = question.clone();
            self.waits = BotWaits::Turn { with: TurnInput::Answer { question, message } };
        }
    }

    /// Nobody wrote in time.
    pub(super) fn time_out(&mut self) {
        if let BotWaits::Answer { question, .. } = &self.waits {
            let question = question.clone();
            self.waits = BotWaits::Turn { with: TurnInput::TimedOut { question } };
        }
    }
}
