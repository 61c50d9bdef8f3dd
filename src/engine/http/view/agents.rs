//! The caller and their colleagues.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The agent who asks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Me {
    /// The user's name, as the campaign's members are written.
    pub user: String,
    /// The channels that the agent serves here.
    pub channels: Vec<MyChannel>,
}

/// What the agent who asks is to a channel, and has there.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct MyChannel {
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
pub(in crate::engine::http) struct MyOffer {
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
pub(in crate::engine::http) struct Agents {
    /// The campaign's members, and supervisors who are online or have something, in order of their names.
    pub items: Vec<AgentAtWork>,
}

/// An agent as supervisors see them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct AgentAtWork {
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
pub(in crate::engine::http) struct Presence {
    /// Whether they do.
    pub present: bool,
}
