//! Which objects must be looked at again when one has changed: those that read what is different now, and no others.
//!
//! The watches call this for what others wrote; what the operator itself wrote comes back as an echo that wakes nobody, so those who
//! depend on it are woken when it is written.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::{
    api::{coordination::v1::Lease, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{Resource, ResourceExt, api::DynamicObject};

use crate::{
    api::{
        Blocklist, Bot, Campaign, ConditionStatus, ConditionType, SmsChannel, SmsConnector, condition_of, names,
        sms_channel::{Automations, QueueStatus, ServiceLevelStatus},
    },
    operator::{
        observed::{
            context::Context,
            rollouts,
            samples::{GatewayNews, Numbers},
            targets::Target,
        },
        resources::claim::Holder,
        runtime::{
            cache::{Change, ObjectKey},
            index::Term,
        },
    },
    wire::status::EngineStatus,
};

/// What many objects are part of is looked at once for all that changes within this time.
pub(crate) const TOGETHER: Duration = Duration::from_secs(1);

/// A connector has changed. Its channels read its spec, and nothing of its status.
pub(crate) fn connector(context: &Arc<Context>, change: &Change<SmsConnector>) {
    forget_gone(context, change);
    if !is_news(change) {
        return;
    }
    let key = key_of(change);
    if is_other_spec(change) {
        wake_channels(context, context.cluster.channels_of_connector(&key));
    }
    context.queues.connectors.add(key);
}

/// A channel has changed.
pub(crate) fn channel(context: &Arc<Context>, change: &Change<SmsChannel>) {
    let key = key_of(change);
    forget_gone(context, change);
    if is_news(change) {
        context.queues.channels.add(key);
    }
    depends_on_channel(context, change.old.as_deref(), change.new.as_deref());
}

/// Wakes those who read something of a channel that is different now.
pub(crate) fn depends_on_channel(context: &Context, old: Option<&SmsChannel>, new: Option<&SmsChannel>) {
    let Some(channel) = new.or(old) else { return };
    let key = ObjectKey::of(channel);
    let reference = |name: &str| ObjectKey::new(key.namespace(), name);
    if old.map(routed) != new.map(routed) {
        context.queues.connectors.add_spaced(reference(&channel.spec.connector_ref.name), TOGETHER);
        // The lists count the channels that they bind.
        wake_blocklists(context, channel);
    }
    if old.map(summed) != new.map(summed) {
        // Its sums take time where it has many channels, and the channel itself is worked on now.
        context.queues.campaigns.add_after(reference(&channel.spec.campaign_ref.name), TOGETHER);
    }
    let campaign = |channel: &SmsChannel| channel.spec.campaign_ref.name.clone();
    if let (Some(old), Some(new)) = (old, new)
        && campaign(old) != campaign(new)
    {
        context.queues.campaigns.add_spaced(reference(&old.spec.campaign_ref.name), TOGETHER);
        wake_blocklists(context, old);
        wake_blocklists(context, new);
    }
    if old.map(is_claimed) != new.map(is_claimed) {
        wake_blocklists(context, channel);
    }
    let (before, now) = (old.map(named_bots).unwrap_or_default(), new.map(named_bots).unwrap_or_default());
    if before != now {
        before.union(&now).for_each(|bot| wake_bot(context, reference(bot), TOGETHER));
    }
}

/// The bots that a channel names.
fn named_bots(channel: &SmsChannel) -> BTreeSet<&str> {
    channel.spec.automations.iter().flat_map(Automations::bots).map(|(_, bot)| bot.name.as_str()).collect()
}

/// Has the sums of a bot made anew after `delay`, when they may be written: many channels may say something new of it all the time.
fn wake_bot(context: &Context, bot: ObjectKey, delay: Duration) {
    let Some(uid) = context.cluster.bots.uid(&bot) else { return };
    let left = context.figures.left(&uid, context.settings.sample_interval());
    context.queues.bots.add_after(bot, left.unwrap_or_default().max(delay));
}

/// The same for the bots that a channel names, and those with which conversations still run there: their sums count it.
fn wake_bots_of(context: &Context, channel: &ObjectKey, uid: &str, delay: Duration) {
    let mut bots = context.bot_reports.bots(uid);
    if let Some(now) = context.cluster.channels.get(channel) {
        bots.extend(named_bots(&now).into_iter().map(|bot| ObjectKey::new(channel.namespace(), bot)));
    }
    bots.into_iter().for_each(|bot| wake_bot(context, bot, delay));
}

/// What a connector reads of its channels.
fn routed(channel: &SmsChannel) -> (Option<&str>, &str, &str, bool) {
    let spec = &channel.spec;
    let uid = channel.metadata.uid.as_deref();
    (uid, &spec.number, &spec.connector_ref.name, channel.metadata.deletion_timestamp.is_some())
}

/// What a campaign reads of its channels.
fn summed(channel: &SmsChannel) -> (&str, bool, Option<&QueueStatus>, Option<&ServiceLevelStatus>) {
    let status = channel.status.as_ref();
    (
        &channel.spec.campaign_ref.name,
        is_ready(channel),
        status.and_then(|status| status.queue.as_ref()),
        status.and_then(|status| status.service_level.as_ref()),
    )
}

/// Whether the channel is ready as its spec is now.
pub(crate) fn is_ready(channel: &SmsChannel) -> bool {
    true_condition(channel, ConditionType::Ready)
        .is_some_and(|ready| ready.observed_generation == channel.metadata.generation)
}

/// Whether the channel has its number, so that an engine runs or is to run.
pub(crate) fn is_claimed(channel: &SmsChannel) -> bool {
    true_condition(channel, ConditionType::NumberClaimed).is_some()
}

/// The condition of this type, where it is True.
fn true_condition(channel: &SmsChannel, type_: ConditionType) -> Option<&Condition> {
    let found = condition_of(&channel.status.as_ref()?.conditions, type_)?;
    (found.status == ConditionStatus::True.as_str()).then_some(found)
}

/// Has the blocklists that bind a channel looked at again.
pub(crate) fn wake_blocklists(context: &Context, channel: &SmsChannel) {
    for list in context.cluster.blocklists_of(channel) {
        context.queues.blocklists.add_spaced(ObjectKey::of(&*list), TOGETHER);
    }
}

fn wake_channels(context: &Context, channels: impl IntoIterator<Item = ObjectKey>) {
    channels.into_iter().for_each(|channel| context.queues.channels.add(channel));
}

/// Has the connector looked at again of which its gateway says something new, and the channels with the numbers of which it does. The
/// engines with the numbers for which something went through are asked at once.
pub(crate) fn gateway_said(context: &Context, connector: &ObjectKey, news: &GatewayNews) {
    if let Some(numbers) = &news.changed {
        context.queues.connectors.add_spaced(connector.clone(), TOGETHER);
        match numbers {
            Numbers::All => wake_channels(context, context.cluster.channels_of_connector(connector)),
            Numbers::Some(numbers) => {
                for number in numbers {
                    wake_channels(context, context.cluster.channels_of_number(connector, number.as_str()));
                }
            }
        }
    }
    for number in &news.busy {
        for key in context.cluster.channels_of_number(connector, number) {
            context.targets.watch(Target::Engine(key), Duration::ZERO);
        }
    }
}

/// Takes an answer of a channel's engine, or how asking failed. Has the channel looked at again where that is news, and the bots of which it
/// says something new, or of which it can or cannot tell any more.
pub(crate) fn engine_said(context: &Context, channel: &ObjectKey, uid: &str, mut answer: Result<EngineStatus, String>) {
    // The channel itself reads nothing of its bots; that they were told of stays.
    let bots = answer.as_mut().ok().map(|said| (said.bots.as_mut().map(std::mem::take), said.sampled_at));
    let told_before = context.samples.tells_of_bots(uid);
    if context.samples.engine_said(uid, answer) {
        context.queues.channels.add(channel.clone());
    }
    if let Some((said, at)) = bots {
        let changed = context.bot_reports.note(uid, channel, said, at, context.now());
        changed.into_iter().for_each(|bot| wake_bot(context, bot, TOGETHER));
    }
    if context.samples.tells_of_bots(uid) != told_before {
        wake_bots_of(context, channel, uid, TOGETHER);
    }
}

/// A gateway did not answer for once. While it tells nothing, its engines are asked themselves, at different moments within this time.
pub(crate) fn gateway_missed(context: &Context, connector: &ObjectKey, within: Duration) {
    for channel in context.cluster.channels_of_connector(connector) {
        context.targets.watch(Target::Engine(channel), within.mul_f64(fastrand::f64()));
    }
}

/// A campaign has changed.
pub(crate) fn campaign(context: &Arc<Context>, change: &Change<Campaign>) {
    forget_gone(context, change);
    if !is_news(change) {
        return;
    }
    let key = key_of(change);
    wake_channels(context, context.cluster.channels_of_campaign(&key));
    let appeared_or_went = change.old.is_none() || change.new.is_none();
    if appeared_or_went {
        for list in context.cluster.blocklists.with(&Term::Campaign(key.clone())) {
            context.queues.blocklists.add(ObjectKey::of(&*list));
        }
    }
    context.queues.campaigns.add(key);
}

/// A bot has changed.
pub(crate) fn bot(context: &Arc<Context>, change: &Change<Bot>) {
    forget_gone(context, change);
    if is_news(change) {
        let key = key_of(change);
        wake_channels(context, context.cluster.channels_of_bot(&key));
        context.queues.bots.add(key);
    }
}

/// A blocklist has changed.
pub(crate) fn blocklist(context: &Arc<Context>, change: &Change<Blocklist>) {
    if is_news(change) {
        for list in change.old.iter().chain(&change.new) {
            wake_channels(context, context.cluster.bound_by(list));
        }
        context.queues.blocklists.add(key_of(change));
    }
}

/// A child has changed.
pub(crate) fn child(context: &Arc<Context>, change: &Change<DynamicObject>) {
    if is_same(change) {
        return;
    }
    for object in change.old.iter().chain(&change.new) {
        enqueue_owner(context, &**object);
    }
}

/// A pod has changed.
pub(crate) fn pod(context: &Arc<Context>, change: &Change<Pod>) {
    if let (Some(pod), None) = (&change.old, &change.new) {
        forget_pod(context, pod);
    }
    if is_same(change) {
        return;
    }
    rollouts::pod_changed(context, &key_of(change));
    for object in change.old.iter().chain(&change.new) {
        enqueue_owner(context, &**object);
    }
}

/// Whether nothing has changed of what the cache keeps.
fn is_same<K: Resource + Clone + PartialEq>(change: &Change<K>) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return false };
    let mut unversioned = K::clone(new);
    unversioned.meta_mut().resource_version.clone_from(&old.meta().resource_version);
    unversioned == **old
}

