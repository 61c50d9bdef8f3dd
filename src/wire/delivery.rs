//! Gateway to engine: several messages and receipts in one request.
//!
//! The engine takes them as if each had come by itself, at the same time as the others, and answers when it has looked at all:
//! with a list of as many entries, in their order. An entry is null when the item is on the disk, else the problem that a request of its own would have got.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{inbound::InboundMessage, problem::Problem, receipt::Receipt};

/// Items of one request at most. Together they are no longer than [`MAX_DELIVERY_BYTES`](super::inbound::MAX_DELIVERY_BYTES).
pub const MAX_DELIVERIES: usize = 64;

/// What a gateway has for an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Item {
    /// A customer's message.
    Inbound(InboundMessage),
    /// A delivery receipt.
    Receipt(Receipt),
}

/// The answer to a list of [`Item`].
pub type DeliveryAnswers = Vec<Option<Problem>>;

impl Item {
    /// Our number.
    pub(crate) fn number(&self) -> &str {
        match self {
            Self::Inbound(message) => &message.to,
            Self::Receipt(receipt) => &receipt.from,
        }
    }

    /// Within this the order is kept: the customer, or the message that the receipt is about.
    pub(crate) fn ordering_key(&self) -> &str {
        match self {
            Self::Inbound(message) => &message.from,
            Self::Receipt(receipt) => &receipt.provider_message_id,
        }
    }

    /// The provider's id of the message.
    pub(crate) fn provider_message_id(&self) -> &str {
        match self {
            Self::Inbound(message) => &message.provider_message_id,
            Self::Receipt(receipt) => &receipt.provider_message_id,
        }
    }

    /// `Inbound` or `Receipt`, as in the table and in metrics.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Inbound(_) => "Inbound",
            Self::Receipt(_) => "Receipt",
        }
    }

    pub(crate) const fn received_at(&self) -> Timestamp {
        match self {
            Self::Inbound(message) => message.received_at,
            Self::Receipt(receipt) => receipt.received_at,
        }
    }
}
