//! What was said in an interaction.

use jiff::Timestamp;
use serde::Serialize;

use super::interactions::Interaction;
use crate::{
    engine::{
        core::{
            delivery::{FailureClass, MessageStatus},
            event::{InboundOutcome, Purpose},
        },
        store::read::{BlockedStartRow, InteractionDetail, MessageKind, MessageRow, NoteRow},
    },
    sms::Encoding,
};

/// An interaction with what was said in it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Conversation {
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
pub(in crate::engine::http) struct Note {
    /// The note's number. Later notes have higher numbers.
    pub id: u64,
    /// The member who wrote it; absent when a bot left it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The bot that left it; absent when a member wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What the member or the bot wrote.
    pub text: String,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(in crate::engine::http) enum Direction {
    /// From the customer.
    Inbound,
    /// To the customer.
    Outbound,
}

/// A message.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Message {
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
    /// Inbound: when the gateway got it, or the first of its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub received_at: Option<Timestamp>,
    /// Inbound: of how many parts the text was; absent when it came as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<u8>,
    /// Inbound: parts of the text are missing. In `text` the mark `[…]` stands where they would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<Incomplete>,
    /// Outbound: what it is (`Reply`, `Start`, `OutOfHours`, `QueueFull`, `OptOutConfirmation`, `OptInConfirmation`, `Help`, `Bot`).
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

/// What is missing of a text that came in parts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Incomplete {
    /// The parts, counted from 1. One that comes later is a message of its own.
    pub missing: Vec<u8>,
}

/// A page of messages.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Messages {
    /// The messages, newest first; oldest first when `after` was given.
    pub items: Vec<Message>,
    /// Pass as `cursor` for the next page; absent on the last one, and when `after` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A page of starts that a blocklist stopped.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct BlockedStarts {
    /// The starts, newest first.
    pub items: Vec<BlockedStart>,
    /// Pass as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// An agent's start of an interaction that a blocklist stopped. Nothing was sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct BlockedStart {
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
        Self {
            id: row.id.0,
            user: row.user.map(String::from),
            bot: row.bot.map(String::from),
            at: row.at,
            text: row.text,
        }
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
            parts: None,
            incomplete: None,
            purpose: None,
            user: None,
            encoding: None,
            segments: None,
            status: None,
            failure: None,
            provider_code: None,
        };
        match row.kind {
            MessageKind::Inbound { outcome, received_at, parts } => {
                let (total, missing) = parts.map(|parts| (parts.total, parts.missing)).unzip();
                let incomplete = missing.filter(|missing| !missing.is_empty()).map(|missing| Incomplete { missing });
                let (outcome, received_at) = (Some(outcome), Some(received_at));
                Self { outcome, received_at, parts: total, incomplete, ..message }
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
        Purpose::Bot => ("Bot", None),
    }
}

const fn status_and_failure(status: MessageStatus) -> (&'static str, Option<FailureClass>) {
    let failure = match status {
        MessageStatus::Failed(class) => Some(class),
        _ => None,
    };
    (status.name(), failure)
}
