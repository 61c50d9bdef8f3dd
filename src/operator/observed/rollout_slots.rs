//! Who is replaced and who waits for it: so many at a time, and at most half of them of one namespace, so that pods of one tenant that do not
//! become ready keep nobody else's from being replaced.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::operator::{observed::targets::Target, resources::child::Owner, runtime::cache::ObjectKey};

/// A pod that still works so long after its StatefulSet was applied is not being replaced: somebody keeps the StatefulSet from doing it.
const IDLE: Duration = Duration::from_secs(300);

/// Who is replaced and who waits for it.
#[derive(Default)]
pub(crate) struct Rollouts(Mutex<State>);

#[derive(Default)]
struct State {
    /// By the key of the pod.
    under_way: HashMap<ObjectKey, Slot>,
    /// By namespace.
    waiting: BTreeMap<String, BTreeSet<Target>>,
    /// Whether those are counted that an operator before this one has begun.
    is_counted: bool,
}

/// A pod that is being replaced.
struct Slot {
    owner: Owner,
    /// UID of the pod that is replaced; none: an operator before this one began it.
    old: Option<String>,
    /// Since when the old pod works in spite of that; none while none does.
    idle_since: Option<Instant>,
}

/// How many are replaced and how many wait, by namespace.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Are being replaced.
    pub under_way: BTreeMap<String, usize>,
    /// Wait for their turn.
    pub waiting: BTreeMap<String, usize>,
}

/// Of so many pods at a time, those of one namespace.
const fn share(most: usize) -> usize {
    if most < 2 { 1 } else { most / 2 }
}

/// The pod of an owner.
pub(super) fn pod_key(owner: &Owner) -> ObjectKey {
    ObjectKey::new(&owner.namespace, format!("{}-0", owner.child_name))
}

impl Rollouts {
    /// Counts those that an operator before this one has begun, at the first call only.
    pub(super) fn count_once(&self, most: usize, begun: impl FnOnce() -> Vec<Owner>) {
        let mut state = self.0.lock();
        if state.is_counted {
            return;
        }
        state.is_counted = true;
        for owner in begun() {
            if state.of_namespace(&owner.namespace) < share(most) {
                state.under_way.insert(pod_key(&owner), Slot { owner, old: None, idle_since: None });
            }
        }
    }

    /// Begins to replace the pod `old`, if there is room; else its object waits and is woken when there is.
    pub(super) fn begin(&self, owner: &Owner, target: Target, old: &str, most: usize, now: Instant) -> bool {
        let mut state = self.0.lock();
        state.expire(now);
        let pod = pod_key(owner);
        if state.under_way.get(&pod).is_some_and(|slot| slot.owner.uid == owner.uid) {
            return true;
        }
        if state.under_way.len() >= most || state.of_namespace(&owner.namespace) >= share(most) {
            state.waiting.entry(owner.namespace.clone()).or_default().insert(target);
            return false;
        }
        state.no_longer_waits(&owner.namespace, &target);
        let slot = Slot { owner: owner.clone(), old: Some(old.to_owned()), idle_since: Some(now) };
        state.under_way.insert(pod, slot);
        true
    }

    /// The pod is not replaced after all.
    pub(super) fn give_back(&self, owner: &Owner) {
        let mut state = self.0.lock();
        let pod = pod_key(owner);
        if state.under_way.get(&pod).is_some_and(|slot| slot.owner.uid == owner.uid) {
            state.under_way.remove(&pod);
        }
    }

    /// Whose pod this is, if it is being replaced.
    pub(super) fn owner_of(&self, pod: &ObjectKey) -> Option<Owner> {
        self.0.lock().under_way.get(pod).map(|slot| slot.owner.clone())
    }

    /// The pod of this key is ready and has this UID, or is not.
    pub(super) fn saw(&self, pod: &ObjectKey, ready: Option<&str>, now: Instant) {
        let mut state = self.0.lock();
        let Some(slot) = state.under_way.get_mut(pod) else { return };
        match ready {
            Some(uid) if slot.old.as_deref() == Some(uid) => {
                slot.idle_since.get_or_insert(now);
            }
            Some(_) => {
                state.under_way.remove(pod);
            }
            None => slot.idle_since = None,
        }
    }

    /// The object is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().under_way.retain(|_, slot| slot.owner.uid != uid);
    }

    /// Those who wait and for whom there is room. They wait no longer: each asks again when it is looked at.
    pub(super) fn next(&self, most: usize, now: Instant) -> Vec<Target> {
        let mut state = self.0.lock();
        state.expire(now);
        let mut room = most.saturating_sub(state.under_way.len());
        let mut next = Vec::new();
        let namespaces: Vec<_> = state.waiting.keys().cloned().collect();
        for namespace in namespaces {
            let of_namespace = share(most).saturating_sub(state.of_namespace(&namespace)).min(room);
            for _ in 0..of_namespace {
                let Some(target) = state.waiting.get_mut(&namespace).and_then(BTreeSet::pop_first) else { break };
                next.push(target);
                room -= 1;
            }
        }
        state.waiting.retain(|_, targets| !targets.is_empty());
        next
    }

    /// How many are replaced and how many wait.
    pub(crate) fn counts(&self) -> Counts {
        let state = self.0.lock();
        let mut under_way = BTreeMap::new();
        for pod in state.under_way.keys() {
            *under_way.entry(pod.namespace().to_owned()).or_default() += 1;
        }
        let waiting = state.waiting.iter().map(|(namespace, targets)| (namespace.clone(), targets.len())).collect();
        Counts { under_way, waiting }
    }
}

