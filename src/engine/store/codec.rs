//! How values stand in columns.

use jiff::{Timestamp, civil::Date};

use super::error::StoreError;
use crate::{
    api::bot::StepFailureReason,
    engine::core::{
        delivery::{DeliveryState, FailureClass, MessageStatus},
        event::{CloseReason, InboundOutcome, Purpose, SampleResult},
        ids::UserId,
    },
    sms::Encoding,
};

/// An instant as nanoseconds since 1970. One that does not fit (before 1678, after 2262) becomes the nearest that does.
pub(super) fn nanos(at: Timestamp) -> i64 {
    let nanos = at.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// The instant of a column.
pub(super) fn timestamp(nanos: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_nanosecond(nanos.into()).map_err(|_| StoreError::Contents(format!("{nanos} is no time")))
}

/// The date of a column, as `2026-11-22`.
pub(super) fn date(text: &str) -> Result<Date, StoreError> {
    text.parse().map_err(|_| StoreError::Contents(format!("{text:?} is no date")))
}

/// An id as a column: SQLite's integers are signed, and no counter comes near the end of them.
pub(super) const fn column(id: u64) -> i64 {
    id.cast_signed()
}

/// The id in a column.
pub(super) const fn id(column: i64) -> u64 {
    column.cast_unsigned()
}

/// Names of an enum's members as they stand in a column, both ways.
macro_rules! names {
    ($enum:ident, $write:ident, $read:ident: $($member:ident),+ $(,)?) => {
        /// The name that stands in the column.
        pub(super) const fn $write(value: $enum) -> &'static str {
            match value {
                $($enum::$member => stringify!($member),)+
            }
        }

        /// The member that a column names.
        pub(super) fn $read(name: &str) -> Result<$enum, StoreError> {
            match name {
                $(stringify!($member) => Ok($enum::$member),)+
                other => Err(StoreError::Contents(format!("{other:?} is no {}", stringify!($enum)))),
            }
        }
    };
}

names!(CloseReason, close_reason_name, close_reason: Finished, OutOfHours, Idle, OptedOut, BySupervisor, BotFinished, QueueTimeout);
names!(SampleResult, sample_result_name, sample_result: Answered, Unanswered, Abandoned, NoReply);
names!(InboundOutcome, inbound_outcome_name, inbound_outcome:
    OptedOut, OptedIn, Help, Blocked, Disabled, Joined, OutOfHours, QueueFull, Queued, Bot);
names!(FailureClass, failure_name, failure: InvalidNumber, OptedOut, Sender, Account, Filtered, InvalidMessage, Failed);

names!(StepFailureReason, step_failure_name, step_failure: NoAnswer, TimedOut, TooManyVariables, TooManyTurns, Lost,
    CallTimedOut, CallUnreachable, CallStatus, CallTooLong, CallNotJson, CallAddress, CallNoSecret, Other);
names!(Encoding, encoding_name, encoding: Gsm7, Ucs2);

/// What an outbound message is, as its name and, where an agent wrote it, theirs.
pub(super) fn purpose_columns(purpose: &Purpose) -> (&'static str, Option<&str>) {
    match purpose {
        Purpose::Reply { user } => ("Reply", Some(user.as_str())),
        Purpose::Start { user } => ("Start", Some(user.as_str())),
        Purpose::OutOfHours => ("OutOfHours", None),
        Purpose::QueueFull => ("QueueFull", None),
        Purpose::OptOutConfirmation => ("OptOutConfirmation", None),
        Purpose::OptInConfirmation => ("OptInConfirmation", None),
        Purpose::Help => ("Help", None),
        Purpose::Bot => ("Bot", None),
    }
}

/// The purpose that two columns name.
pub(super) fn purpose(name: &str, user: Option<String>) -> Result<Purpose, StoreError> {
    match (name, user.map(UserId::from)) {
        ("Reply", Some(user)) => Ok(Purpose::Reply { user }),
        ("Start", Some(user)) => Ok(Purpose::Start { user }),
        ("OutOfHours", None) => Ok(Purpose::OutOfHours),
        ("QueueFull", None) => Ok(Purpose::QueueFull),
        ("OptOutConfirmation", None) => Ok(Purpose::OptOutConfirmation),
        ("OptInConfirmation", None) => Ok(Purpose::OptInConfirmation),
        ("Help", None) => Ok(Purpose::Help),
        ("Bot", None) => Ok(Purpose::Bot),
        (name, user) => Err(StoreError::Contents(format!("{name:?} by {user:?} is no purpose"))),
    }
}

/// A message's status as its name and, for a failure, its class.
pub(super) const fn status_columns(status: MessageStatus) -> (&'static str, Option<&'static str>) {
    let class = match status {
        MessageStatus::Failed(class) => Some(failure_name(class)),
        _ => None,
    };
    (status.name(), class)
}

/// The status that two columns name.
pub(super) fn status(name: &str, class: Option<&str>) -> Result<MessageStatus, StoreError> {
    match (name, class) {
        ("Waiting", None) => Ok(MessageStatus::Waiting),
        ("Sending", None) => Ok(MessageStatus::Sending),
        ("Unknown", None) => Ok(MessageStatus::Unknown),
        ("Accepted", None) => Ok(MessageStatus::Accepted),
        ("Sent", None) => Ok(MessageStatus::Sent),
        ("Delivered", None) => Ok(MessageStatus::Delivered),
        ("Failed", Some(class)) => Ok(MessageStatus::Failed(failure(class)?)),
        ("Canceled", None) => Ok(MessageStatus::Canceled),
        (name, class) => Err(StoreError::Contents(format!("{name:?} with class {class:?} is no message status"))),
    }
}

/// A reported state as its name and, for a failure, its class.
pub(super) const fn delivery_columns(state: DeliveryState) -> (&'static str, Option<&'static str>) {
    match state {
        DeliveryState::Queued => ("Queued", None),
        DeliveryState::Sent => ("Sent", None),
        DeliveryState::Delivered => ("Delivered", None),
        DeliveryState::Failed(class) => ("Failed", Some(failure_name(class))),
    }
}

/// The reported state that two columns name.
pub(super) fn delivery(name: &str, class: Option<&str>) -> Result<DeliveryState, StoreError> {
    match (name, class) {
        ("Queued", None) => Ok(DeliveryState::Queued),
        ("Sent", None) => Ok(DeliveryState::Sent),
        ("Delivered", None) => Ok(DeliveryState::Delivered),
        ("Failed", Some(class)) => Ok(DeliveryState::Failed(failure(class)?)),
        (name, class) => Err(StoreError::Contents(format!("{name:?} with class {class:?} is no delivery state"))),
    }
}

/// A value as JSON.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Contents(error.to_string()))
}
