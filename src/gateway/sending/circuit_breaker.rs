//! [`CircuitBreakers`]: after the provider has asked for less, or has had a fault, no attempts are made for a while, then one at a time
//! until one goes well.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{
    gateway::providers::{Scope, Trip},
    wire::outbound::NotSentReason,
};

/// What others are told while a probe is under way.
const WHILE_PROBING: Duration = Duration::from_millis(500);
/// A probe takes no longer; one that has not ended by then was lost.
const LONGEST_PROBE: Duration = Duration::from_secs(30);
/// How often the time that a circuit breaker stays open doubles at most.
const MOST_DOUBLINGS: u32 = 10;

/// The circuit breaker of the account, and one for each number. An attempt must pass both.
#[derive(Debug, Default)]
pub(super) struct CircuitBreakers {
    account: Option<Tripped>,
    numbers: HashMap<String, Tripped>,
}

/// A circuit breaker that is open or half-open; one that is closed is not kept.
#[derive(Debug)]
struct Tripped {
    reason: NotSentReason,
    /// Failures without a success in between.
    failures: u32,
    /// When it opened last. Attempts that began before tell nothing of what has come since.
    since: Instant,
    /// It is half-open from then on.
    until: Instant,
    /// When the probe that is under way began.
    probing_since: Option<Instant>,
}

/// What a circuit breaker that is not closed lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing, for so long.
    Open(Duration),
    /// One attempt, the probe, whose end tells whether it closes or opens again.
    HalfOpen,
    /// Nothing, until the probe that is under way has ended.
    Probing,
}

impl CircuitBreakers {
    /// Lets an attempt from `number` pass. `None` when the account's circuit breaker is closed. When it is half-open the attempt is the
    /// probe, and the reason is given for which the circuit breaker had opened. Its end must be told to [`Self::ended`] or
    /// [`Self::not_made`].
    ///
    /// # Errors
    /// When one of them is open, or half-open with a probe under way: why, and when to come again.
    pub(super) fn admit(
        &mut self,
        number: &str,
        now: Instant,
    ) -> Result<Option<NotSentReason>, (NotSentReason, Duration)> {
        for tripped in self.account.iter().chain(self.numbers.get(number)) {
            match tripped.state(now) {
                State::Open(wait) => return Err((tripped.reason, wait)),
                State::Probing => return Err((tripped.reason, WHILE_PROBING)),
                State::HalfOpen => {}
            }
        }
        for tripped in self.account.iter_mut().chain(self.numbers.get_mut(number)) {
            tripped.probing_since = Some(now);
        }
        Ok(self.account.as_ref().map(|tripped| tripped.reason))
    }

    /// An attempt from `number` that [`Self::admit`] let pass at `began` has ended; with `trip` it opens a circuit breaker, without it
    /// closes those that it was a probe for.
    pub(super) fn ended(&mut self, number: &str, trip: Option<Trip>, began: Instant, now: Instant) {
        match trip.map(|trip| (trip.scope, trip)) {
            None => {
                self.account.take_if(|tripped| tripped.since <= began);
                if self.numbers.get(number).is_some_and(|tripped| tripped.since <= began) {
                    self.numbers.remove(number);
                }
            }
            Some((Scope::Account, trip)) => {
                self.account = Some(Tripped::again(self.account.take(), trip, began, now));
                self.end_probe(number);
            }
            Some((Scope::Number, trip)) => {
                // It got as far as the number's own queue: the account is well.
                self.account.take_if(|tripped| tripped.since <= began);
                let before = self.numbers.remove(number);
                self.numbers.insert(number.to_owned(), Tripped::again(before, trip, began, now));
            }
        }
    }

    /// An attempt that was let pass was not made after all.
    pub(super) fn not_made(&mut self, number: &str) {
        if let Some(tripped) = &mut self.account {
            tripped.probing_since = None;
        }
        self.end_probe(number);
    }

    /// Credentials are good (again).
    pub(super) fn credentials_valid(&mut self) {
        self.account.take_if(|tripped| tripped.reason == NotSentReason::Credentials);
    }

    /// How long nothing from `number` passes.
    pub(super) fn remaining(&self, number: &str, now: Instant) -> Duration {
        let tripped = self.account.iter().chain(self.numbers.get(number));
        tripped.map(|tripped| tripped.until.saturating_duration_since(now)).max().unwrap_or_default()
    }

    fn end_probe(&mut self, number: &str) {
        if let Some(tripped) = self.numbers.get_mut(number) {
            tripped.probing_since = None;
        }
    }
}

impl Tripped {
    fn state(&self, now: Instant) -> State {
        if self.probing_since.is_some_and(|since| now.saturating_duration_since(since) < LONGEST_PROBE) {
            return State::Probing;
        }
        match self.until.saturating_duration_since(now) {
            Duration::ZERO => State::HalfOpen,
            wait => State::Open(wait),
        }
    }

