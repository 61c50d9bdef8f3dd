//! When a connector's routes are written. Each write sends all of them, and the gateway reads all of them: those that come soon after
//! one another go together, the more there are the longer they wait.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::sms::PhoneNumber;

/// For each route that there is, the next ones wait so long,
const EACH: Duration = Duration::from_millis(50);
/// and no less and no more than this in all.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5);
/// Within this a gateway has loaded routes, and has been asked again.
const LOADED: Duration = Duration::from_secs(30);

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
    /// When other numbers were held, and when others were asked for.
    held_at: Instant,
    asked_at: Instant,
    /// Numbers that the last write of other routes added, in order.
    added: Vec<PhoneNumber>,
}

/// What is to be written now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub routed: Routed,
    /// When to look again: other routes wait so long, or the last ones may take so long until they are in force.
    pub again_in: Option<Duration>,
    /// Numbers of which the routes wait, or were written so lately that the gateway may not have them yet; in order.
    pub coming: Vec<PhoneNumber>,
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

    fn due_at(&self, uid: &str, generation: Option<i64>, mut routed: Routed, now: Instant) -> Due {
        let written = self.0.lock();
        let Some(last) = written.get(uid) else { return Due { routed, again_in: None, coming: Vec::new() } };
        let left = |since: Instant, gap: Duration| {
            gap.checked_sub(now.saturating_duration_since(since)).filter(|left| !left.is_zero())
        };
        let new = added(&last.routed.held, &routed.held);
        let loaded_in = left(last.held_at, LOADED).filter(|_| !last.added.is_empty());
        let lately = loaded_in.map(|_| last.added.clone()).unwrap_or_default();
        let mut coming: Vec<_> = lately.into_iter().chain(new.iter().cloned()).collect();
        coming.sort();
        let loaded_in = if new.is_empty() { loaded_in } else { Some(LOADED) };
        if last.generation != generation {
            return Due { routed, again_in: loaded_in, coming };
        }
        let count = u32::try_from(routed.held.len()).unwrap_or(u32::MAX);
        let gap = EACH.saturating_mul(count).clamp(SHORTEST, LONGEST);
        let are_other = routed.held != last.routed.held;
        let held_in = left(last.held_at, gap).filter(|_| are_other);
        let held_go = are_other && held_in.is_none();
        if held_in.is_some() {
            routed.held.clone_from(&last.routed.held);
            // They are asked for until they have a route, so that the gateway goes on to look for them.
            let asked: BTreeSet<_> = routed.asked.drain(..).chain(new).collect();
            routed.asked = asked.into_iter().collect();
        }
        let asked_in = left(last.asked_at, SHORTEST).filter(|_| routed.asked != last.routed.asked && !held_go);
        if asked_in.is_some() {
            routed.asked.clone_from(&last.routed.asked);
        }
        Due { routed, again_in: [held_in, asked_in, loaded_in].into_iter().flatten().min(), coming }
    }

    /// These are written now, unless they stand already. The first ones that an operator sees make no others wait: mostly they stand.
    pub(crate) fn write(&self, uid: &str, generation: Option<i64>, routed: &Routed) {
        let now = Instant::now();
        let long_ago = now.checked_sub(LONGEST).unwrap_or(now);
        let mut written = self.0.lock();
        let last = written.entry(uid.to_owned()).or_insert_with(|| Written {
            routed: routed.clone(),
            generation,
            held_at: long_ago,
            asked_at: long_ago,
            added: Vec::new(),
        });
        last.generation = generation;
        if last.routed.held != routed.held {
            last.held_at = now;
            last.added = added(&last.routed.held, &routed.held);
        }
        if last.routed.asked != routed.asked {
            last.asked_at = now;
        }
        if last.routed != *routed {
            last.routed = routed.clone();
        }
    }

    /// The connector is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }
}

