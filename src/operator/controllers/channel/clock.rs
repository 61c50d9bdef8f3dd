//! Whether an engine's time is right, as far as anybody can tell.

use kube::ResourceExt;

use crate::{
    api::{Reason, SmsChannel, names},
    operator::{
        controllers::summary,
        observed::context::Context,
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
    wire::status::ClockStatus,
};

/// The acceptance of the clock that a person wrote, if it is a number.
pub(super) fn accepted(channel: &SmsChannel) -> Option<u64> {
    summary::annotation(channel, names::ANNOTATION_ACCEPT_CLOCK)?.parse().ok()
}

/// What the condition says.
pub(super) fn desired(clock: &ClockStatus) -> DesiredCondition {
    let how = format!("set annotation {}: {:?}", names::ANNOTATION_ACCEPT_CLOCK, clock.accept_id.to_string());
    if clock.ahead_seconds > 0 {
        let message = format!(
            "the channel's time is {} s ahead of its node's clock and goes on without it; nothing is deleted. If the clock is right, {how}",
            clock.ahead_seconds
        );
        return DesiredCondition::no(Reason::ClockBehind, message);
    }
    if clock.ahead_of_asker_minutes != 0 {
        let minutes = clock.ahead_of_asker_minutes.unsigned_abs();
        let direction = if clock.ahead_of_asker_minutes > 0 { "ahead of" } else { "behind" };
        let message = format!(
            "the channel's time is {minutes} min {direction} the operator's: set the clock of the node that is wrong, then look again"
        );
        return DesiredCondition::no(Reason::ClockSkewed, message);
    }
    if clock.leapt_seconds > 0 {
        let until = clock.leap_confirmed_at.map(|at| format!(" until {at:.0}")).unwrap_or_default();
        let message = format!(
            "the clock of the channel's node went ahead by {} s at once; nothing is deleted{until}. If it is right, {how}",
            clock.leapt_seconds
        );
        return DesiredCondition::no(Reason::ClockLeapt, message);
    }
    DesiredCondition::yes(Reason::ClockRight, "the channel's time is that of its node's clock and of the operator's")
}

/// Takes the acceptance away when it has done its work: the engine counts on.
///
/// # Errors
/// Faults of the API server.
pub(super) async fn forget_acceptance(
    context: &Context,
    channel: &SmsChannel,
    clock: Option<&ClockStatus>,
) -> Result<(), Error> {
    if !channel.annotations().contains_key(names::ANNOTATION_ACCEPT_CLOCK) {
        return Ok(());
    }
    let Some(channel) = context.cluster.channels.get(&ObjectKey::of(channel)) else { return Ok(()) };
    let done = accepted(&channel).zip(clock).is_some_and(|(accepted, clock)| accepted < clock.accept_id);
    if done && channel.annotations().contains_key(names::ANNOTATION_ACCEPT_CLOCK) {
        let written = context
            .writer
            .remove_annotation("SmsChannel", names::FIELD_MANAGER_CHANNEL, &*channel, names::ANNOTATION_ACCEPT_CLOCK)
            .await?;
        context.cluster.channels.wrote(written);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ConditionStatus;

    #[test]
    fn what_is_wrong_is_named_with_what_to_do() {
        let right = ClockStatus { accept_id: 3, ..ClockStatus::default() };
        let until = "2026-11-26T12:00:00.5Z".parse().unwrap();
        let leapt = ClockStatus { leapt_seconds: 86_400, leap_confirmed_at: Some(until), ..right.clone() };
        let cases = [
            (right.clone(), ConditionStatus::True, Reason::ClockRight, "the operator's"),
            (
                ClockStatus { ahead_seconds: 90, ..leapt.clone() },
                ConditionStatus::False,
                Reason::ClockBehind,
                "90 s ahead",
            ),
            (
                leapt,
                ConditionStatus::False,
                Reason::ClockLeapt,
                "until 2026-11-26T12:00:00Z. If it is right, set annotation aldis.dev/accept-clock: \"3\"",
            ),
            (
                ClockStatus { ahead_of_asker_minutes: -60, ..right },
                ConditionStatus::False,
                Reason::ClockSkewed,
                "60 min behind",
            ),
        ];
        for (clock, status, reason, words) in cases {
            let found = desired(&clock);
            assert_eq!((found.status, found.reason), (status, reason), "{clock:?}");
            assert!(found.message.contains(words), "{}", found.message);
        }
    }
}
