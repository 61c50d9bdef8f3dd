//! [`TokenBucket`]: the account's limit, in segments.

use std::time::{Duration, Instant};

use crate::wire::config::RateLimit;

/// A token bucket that never waits: it lets pass or says when to come again.
#[derive(Debug)]
pub(super) struct TokenBucket {
    limit: RateLimit,
    /// Segments that may go now. Negative after a message that was longer than the level.
    level: f64,
    at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) const fn new(limit: RateLimit, now: Instant) -> Self {
        Self { limit, level: limit.segments as f64, at: now }
    }

    /// Takes `segments` under `limit`. One segment is enough for a message of any length to pass: others wait until its debt is paid.
    /// If it had to wait for all of them, shorter ones would pass it for ever. Within any time no more passes than the bucket,
    /// what flows in, and the rest of one message.
    ///
    /// # Errors
    /// How long until it would pass.
    pub(super) fn try_acquire(&mut self, limit: RateLimit, segments: u32, now: Instant) -> Result<(), Duration> {
        self.fill(limit, now);
        let cost = f64::from(segments.max(1));
        // A hair's breadth of rounding must not hold a message back.
        if self.level + 1e-9 >= 1.0 {
            self.level -= cost;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.level) / self.per_second()))
    }

    /// For a message that did not go after all.
    pub(super) fn refund(&mut self, segments: u32) {
        self.level = (self.level + f64::from(segments.max(1))).min(f64::from(self.limit.segments));
    }

    fn fill(&mut self, limit: RateLimit, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level += passed * self.per_second();
        self.at = now;
        self.limit = limit;
        self.level = self.level.min(f64::from(limit.segments));
    }

    fn per_second(&self) -> f64 {
        f64::from(self.limit.segments) / f64::from(self.limit.per_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: RateLimit = RateLimit { segments: 10, per_seconds: 2 };

    #[test]
    fn segments_pass_up_to_the_limit() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(LIMIT, start);
        assert_eq!(bucket.try_acquire(LIMIT, 6, start), Ok(()));
        assert_eq!(bucket.try_acquire(LIMIT, 4, start), Ok(()));
        assert_eq!(bucket.try_acquire(LIMIT, 1, start), Err(Duration::from_millis(200)));
        assert_eq!(bucket.try_acquire(LIMIT, 5, start), Err(Duration::from_millis(200)));
        let later = start + Duration::from_secs(1);
        assert_eq!(bucket.try_acquire(LIMIT, 5, later), Ok(()));
        bucket.refund(5);
        assert_eq!(bucket.try_acquire(LIMIT, 5, later), Ok(()));
        assert_eq!(bucket.try_acquire(LIMIT, 1, later), Err(Duration::from_millis(200)));
    }

    #[test]
    fn a_long_message_is_not_passed_by_short_ones_for_ever() {
        let mut now = Instant::now();
        let mut bucket = TokenBucket::new(LIMIT, now);
        assert_eq!(bucket.try_acquire(LIMIT, 10, now), Ok(()));
        // Short messages come whenever one would pass; the long one comes just before each of them.
        for _ in 0..3 {
            now += Duration::from_millis(200);
            assert_eq!(bucket.try_acquire(LIMIT, 8, now), Ok(()));
            assert_eq!(bucket.try_acquire(LIMIT, 1, now), Err(Duration::from_millis(1600)), "its debt is paid first");
            now += Duration::from_millis(1600);
            assert_eq!(bucket.try_acquire(LIMIT, 1, now), Ok(()));
        }
    }

    #[test]
    fn a_long_message_passes_a_small_bucket() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(LIMIT, start);
        assert_eq!(bucket.try_acquire(LIMIT, 25, start), Ok(()));
        assert_eq!(bucket.try_acquire(LIMIT, 1, start), Err(Duration::from_millis(3200)), "its debt is paid first");
    }

    #[test]
    fn a_new_limit_counts_at_once() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(LIMIT, start);
        let small = RateLimit { segments: 1, per_seconds: 10 };
        assert_eq!(bucket.try_acquire(small, 1, start), Ok(()));
        assert_eq!(bucket.try_acquire(small, 1, start), Err(Duration::from_secs(10)));
    }

    proptest! {
        #[test]
        fn no_window_sees_more_than_bucket_and_refill(steps in prop::collection::vec((1_u32..5, 0_u64..500), 1..200)) {
            let start = Instant::now();
            let mut bucket = TokenBucket::new(LIMIT, start);
            let (mut now, mut passed) = (start, 0.0);
            for (segments, millis) in steps {
                now += Duration::from_millis(millis);
                match bucket.try_acquire(LIMIT, segments, now) {
                    Ok(()) => passed += f64::from(segments),
                    Err(wait) => {
                        now += wait;
                        prop_assert_eq!(bucket.try_acquire(LIMIT, segments, now + Duration::from_micros(1)), Ok(()));
                        passed += f64::from(segments);
                    }
                }
                // The last message, of at most 4 segments, passed when there was room for one.
                prop_assert!(passed <= 10.0 + 3.0 + 5.0 * (now - start).as_secs_f64() + 1e-3);
            }
        }
    }
}