/// What a pod said says nothing about its successor.
fn forget_pod(context: &Context, pod: &Pod) {
    context.volume_refreshes.forget(&pod.uid().unwrap_or_default());
    let key = |label: &str| Some(ObjectKey::new(pod.namespace()?, pod.labels().get(label)?));
    if let Some(uid) = key(names::LABEL_CONNECTOR).and_then(|key| context.cluster.connectors.uid(&key)) {
        context.samples.forget(&uid);
    }
    if let Some(channel) = key(names::LABEL_CHANNEL)
        && let Some(uid) = context.cluster.channels.uid(&channel)
    {
        let told = context.samples.tells_of_bots(&uid);
        context.samples.forget(&uid);
        if told {
            // A successor that starts meanwhile says the same again: then there is nothing to write.
            wake_bots_of(context, &channel, &uid, context.settings.sample_interval().max(TOGETHER));
        }
    }
}

/// A claim has changed: its holder and those who wait for it look, and the connector whose routes it makes.
pub(crate) fn claim(context: &Arc<Context>, change: &Change<Lease>) {
    for lease in change.old.iter().chain(&change.new) {
        if let Some(holder) = Holder::of(lease) {
            let key = ObjectKey::new(&holder.namespace, &holder.name);
            if let Some(channel) = context.cluster.channels.get(&key) {
                let connector = ObjectKey::new(&holder.namespace, &channel.spec.connector_ref.name);
                context.queues.connectors.add_spaced(connector, TOGETHER);
            }
            context.queues.channels.add(key);
        }
        for key in context.contenders.of(&lease.name_any()) {
            context.queues.channels.add(key);
        }
    }
}

