//! [`ClockSkews`]: how far engines' clocks differ from ours. Only for people: nothing is decided by it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::wire::status::ClockSkew;

/// An engine that has not asked for so long is not spoken of.
const RECENT: Duration = Duration::from_secs(10 * 60);

/// A smaller change is no news.
const STEADY_MILLIS: u64 = 2000;

/// The last difference of each engine, by its number.
#[derive(Debug, Default)]
pub(super) struct ClockSkews(HashMap<String, (i64, Instant)>);

impl ClockSkews {
    /// An engine asked; its clock showed `theirs` when ours showed `ours`.
    pub(super) fn note(&mut self, number: &str, theirs: Timestamp, ours: Timestamp, now: Instant) {
        let ahead = i64::try_from(theirs.duration_since(ours).as_millis()).unwrap_or(i64::MAX);
        let known = self.0.get(number).map(|(known, _)| *known);
        let ahead = known.filter(|known| known.abs_diff(ahead) < STEADY_MILLIS).unwrap_or(ahead);
        self.0.insert(number.to_owned(), (ahead, now));
    }

    /// The largest difference of those who asked lately.
    pub(super) fn worst(&mut self, now: Instant) -> Option<ClockSkew> {
        self.0.retain(|_, (_, at)| now.saturating_duration_since(*at) < RECENT);
        let (number, (ahead, _)) = self.0.iter().max_by_key(|(number, (ahead, _))| (ahead.unsigned_abs(), *number))?;
        Some(ClockSkew { number: number.clone(), engine_ahead_millis: *ahead })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_difference_of_late_is_shown() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let (mut clocks, now) = (ClockSkews::default(), Instant::now());
        assert_eq!(clocks.worst(now), None);
        clocks.note("+15550001", at(1000), at(1000), now);
        clocks.note("+15550002", at(1000), at(4600), now);
        clocks.note("+15550003", at(1030), at(1000), now + RECENT / 2);
        let skew = |number: &str, engine_ahead_millis| Some(ClockSkew { number: number.into(), engine_ahead_millis });
        assert_eq!(clocks.worst(now), skew("+15550002", -3_600_000));
        clocks.note("+15550003", at(1031), at(1000), now + RECENT / 2);
        assert_eq!(clocks.worst(now + RECENT), skew("+15550003", 30_000), "it has not changed much");
        assert_eq!(clocks.worst(now + RECENT * 2), None);
    }
}
