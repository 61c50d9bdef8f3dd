//! Documents that agents see. Times are RFC 3339 in UTC; ids are numbers that only grow.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    engine::{
        core::{
            delivery::{FailureClass, MessageStatus},
            event::{CloseReason, InboundOutcome, Purpose},
            offer,
            transfer::{self, Recipient},
        },
        store::read::{
            BlockedStartRow, InteractionDetail, InteractionRow, InteractionState, MessageKind, MessageRow, NoteRow,
        },
    },
    sms::Encoding,
};

/// A page of starts that a blocklist stopped.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockedStarts {
    /// The starts, newest first.
    pub items: Vec<BlockedStart>,
    /// Pass as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// An agent's start of an interaction that a blocklist stopped. Nothing was sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockedStart {
    /// When the agent tried.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The agent who tried.
    pub user: String,
    /// The number.
    pub number: String,
}

impl From<BlockedStartRow> for BlockedStart {
    fn from(row: BlockedStartRow) -> Self {
        Self { at: row.at, user: row.user.into(), number: row.number }
    }
}

/// The agent who asks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Me {
    /// The user's name, as the campaign's members are written.
    pub user: String,
    /// The channels that the agent serves here.
    pub channels: Vec<MyChannel>,
}

/// What the agent who asks is to a channel, and has there.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MyChannel {
    /// The SmsChannel's name: `{channel}` in all paths of it.
    pub channel: String,
    /// Its number, canonical form.
    pub number: String,
    /// Whether the agent takes interactions, as set by `PUT /v1/channels/{channel}/me/presence`; or false because they let three offers in a row
    /// pass. Ask them before saying that they are back.
    pub present: bool,
    /// Whether a stream is open.
    pub online: bool,
    /// Whether the campaign gives interactions to this member.
    pub receive: bool,
    /// Whether this member may start interactions.
    pub initiate: bool,
    /// Whether the agent is a supervisor of the campaign.
    pub supervises: bool,
    /// Open interactions at once; 0 for a supervisor who is no member.
    pub max_interactions: u32,
    /// The interactions that the agent has.
    pub interactions: Vec<u64>,
    /// What the agent is asked, and may accept.
    pub offers: Vec<MyOffer>,
}

/// An interaction that the agent who asks is offered.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MyOffer {
    /// The interaction.
    pub interaction: u64,
    /// The offer's `id`: accept and decline show it.
    pub offer: u64,
    /// The agent who hands it over, to them or to the queue; absent when it waits for an agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Seconds until it ends, unless the channel is disabled meanwhile; absent when it does not end by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
}

/// The agents of a channel.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agents {
    /// The campaign's members, and supervisors who are online or have something, in order of their names.
    pub items: Vec<AgentAtWork>,
}

/// An agent as supervisors see them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AgentAtWork {
    /// The user's name, as the campaign's members are written.
    pub user: String,
    /// Whether a stream is open.
    pub online: bool,
    /// Whether they take interactions, as they say.
    pub present: bool,
    /// Whether the campaign gives them interactions.
    pub receive: bool,
    /// Whether they are a supervisor.
    pub supervises: bool,
    /// Open interactions at once; 0 for a supervisor who is no member.
    pub max_interactions: u32,
    /// The interactions that they have.
    pub interactions: Vec<u64>,
    /// The interactions that they are asked about.
    pub offers: Vec<u64>,
    /// When they last finished one; absent when they never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_finish: Option<Timestamp>,
}

/// Whether an agent takes interactions.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Presence {
    /// Whether they do.
    pub present: bool,
}

/// A page of interactions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Interactions {
    /// The interactions.
    pub items: Vec<Interaction>,
    /// Pass as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What agents may choose as the outcome of an interaction.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dispositions {
    /// The dispositions, in the order of their paths.
    pub items: Vec<Disposition>,
    /// Whether one must be chosen to finish an interaction.
    pub required: bool,
}

/// What an agent may choose as the outcome of an interaction.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Disposition {
    /// What `finish` takes and what is recorded.
    pub name: String,
    /// Where it stands in a tree, with slashes between the levels.
    pub path: String,
}

