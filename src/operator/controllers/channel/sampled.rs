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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{operator::controllers::plan_tests::observed_channel, wire::status::fixture};

    fn spec() -> SmsChannelSpec {
        let goal = json!({"serviceLevel": {"objectivePercent": 80, "targetSeconds": 60, "minimumSamples": 10}});
        observed_channel(&goal).channel.spec.clone()
    }

    #[test]
    fn a_service_level_that_was_missed_is_met_again_a_little_above_its_objective() {
        let (met, missed) =
            (DesiredCondition::yes(Reason::ObjectiveMet, ""), DesiredCondition::no(Reason::BelowObjective, ""));
        let few = Reason::TooFewSamples;
        // Answered, in target, finished late without a reply, waiting beyond the target.
        let cases = [
            ((9, 9, 0, 0), None, few),
            ((9, 9, 0, 1), None, Reason::ObjectiveMet),
            ((9, 9, 1, 0), None, Reason::ObjectiveMet),
            ((100, 80, 0, 0), None, Reason::ObjectiveMet),
            ((100, 79, 0, 0), None, Reason::BelowObjective),
            ((100, 80, 0, 1), None, Reason::BelowObjective),
            ((100, 80, 1, 0), None, Reason::BelowObjective),
            ((100, 80, 0, 0), Some(&met), Reason::ObjectiveMet),
            ((100, 81, 0, 0), Some(&missed), Reason::BelowObjective),
            ((100, 82, 0, 0), Some(&missed), Reason::ObjectiveMet),
        ];
        for ((answered, in_target, late, waiting), current, expected) in cases {
            let said = fixture::engine(&json!({
                "serviceLevel": {"answered": answered, "answeredInTarget": in_target, "abandoned": 0, "abandonedInTarget": 0,
                                 "unanswered": 0, "noReply": late + 5, "noReplyInTarget": 5},
                "queue": {"waiting": waiting, "oldestWaitSeconds": 0, "withBot": 0, "active": 0,
                          "waitingBeyondTarget": waiting, "maxQueued": 0},
            }));
            let desired = service_level(&spec().service_level, &said, current);
            assert_eq!(desired.reason, expected, "{in_target} of {answered}, {late} late, {waiting} wait");
        }
    }

    #[test]
    fn a_queue_is_healthy_while_interactions_find_an_agent() {
        let growing = DesiredCondition::no(Reason::BacklogGrowing, "");
        // Waiting, with a bot, their most, oldest wait, agents available, in hours.
        let cases = [
            ((0, 0, 0, 0, 0, true), None, Reason::QueueMoving),
            ((3, 2, 5, 0, 9, true), None, Reason::QueueFull),
            ((2, 2, 5, 0, 9, true), None, Reason::QueueMoving),
            ((1, 0, 0, 0, 0, true), None, Reason::NoAgentAvailable),
            ((1, 0, 0, 0, 0, false), None, Reason::QueueMoving),
            ((1, 0, 0, 120, 1, true), None, Reason::QueueMoving),
            ((1, 0, 0, 121, 1, true), None, Reason::BacklogGrowing),
            ((1, 0, 0, 61, 1, true), Some(&growing), Reason::BacklogGrowing),
            ((1, 0, 0, 60, 1, true), Some(&growing), Reason::QueueMoving),
        ];
        for ((waiting, with_bot, most, oldest, available, in_hours), current, expected) in cases {
            let said = fixture::engine(&json!({
                "inHours": in_hours, "agents": {"online": available, "available": available},
                "queue": {"waiting": waiting, "oldestWaitSeconds": oldest, "withBot": with_bot, "active": 0,
                          "waitingBeyondTarget": 0, "maxQueued": most},
            }));
            let desired = queue(&spec(), &said, current);
            assert_eq!(
                desired.reason, expected,
                "{waiting} and {with_bot} of {most}, {oldest} s, {available} available"
            );
            assert_eq!(desired.status == ConditionStatus::True, expected == Reason::QueueMoving);
        }
    }

    #[test]
    fn the_oldest_wait_is_written_in_steps_so_that_it_is_no_news_each_second() {
        for (seconds, written) in [(0, 0), (1, 10), (10, 10), (11, 20)] {
            let queue = json!({"waiting": 1, "oldestWaitSeconds": seconds, "withBot": 0, "active": 0,
                               "waitingBeyondTarget": 0, "maxQueued": 0});
            assert_eq!(queue_figures(&fixture::engine(&json!({ "queue": queue }))).oldest_wait_seconds, written);
        }
    }
}
