//! What was done, as whoever asked for it hears it.

use serde::Serialize;

/// An interaction that an agent started.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Started {
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
pub(in crate::engine::http) struct Accepted {
    /// The interaction's epoch: reply and finish show it.
    pub epoch: u32,
}

/// A reply that will be sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Replied {
    /// The message.
    pub message: u64,
}

/// A message that will be sent once more.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Resent {
    /// The attempt that comes, counted from 1.
    pub attempt: u32,
}

/// A note that was taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Noted {
    /// The note.
    pub note: u64,
}

/// Done; there is nothing to say about it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::engine::http) struct Done {}
