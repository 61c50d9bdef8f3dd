//! SmsConnector: observe, validate, plan, apply, summarize; and drain before it goes.

mod drain;
mod observe;
mod plan;
mod status;
mod traffic;
mod validate;
mod waits_for;

use std::{sync::Arc, time::Duration};

use crate::{
    api::{Reason, names},
    operator::{
        controllers::{finalizer, rollout, summary, worker::RequeueAfter},
        observed::{context::Context, pod, targets::Target},
        resources::{
            apply,
            child::{ANNOTATION_ACCOUNT, Owner},
            volume::{self, Content},
            volume_refresh::{self, Cause},
        },
        runtime::{cache::ObjectKey, error::Error},
    },
    wire::{
        config::ConfigHash,
        status::{CredentialsStatus, GatewayStatus},
    },
};
pub(crate) use observe::Observed;

#[cfg(test)]
pub(crate) use {
    plan::{Plan, plan},
    validate::validate,
};

/// Brings one connector to what its spec says.
///
/// # Errors
/// As [`Error`] says; what a person should know stands in status by then.
pub(crate) async fn reconcile(context: Arc<Context>, key: ObjectKey) -> Result<RequeueAfter, Error> {
    let store = &context.cluster.connectors;
    if let Some(deleted) = store.get(&key).filter(|connector| summary::is_deleted(&**connector)) {
        return drain::reconcile(&context, &deleted).await;
    }
    let Some(connector) = summary::to_reconcile(&context, store, &key).await? else { return Ok(None) };
    let connector = finalizer::set(&context, store, connector).await?;
    let observed = Observed::of(&context, connector.clone())?;
    look_again(&context, &observed);
    let outcome = bring_about(&context, &observed).await;
    if let Err(Error::Transient(_)) = &outcome {
        // Nothing is known about the object that was not known before.
        return outcome.map(|_| None);
    }
    let (status, conditions) =
        status::status(&observed, outcome.as_ref().ok().map(|done| &done.hash), fault(&outcome), context.now());
    summary::report(&context, store, &*connector, status, conditions).await?;
    let done = outcome?;
    done.refused?;
    Ok(done.again)
}

/// The gateway is asked for its status whether or not there is a plan for it, and routes that are on their way are looked at in their time whatever
/// becomes of this look.
fn look_again(context: &Context, observed: &Observed) {
    if let Some(left) = observed.routes_again_in {
        context.queues.connectors.add_after(ObjectKey::of(&*observed.connector), left);
    }
    if observed.pod.is_some() {
        let interval = context.settings.scrape_interval();
        let within = pod::asked_within(observed.pod.as_deref(), &observed.seen, Duration::ZERO, interval);
        context.targets.watch(Target::Gateway(ObjectKey::of(&*observed.connector)), within);
    }
}

/// What became of validating, planning and applying.
struct Done {
    hash: ConfigHash,
    again: RequeueAfter,
    /// One child that does not stand as planned, while everything else does.
    refused: Result<(), Error>,
}

fn fault(outcome: &Result<Done, Error>) -> Option<&Error> {
    match outcome {
        Ok(done) => done.refused.as_ref().err(),
        Err(error) => Some(error),
    }
}

async fn bring_about(context: &Context, observed: &Observed) -> Result<Done, Error> {
    let owner = Owner::connector(&observed.connector);
    if let Some(error) = summary::unreadable(&context.cluster.connectors, &owner.key(), "connector") {
        return Err(error);
    }
    let valid = validate::validate(&observed.connector, &context.allowed_base_urls, &context.accounts)?;
    check_volume(context, &owner, &valid.content)?;
    let plan = plan::plan(&owner, &valid, observed, &context.settings)?;
    let keep: Vec<_> = plan.children.list().iter().map(|child| (child.kind, child.name.clone())).collect();
    let target = Target::Gateway(owner.key());
    // Also when they are not written as a whole: what was written of them is not taken back by older ones.
    context.route_writes.write(&owner.uid, observed.connector.metadata.generation, &observed.routed);
    let applied = rollout::apply(context, &owner, target, observed.pod.as_deref(), plan.children).await?;
    let kept = |kind, name: &str| keep.iter().any(|(kept, known)| *kept == kind && known == name);
    apply::prune(&context.writer, &context.cluster.children, &owner, kept).await?;
    context.events.repaired(&*observed.connector, applied.repaired()).await;
    let interval = context.settings.scrape_interval();
    let within = pod::asked_within(observed.pod.as_deref(), &observed.seen, Duration::ZERO, interval);
    context.targets.watch(Target::Gateway(owner.key()), within);
    let again = refresh_gateway_volume(context, observed, &plan.hash, &owner).await?;
    Ok(Done { hash: plan.hash, again, refused: applied.complete() })
}

/// A retained spool is adopted by a connector of the same name and account only.
fn check_volume(context: &Context, owner: &Owner, content: &str) -> Result<(), Error> {
    let content = Content { annotation: ANNOTATION_ACCOUNT, value: content };
    match volume::foreign_content(&context.cluster.children, owner, content) {
        Some(account) => Err(Error::stalled(
            Reason::StorageForeign,
            format!(
                "PersistentVolumeClaim {} holds the spool of account {account}: delete it, or give the connector another name",
                owner.child_name
            ),
        )),
        None => Ok(()),
    }
}

/// Makes the pod look at its configuration and credentials when it should.
async fn refresh_gateway_volume(
    context: &Context,
    observed: &Observed,
    hash: &ConfigHash,
    owner: &Owner,
) -> Result<RequeueAfter, Error> {
    let Some(pod) = &observed.pod else { return Ok(None) };
    let reload = summary::annotation(&*observed.connector, names::ANNOTATION_RELOAD);
    if volume_refresh::is_reload_due(pod, reload) {
        volume_refresh::send(&context.writer, pod, hash, reload).await?;
    }
    let Some(said) = observed.seen.answered() else { return Ok(None) };
    let mut again: RequeueAfter = None;
    let mut sooner = |wait: Duration| again = Some(again.map_or(wait, |known: Duration| known.min(wait)));
    if wants_config(said, hash) {
        sooner(context.volume_refreshes.refresh(&context.writer, pod, Cause::Config, hash, reload).await?);
        context.targets.watch(Target::Gateway(owner.key()), Duration::from_millis(500));
    } else {
        context.volume_refreshes.settled(pod, Cause::Config);
    }
    match said.credentials {
        CredentialsStatus::Missing { .. } | CredentialsStatus::Invalid { .. } => {
            sooner(context.volume_refreshes.refresh(&context.writer, pod, Cause::Credentials, hash, reload).await?);
        }
        CredentialsStatus::Unchecked | CredentialsStatus::Valid { .. } | CredentialsStatus::Suspended { .. } => {
            context.volume_refreshes.settled(pod, Cause::Credentials);
        }
    }
    Ok(again)
}

fn wants_config(said: &GatewayStatus, hash: &ConfigHash) -> bool {
    said.config.hash.as_ref() != Some(hash)
        && said.config.rejected.as_ref().is_none_or(|rejected| rejected.hash != *hash)
}
