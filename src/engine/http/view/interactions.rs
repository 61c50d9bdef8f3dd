//! Interactions, and lists of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::{
    core::{
        event::CloseReason,
        offer,
        transfer::{self, Recipient},
    },
    store::read::{InteractionRow, InteractionState},
};

/// A page of interactions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Interactions {
    /// The interactions.
    pub items: Vec<Interaction>,
    /// Pass as `cursor` for the next page; absent on the last one. There may be one on a page that is not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What agents may choose as the outcome of an interaction.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Dispositions {
    /// The dispositions, in the order of their paths.
    pub items: Vec<Disposition>,
    /// Whether one must be chosen to finish an interaction.
    pub required: bool,
}

/// What an agent may choose as the outcome of an interaction.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Disposition {
    /// What `finish` takes and what is recorded.
    pub name: String,
    /// Where it stands in a tree, with slashes between the levels.
    pub path: String,
}

/// Where an interaction is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub enum State {
    /// A bot talks to the customer, before it waits for an agent or after its agent has finished it.
    Bot,
    /// It waits for an agent.
    Queued,
    /// An agent has it.
    Active,
    /// It ended.
    Closed,
}

/// An interaction: a conversation from its first message to its close.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Interaction {
    /// The interaction's number in all paths of it. Later ones have higher numbers.
    pub id: u64,
    /// The customer's number, or the sender's name when it is no number.
    pub customer: String,
    /// The customer has opted out: nothing can be sent.
    pub opted_out: bool,
    /// Whether a bot talks to the customer, it waits for an agent, is with one, or has ended.
    pub state: State,
    /// Who has it, or had it when it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Counts its owners; reply and finish show it.
    pub epoch: u32,
    /// The agents who are asked whether they take it, while it stands in the queue and some are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// Its owner hands it over; absent when they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// The bot that talks to the customer now; absent when none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// The agent who wrote first; absent when the customer did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_by: Option<String>,
    /// When the engine took its first message.
    #[schema(value_type = String, format = DateTime)]
    pub arrived_at: Timestamp,
    /// Since when the customer waits for the answer that `serviceLevel.answeredBy` says, while they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub waiting_since: Option<Timestamp>,
    /// When it ended; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// What ended it: `Finished`, `OutOfHours`, `Idle`, `OptedOut`, `BySupervisor`, `BotFinished` or `QueueTimeout`; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "Finished")]
    pub close_reason: Option<CloseReason>,
    /// Its outcome, as its owner or a supervisor said when they ended it; absent when they said nothing, or it ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "refund-granted")]
    pub disposition: Option<String>,
}

/// Agents are asked whether they take an interaction.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Offer {
    /// Counts the offers of the interaction; accept and decline show it.
    pub id: u64,
    /// The agents who may accept it still; never empty.
    pub to: Vec<String>,
    /// Seconds that they had for it in all. `GET /v1/me` says how many are left.
    pub timeout_seconds: u32,
}

impl From<offer::Offer> for Offer {
    fn from(offer: offer::Offer) -> Self {
        let to = offer.to.into_iter().map(String::from).collect();
        Self { id: offer.id.0, to, timeout_seconds: offer.timeout_seconds }
    }
}

/// To whom an interaction is handed over.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) enum TransferTo {
    /// To this agent, as the campaign's members are written. They must be online and present, and are asked whether they take it.
    Agent(String),
    /// Back to the queue: to whom the channel's strategy names, but for its owner.
    Queue,
}

/// The owner of an interaction hands it over. It is theirs until somebody has taken it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Transfer {
    /// To whom.
    pub to: TransferTo,
    /// What the agent is asked, when one is named: accept and decline show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<u64>,
}

impl From<&transfer::Transfer> for Transfer {
    fn from(transfer: &transfer::Transfer) -> Self {
        match &transfer.to {
            Recipient::Agent { user, offer } => Self { to: TransferTo::Agent(user.to_string()), offer: Some(offer.0) },
            Recipient::Queue { .. } => Self { to: TransferTo::Queue, offer: None },
        }
    }
}

impl From<InteractionState> for State {
    fn from(state: InteractionState) -> Self {
        match state {
            InteractionState::Bot => Self::Bot,
            InteractionState::Queued => Self::Queued,
            InteractionState::Active => Self::Active,
            InteractionState::Closed => Self::Closed,
        }
    }
}

impl From<State> for InteractionState {
    fn from(state: State) -> Self {
        match state {
            State::Bot => Self::Bot,
            State::Queued => Self::Queued,
            State::Active => Self::Active,
            State::Closed => Self::Closed,
        }
    }
}

impl From<InteractionRow> for Interaction {
    fn from(row: InteractionRow) -> Self {
        Self {
            id: row.id.0,
            customer: row.address.into(),
            opted_out: row.opted_out,
            state: row.state.into(),
            owner: row.owner.map(String::from),
            epoch: row.epoch.0,
            transfer: row.transfer.as_ref().map(Transfer::from),
            bot: row.bot.map(|run| run.bot.into()),
            offer: row.offer.map(Offer::from),
            started_by: row.started_by.map(String::from),
            arrived_at: row.arrived_at,
            waiting_since: row.waiting_since,
            closed_at: row.closed_at,
            close_reason: row.close_reason,
            disposition: row.disposition.map(String::from),
        }
    }
}
