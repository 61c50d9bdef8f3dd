//! Before a connector goes: its channels send what they have and go, and the spool empties (for a limited time). The spool's volume
//! stays.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};
use tracing::info;

use crate::{
    api::{Reason, SmsConnector, names},
    operator::{
        controllers::{
            connector::{Observed, bring_about, fault, look_again, status, waits_for::WaitsFor},
            finalizer,
            summary::{self, summarize},
            worker::RequeueAfter,
        },
        observed::{context::Context, samples::Sampled},
        resources::{child::Owner, kinds::ChildKind},
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
};

/// Channels that a message names.
const NAMED: usize = 5;
/// The garbage collector has begun with the gateway and everything else that belongs to the connector.
const FOREGROUND: &str = "foregroundDeletion";

/// Takes a deleted connector one step further.
pub(super) async fn reconcile(context: &Context, connector: &Arc<SmsConnector>) -> Result<RequeueAfter, Error> {
    if !finalizer::is_set(&**connector) {
        return Ok(None);
    }
    let store = &context.cluster.connectors;
    let time_left = time_left(context, connector);
    if time_left.is_zero() {
        give_up(context, connector).await;
        finalizer::remove(context, store, connector).await?;
        return Ok(None);
    }
    if let Some(why) = waits_for_nothing(context, connector).await? {
        info!(connector = %ObjectKey::of(&**connector), why, "not drained");
        finalizer::remove(context, store, connector).await?;
        return Ok(None);
    }
    let observed = Observed::of(context, connector.clone())?;
    look_again(context, &observed);
    // The gateway goes on: what its channels still send passes through it, and routes go with the channels.
    let outcome = bring_about(context, &observed).await;
    if let Err(error) = &outcome
        && finalizer::is_raced(error)
    {
        return outcome.map(|_| None);
    }
    let Some(left) = left(context, connector) else {
        finalizer::remove(context, store, connector).await?;
        return Ok(None);
    };
    let hash = outcome.as_ref().ok().map(|done| &done.hash);
    let (status, mut conditions) = status::status(&observed, hash, fault(&outcome), context.now());
    let hindered = fault(&outcome).map(|error| format!("; its gateway cannot be kept as planned: {}", error.words()));
    let hindered = hindered.unwrap_or_default();
    let is_said = |message: &str| left.is_said_by(message, &hindered);
    let message = summary::draining_message(context, &**connector, is_said, left.message(&hindered));
    summarize(&mut conditions, &DesiredCondition::no(Reason::Draining, message));
    summary::report(context, store, &**connector, status, conditions).await?;
    Ok(Some(summary::look_again_at_deleted(&**connector, context.now()).min(time_left)))
}

/// Says what is left undone when the time is over.
async fn give_up(context: &Context, connector: &SmsConnector) {
    let Some(left) = left(context, connector) else { return };
    info!(connector = %ObjectKey::of(connector), %left, "the time for draining is over");
    let volume = connector.child_name();
    let note = format!("deleted before it was drained: {left}; the spool stays in PersistentVolumeClaim {volume}");
    context.events.publish(connector, true, Reason::DrainTimedOut.as_str(), &note).await;
}

/// Why the connector goes at once, if it does.
async fn waits_for_nothing(context: &Context, connector: &SmsConnector) -> Result<Option<&'static str>, Error> {
    if summary::annotation(connector, names::ANNOTATION_DRAIN) == Some(names::DRAIN_SKIP) {
        return Ok(Some("the annotation says so"));
    }
    if connector.finalizers().iter().any(|known| known == FOREGROUND) {
        return Ok(Some("the gateway is deleted before its owner"));
    }
    let namespaces: Api<Namespace> = Api::all(context.writer.client().clone());
    let namespace = match namespaces.get_metadata_opt(&connector.namespace().unwrap_or_default()).await {
        Ok(found) => found,
        // An operator without this right waits, as long as it would in any other namespace.
        Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let is_going = namespace.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some());
    Ok(is_going.then_some("the namespace is being deleted"))
}

/// What is waited for; none = nothing.
fn left(context: &Context, connector: &SmsConnector) -> Option<WaitsFor> {
    let owner = Owner::connector(connector);
    let channels = context.cluster.channels_of_connector(&owner.key());
    if !channels.is_empty() {
        let named: Vec<_> = channels.iter().take(NAMED).map(ObjectKey::name).collect();
        let more = channels.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        return Some(WaitsFor::Channels(format!("{}{more}", named.join(", "))));
    }
    let key = ObjectKey::new(&owner.namespace, &owner.child_name);
    let gateway = context.cluster.children.of(ChildKind::StatefulSet).get(&key);
    let ever_ran = connector.status.as_ref().is_some_and(|status| status.gateway.is_some());
    if !ever_ran || !gateway.is_some_and(|gateway| owner.owns(&gateway)) {
        return None;
    }
    match &context.samples.gateway(&owner.uid) {
        Sampled::Answered(said) if said.spool.waiting == 0 => None,
        Sampled::Answered(said) => Some(WaitsFor::Spool(said.spool.waiting)),
        Sampled::Unreachable { .. } | Sampled::Never => Some(WaitsFor::Answer),
    }
}

/// How much time for draining there is left. Twice a channel's in all: the channels that are deleted together with it come first.
fn time_left(context: &Context, connector: &SmsConnector) -> Duration {
    let limit = Duration::from_secs(context.settings.drain_seconds.saturating_mul(2));
    limit.saturating_sub(summary::age_of_deletion(connector, context.now()))
}