/// A page of messages.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Messages {
    /// The messages, newest first.
    pub items: Vec<Message>,
    /// Pass as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Where an interaction is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub enum State {
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
pub(super) struct Interaction {
    /// The interaction's number in all paths of it. Later ones have higher numbers.
    pub id: u64,
    /// The customer's number, or the sender's name when it is no number.
    pub customer: String,
    /// The customer has opted out: nothing can be sent.
    pub opted_out: bool,
    /// Whether it waits for an agent, is with one, or has ended.
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
    /// What ended it: `Finished`, `OutOfHours`, `Idle`, `OptedOut` or `BySupervisor`; absent while it is open.
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
pub(super) struct Offer {
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
pub(super) enum TransferTo {
    /// To this agent, as the campaign's members are written. They must be online and present, and are asked whether they take it.
    Agent(String),
    /// Back to the queue: to whom the channel's strategy names, but for its owner.
    Queue,
}

/// The owner of an interaction hands it over. It is theirs until somebody has taken it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transfer {
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

/// An interaction with what was said in it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conversation {
    /// The interaction.
    #[serde(flatten)]
    pub interaction: Interaction,
    /// Its newest messages (up to 500), oldest first.
    pub messages: Vec<Message>,
    /// Its newest notes (up to 500), oldest first.
    pub notes: Vec<Note>,
}

/// A note that the customer does not see.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Note {
    /// The note's number. Later notes have higher numbers.
    pub id: u64,
    /// The member who wrote it.
    pub user: String,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Its text, as the member wrote it.
    pub text: String,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(super) enum Direction {
    /// From the customer.
    Inbound,
    /// To the customer.
    Outbound,
}

/// A message.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    /// Its id. Later messages have higher ids.
    pub id: u64,
    /// The interaction that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction: Option<u64>,
    /// From the customer or to the customer.
    pub direction: Direction,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The text, as it was received or will be sent.
    pub text: String,
    /// Inbound: what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "Queued")]
    pub outcome: Option<InboundOutcome>,
    /// Inbound: when the gateway got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub received_at: Option<Timestamp>,
    /// Outbound: what it is (`Reply`, `Start`, `OutOfHours`, `QueueFull`, `OptOutConfirmation`, `OptInConfirmation`, `Help`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<&'static str>,
    /// Outbound: the agent who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Outbound: how it is written, `Gsm7` or `Ucs2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "Gsm7")]
    pub encoding: Option<Encoding>,
    /// Outbound: how many messages it takes on the air.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<u32>,
    /// Outbound: how far it came (`Waiting`, `Sending`, `Unknown`, `Accepted`, `Sent`, `Delivered`, `Failed`, `Canceled`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// Outbound, when it failed: the class of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "InvalidNumber")]
    pub failure: Option<FailureClass>,
    /// Outbound: the provider's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_code: Option<String>,
}

/// An interaction that an agent started.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Started {
    /// The interaction.
    pub interaction: u64,
    /// The interaction's epoch: reply and finish show it.
    pub epoch: u32,
    /// The id of the message that goes to the customer.
    pub message: u64,
}

/// An interaction that is the agent's from now on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted {
    /// The interaction's epoch: reply and finish show it.
    pub epoch: u32,
}

/// A reply that will be sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replied {
    /// The message.
    pub message: u64,
}

/// A note that was taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Noted {
    /// The note.
    pub note: u64,
}

/// Done; there is nothing to say about it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Done {}

/// The channel in numbers, now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statistics {
    /// Interactions that wait for an agent.
    pub waiting: u64,
    /// How long the oldest of them has waited, in seconds.
    pub oldest_wait_seconds: u64,
    /// Interactions that agents have.
    pub active: u64,
    /// Those of them that they hand over and nobody has taken yet.
    pub transferring: u64,
    /// Agents with an open stream.
    pub agents_online: u64,
    /// Agents who can be given an interaction.
    pub agents_available: u64,
    /// Messages that wait to be sent or are at the gateway.
    pub outbox: u64,
    /// Whether the campaign is within its hours.
    pub in_hours: bool,
    /// When that changes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub hours_change_at: Option<Timestamp>,
    /// The service level over its window.
    pub service_level: ServiceLevel,
}

