//! A set of conditions, and the rules by which one is set.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{Schema, SchemaGenerator, json_schema};

use super::{ConditionType, Reason};

/// The longest message that the API server takes.
const MESSAGE_MAX: usize = 32768;

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Nobody can tell.
    Unknown,
}

impl ConditionStatus {
    /// The name as it stands in YAML.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(so: bool) -> Self {
        if so { Self::True } else { Self::False }
    }
}

/// The conditions of one object, as they will stand in its status.
///
/// Built from the conditions that stand there now, so that `lastTransitionTime` moves only when a status changes. A condition that is not
/// set again keeps the generation that it speaks of.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    generation: i64,
    now: Timestamp,
    list: Vec<Condition>,
}

impl Conditions {
    /// Starts from the conditions in the object's status, for the generation of the spec that was looked at. `now` is cut to seconds, as the
    /// API server keeps them.
    pub fn from_status(current: &[Condition], generation: i64, now: Timestamp) -> Self {
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { generation, now, list: current.to_vec() }
    }

    /// Whether a condition was True of the spec as it is now when the object's status was written last.
    pub fn was_true(&self, type_: ConditionType) -> bool {
        self.is_true(type_)
            && self.get(type_).is_some_and(|condition| condition.observed_generation == Some(self.generation))
    }

    /// Sets one condition. Its time is kept if its status is the same as before. Too long a message is cut.
    pub fn set(&mut self, type_: ConditionType, status: ConditionStatus, reason: Reason, message: impl Into<String>) {
        let unchanged = self.get(type_).filter(|old| old.status == status.as_str());
        let last_transition_time = unchanged.map_or(Time(self.now), |old| old.last_transition_time.clone());
        let condition = Condition {
            type_: type_.as_str().into(),
            status: status.as_str().into(),
            reason: reason.as_str().into(),
            message: cut(message.into()),
            observed_generation: Some(self.generation),
            last_transition_time,
        };
        match self.list.iter_mut().find(|old| old.type_ == condition.type_) {
            Some(old) => *old = condition,
            None => self.list.push(condition),
        }
    }

    /// Takes a condition away: `Reconciling` and `Stalled` when they do not hold.
    pub fn clear(&mut self, type_: ConditionType) {
        self.list.retain(|condition| condition.type_ != type_.as_str());
    }

    /// The condition of this type, if there is one.
    pub fn get(&self, type_: ConditionType) -> Option<&Condition> {
        condition_of(&self.list, type_)
    }

    /// Whether the condition of this type is True.
    pub fn is_true(&self, type_: ConditionType) -> bool {
        self.get(type_).is_some_and(|condition| condition.status == ConditionStatus::True.as_str())
    }

    /// The conditions for the status, in the order of [`ConditionType::ALL`]. Types that this version does not know are dropped.
    pub fn into_list(mut self) -> Vec<Condition> {
        let mut sorted = Vec::with_capacity(self.list.len());
        for type_ in ConditionType::ALL {
            if let Some(index) = self.list.iter().position(|condition| condition.type_ == type_.as_str()) {
                sorted.push(self.list.swap_remove(index));
            }
        }
        sorted
    }
}

fn cut(mut message: String) -> String {
    // The API server counts characters; bytes are never fewer.
    if message.len() > MESSAGE_MAX {
        let mut end = MESSAGE_MAX - '…'.len_utf8();
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    message
}

/// The schema of a list of conditions, with the limits that Kubernetes itself publishes for `metav1.Condition`.
pub fn condition_list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One thing that is so, is not so, or is not known.",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "type": "string",
                    "description": "What the condition is about, in PascalCase.",
                    "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
                },
                "status": {
                    "type": "string",
                    "description": "True, False or Unknown.",
                    "enum": ["True", "False", "Unknown"]
                },
                "reason": {
                    "type": "string",
                    "description": "Why, in one word of a closed set.",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
                },
                "message": {
                    "type": "string",
                    "description": "Why, in a sentence, and what to do about it.",
                    "maxLength": 32768
                },
                "observedGeneration": {
                    "type": "integer",
                    "format": "int64",
                    "description": "The generation of the spec that the condition speaks of.",
                    "minimum": 0
                },
                "lastTransitionTime": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When the status last changed."
                }
            }
        }
    })
}

/// The condition of this type in a status, if there is one.
pub fn condition_of(list: &[Condition], type_: ConditionType) -> Option<&Condition> {
    list.iter().find(|condition| condition.type_ == type_.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn with_ready(
        status: ConditionStatus,
        reason: Reason,
        generation: i64,
        second: i64,
        before: &[Condition],
    ) -> Vec<Condition> {
        let mut conditions = Conditions::from_status(before, generation, at(second));
        conditions.set(ConditionType::Ready, status, reason, "why");
        conditions.into_list()
    }

    #[test]
    fn the_time_moves_only_with_the_status() {
        let first = with_ready(ConditionStatus::False, Reason::Starting, 1, 100, &[]);
        let same = with_ready(ConditionStatus::False, Reason::Crashing, 1, 200, &first);
        assert_eq!(same[0].last_transition_time.0, at(100));
        assert_eq!(same[0].reason, "Crashing");
        let changed = with_ready(ConditionStatus::True, Reason::Available, 1, 300, &same);
        assert_eq!(changed[0].last_transition_time.0, at(300));
    }

    #[test]
    fn a_condition_that_is_not_set_again_keeps_its_generation() {
        let first = with_ready(ConditionStatus::True, Reason::Available, 1, 100, &[]);
        let mut conditions = Conditions::from_status(&first, 2, at(200));
        conditions.set(ConditionType::InHours, ConditionStatus::True, Reason::Open, "");
        let generations: Vec<_> =
            conditions.into_list().into_iter().map(|condition| condition.observed_generation).collect();
        assert_eq!(generations, [Some(1), Some(2)]);
        assert_eq!(
            with_ready(ConditionStatus::True, Reason::Available, 2, 200, &first)[0].observed_generation,
            Some(2)
        );
    }

    #[test]
    fn setting_the_same_again_changes_nothing() {
        let first = with_ready(ConditionStatus::True, Reason::Available, 1, 100, &[]);
        assert_eq!(with_ready(ConditionStatus::True, Reason::Available, 1, 999, &first), first);
    }

    #[test]
    fn a_cleared_condition_is_gone() {
        let mut conditions = Conditions::from_status(&[], 1, at(1));
        conditions.set(ConditionType::Stalled, ConditionStatus::True, Reason::InvalidSpec, "");
        assert!(conditions.is_true(ConditionType::Stalled));
        conditions.clear(ConditionType::Stalled);
        assert!(conditions.into_list().is_empty());
    }

    #[test]
    fn a_long_message_is_cut_to_what_the_api_server_takes() {
        let mut conditions = Conditions::from_status(&[], 1, at(1));
        conditions.set(ConditionType::Ready, ConditionStatus::False, Reason::InvalidSpec, "ä".repeat(20000));
        let message = &conditions.get(ConditionType::Ready).unwrap().message;
        assert!(message.len() <= MESSAGE_MAX && message.ends_with('…'));
    }

    #[test]
    fn names_are_what_the_api_server_accepts_and_can_be_read_back() {
        for reason in Reason::ALL {
            assert!(reason.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
            assert_eq!(reason.as_str().parse(), Ok(*reason));
            assert!(reason.description().ends_with('.'), "{reason}");
        }
        for type_ in ConditionType::ALL {
            assert_eq!(type_.as_str().parse(), Ok(*type_));
        }
        assert_eq!("Nonsense".parse::<Reason>(), Err(()));
    }
}
