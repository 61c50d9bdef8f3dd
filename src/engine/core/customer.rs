//! A customer, as far as decisions need to know them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    clock::ChannelTime,
    ids::{CustomerId, InteractionId, UserId},
};

/// A customer. The store keeps all of them; the state those whom something open concerns, and those who were asked about lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// The id that stands for their address in events and state.
    pub id: CustomerId,
    /// Whether they can be answered: their address is a number.
    pub can_receive: bool,
    /// Nothing may be sent to them.
    pub opted_out: bool,
    /// When they were last sent the text for those who write outside the hours.
    pub out_of_hours_text_at: Option<Timestamp>,
    /// When they were last sent the text for those who find the queue full.
    pub queue_full_text_at: Option<Timestamp>,
    /// Their open interaction.
    pub open: Option<InteractionId>,
    /// Who had the last of their interactions that an agent had, once it ended.
    pub last_agent: Option<LastAgent>,
}

/// Who had an interaction that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastAgent {
    /// The agent.
    pub user: UserId,
    /// When it ended, in the time for which the channel was enabled.
    pub ended_at: ChannelTime,
}

impl Customer {
    pub(super) const fn new(id: CustomerId, can_receive: bool) -> Self {
        Self {
            id,
            can_receive,
            opted_out: false,
            out_of_hours_text_at: None,
            queue_full_text_at: None,
            open: None,
            last_agent: None,
        }
    }
}
