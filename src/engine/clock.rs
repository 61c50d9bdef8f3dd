//! The engine's time: that of the node's clock as long as it runs as a clock does.
//!
//! - While the clock is behind (it was set back, or was ahead before) time goes on from the last instant at the pace of the
//!   monotonic clock. What is little is made up for by going on more slowly.
//! - When the clock goes ahead at once time follows, because a machine that slept cannot be told from a clock that was set; the leap
//!   is reported.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Time is made to agree with the clock again, without a hand, when it is ahead by no more.
pub(super) const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// The clock leapt when it went ahead of the monotonic clock by more at once.
const LEAP: SignedDuration = SignedDuration::from_secs(60);
/// At the start the clock leapt when it is further ahead of the last instant than an engine is usually away.
const LONG_AWAY: SignedDuration = SignedDuration::from_hours(12);

/// The engine's time.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    /// When it was last read.
    read_at: Instant,
    /// The time then.
    time: Timestamp,
    /// What the node's clock said then.
    node: Timestamp,
    /// How far the node's clock leapt since that was last asked.
    leapt: SignedDuration,
}

impl Clock {
    /// Time goes on from the instant of the last event; the default when there is none.
    pub(super) fn begin(last: Timestamp) -> Self {
        Self::begin_at(last, Instant::now(), Timestamp::now())
    }

    fn begin_at(last: Timestamp, read_at: Instant, node: Timestamp) -> Self {
        let away = node.duration_since(last);
        let leapt = last > Timestamp::UNIX_EPOCH && away > LONG_AWAY;
        Self { read_at, time: node.max(last), node, leapt: if leapt { away } else { SignedDuration::ZERO } }
    }

    /// Looks at the clocks; the time.
    pub(super) fn read(&mut self) -> Timestamp {
        self.read_at(Instant::now(), Timestamp::now())
    }

    fn read_at(&mut self, at: Instant, node: Timestamp) -> Timestamp {
        let passed =
            SignedDuration::try_from(at.saturating_duration_since(self.read_at)).unwrap_or(SignedDuration::MAX);
        let expected = later(self.time, passed);
        let ahead = expected.duration_since(node);
        if ahead <= SignedDuration::ZERO {
            // Only what the clock did by itself is a leap; that it catches up with us is none.
            let by_itself = node.duration_since(later(self.node, passed));
            let leapt = by_itself.min(SignedDuration::ZERO.saturating_sub(ahead));
            if leapt > LEAP {
                self.leapt = self.leapt.saturating_add(leapt);
            }
            self.time = node;
        } else if ahead <= TOLERANCE {
            self.time = later(self.time, passed - passed / 10).max(node);
        } else {
            self.time = expected;
        }
        (self.read_at, self.node) = (at, node);
        self.time
    }

    /// The time when the clocks were last looked at.
    pub(super) const fn time(&self) -> Timestamp {
        self.time
    }

    /// How far time is ahead of the node's clock; none within the tolerance.
    pub(super) fn ahead(&self) -> Option<SignedDuration> {
        Some(self.time.duration_since(self.node)).filter(|ahead| *ahead > TOLERANCE)
    }

    /// How far the clock leapt since this was last asked.
    pub(super) fn take_leap(&mut self) -> Option<SignedDuration> {
        Some(std::mem::take(&mut self.leapt)).filter(|leapt| !leapt.is_zero())
    }

    /// Time is what the node's clock says, also when that is earlier.
    pub(super) fn set(&mut self) -> Timestamp {
        self.read();
        self.time = self.node;
        self.time
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn seconds(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    /// The times, and the leaps, of a clock that says this when so many seconds have passed; the last event was at 0.
    fn follow(start: i64, said: &[(u64, i64)]) -> (Vec<i64>, Vec<i64>) {
        let begun = Instant::now();
        let mut clock = Clock::begin_at(at(0), begun, at(start));
        let mut leaps: Vec<i64> = clock.take_leap().map(|leap| leap.as_secs()).into_iter().collect();
        let mut times = vec![clock.time().duration_since(at(0)).as_secs()];
        for (passed, node) in said {
            let time = clock.read_at(begun + Duration::from_secs(*passed), at(*node));
            times.push(time.duration_since(at(0)).as_secs());
            leaps.extend(clock.take_leap().map(|leap| leap.as_secs()));
        }
        (times, leaps)
    }

    /// What it is about, what the clock says at the start and later, the times and the leaps that follow.
    type Case<'a> = (&'a str, i64, &'a [(u64, i64)], &'a [i64], &'a [i64]);

    #[test]
    fn time_follows_the_clock_and_goes_on_alone_while_it_is_behind() {
        let cases: [Case<'_>; 8] = [
            ("a clock that is right", 10, &[(1, 11), (31, 41)], &[10, 11, 41], &[]),
            ("away for an hour", HOUR, &[(1, HOUR + 1)], &[HOUR, HOUR + 1], &[]),
            ("a day ahead at the start", DAY, &[(1, DAY + 1)], &[DAY, DAY + 1], &[DAY]),
            ("an hour behind at the start", -HOUR, &[(1, 1 - HOUR), (3600, 0)], &[0, 1, HOUR], &[]),
            ("a day ahead and back", 0, &[(1, DAY + 1), (2, 2), (12, 12)], &[0, DAY + 1, DAY + 2, DAY + 12], &[DAY]),
            ("an hour back and forward again", 10, &[(1, 11 - HOUR), (2, 12)], &[10, 11, 12], &[]),
            (
                "an hour back and three forward",
                10,
                &[(1, 11 - HOUR), (2, 12 + 2 * HOUR)],
                &[10, 11, 12 + 2 * HOUR],
                &[2 * HOUR],
            ),
            ("corrected by a few seconds", 10, &[(10, 15), (110, 115)], &[10, 19, 115], &[]),
        ];
        for (what, start, said, times, leaps) in cases {
            assert_eq!(follow(start, said), (times.to_vec(), leaps.to_vec()), "{what}");
        }
    }

    #[test]
    fn a_first_start_is_no_leap() {
        let mut clock = Clock::begin_at(Timestamp::UNIX_EPOCH, Instant::now(), at(0));
        assert_eq!((clock.time(), clock.take_leap()), (at(0), None));
    }

    #[test]
    fn what_is_beyond_the_tolerance_is_reported_and_set_by_hand_only() {
        let begun = Instant::now();
        let mut clock = Clock::begin_at(at(0), begun, at(-HOUR));
        assert_eq!(clock.ahead(), Some(seconds(HOUR)));
        clock.read_at(begun + Duration::from_secs(600), at(600 - HOUR));
        assert_eq!(clock.ahead(), Some(seconds(HOUR)), "it is not made up for");
        let set = clock.set();
        assert_eq!((clock.time(), clock.ahead()), (set, None));
        assert_eq!(set, clock.node);
    }
}
