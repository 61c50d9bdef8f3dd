//! What a condition says, before it is one.

use crate::api::{ConditionStatus, ConditionType, Conditions, Reason};

/// What a condition says, before it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredCondition {
    /// Its status.
    pub status: ConditionStatus,
    /// Its reason.
    pub reason: Reason,
    /// What is so, and what to do about it.
    pub message: String,
}

impl DesiredCondition {
    /// It is so.
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::True, reason, message: message.into() }
    }

    /// It is not so.
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::False, reason, message: message.into() }
    }

    /// Nobody can tell.
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::Unknown, reason, message: message.into() }
    }

    /// Sets the condition.
    pub fn set(&self, conditions: &mut Conditions, type_: ConditionType) {
        conditions.set(type_, self.status, self.reason, self.message.clone());
    }

    /// The desired that a condition holds, if there is one that this version knows.
    pub fn of(conditions: &Conditions, type_: ConditionType) -> Option<Self> {
        let condition = conditions.get(type_)?;
        let status = match condition.status.as_str() {
            "True" => ConditionStatus::True,
            "False" => ConditionStatus::False,
            _ => ConditionStatus::Unknown,
        };
        Some(Self { status, reason: condition.reason.parse().ok()?, message: condition.message.clone() })
    }
}
