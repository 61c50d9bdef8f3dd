//! Roll-outs of a new image, or of another way to pull it, over all gateways and engines: so many pods at a time, and the next when one of
//! them is ready again.

use std::time::Instant;

use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use crate::{
    api::names,
    operator::{
        observed::{context::Context, pod, rollout_slots, targets::Target},
        resources::{
            child::{ANNOTATION_APPLIED, Children, Owner, Prepared},
            kinds::ChildKind,
        },
        runtime::cache::ObjectKey,
    },
};

/// What the platform team changes for all pods at once.
const FOR_ALL_PODS: [&str; 3] = [
    "/spec/template/spec/containers/0/image",
    "/spec/template/spec/containers/0/imagePullPolicy",
    "/spec/template/spec/imagePullSecrets",
];

/// The turn of one owner's StatefulSet.
pub(crate) struct Turn {
    template: Option<Template>,
    /// A pod that works would be replaced.
    is_replacement: bool,
    /// Whether the StatefulSet may be applied now.
    pub(crate) has_come: bool,
}

/// Whether the turn of an owner's StatefulSet has come: not while it would replace a pod that works by one of another image, and too many
/// are being replaced. Who waits is woken; who begins says when the StatefulSet was [`applied`].
pub(crate) fn turn(
    context: &Context,
    owner: &Owner,
    target: Target,
    pod: Option<&Pod>,
    planned: &Children<Prepared>,
) -> Turn {
    see(context, owner, pod);
    let template = Template::of(planned);
    let old = uid_if_ready(pod).filter(|_| is_other(context, owner, template.as_ref()));
    let has_come = match (&template, &old) {
        (Some(template), Some(old)) => begin(context, owner, target, old, template),
        // Nothing is lost by replacing what does not work.
        _ => true,
    };
    Turn { template, is_replacement: old.is_some(), has_come }
}

/// The StatefulSet was applied, or refused; `is_decided` where it is known which. One that was refused leaves its turn to the next.
pub(crate) fn applied(context: &Context, owner: &Owner, turn: &Turn, is_decided: bool) {
    if turn.is_replacement && turn.has_come && is_decided && is_other(context, owner, turn.template.as_ref()) {
        context.rollouts.give_back(owner);
    }
    wake(context);
}

fn begin(context: &Context, owner: &Owner, target: Target, old: &str, template: &Template) -> bool {
    let most = most(context);
    context.rollouts.count_once(most, || begun_before(context, template));
    context.rollouts.begin(owner, target, old, most, Instant::now())
}

/// A pod has changed: the next may begin when it is ready, whatever becomes of its owner meanwhile.
pub(crate) fn pod_changed(context: &Context, key: &ObjectKey) {
    if let Some(owner) = context.rollouts.owner_of(key) {
        see(context, &owner, pod::of(context, &owner).as_deref());
        wake(context);
    }
}

/// Has those looked at for whom there is room now.
pub(crate) fn wake(context: &Context) {
    for target in context.rollouts.next(most(context), Instant::now()) {
        match target {
            Target::Gateway(key) => context.queues.connectors.add(key),
            Target::Engine(key) => context.queues.channels.add(key),
        }
    }
}

fn most(context: &Context) -> usize {
    usize::try_from(context.settings.rollout_budget).unwrap_or(usize::MAX)
}

fn see(context: &Context, owner: &Owner, pod: Option<&Pod>) {
    context.rollouts.saw(&rollout_slots::pod_key(owner), uid_if_ready(pod).as_deref(), Instant::now());
}

/// UID of the pod, if it is ready.
fn uid_if_ready(pod: Option<&Pod>) -> Option<String> {
    pod.filter(|pod| pod::is_ready(pod)).map(|pod| pod.uid().unwrap_or_default())
}

/// What a plan says of what is the same for all pods.
struct Template {
    applied: Option<String>,
    fields: [Option<Value>; FOR_ALL_PODS.len()],
}

impl Template {
    fn of(planned: &Children<Prepared>) -> Option<Self> {
        let set = planned.list().iter().find(|child| child.kind == ChildKind::StatefulSet)?;
        let applied = set.manifest["metadata"]["annotations"][ANNOTATION_APPLIED].as_str().map(ToOwned::to_owned);
        Some(Self { applied, fields: FOR_ALL_PODS.map(|field| set.manifest.pointer(field).cloned()) })
    }

    fn is_that_of(&self, live: &DynamicObject) -> bool {
        FOR_ALL_PODS.iter().zip(&self.fields).all(|(field, planned)| live.data.pointer(field) == planned.as_ref())
    }
}

/// Whether we planned another image, or another way to pull it, when the StatefulSet was applied last. What others changed is put right at
/// once.
fn is_other(context: &Context, owner: &Owner, template: Option<&Template>) -> bool {
    let key = ObjectKey::new(&owner.namespace, &owner.child_name);
    let live = context.cluster.children.of(ChildKind::StatefulSet).get(&key);
    let (Some(template), Some(live)) = (template, live) else { return false };
    let is_ours = live.annotations().get(ANNOTATION_APPLIED) != template.applied.as_ref();
    is_ours && !template.is_that_of(&live)
}

/// Whose pods do not work although their StatefulSets are as planned for all pods: an operator before this one has replaced them.
fn begun_before(context: &Context, template: &Template) -> Vec<Owner> {
    let sets = context.cluster.children.of(ChildKind::StatefulSet);
    let owner = |key: &ObjectKey| {
        let set = sets.get(key).filter(|set| template.is_that_of(set))?;
        let owner = owner_of(context, &set).filter(|owner| owner.owns(&set) && owner.child_name == key.name())?;
        uid_if_ready(pod::of(context, &owner).as_deref()).is_none().then_some(owner)
    };
    sets.keys().iter().filter_map(owner).collect()
}

fn owner_of(context: &Context, set: &DynamicObject) -> Option<Owner> {
    let key = |label: &str| Some(ObjectKey::new(set.namespace()?, set.labels().get(label)?));
    let channel = key(names::LABEL_CHANNEL).and_then(|key| context.cluster.channels.get(&key));
    let connector = key(names::LABEL_CONNECTOR).and_then(|key| context.cluster.connectors.get(&key));
    let channel = channel.filter(|channel| channel.metadata.deletion_timestamp.is_none());
    let connector = connector.filter(|connector| connector.metadata.deletion_timestamp.is_none());
    channel.map(|channel| Owner::channel(&channel)).or_else(|| connector.map(|connector| Owner::connector(&connector)))
}