/// Numbers that only the later of two lists has, in order.
fn added(earlier: &[Held], later: &[Held]) -> Vec<PhoneNumber> {
    let had = |number: &PhoneNumber| earlier.binary_search_by(|held| held.number.cmp(number)).is_ok();
    later.iter().map(|held| &held.number).filter(|number| !had(number)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(count: usize) -> Routed {
        let held = |nth| Held { number: format!("+1555000{nth:05}").parse().unwrap(), channel: format!("c{nth}") };
        Routed { held: (0..count).map(held).collect(), asked: Vec::new() }
    }

    /// Of which so many routes were written now.
    fn written(count: usize) -> RouteWrites {
        let writes = RouteWrites::default();
        writes.write("a", Some(1), &Routed::default());
        writes.write("a", Some(1), &routed(count));
        writes
    }

    #[test]
    fn routes_wait_the_longer_the_more_there_are() {
        for (count, shorter, longer) in [(2, 900, 1001), (20, 900, 1001), (60, 2900, 3001), (10_000, 4900, 5001)] {
            let (writes, now) = (written(count - 1), Instant::now());
            let after = |millis| writes.due_at("a", Some(1), routed(count), now + Duration::from_millis(millis));
            let left = Duration::from_millis(longer - shorter);
            assert!(
                after(shorter).routed.held == routed(count - 1).held && after(shorter).again_in.unwrap() <= left,
                "{count}"
            );
            assert_eq!(after(longer).routed, routed(count), "{count}");
        }
    }

    #[test]
    fn the_first_and_what_stands_already_make_nothing_wait() {
        let writes = RouteWrites::default();
        assert_eq!(writes.due("a", Some(1), routed(1)).routed, routed(1));
        writes.write("a", Some(1), &routed(1));
        assert_eq!(writes.due("a", Some(1), routed(2)).routed, routed(2), "they stood when the operator began");
        writes.write("a", Some(1), &routed(2));
        let later = Instant::now() + Duration::from_secs(2);
        writes.write("a", Some(1), &routed(2));
        assert_eq!(writes.due_at("a", Some(1), routed(2), later + LOADED).again_in, None, "nothing new has come");
        assert_eq!(writes.due_at("a", Some(1), routed(3), later).routed, routed(3));
    }

    #[test]
    fn a_route_is_coming_from_when_it_is_wanted_until_the_gateway_must_have_it() {
        let writes = RouteWrites::default();
        let now = Instant::now();
        assert_eq!(writes.due_at("a", Some(1), routed(1), now).coming, [], "it stood when the operator began");
        writes.write("a", Some(1), &routed(1));
        let number = |nth: usize| routed(nth + 1).held[nth].number.clone();
        for generation in [Some(1), Some(2)] {
            let written_now = writes.due_at("a", generation, routed(2), now);
            assert_eq!((written_now.coming, written_now.again_in), (vec![number(1)], Some(LOADED)));
        }
        writes.write("a", Some(1), &routed(2));
        let waits = writes.due_at("a", Some(1), routed(3), now);
        assert_eq!(
            (waits.routed, waits.coming),
            (Routed { asked: vec![number(2)], ..routed(2) }, vec![number(1), number(2)])
        );
        let written = writes.due_at("a", Some(1), routed(2), now);
        assert_eq!(written.coming, [number(1)]);
        assert!(written.again_in.unwrap() <= LOADED + Duration::from_secs(1));
        let later = writes.due_at("a", Some(1), routed(2), now + LOADED + Duration::from_secs(1));
        assert_eq!(later, Due { routed: routed(2), again_in: None, coming: Vec::new() });
        let others = writes.due_at("a", Some(1), routed(3), now + LOADED + Duration::from_secs(1));
        assert_eq!(others.coming, [number(2)], "each for its own time");
    }

    #[test]
    fn a_change_of_the_connector_waits_for_nothing() {
        let writes = written(1);
        assert_eq!(writes.due("a", Some(1), routed(2)).routed.held, routed(1).held);
        assert_eq!(writes.due("a", Some(2), routed(2)).routed, routed(2));
        assert_eq!(writes.due("b", Some(1), routed(2)).routed, routed(2), "another connector");
        writes.forget("a");
        assert_eq!(writes.due("a", Some(1), routed(2)).routed, routed(2));
    }

    #[test]
    fn a_number_is_asked_for_soon_and_until_it_has_a_route() {
        let (writes, now) = (written(200), Instant::now() + Duration::from_secs(2));
        let number = routed(201).held[200].number.clone();
        let asking = Routed { asked: vec![number], ..routed(200) };
        assert_eq!(writes.due_at("a", Some(1), asking.clone(), now).routed, asking);
        writes.write("a", Some(1), &asking);
        let waiting = writes.due_at("a", Some(1), routed(201), now);
        assert!(
            waiting.routed == asking && waiting.again_in.is_some_and(|left| left <= Duration::from_secs(3)),
            "{waiting:?}"
        );
    }
}
