//! [`Pauses`]: a circuit breaker. After the provider has asked for less, or has had a fault, few attempts are made until one goes
//! well.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{
    gateway::providers::{Pause, Scope},
    wire::outbound::NotSentReason,
};

/// What others are told while one attempt tries whether things are well again.
const WHILE_TRYING: Duration = Duration::from_millis(500);
/// A try takes no longer; one that has not ended by then was lost.
const LONGEST_TRY: Duration = Duration::from_secs(30);
/// Doublings of a pause at most.
const MOST_DOUBLINGS: u32 = 10;

/// Pauses of the account and of single numbers.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    account: Option<State>,
    numbers: HashMap<String, State>,
}

#[derive(Debug)]
struct State {
    reason: NotSentReason,
    /// Failures without a success in between.
    failures: u32,
    /// Since when there is a pause. Attempts that began before tell nothing of what has come since.
    since: Instant,
    until: Instant,
    /// Since when one attempt is under way to find out.
    trying: Option<Instant>,
}

impl Pauses {
    /// Whether an attempt from `number` may be made now. After a pause the circuit breaker is half-open: only one may be made, until
    /// its end is known, see [`Self::ended`]; what is given is then the account's reason for the pause.
    ///
    /// # Errors
    /// Why not, and when to come again.
    pub(super) fn enter(
        &mut self,
        number: &str,
        now: Instant,
    ) -> Result<Option<NotSentReason>, (NotSentReason, Duration)> {
        for state in self.account.iter().chain(self.numbers.get(number)) {
            let trying = state.trying.is_some_and(|since| now.saturating_duration_since(since) < LONGEST_TRY);
            let wait = if trying { WHILE_TRYING } else { state.until.saturating_duration_since(now) };
            if !wait.is_zero() {
                return Err((state.reason, wait));
            }
        }
        for state in self.account.iter_mut().chain(self.numbers.get_mut(number)) {
            state.trying = Some(now);
        }
        Ok(self.account.as_ref().map(|state| state.reason))
    }

    /// An attempt from `number` that [`Self::enter`] let pass at `began` has ended.
    pub(super) fn ended(&mut self, number: &str, pause: Option<Pause>, began: Instant, now: Instant) {
        match pause.map(|pause| (pause.scope, pause)) {
            None => {
                self.account.take_if(|state| state.since <= began);
                if self.numbers.get(number).is_some_and(|state| state.since <= began) {
                    self.numbers.remove(number);
                }
            }
            Some((Scope::Account, pause)) => {
                self.account = Some(State::next(self.account.take(), pause, began, now));
                self.stop_trying(number);
            }
            Some((Scope::Number, pause)) => {
                // It got as far as the number's own queue: the account is well.
                self.account.take_if(|state| state.since <= began);
                let before = self.numbers.remove(number);
                self.numbers.insert(number.to_owned(), State::next(before, pause, began, now));
            }
        }
    }

    /// An attempt that was let pass was not made after all.
    pub(super) fn not_made(&mut self, number: &str) {
        if let Some(state) = &mut self.account {
            state.trying = None;
        }
        self.stop_trying(number);
    }

    /// Credentials are good (again).
    pub(super) fn credentials_valid(&mut self) {
        self.account.take_if(|state| state.reason == NotSentReason::Credentials);
    }

    /// How long an attempt from `number` would have to wait.
    pub(super) fn remaining(&self, number: &str, now: Instant) -> Duration {
        let states = self.account.iter().chain(self.numbers.get(number));
        states.map(|state| state.until.saturating_duration_since(now)).max().unwrap_or_default()
    }

    fn stop_trying(&mut self, number: &str) {
        if let Some(state) = self.numbers.get_mut(number) {
            state.trying = None;
        }
    }
}

