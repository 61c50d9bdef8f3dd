//! How often one object's status is written for something that changes all the time.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// When what was written last, by UID.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<String, Instant>>);

impl Throttle {
    /// How long to wait until `interval` is over since the last write by this operator. None: it may be written now.
    pub(crate) fn left(&self, uid: &str, interval: Duration) -> Option<Duration> {
        self.left_at(uid, interval, Instant::now())
    }

    fn left_at(&self, uid: &str, interval: Duration, now: Instant) -> Option<Duration> {
        let last = *self.0.lock().get(uid)?;
        interval.checked_sub(now.saturating_duration_since(last)).filter(|left| !left.is_zero())
    }

    /// It is written now.
    pub(crate) fn wrote(&self, uid: &str) {
        self.0.lock().insert(uid.to_owned(), Instant::now());
    }

    /// Begins to wait, if it does not wait already; how long there is left, none when `hold` is over.
    pub(crate) fn hold(&self, uid: &str, hold: Duration) -> Option<Duration> {
        self.hold_at(uid, hold, Instant::now())
    }

    fn hold_at(&self, uid: &str, hold: Duration, now: Instant) -> Option<Duration> {
        let since = *self.0.lock().entry(uid.to_owned()).or_insert(now);
        hold.checked_sub(now.saturating_duration_since(since)).filter(|left| !left.is_zero())
    }

    /// As if everything had been so much earlier.
    #[cfg(test)]
    pub(crate) fn pass_for_test(&self, time: Duration) {
        self.0.lock().values_mut().for_each(|at| *at = at.checked_sub(time).unwrap());
    }

    /// The object is gone, or does not wait any more.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_write_waits_for_the_last_one_of_the_same_object() {
        let throttle = Throttle::default();
        let minute = Duration::from_secs(60);
        assert_eq!(throttle.left("a", minute), None, "nothing was written yet");
        throttle.wrote("a");
        let later = |seconds| throttle.left_at("a", minute, Instant::now() + Duration::from_secs(seconds));
        assert!(later(20).is_some_and(|left| left <= Duration::from_secs(40)));
        assert_eq!(later(61), None);
        assert_eq!(throttle.left("b", minute), None);
    }

    #[test]
    fn a_hold_ends_when_its_time_is_over_and_begins_anew_after_it() {
        let throttle = Throttle::default();
        let (hold, start) = (Duration::from_secs(10), Instant::now());
        let at = |seconds| throttle.hold_at("a", hold, start + Duration::from_secs(seconds));
        assert_eq!((at(0), at(4), at(10), at(11)), (Some(hold), Some(Duration::from_secs(6)), None, None));
        throttle.forget("a");
        assert_eq!(at(12), Some(hold));
    }
}
