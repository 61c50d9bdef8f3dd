//! A channel in numbers.

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use crate::engine::core::{figures, service_level, today};

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
    /// What happened since midnight in the campaign's time zone.
    pub today: Today,
    /// What the agent who asks did since then.
    pub mine: AgentToday,
}

/// What happened since midnight in the campaign's time zone. It starts anew, too, when the time zone is changed and another date begins by that.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Today {
    /// The date there.
    #[schema(value_type = String, format = Date)]
    pub date: Date,
    /// Customers' texts, but for those that came twice.
    pub texts: u64,
    /// Interactions that a customer began.
    pub opened: u64,
    /// Interactions that an agent began.
    pub started: u64,
    /// Interactions that ended, for whatever reason.
    pub closed: u64,
    /// Agents' replies.
    pub replies: u64,
    /// From entering the queue to the first reply, of those whose wait counts in the service level.
    pub first_replies: Measured,
    /// The service level of the waits that ended today.
    pub service_level: ServiceLevel,
}

/// How often something was measured, and how long it took: the mean is `seconds / count`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct Measured {
    /// So often.
    pub count: u64,
    /// The sum, in seconds, rounded down.
    pub seconds: u64,
}

/// What an agent did since midnight in the campaign's time zone.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct AgentToday {
    /// Interactions that they got: accepted, or given to them by the strategy or a supervisor.
    pub taken: u64,
    /// Interactions that they began.
    pub started: u64,
    /// Waits that they ended, by what `serviceLevel.answeredBy` says: with their first reply, or by having the interaction.
    pub answered: u64,
    /// Interactions that they finished.
    pub finished: u64,
    /// Offers, and interactions that somebody handed over to them by name, that they let pass.
    pub missed_offers: u64,
    /// Offers, and interactions that somebody handed over to them by name, that they declined.
    pub declined_offers: u64,
    /// Interactions that another agent has taken which they handed over.
    pub transferred_away: u64,
    /// Their replies.
    pub replies: u64,
    /// From entering the queue to the first reply, where that was theirs.
    pub first_replies: Measured,
    /// From getting an interaction to finishing it, or to not having it any more for another reason.
    pub handled: Measured,
}

/// A page of agents, with what they did today.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct AgentsToday {
    /// The date in the campaign's time zone.
    #[schema(value_type = String, format = Date)]
    pub date: Date,
    /// The campaign's members, and everybody else who did something today, in order of their names.
    pub items: Vec<NamedAgentToday>,
    /// Asks for the next page, as `?cursor=`; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// An agent, with what they did today.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::http) struct NamedAgentToday {
    /// The user's name, as the campaign's members are written.
    pub user: String,
    /// Whether they are a member now.
    pub member: bool,
    /// What they did since midnight.
    #[serde(flatten)]
    pub counts: AgentToday,
}

impl From<figures::Measured> for Measured {
    fn from(measured: figures::Measured) -> Self {
        Self { count: measured.count, seconds: measured.millis / 1000 }
    }
}

impl From<figures::AgentCounts> for AgentToday {
    fn from(counts: figures::AgentCounts) -> Self {
        Self {
            taken: counts.taken,
            started: counts.started,
            answered: counts.answered,
            finished: counts.finished,
            missed_offers: counts.missed,
            declined_offers: counts.declined,
            transferred_away: counts.transferred,
            replies: counts.replies,
            first_replies: counts.first_replies.into(),
            handled: counts.handled.into(),
        }
    }
}

impl From<today::Today> for Today {
    fn from(today: today::Today) -> Self {
        let counts = today.channel.counts;
        Self {
            date: today.channel.on,
            texts: counts.texts,
            opened: counts.opened,
            started: counts.started,
            closed: counts.closed,
            replies: counts.replies,
            first_replies: counts.first_replies.into(),
            service_level: today.service_level.into(),
        }
    }
}

impl From<service_level::ServiceLevel> for ServiceLevel {
    fn from(level: service_level::ServiceLevel) -> Self {
        Self {
            answered: level.answered,
            answered_in_target: level.answered_in_target,
            abandoned: level.abandoned,
            abandoned_in_target: level.abandoned_in_target,
            unanswered: level.unanswered,
            no_reply: level.no_reply,
            no_reply_in_target: level.no_reply_in_target,
            percent: level.percent,
            percent_with_abandoned: level.percent_with_abandoned,
        }
    }
}

/// The service level over its window, or of today.
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