impl State {
    fn next(before: Option<Self>, pause: Pause, began: Instant, now: Instant) -> Self {
        // Attempts that were under way together fail together, and are one failure.
        let (failures, known) = match &before {
            Some(state) if began < state.since => (state.failures.saturating_sub(1), state.until),
            Some(state) => (state.failures, now),
            None => (0, now),
        };
        let (first, longest) = match pause.reason {
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
        let until = known.max(now + jittered.max(pause.at_least.unwrap_or_default()));
        Self { reason: pause.reason, failures: failures.saturating_add(1), since: now, until, trying: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "+15550001";
    const B: &str = "+15550002";

    fn pause(scope: Scope, reason: NotSentReason, seconds: Option<u64>) -> Option<Pause> {
        Some(Pause { scope, reason, at_least: seconds.map(Duration::from_secs) })
    }

    #[test]
    fn the_provider_says_how_long() {
        let now = Instant::now();
        let mut pauses = Pauses::default();
        assert_eq!(pauses.enter(A, now), Ok(None));
        pauses.ended(A, pause(Scope::Account, NotSentReason::RateLimited, Some(7)), now, now);
        assert_eq!(pauses.enter(B, now), Err((NotSentReason::RateLimited, Duration::from_secs(7))));
        let later = now + Duration::from_secs(7);
        assert_eq!(pauses.enter(B, later), Ok(Some(NotSentReason::RateLimited)));
        assert_eq!(pauses.enter(A, later), Err((NotSentReason::RateLimited, WHILE_TRYING)), "one tries for all");
        pauses.ended(B, None, later, later);
        assert_eq!(pauses.enter(A, later), Ok(None));
        assert_eq!(pauses.enter(B, later), Ok(None));
    }

    #[test]
    fn a_number_pauses_alone() {
        let now = Instant::now();
        let mut pauses = Pauses::default();
        pauses.ended(A, pause(Scope::Number, NotSentReason::RateLimited, Some(7)), now, now);
        assert!(pauses.enter(A, now).is_err());
        assert_eq!(pauses.enter(B, now), Ok(None));
        pauses.ended(B, None, now, now);
        assert!(pauses.enter(A, now).is_err());
    }

    #[test]
    fn pauses_grow_and_end() {
        let mut now = Instant::now();
        let mut pauses = Pauses::default();
        let mut before = Duration::ZERO;
        for _ in 0..5 {
            assert!(pauses.enter(A, now).is_ok());
            pauses.ended(A, pause(Scope::Account, NotSentReason::Temporary, None), now, now);
            let remaining = pauses.remaining(A, now);
            assert!(remaining > before && remaining <= Duration::from_secs(18), "{remaining:?}");
            before = remaining;
            now += remaining;
        }
        assert_eq!(pauses.enter(A, now), Ok(Some(NotSentReason::Temporary)));
        pauses.not_made(A);
        assert_eq!(
            pauses.enter(A, now),
            Ok(Some(NotSentReason::Temporary)),
            "whoever did not try makes room for the next"
        );
    }

    #[test]
    fn what_began_before_a_pause_neither_ends_nor_doubles_it() {
        let began = Instant::now();
        let mut pauses = Pauses::default();
        let limited = pause(Scope::Account, NotSentReason::RateLimited, Some(7));
        let failed = began + Duration::from_secs(1);
        pauses.ended(A, limited, began, failed);
        pauses.ended(B, None, began, failed);
        assert!(pauses.enter(B, failed).is_err(), "an older success says nothing");
        for _ in 0..9 {
            pauses.ended(A, pause(Scope::Account, NotSentReason::RateLimited, None), began, failed);
        }
        assert_eq!(pauses.remaining(A, failed), Duration::from_secs(7), "ten that were under way are one failure");
        let later = failed + Duration::from_secs(7);
        assert_eq!(pauses.enter(A, later), Ok(Some(NotSentReason::RateLimited)));
        pauses.ended(A, None, later, later);
        assert_eq!(pauses.enter(B, later), Ok(None));
    }

    #[test]
    fn good_credentials_end_a_pause_for_bad_ones() {
        let now = Instant::now();
        let mut pauses = Pauses::default();
        pauses.ended(A, pause(Scope::Account, NotSentReason::Credentials, None), now, now);
        assert!(pauses.enter(A, now).is_err());
        pauses.credentials_valid();
        assert_eq!(pauses.enter(A, now), Ok(None));
        pauses.ended(A, pause(Scope::Account, NotSentReason::RateLimited, None), now, now);
        pauses.credentials_valid();
        assert!(pauses.enter(A, now).is_err());
    }
}