/// The service level over its window.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceLevel {
    /// Interactions that an agent answered, by what `serviceLevel.answeredBy` says.
    pub answered: u64,
    /// Of these, in target.
    pub answered_in_target: u64,
    /// Interactions whose customer opted out before.
    pub abandoned: u64,
    /// Of these, in target.
    pub abandoned_in_target: u64,
    /// Interactions that the system closed before.
    pub unanswered: u64,
    /// Interactions that an agent finished before without a reply.
    pub no_reply: u64,
    /// Of these, in target: they count in no percentage. Those finished later count as missed.
    pub no_reply_in_target: u64,
    /// `answeredInTarget / (answered + unanswered + noReply - noReplyInTarget)` in percent, floored; absent while there is no sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u64>,
    /// The same with abandoned interactions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_with_abandoned: Option<u64>,
}

impl From<InteractionState> for State {
    fn from(state: InteractionState) -> Self {
        match state {
            InteractionState::Queued => Self::Queued,
            InteractionState::Active => Self::Active,
            InteractionState::Closed => Self::Closed,
        }
    }
}

impl From<State> for InteractionState {
    fn from(state: State) -> Self {
        match state {
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

impl From<InteractionDetail> for Conversation {
    fn from(detail: InteractionDetail) -> Self {
        Self {
            interaction: detail.interaction.into(),
            messages: detail.messages.into_iter().map(Message::from).collect(),
            notes: detail.notes.into_iter().map(Note::from).collect(),
        }
    }
}

impl From<NoteRow> for Note {
    fn from(row: NoteRow) -> Self {
        Self { id: row.id.0, user: row.user.into(), at: row.at, text: row.text }
    }
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        let message = Self {
            id: row.id.0,
            interaction: row.interaction.map(|interaction| interaction.0),
            direction: Direction::Inbound,
            at: row.at,
            text: row.text,
            outcome: None,
            received_at: None,
            purpose: None,
            user: None,
            encoding: None,
            segments: None,
            status: None,
            failure: None,
            provider_code: None,
        };
        match row.kind {
            MessageKind::Inbound { outcome, received_at } => {
                Self { outcome: Some(outcome), received_at: Some(received_at), ..message }
            }
            MessageKind::Outbound { purpose, encoding, segments, status, provider_code } => {
                let (purpose, user) = purpose_and_user(purpose);
                let (status, failure) = status_and_failure(status);
                Self {
                    direction: Direction::Outbound,
                    purpose: Some(purpose),
                    user,
                    encoding: Some(encoding),
                    segments: Some(segments),
                    status: Some(status),
                    failure,
                    provider_code,
                    ..message
                }
            }
        }
    }
}

fn purpose_and_user(purpose: Purpose) -> (&'static str, Option<String>) {
    match purpose {
        Purpose::Reply { user } => ("Reply", Some(user.into())),
        Purpose::Start { user } => ("Start", Some(user.into())),
        Purpose::OutOfHours => ("OutOfHours", None),
        Purpose::QueueFull => ("QueueFull", None),
        Purpose::OptOutConfirmation => ("OptOutConfirmation", None),
        Purpose::OptInConfirmation => ("OptInConfirmation", None),
        Purpose::Help => ("Help", None),
    }
}

const fn status_and_failure(status: MessageStatus) -> (&'static str, Option<FailureClass>) {
    match status {
        MessageStatus::Waiting => ("Waiting", None),
        MessageStatus::Sending => ("Sending", None),
        MessageStatus::Unknown => ("Unknown", None),
        MessageStatus::Accepted => ("Accepted", None),
        MessageStatus::Sent => ("Sent", None),
        MessageStatus::Delivered => ("Delivered", None),
        MessageStatus::Failed(class) => ("Failed", Some(class)),
        MessageStatus::Canceled => ("Canceled", None),
    }
}
