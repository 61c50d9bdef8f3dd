//! Where a page of interactions ended.

use jiff::Timestamp;

use crate::engine::core::ids::{InteractionId, MessageId};

/// The place of an interaction in a list. Lists are in the order in which interactions arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InteractionPlace {
    /// The arrival of the interaction, which is the order of the lists.
    pub at: Timestamp,
    /// Among those that arrived at the same time.
    pub id: InteractionId,
    /// A message of the customer behind it, to which their list came before it found another one.
    pub message: Option<MessageId>,
}