fn enqueue_owner(context: &Context, object: &impl Resource) {
    let meta = object.meta();
    let namespace = meta.namespace.clone().unwrap_or_default();
    let labels = meta.labels.as_ref();
    let named = |label: &str| labels.and_then(|labels| labels.get(label)).cloned();
    if let Some(name) = named(names::LABEL_CONNECTOR) {
        context.queues.connectors.add(ObjectKey::new(&namespace, name));
    }
    if let Some(name) = named(names::LABEL_CHANNEL) {
        context.queues.channels.add(ObjectKey::new(&namespace, name));
    }
    for owner in meta.owner_references.iter().flatten().filter(|owner| owner.controller == Some(true)) {
        match owner.kind.as_str() {
            "SmsConnector" => context.queues.connectors.add(ObjectKey::new(&namespace, &owner.name)),
            "SmsChannel" => context.queues.channels.add(ObjectKey::new(&namespace, &owner.name)),
            _ => {}
        }
    }
}

/// What a pod said goes with the object that it ran for.
fn forget_gone<K: Resource>(context: &Context, change: &Change<K>) {
    let uid = |object: &Option<Arc<K>>| object.as_ref().and_then(|object| object.meta().uid.clone());
    let (old, new) = (uid(&change.old), uid(&change.new));
    if let Some(gone) = old.filter(|old| new.as_ref() != Some(old)) {
        context.samples.forget(&gone);
        context.debounce.forget(&gone);
        context.bot_faults.forget(&gone);
        context.bot_reports.forget(&gone).into_iter().for_each(|bot| wake_bot(context, bot, TOGETHER));
        context.in_force.forget(&gone);
        context.figures.forget(&gone);
        context.progress.forget(&gone);
        context.route_writes.forget(&gone);
        context.rollouts.forget(&gone);
    }
}

