//! When a connector's routes are written. Each write sends all of them, and the gateway reads all of them: those that come soon after
//! one another go together, the more there are the longer they wait.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::sms::PhoneNumber;

/// For each route that there is, the next ones wait so long,
const EACH: Duration = Duration::from_millis(50);
/// and no less and no more than this in all.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5);

/// A number that a channel holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub number: PhoneNumber,
    /// Name of the channel.
    pub channel: String,
}

/// What a gateway's configuration says of channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Routed {
    /// Numbers that channels hold, in order.
    pub held: Vec<Held>,
    /// Numbers that channels ask for and do not hold yet, in order.
    pub asked: Vec<PhoneNumber>,
}

struct Written {
    routed: Routed,
    /// Of the connector.
    generation: Option<i64>,
    at: Instant,
}

/// What is to be written now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub routed: Routed,
    /// Other routes wait so long.
    pub more_in: Option<Duration>,
}

/// The routes that this operator wrote last, by the connector's UID.
#[derive(Default)]
pub(crate) struct RouteWrites(Mutex<HashMap<String, Written>>);

impl RouteWrites {
    /// Of these routes, or those that were written last when that was so recently that these wait; a change of the connector itself
    /// takes them with it.
    pub(crate) fn due(&self, uid: &str, generation: Option<i64>, routed: Routed) -> Due {
        self.due_at(uid, generation, routed, Instant::now())
    }

    fn due_at(&self, uid: &str, generation: Option<i64>, routed: Routed, now: Instant) -> Due {
        let written = self.0.lock();
        let last = written.get(uid).filter(|last| last.generation == generation && last.routed != routed);
        let waiting = last.and_then(|last| {
            let count = u32::try_from(routed.held.len()).unwrap_or(u32::MAX);
            let gap = EACH.saturating_mul(count).clamp(SHORTEST, LONGEST);
            let left = gap.checked_sub(now.saturating_duration_since(last.at)).filter(|left| !left.is_zero())?;
            Some(Due { routed: last.routed.clone(), more_in: Some(left) })
        });
        drop(written);
        waiting.unwrap_or(Due { routed, more_in: None })
    }

    /// These stand now. When they stood already, nothing was written.
    pub(crate) fn stand(&self, uid: &str, generation: Option<i64>, routed: &Routed) {
        let mut written = self.0.lock();
        match written.get_mut(uid) {
            Some(last) if last.routed == *routed => last.generation = generation,
            _ => {
                let last = Written { routed: routed.clone(), generation, at: Instant::now() };
                written.insert(uid.to_owned(), last);
            }
        }
    }

    /// The connector is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(count: usize) -> Routed {
        let held = |nth| Held { number: format!("+1555000{nth:05}").parse().unwrap(), channel: format!("c{nth}") };
        Routed { held: (0..count).map(held).collect(), asked: Vec::new() }
    }

    #[test]
    fn routes_wait_the_longer_the_more_there_are() {
        let cases = [(1, 900, 1001), (20, 900, 1001), (60, 2900, 3001), (10_000, 4900, 5001)];
        for (count, shorter, longer) in cases {
            let (writes, one_less) = (RouteWrites::default(), routed(count - 1));
            assert_eq!(writes.due("a", Some(1), one_less.clone()).more_in, None, "nothing was written yet");
            writes.stand("a", Some(1), &one_less);
            let written = Instant::now();
            let after = |millis| writes.due_at("a", Some(1), routed(count), written + Duration::from_millis(millis));
            assert!(after(shorter).routed == one_less && after(shorter).more_in.is_some(), "{count}");
            assert_eq!(after(longer), Due { routed: routed(count), more_in: None }, "{count}");
        }
    }

    #[test]
    fn what_stands_already_makes_nothing_wait() {
        let writes = RouteWrites::default();
        writes.stand("a", Some(1), &routed(1));
        let later = Instant::now() + Duration::from_secs(2);
        writes.stand("a", Some(1), &routed(1));
        assert_eq!(writes.due("a", Some(1), routed(1)).more_in, None, "nothing new has come");
        assert_eq!(writes.due_at("a", Some(1), routed(2), later).more_in, None);
    }

    #[test]
    fn a_change_of_the_connector_waits_for_nothing() {
        let writes = RouteWrites::default();
        writes.stand("a", Some(1), &routed(1));
        assert_eq!(writes.due("a", Some(1), routed(2)).routed, routed(1));
        assert_eq!(writes.due("a", Some(2), routed(2)).routed, routed(2));
        assert_eq!(writes.due("b", Some(1), routed(2)).routed, routed(2), "another connector");
        writes.forget("a");
        assert_eq!(writes.due("a", Some(1), routed(2)).routed, routed(2));
    }
}
