//! Rates of the API for configuration documents.

use crate::{api::sms_connector::Rate, wire::config::RateLimit};

/// A rate that is at least one segment in one second, whatever an object from before a rule holds.
pub(crate) fn rate_limit(rate: Rate) -> RateLimit {
    let positive = |value: i32| u32::try_from(value).unwrap_or(1).max(1);
    RateLimit { segments: positive(rate.segments), per_seconds: positive(rate.per_seconds) }
}