fn key_of<K: Resource>(change: &Change<K>) -> ObjectKey {
    change
        .new
        .as_ref()
        .or(change.old.as_ref())
        .map_or_else(|| ObjectKey::new("", ""), |object| ObjectKey::of(&**object))
}

/// Whether more than the status has changed.
fn is_news<K: Resource>(change: &Change<K>) -> bool {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => {
            let (old, new) = (old.meta(), new.meta());
            old.uid != new.uid
                || old.generation != new.generation
                || old.deletion_timestamp != new.deletion_timestamp
                || old.annotations != new.annotations
                || old.finalizers != new.finalizers
        }
        (None, _) | (_, None) => true,
    }
}

/// Whether those who read the spec read another one now.
fn is_other_spec<K: Resource>(change: &Change<K>) -> bool {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => {
            let (old, new) = (old.meta(), new.meta());
            (&old.uid, old.generation, &old.deletion_timestamp) != (&new.uid, new.generation, &new.deletion_timestamp)
        }
        (None, _) | (_, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn channel(status: &Value) -> SmsChannel {
        serde_json::from_value(json!({
            "apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel",
            "metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 2},
            "spec": {"campaignRef": {"name": "support"}, "connectorRef": {"name": "demo"}, "number": "+15551230001"},
            "status": status,
        }))
        .unwrap()
    }

    fn condition(type_: &str, status: &str) -> Value {
        json!({"type": type_, "status": status, "reason": "R", "message": "", "observedGeneration": 2,
               "lastTransitionTime": "2026-01-01T00:00:00Z"})
    }

    #[test]
    fn a_status_write_is_news_for_those_only_who_read_what_it_changed() {
        let before = channel(&json!({"conditions": [condition("ConfigApplied", "False")]}));
        let cases = [
            ("another condition", json!({"conditions": [condition("ConfigApplied", "True")]}), false, false),
            ("ready", json!({"conditions": [condition("Ready", "True")]}), true, false),
            ("claimed", json!({"conditions": [condition("NumberClaimed", "True")]}), false, true),
            (
                "figures",
                json!({"queue": {"waiting": 1, "oldestWaitSeconds": 0, "withBot": 0, "active": 0}}),
                true,
                false,
            ),
            ("their time alone", json!({"sampledAt": "2026-01-01T00:00:00Z"}), false, false),
        ];
        for (what, status, campaign, claim) in cases {
            let after = channel(&status);
            assert_eq!(routed(&before), routed(&after), "{what}: the connector reads nothing of the status");
            assert_eq!(summed(&before) != summed(&after), campaign, "{what}: the campaign");
            assert_eq!(is_claimed(&before) != is_claimed(&after), claim, "{what}: the blocklists");
        }
    }
}
