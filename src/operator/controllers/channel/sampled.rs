//! Conditions and figures that are made of an engine's samples. Pure.

use crate::{
    api::{
        ConditionStatus, Reason, SmsChannelSpec,
        sms_channel::{AgentsStatus, QueueStatus, ServiceLevel, ServiceLevelStatus},
    },
    operator::runtime::desired_condition::DesiredCondition,
    wire::status::EngineStatus,
};

/// A condition that is False becomes True again only this many points above the objective.
const LEAVE_MARGIN: u64 = 2;
/// The oldest wait is rounded up to this, so that it does not change with every second.
const WAIT_STEP: u64 = 10;

/// Whether the service level is at or above its objective. Everyone who waits beyond the target now counts as missed.
pub(super) fn service_level(
    level: &ServiceLevel,
    said: &EngineStatus,
    current: Option<&DesiredCondition>,
) -> DesiredCondition {
    let measured = &said.service_level;
    let late_without_reply = measured.no_reply.saturating_sub(measured.no_reply_in_target);
    let total = measured.answered + measured.unanswered + late_without_reply + said.queue.waiting_beyond_target;
    let minimum = u64::try_from(level.minimum_samples).unwrap_or(1).max(1);
    if total < minimum {
        return DesiredCondition::unknown(
            Reason::TooFewSamples,
            format!("fewer than {minimum} interactions in the window"),
        );
    }
    let percent = measured.answered_in_target * 100 / total;
    let objective = u64::try_from(level.objective_percent).unwrap_or(0);
    let was_missed = current.is_some_and(|current| current.status == ConditionStatus::False);
    let needed = if was_missed { (objective + LEAVE_MARGIN).min(100) } else { objective };
    if percent >= needed {
        DesiredCondition::yes(
            Reason::ObjectiveMet,
            format!("at least {objective}% are answered within {} s", level.target_seconds),
        )
    } else {
        DesiredCondition::no(
            Reason::BelowObjective,
            format!("fewer than {objective}% are answered within {} s", level.target_seconds),
        )
    }
}

/// Whether interactions leave the queue as they should.
pub(super) fn queue(
    spec: &SmsChannelSpec,
    said: &EngineStatus,
    current: Option<&DesiredCondition>,
) -> DesiredCondition {
    let queue = &said.queue;
    let target = u64::try_from(spec.service_level.target_seconds).unwrap_or(0);
    if queue.max_queued > 0 && queue.waiting + queue.with_bot >= queue.max_queued {
        return DesiredCondition::no(Reason::QueueFull, "the queue is full: new interactions are rejected");
    }
    if queue.waiting > 0 && said.agents.available == 0 && said.in_hours {
        return DesiredCondition::no(Reason::NoAgentAvailable, "interactions wait, and no agent is available");
    }
    let was_growing = current.is_some_and(|current| current.reason == Reason::BacklogGrowing);
    let bound = if was_growing { target } else { target.saturating_mul(2) };
    if queue.waiting > 0 && queue.oldest_wait_seconds > bound {
        return DesiredCondition::no(Reason::BacklogGrowing, "the oldest interaction has waited far beyond the target");
    }
    DesiredCondition::yes(Reason::QueueMoving, "interactions find an agent")
}

/// The figures of the queue.
pub(super) fn queue_figures(said: &EngineStatus) -> QueueStatus {
    QueueStatus {
        waiting: signed(said.queue.waiting),
        oldest_wait_seconds: signed(said.queue.oldest_wait_seconds.div_ceil(WAIT_STEP) * WAIT_STEP),
        with_bot: signed(said.queue.with_bot),
        active: signed(said.queue.active),
    }
}

/// The figures of the agents.
pub(super) fn agents_figures(said: &EngineStatus) -> AgentsStatus {
    AgentsStatus { online: signed(said.agents.online), available: signed(said.agents.available) }
}

/// The figures of the service level.
pub(super) fn service_level_figures(said: &EngineStatus) -> ServiceLevelStatus {
    let measured = &said.service_level;
    let percent = |percent: Option<u64>| percent.map(|percent| i32::try_from(percent).unwrap_or(100));
    ServiceLevelStatus {
        percent: percent(measured.percent),
        percent_with_abandoned: percent(measured.percent_with_abandoned),
        answered: signed(measured.answered),
        answered_in_target: signed(measured.answered_in_target),
        abandoned: signed(measured.abandoned),
        abandoned_in_target: signed(measured.abandoned_in_target),
        unanswered: signed(measured.unanswered),
        no_reply: signed(measured.no_reply),
        no_reply_in_target: signed(measured.no_reply_in_target),
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
