//! Roll-outs of a new image, or of another way to pull it, over all gateways and engines: so many pods at a time, and the next when one of
//! them is ready again.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use parking_lot::Mutex;

use crate::operator::{
    observed::{context::Context, pod, targets::Target},
    resources::{
        child::{ANNOTATION_APPLIED, Children, Owner, Prepared},
        kinds::ChildKind,
    },
    runtime::cache::ObjectKey,
};

/// What the platform team changes for all pods at once.
const FOR_ALL_PODS: [&str; 3] = [
    "/spec/template/spec/containers/0/image",
    "/spec/template/spec/containers/0/imagePullPolicy",
    "/spec/template/spec/imagePullSecrets",
];

/// Who is replaced and who waits for it.
#[derive(Default)]
pub(crate) struct Rollouts(Mutex<State>);

#[derive(Default)]
struct State {
    /// By UID of the object whose pod it is: the UID of the pod that is replaced.
    under_way: HashMap<String, String>,
    waiting: BTreeSet<Target>,
}

impl Rollouts {
    /// Begins to replace the pod `old`, if fewer than `most` are being replaced; else its object waits and is woken when there is room.
    fn begin(&self, uid: &str, target: Target, old: &str, most: usize) -> bool {
        let mut state = self.0.lock();
        if state.under_way.contains_key(uid) {
            return true;
        }
        if state.under_way.len() >= most {
            state.waiting.insert(target);
            return false;
        }
        state.waiting.remove(&target);
        state.under_way.insert(uid.to_owned(), old.to_owned());
        true
    }

    /// The object has this pod now, which is ready.
    fn is_ready(&self, uid: &str, pod: &str) {
        let mut state = self.0.lock();
        if state.under_way.get(uid).is_some_and(|old| old != pod) {
            state.under_way.remove(uid);
        }
    }

    /// The object is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().under_way.remove(uid);
    }

    /// Those who wait and for whom there is room. One that wants nothing any more makes room for the next when it is looked at.
    fn next(&self, most: usize) -> Vec<Target> {
        let mut state = self.0.lock();
        let room = most.saturating_sub(state.under_way.len());
        std::iter::from_fn(|| state.waiting.pop_first()).take(room).collect()
    }
}

/// Leaves the StatefulSet out of what is applied while it would replace a pod that works by one of another image, and too many are being
/// replaced.
pub(crate) fn in_turn(
    context: &Context,
    owner: &Owner,
    target: Target,
    pod: Option<&Pod>,
    planned: Children<Prepared>,
) -> Children<Prepared> {
    let rollouts = &context.rollouts;
    let most = usize::try_from(context.settings.rollout_budget).unwrap_or(usize::MAX);
    let ready = pod.filter(|pod| pod::is_ready(pod)).map(|pod| pod.uid().unwrap_or_default());
    if let Some(pod) = &ready {
        rollouts.is_ready(&owner.uid, pod);
    }
    let may_begin = match ready.filter(|_| is_other_image(context, owner, &planned)) {
        Some(old) => rollouts.begin(&owner.uid, target, &old, most),
        // Nothing is lost by replacing what does not work.
        None => true,
    };
    for target in rollouts.next(most) {
        match target {
            Target::Gateway(key) => context.queues.connectors.add(key),
            Target::Engine(key) => context.queues.channels.add(key),
        }
    }
    if may_begin { planned } else { planned.without(ChildKind::StatefulSet) }
}

/// Whether we planned another image, or another way to pull it, when the StatefulSet was applied last. What others changed is put right at
/// once.
fn is_other_image(context: &Context, owner: &Owner, planned: &Children<Prepared>) -> bool {
    let key = ObjectKey::new(&owner.namespace, &owner.child_name);
    let Some(live) = context.cluster.children.of(ChildKind::StatefulSet).get(&key) else { return false };
    let Some(set) = planned.list().iter().find(|child| child.kind == ChildKind::StatefulSet) else { return false };
    let applied = live.annotations().get(ANNOTATION_APPLIED).map(String::as_str);
    let is_ours = applied != set.manifest["metadata"]["annotations"][ANNOTATION_APPLIED].as_str();
    is_ours && FOR_ALL_PODS.iter().any(|field| live.data.pointer(field) != set.manifest.pointer(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_begins_when_another_is_ready_with_its_new_pod() {
        let rollouts = Rollouts::default();
        let target = |name: &str| Target::Engine(ObjectKey::new("n", name));
        assert!(rollouts.begin("a", target("a"), "old", 1));
        assert!(rollouts.begin("a", target("a"), "old", 1), "it is under way");
        assert!(!rollouts.begin("b", target("b"), "old", 1));
        rollouts.is_ready("a", "old");
        assert!(rollouts.next(1).is_empty(), "the pod is not replaced yet");
        rollouts.is_ready("a", "new");
        assert_eq!(rollouts.next(1), [target("b")]);
        assert!(rollouts.begin("b", target("b"), "old", 1));
        assert!(!rollouts.begin("c", target("c"), "old", 1));
        rollouts.forget("b");
        assert_eq!(rollouts.next(1), [target("c")], "an object that goes makes room too");
    }
}
