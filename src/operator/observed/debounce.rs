//! Conditions that are made of samples must hold for a while before they are written, so that they do not flap.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{
    api::{ConditionStatus, ConditionType, Reason},
    operator::runtime::desired_condition::DesiredCondition,
};

/// What is waited with, and since when.
type Waiting = (ConditionStatus, Reason, Instant);

/// Changes that wait, by the UID of their object.
#[derive(Default)]
pub(crate) struct Debounce(Mutex<HashMap<(String, ConditionType), Waiting>>);

impl Debounce {
    /// Whether the change from `current` to `wanted` has held long enough; if not, how long it still must.
    pub(crate) fn allows(
        &self,
        uid: &str,
        type_: ConditionType,
        current: Option<&DesiredCondition>,
        wanted: &DesiredCondition,
        hold: Duration,
    ) -> Result<(), Duration> {
        self.allows_at(uid, type_, current, wanted, hold, Instant::now())
    }

    fn allows_at(
        &self,
        uid: &str,
        type_: ConditionType,
        current: Option<&DesiredCondition>,
        wanted: &DesiredCondition,
        hold: Duration,
        now: Instant,
    ) -> Result<(), Duration> {
        let key = (uid.to_owned(), type_);
        let mut waiting = self.0.lock();
        let known = current.map(|current| (current.status, current.reason));
        let next = (wanted.status, wanted.reason);
        // What nobody could tell before is told at once, and so is that nobody can tell any more.
        let at_once =
            matches!(known, None | Some((ConditionStatus::Unknown, _))) || wanted.status == ConditionStatus::Unknown;
        if at_once || known == Some(next) {
            waiting.remove(&key);
            return Ok(());
        }
        let (status, reason, since) = *waiting.entry(key.clone()).or_insert((next.0, next.1, now));
        if (status, reason) != next {
            waiting.insert(key, (next.0, next.1, now));
            return Err(hold);
        }
        let held = now.saturating_duration_since(since);
        if held >= hold {
            waiting.remove(&key);
            return Ok(());
        }
        Err(hold - held)
    }

    /// The object is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().retain(|(known, _), _| known != uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;

    #[test]
    fn a_change_is_written_when_it_has_held_and_a_short_one_never() {
        let holds = Debounce::default();
        let hold = Duration::from_secs(30);
        let start = Instant::now();
        let (met, missed) =
            (DesiredCondition::yes(Reason::ObjectiveMet, ""), DesiredCondition::no(Reason::BelowObjective, ""));
        let ask = |wanted: &DesiredCondition, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            holds.allows_at("u", ConditionType::ServiceLevelMet, Some(&met), wanted, hold, now)
        };
        assert_eq!(ask(&missed, 0), Err(hold));
        assert_eq!(ask(&missed, 20), Err(Duration::from_secs(10)));
        assert_eq!(ask(&met, 25), Ok(()));
        assert_eq!(ask(&missed, 29), Err(hold));
        assert_eq!(ask(&missed, 59), Ok(()));
    }

    #[test]
    fn reasons_under_one_status_hold_too() {
        let debounce = Debounce::default();
        let hold = Duration::from_secs(30);
        let (growing, unattended) =
            (DesiredCondition::no(Reason::BacklogGrowing, ""), DesiredCondition::no(Reason::NoAgentAvailable, ""));
        let start = Instant::now();
        let ask = |wanted: &DesiredCondition, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            debounce.allows_at("u", ConditionType::QueueHealthy, Some(&growing), wanted, hold, now)
        };
        assert_eq!(ask(&unattended, 0), Err(hold));
        assert_eq!(ask(&growing, 5), Ok(()), "as it stands");
        assert_eq!(ask(&unattended, 10), Err(hold));
        assert_eq!(ask(&unattended, 40), Ok(()));
    }

    #[test]
    fn unknown_is_told_at_once_in_both_directions() {
        let holds = Debounce::default();
        let (unknown, met) = (
            DesiredCondition::unknown(Reason::MetricsUnavailable, ""),
            DesiredCondition::yes(Reason::ObjectiveMet, ""),
        );
        let hold = Duration::from_secs(30);
        assert_eq!(holds.allows("u", ConditionType::ServiceLevelMet, Some(&met), &unknown, hold), Ok(()));
        assert_eq!(holds.allows("u", ConditionType::ServiceLevelMet, Some(&unknown), &met, hold), Ok(()));
        assert_eq!(holds.allows("u", ConditionType::ServiceLevelMet, None, &met, hold), Ok(()));
    }
}
