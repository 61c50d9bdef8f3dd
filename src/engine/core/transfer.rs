//! A transfer: the owner of an interaction hands it over. Until somebody has taken it, it stays theirs.

use serde::{Deserialize, Serialize};

use super::{
    clock::ChannelTime,
    ids::{OfferId, UserId},
    offer::Offer,
};

/// The owner of an interaction hands it over. Until somebody has taken it they keep it, with its slot, and they alone may reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// To whom.
    pub to: Recipient,
    /// When it ends, if nobody has taken it; none = it does not end by itself.
    pub until: Option<ChannelTime>,
}

/// To whom an interaction is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all_fields = "camelCase")]
pub enum Recipient {
    /// One agent, who is asked whether they take it.
    Agent {
        /// The agent.
        user: UserId,
        /// What they are asked, counted among the offers of the interaction.
        offer: OfferId,
    },
    /// The channel's queue: another agent has it, or is asked, as the strategy says.
    Queue {
        /// The agents who are asked.
        #[serde(default)]
        offer: Option<Offer>,
    },
}
