//! How long to wait after a fault, per object.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(120);

/// Consecutive faults by controller and object.
#[derive(Default)]
pub(crate) struct Backoff {
    faults: Mutex<HashMap<String, u32>>,
}

impl Backoff {
    /// Counts one more fault; says how long to wait.
    pub(crate) fn next(&self, object: &str) -> Duration {
        let mut faults = self.faults.lock();
        let count = faults.entry(object.to_owned()).or_insert(0);
        *count += 1;
        let delay = FIRST.saturating_mul(2u32.saturating_pow((*count - 1).min(10))).min(LONGEST);
        // Up to a fifth more, so that objects that failed together do not return together.
        delay + delay.mul_f64(fastrand::f64() * 0.2)
    }

    /// Consecutive faults so far.
    pub(crate) fn faults(&self, object: &str) -> u32 {
        self.faults.lock().get(object).copied().unwrap_or(0)
    }

    /// Forgets the faults.
    pub(crate) fn reset(&self, object: &str) {
        self.faults.lock().remove(object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_to_a_limit_and_starts_again_after_success() {
        let backoff = Backoff::default();
        let first = backoff.next("a");
        assert!(first >= FIRST && first < FIRST * 2);
        let delays: Vec<_> = (0..40).map(|_| backoff.next("a")).collect();
        assert!(delays.iter().all(|delay| *delay <= LONGEST.mul_f64(1.2)));
        assert!(delays[39] >= LONGEST);
        assert!(backoff.next("b") < FIRST * 2, "another object has faults of its own");
        backoff.reset("a");
        assert!(backoff.next("a") < FIRST * 2);
    }
}
