//! A channel in numbers.

use jiff::Timestamp;
use serde::Serialize;

/// The channel in numbers, now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Statistics {
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
pub(in crate::engine::http) struct ServiceLevel {
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
