//! Gateway to engine: several messages and receipts in one request.
//!
//! The engine takes them as if each had come by itself, at the same time as the others, and answers when it has looked at all:
//! with a list of as many entries, in their order. An entry is null when the item is on the disk, else the problem that a request of its own would have got.

use serde::{Deserialize, Serialize};

use super::{inbound::InboundMessage, problem::Problem, receipt::Receipt};

/// Items of one request at most. Together they are no longer than [`MAX_DELIVERY_BYTES`](super::inbound::MAX_DELIVERY_BYTES).
pub const MAX_DELIVERIES: usize = 64;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    /// A customer's message.
    Inbound(InboundMessage),
    /// A delivery receipt.
    Receipt(Receipt),
}

/// The answer to a list of [`Delivery`].
pub type DeliveryAnswers = Vec<Option<Problem>>;
