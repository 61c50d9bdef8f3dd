//! What answers of a provider's API mean for an attempt or a check, as far as their HTTP status says it.

use std::time::Duration;

use super::{Answer, CheckError, Scope, Trip, http::Answered};
use crate::wire::{
    outbound::{NotSentReason, RefusalClass, SendOutcome},
    status::{Trouble, Unanswered},
};

impl Answer {
    /// The provider took it.
    pub(super) fn accepted(provider_message_ids: Vec<String>, segments: Option<u32>) -> Self {
        Self { outcome: SendOutcome::Accepted { provider_message_ids, segments }, trip: None }
    }

    /// The provider refused this message for good; others may go.
    pub(super) fn refused(class: RefusalClass, provider_code: Option<String>, message: String) -> Self {
        Self { outcome: SendOutcome::Refused { class, provider_code, message }, trip: None }
    }

    /// The provider's own fault, a lost answer, or a success that names no message, as a page for maintenance does: nobody knows whether it took the message. The account's circuit breaker opens, so that an
    /// outage does not make every message doubtful.
    pub(super) fn unknown(message: String) -> Self {
        let trip = Trip { scope: Scope::Account, reason: NotSentReason::Temporary, at_least: None };
        Self { outcome: SendOutcome::Unknown { message }, trip: Some(trip) }
    }

    /// Nothing left the house.
    pub(super) fn not_sent(scope: Scope, reason: NotSentReason, at_least: Option<Duration>, message: String) -> Self {
        Self {
            outcome: SendOutcome::NotSent { reason, retry_after_millis: 0, message },
            trip: Some(Trip { scope, reason, at_least }),
        }
    }

    /// What an answer other than success means where the provider's own code, if there is one, says nothing better.
    pub(super) fn by_status(answered: &Answered, provider_code: Option<String>, message: String) -> Self {
        match answered.status.as_u16() {
            429 => Self::not_sent(Scope::Account, NotSentReason::RateLimited, answered.retry_after, message),
            // A provider may have taken a message although it answers so.
            500..=599 | 408 => Self::unknown(message),
            // 402: nothing is taken of an account without credit.
            401..=403 => Self::not_sent(Scope::Account, NotSentReason::Credentials, None, message),
            // No such account, or a base URL that leads elsewhere: the message is not at fault.
            404 | 405 => Self::not_sent(Scope::Account, NotSentReason::Temporary, None, message),
            400..=499 => Self::refused(RefusalClass::Failed, provider_code, message),
            // A redirect, or something that is no answer of an API.
            _ => Self::not_sent(Scope::Account, NotSentReason::Temporary, None, message),
        }
    }
}

impl CheckError {
    /// An answer that is not what the API answers.
    pub(super) fn fault(message: impl Into<String>) -> Self {
        Self::Unasked(Unanswered::new(Trouble::Fault, message))
    }

    /// What an answer other than success means where the provider's own code says nothing better.
    pub(super) fn by_status(answered: &Answered, message: String) -> Self {
        match answered.status.as_u16() {
            401 | 403 => Self::Invalid(message),
            429 => Self::Unasked(Unanswered::new(Trouble::RateLimited, message)),
            _ => Self::fault(message),
        }
    }
}