    /// Open from `now`, for longer than `before`.
    fn again(before: Option<Self>, trip: Trip, began: Instant, now: Instant) -> Self {
        // Attempts that were under way together fail together, and are one failure.
        let (failures, known) = match &before {
            Some(tripped) if began < tripped.since => (tripped.failures.saturating_sub(1), tripped.until),
            Some(tripped) => (tripped.failures, now),
            None => (0, now),
        };
        let (first, longest) = match trip.reason {
            NotSentReason::RateLimited => (Duration::from_secs(1), Duration::from_secs(60)),
            NotSentReason::Credentials => (Duration::from_secs(2), Duration::from_secs(30)),
            NotSentReason::AccountLimit
            | NotSentReason::Disabled
            | NotSentReason::Unreachable
            | NotSentReason::Temporary
            | NotSentReason::DeadlinePassed
            | NotSentReason::OtherContent
            | NotSentReason::NotRouted
            | NotSentReason::Spool => (Duration::from_millis(500), Duration::from_secs(15)),
        };
        let doubled = first.saturating_mul(1 << failures.min(MOST_DOUBLINGS)).min(longest);
        // Engines that wait for the same provider should not come back at the same moment.
        let jittered = doubled.mul_f64(0.8 + fastrand::f64() * 0.4);
        let until = known.max(now + jittered.max(trip.at_least.unwrap_or_default()));
        Self { reason: trip.reason, failures: failures.saturating_add(1), since: now, until, probing_since: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "+15550001";
    const B: &str = "+15550002";

    fn trip(scope: Scope, reason: NotSentReason, seconds: Option<u64>) -> Option<Trip> {
        Some(Trip { scope, reason, at_least: seconds.map(Duration::from_secs) })
    }

    #[test]
    fn the_provider_says_how_long() {
        let now = Instant::now();
        let mut breakers = CircuitBreakers::default();
        assert_eq!(breakers.admit(A, now), Ok(None));
        breakers.ended(A, trip(Scope::Account, NotSentReason::RateLimited, Some(7)), now, now);
        assert_eq!(breakers.admit(B, now), Err((NotSentReason::RateLimited, Duration::from_secs(7))));
        let later = now + Duration::from_secs(7);
        assert_eq!(breakers.admit(B, later), Ok(Some(NotSentReason::RateLimited)));
        assert_eq!(breakers.admit(A, later), Err((NotSentReason::RateLimited, WHILE_PROBING)), "one probe for all");
        breakers.ended(B, None, later, later);
        assert_eq!(breakers.admit(A, later), Ok(None));
        assert_eq!(breakers.admit(B, later), Ok(None));
    }

    #[test]
    fn a_number_has_a_circuit_breaker_of_its_own() {
        let now = Instant::now();
        let mut breakers = CircuitBreakers::default();
        breakers.ended(A, trip(Scope::Number, NotSentReason::RateLimited, Some(7)), now, now);
        assert!(breakers.admit(A, now).is_err());
        assert_eq!(breakers.admit(B, now), Ok(None));
        breakers.ended(B, None, now, now);
        assert!(breakers.admit(A, now).is_err());
    }

    #[test]
    fn it_stays_open_for_longer_each_time() {
        let mut now = Instant::now();
        let mut breakers = CircuitBreakers::default();
        let mut before = Duration::ZERO;
        for _ in 0..5 {
            assert!(breakers.admit(A, now).is_ok());
            breakers.ended(A, trip(Scope::Account, NotSentReason::Temporary, None), now, now);
            let remaining = breakers.remaining(A, now);
            assert!(remaining > before && remaining <= Duration::from_secs(18), "{remaining:?}");
            before = remaining;
            now += remaining;
        }
        assert_eq!(breakers.admit(A, now), Ok(Some(NotSentReason::Temporary)));
        breakers.not_made(A);
        assert_eq!(
            breakers.admit(A, now),
            Ok(Some(NotSentReason::Temporary)),
            "a probe that was not made lets the next one pass"
        );
    }

    #[test]
    fn what_began_before_it_opened_neither_closes_it_nor_doubles_its_time() {
        let began = Instant::now();
        let mut breakers = CircuitBreakers::default();
        let limited = trip(Scope::Account, NotSentReason::RateLimited, Some(7));
        let failed = began + Duration::from_secs(1);
        breakers.ended(A, limited, began, failed);
        breakers.ended(B, None, began, failed);
        assert!(breakers.admit(B, failed).is_err(), "an older success says nothing");
        for _ in 0..9 {
            breakers.ended(A, trip(Scope::Account, NotSentReason::RateLimited, None), began, failed);
        }
        assert_eq!(breakers.remaining(A, failed), Duration::from_secs(7), "ten that were under way are one failure");
        let later = failed + Duration::from_secs(7);
        assert_eq!(breakers.admit(A, later), Ok(Some(NotSentReason::RateLimited)));
        breakers.ended(A, None, later, later);
        assert_eq!(breakers.admit(B, later), Ok(None));
    }

    #[test]
    fn good_credentials_close_what_bad_ones_opened() {
        let now = Instant::now();
        let mut breakers = CircuitBreakers::default();
        breakers.ended(A, trip(Scope::Account, NotSentReason::Credentials, None), now, now);
        assert!(breakers.admit(A, now).is_err());
        breakers.credentials_valid();
        assert_eq!(breakers.admit(A, now), Ok(None));
        breakers.ended(A, trip(Scope::Account, NotSentReason::RateLimited, None), now, now);
        breakers.credentials_valid();
        assert!(breakers.admit(A, now).is_err());
    }
}