impl State {
    fn of_namespace(&self, namespace: &str) -> usize {
        self.under_way.keys().filter(|pod| pod.namespace() == namespace).count()
    }

    fn expire(&mut self, now: Instant) {
        let is_idle = |since: Instant| now.saturating_duration_since(since) >= IDLE;
        self.under_way.retain(|_, slot| !slot.idle_since.is_some_and(is_idle));
    }

    fn no_longer_waits(&mut self, namespace: &str, target: &Target) {
        if let Some(targets) = self.waiting.get_mut(namespace) {
            targets.remove(target);
            if targets.is_empty() {
                self.waiting.remove(namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(namespace: &str, name: &str) -> Owner {
        let channel = serde_json::json!({
            "apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel",
            "metadata": {"name": name, "namespace": namespace, "uid": format!("{namespace}/{name}")},
            "spec": {"campaignRef": {"name": "c"}, "connectorRef": {"name": "s"}, "number": "+15551230001"},
        });
        Owner::channel(&serde_json::from_value(channel).unwrap())
    }

    fn target(namespace: &str, name: &str) -> Target {
        Target::Engine(ObjectKey::new(namespace, name))
    }

    /// Channels of namespaces whose pods `old` are to be replaced, so many at a time.
    struct Cluster {
        rollouts: Rollouts,
        most: usize,
        now: Instant,
    }

    impl Cluster {
        fn new(most: usize) -> Self {
            Self { rollouts: Rollouts::default(), most, now: Instant::now() }
        }

        fn begin(&self, namespace: &str, name: &str) -> bool {
            self.rollouts.begin(&owner(namespace, name), target(namespace, name), "old", self.most, self.now)
        }

        fn saw(&self, namespace: &str, name: &str, ready: Option<&str>) {
            self.rollouts.saw(&pod_key(&owner(namespace, name)), ready, self.now);
        }

        fn next(&self) -> Vec<Target> {
            self.rollouts.next(self.most, self.now)
        }
    }

    #[test]
    fn one_begins_when_another_is_ready_with_its_new_pod() {
        let cluster = Cluster::new(1);
        assert!(cluster.begin("n", "a"));
        assert!(cluster.begin("n", "a"), "it is under way");
        assert!(!cluster.begin("n", "b"));
        cluster.saw("n", "a", Some("old"));
        assert!(cluster.next().is_empty(), "the pod is not replaced yet");
        cluster.saw("n", "a", None);
        cluster.saw("n", "a", Some("new"));
        assert_eq!(cluster.next(), [target("n", "b")]);
        assert!(cluster.begin("n", "b"));
        assert!(!cluster.begin("n", "c"));
        cluster.rollouts.forget("n/b");
        assert_eq!(cluster.next(), [target("n", "c")], "an object that goes makes room too");
    }

    #[test]
    fn pods_of_one_namespace_that_do_not_become_ready_stop_nobody_elses() {
        let cluster = Cluster::new(4);
        let begun: Vec<_> = ["a", "b", "c", "d"].map(|name| cluster.begin("mallory", name)).into();
        assert_eq!(begun, [true, true, false, false]);
        for name in ["a", "b"] {
            cluster.saw("mallory", name, None);
        }
        assert!(cluster.next().is_empty(), "there is room, but not for this namespace");
        assert!(cluster.begin("shop", "a") && cluster.begin("shop", "b") && !cluster.begin("shop", "c"));
        let counts = cluster.rollouts.counts();
        let of = |mallory: usize, shop: usize| BTreeMap::from([("mallory".into(), mallory), ("shop".into(), shop)]);
        assert_eq!(counts, Counts { under_way: of(2, 2), waiting: of(2, 1) });
        cluster.saw("shop", "a", Some("new"));
        assert_eq!(cluster.next(), [target("shop", "c")]);
    }

    #[test]
    fn what_is_not_replaced_in_the_end_makes_room() {
        let mut cluster = Cluster::new(1);
        assert!(cluster.begin("n", "a") && !cluster.begin("n", "b"));
        cluster.rollouts.give_back(&owner("n", "a"));
        assert_eq!(cluster.next(), [target("n", "b")]);
        // One whose StatefulSet goes on with the pod that it had.
        assert!(cluster.begin("n", "b") && !cluster.begin("n", "c"));
        cluster.saw("n", "b", Some("old"));
        cluster.now += IDLE;
        assert_eq!(cluster.next(), [target("n", "c")]);
        // One whose new pod does not become ready is waited for.
        assert!(cluster.begin("n", "c") && !cluster.begin("n", "d"));
        cluster.saw("n", "c", None);
        cluster.now += IDLE * 100;
        assert!(cluster.next().is_empty());
    }

    #[test]
    fn what_an_earlier_operator_began_is_counted_once_and_for_each_namespace() {
        let cluster = Cluster::new(2);
        let begun = || vec![owner("n", "a"), owner("n", "b")];
        cluster.rollouts.count_once(cluster.most, begun);
        assert!(!cluster.begin("n", "c") && cluster.begin("m", "a"));
        cluster.saw("n", "a", None);
        assert!(cluster.next().is_empty());
        cluster.saw("n", "a", Some("new"));
        cluster.rollouts.count_once(cluster.most, begun);
        assert_eq!(cluster.next(), [target("n", "c")]);
    }
}
