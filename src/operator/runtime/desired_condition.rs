//! What a condition says, before it is one.

use crate::api::{ConditionStatus, ConditionType, Conditions, Reason};

/// What a condition says, before it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DesiredCondition {
    pub status: ConditionStatus,
    pub reason: Reason,
    /// What is so, and what to do about it.
    pub message: String,
}

impl DesiredCondition {
    /// It is so.
    pub(crate) fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::True, reason, message: message.into() }
    }

    /// It is not so.
    pub(crate) fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::False, reason, message: message.into() }
    }

    /// Nobody can tell.
    pub(crate) fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::Unknown, reason, message: message.into() }
    }

    /// Sets the condition.
    pub(crate) fn set(&self, conditions: &mut Conditions, type_: ConditionType) {
        conditions.set(type_, self.status, self.reason, self.message.clone());
    }

    /// The desired that a condition holds, if there is one that this version knows.
    pub(crate) fn of(conditions: &Conditions, type_: ConditionType) -> Option<Self> {
        let condition = conditions.get(type_)?;
        let status = match condition.status.as_str() {
            "True" => ConditionStatus::True,
            "False" => ConditionStatus::False,
            _ => ConditionStatus::Unknown,
        };
        Some(Self { status, reason: condition.reason.parse().ok()?, message: condition.message.clone() })
    }
}
