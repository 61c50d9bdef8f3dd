//! Before a channel goes: intake stops, the outbox is sent (for a limited time), the engine ends, the claim is released.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::DynamicObject};
use serde_json::{Map, Value};
use tracing::info;

use crate::{
    api::{Reason, SmsChannel},
    operator::{
        controllers::{
            channel::waits_for::WaitsFor,
            claim, finalizer,
            summary::{self, summarize},
            worker::RequeueAfter,
        },
        observed::{context::Context, pod, targets::Target},
        resources::{
            apply,
            child::{ANNOTATION_DRAINING, Children, Owner},
            claim::{Claim, Holder},
            configuration, kept,
            kinds::ChildKind,
            volume_refresh::Cause,
        },
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
    wire::config::{ConfigHash, MAIN_DOCUMENT},
};

/// Between two looks at the outbox.
const LOOK: Duration = Duration::from_millis(500);

/// A pod that has not ended so long after its time was over does not end by itself.
const OVERDUE: Duration = Duration::from_secs(30);

/// Takes a deleted channel one step further.
pub(super) async fn reconcile(context: &Context, channel: &Arc<SmsChannel>) -> Result<RequeueAfter, Error> {
    let owner = Owner::channel(channel);
    if !finalizer::is_set(&**channel) {
        return Ok(None);
    }
    if let Some(left) = outbox(context, channel, &owner).await? {
        report(context, channel, &left).await?;
        return Ok(Some(look_again(context, channel, &left)));
    }
    let left = match end_engine(context, &owner).await {
        Ok(left) => left,
        Err(error) if finalizer::is_raced(&error) => return Err(error),
        // Without an end of the engine the number is not free, however long that takes.
        Err(error) => Some(WaitsFor::EndRefused(error.words())),
    };
    if let Some(left) = left {
        report(context, channel, &left).await?;
        return Ok(Some(summary::look_again_at_deleted(&**channel, context.now())));
    }
    release(context, channel, &owner).await?;
    finalizer::remove(context, &context.cluster.channels, channel).await?;
    Ok(None)
}

/// When to look at the outbox again: not after the time for draining is over.
fn look_again(context: &Context, channel: &SmsChannel, left: &WaitsFor) -> Duration {
    match left {
        WaitsFor::Stop(_) => {
            let again = summary::look_again_at_deleted(channel, context.now());
            again.min(time_left(context, channel).max(LOOK))
        }
        WaitsFor::Outbox(_)
        | WaitsFor::Intake(_)
        | WaitsFor::Answer
        | WaitsFor::End
        | WaitsFor::EndRefused(_)
        | WaitsFor::Node { .. } => LOOK,
    }
}

/// A child of the channel's; past the cache where that does not know it, since its label may have been taken off.
async fn child_of(context: &Context, owner: &Owner, kind: ChildKind) -> Result<Option<Arc<DynamicObject>>, Error> {
    let key = ObjectKey::new(&owner.namespace, &owner.child_name);
    let found = match context.cluster.children.of(kind).get(&key) {
        Some(known) => Some(known),
        None => context.writer.get_child(kind, &key).await?.map(|found| Arc::new(kept::compared(found))),
    };
    Ok(found.filter(|found| owner.owns(found)))
}

/// Waits for the outbox, for a limited time whatever happens. None: there is nothing to wait for any more; else what is waited for.
async fn outbox(context: &Context, channel: &Arc<SmsChannel>, owner: &Owner) -> Result<Option<WaitsFor>, Error> {
    let Some(stateful_set) = child_of(context, owner, ChildKind::StatefulSet).await? else { return Ok(None) };
    let ever_ran = channel.status.as_ref().is_some_and(|status| status.engine.is_some());
    if stateful_set.metadata.deletion_timestamp.is_some() || !ever_ran {
        return Ok(None);
    }
    let is_time_over = time_left(context, channel).is_zero();
    let left = match empty(context, owner, is_time_over).await {
        Ok(None) => return Ok(None),
        Ok(Some(left)) => left,
        Err(error) if finalizer::is_raced(&error) => return Err(error),
        Err(error) => WaitsFor::Stop(error.words()),
    };
    if is_time_over {
        info!(channel = %owner.key(), %left, "the time for draining is over");
        let note = format!("deleted before everything could be sent: {left}");
        context.events.publish(&**channel, true, Reason::DrainTimedOut.as_str(), &note).await;
        return Ok(None);
    }
    Ok(Some(left))
}

/// Stops the intake, unless the time is over, and looks at the outbox. None: it is empty.
async fn empty(context: &Context, owner: &Owner, is_time_over: bool) -> Result<Option<WaitsFor>, Error> {
    let Some(document) = child_of(context, owner, ChildKind::ConfigMap).await? else { return Ok(None) };
    let known = main_document(&document).and_then(|digest| ConfigHash::try_from(digest.to_owned()).ok());
    let hash = match known.filter(|_| document.annotations().contains_key(ANNOTATION_DRAINING)) {
        Some(hash) => Some(hash),
        None if is_time_over => None,
        None => match stop_intake(context, owner).await? {
            Some(hash) => Some(hash),
            None => return Ok(None),
        },
    };
    let seen = context.samples.engine(&owner.uid);
    let said = seen.answered();
    let stopped = said.filter(|said| hash.is_some() && said.config.hash == hash);
    if let Some(hash) = hash.filter(|_| !is_time_over) {
        context.targets.watch(Target::Engine(owner.key()), LOOK);
        if let (Some(pod), Some(_), None) = (pod::of(context, owner), said, stopped) {
            context.volume_refreshes.refresh(&context.writer, &pod, Cause::Config, &hash, None).await?;
        }
    }
    if stopped.is_some_and(|said| said.outbox.waiting == 0 && said.outbox.in_flight == 0) {
        return Ok(None);
    }
    Ok(Some(match said.map(|said| said.outbox.waiting + said.outbox.in_flight) {
        Some(count) if stopped.is_some() => WaitsFor::Outbox(count),
        Some(count) => WaitsFor::Intake(count),
        None => WaitsFor::Answer,
    }))
}

/// Writes the configuration in force with the intake stopped; its hash. None: there is none that can be read.
async fn stop_intake(context: &Context, owner: &Owner) -> Result<Option<ConfigHash>, Error> {
    let key = ObjectKey::new(&owner.namespace, &owner.child_name);
    let document = context.writer.get_child(ChildKind::ConfigMap, &key).await?;
    let Some(text) = document.as_ref().and_then(main_document) else { return Ok(None) };
    let Some((text, hash)) = draining(text) else { return Ok(None) };
    let child = configuration::draining_document(owner, text);
    apply::apply(&context.writer, &context.cluster.children, owner, Children::planned(vec![child])).await?;
    Ok(Some(hash))
}

fn main_document(map: &DynamicObject) -> Option<&str> {
    map.data.pointer("/data")?.get(MAIN_DOCUMENT)?.as_str()
}

/// The configuration in force with the intake stopped. What it was made of may be gone already. None: it is no configuration.
fn draining(text: &str) -> Option<(String, ConfigHash)> {
    let mut document: Map<String, Value> = serde_json::from_str(text).ok()?;
    document.insert("draining".into(), true.into());
    let text = serde_json::to_string(&document).ok()?;
    let hash = ConfigHash::of(text.as_bytes());
    Some((text, hash))
}

/// How much of the time for draining there is left.
fn time_left(context: &Context, channel: &SmsChannel) -> Duration {
    let limit = Duration::from_secs(context.settings.drain_seconds);
    limit.saturating_sub(summary::age_of_deletion(channel, context.now()))
}

/// Deletes the StatefulSet. None: the engine's pod is gone, which only the API server itself can tell; else what is waited for.
async fn end_engine(context: &Context, owner: &Owner) -> Result<Option<WaitsFor>, Error> {
    let key = ObjectKey::new(&owner.namespace, &owner.child_name);
    if let Some(live) = context.writer.get_child(ChildKind::StatefulSet, &key).await?
        && owner.owns(&live)
    {
        if live.metadata.deletion_timestamp.is_none() {
            let store = context.cluster.children.of(ChildKind::StatefulSet);
            let uid = live.uid().unwrap_or_default();
            context.writer.delete_child(ChildKind::StatefulSet, &key, &uid, store).await?;
        }
        return Ok(Some(WaitsFor::End));
    }
    let pods: Api<Pod> = Api::namespaced(context.writer.client().clone(), &owner.namespace);
    let pod = pods.get_opt(&format!("{}-0", owner.child_name)).await?;
    Ok(pod.filter(|pod| is_engine(pod, owner)).map(|pod| ending(&pod, context.now())))
}

/// By its label, or by the StatefulSet that made it, since either may have been taken off.
fn is_engine(pod: &Pod, owner: &Owner) -> bool {
    let made_by = pod.owner_references().iter().any(|reference| reference.name == owner.child_name);
    made_by || pod.labels().get(owner.label) == Some(&owner.name)
}

/// What is waited for while there is a pod.
fn ending(pod: &Pod, now: jiff::Timestamp) -> WaitsFor {
    let until = pod.metadata.deletion_timestamp.as_ref();
    let overdue =
        until.is_some_and(|until| Duration::try_from(now.duration_since(until.0)).is_ok_and(|over| over > OVERDUE));
    if !overdue {
        return WaitsFor::End;
    }
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    WaitsFor::Node { pod: pod.name_any(), namespace: pod.namespace().unwrap_or_default(), node }
}

async fn release(context: &Context, channel: &SmsChannel, owner: &Owner) -> Result<(), Error> {
    let connector = ObjectKey::new(&owner.namespace, &channel.spec.connector_ref.name);
    let connector = context.cluster.connectors.get(&connector);
    let provider = connector.as_ref().and_then(|connector| connector.spec.provider.member());
    let claim = provider
        .map(|provider| Claim::new(provider, &context.allowed_base_urls, &owner.namespace, &channel.spec.number));
    if claim::release(context, claim.as_ref(), &Holder::channel(channel)).await? {
        context.events.publish(channel, false, Reason::ClaimReleased.as_str(), "the number is free again").await;
    }
    Ok(())
}

/// Says what is waited for.
async fn report(context: &Context, channel: &SmsChannel, left: &WaitsFor) -> Result<(), Error> {
    let mut conditions = summary::begin(channel, context.now());
    let message = summary::draining_message(context, channel, |said| left.is_said_by(said), left.message());
    summarize(&mut conditions, &DesiredCondition::no(Reason::Draining, message));
    let status = channel.status.clone().unwrap_or_default();
    summary::report(context, &context.cluster.channels, channel, status, conditions).await.map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn draining_changes_nothing_else() {
        let (text, hash) = draining(r#"{"draining":false,"enabled":true,"future":[1]}"#).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document, json!({"draining": true, "enabled": true, "future": [1]}));
        assert_eq!(draining(&text).unwrap().1, hash, "doing it again changes nothing");
    }
}
