//! One number, one channel: takes, releases and sweeps [claims](crate::operator::resources::claim).
//!
//! Creating it is atomic. Who holds it is in `holderIdentity`; it never runs out by time. It is released when the holder's
//! engine is gone, and swept only after a live read says that the holder does not exist any more. Where a Lease was lost, a channel
//! that holds the number by its status and whose engine runs comes first.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt};
use tracing::info;

use crate::{
    api::{ConditionType, SmsChannel},
    operator::{
        controllers::{account, summary},
        observed::{changes::TOGETHER, context::Context},
        resources::{
            child::Owner,
            claim::{Claim, Holder},
            kinds::ChildKind,
        },
        runtime::{cache::ObjectKey, error::Error, index::Term},
    },
};

const FIELD_MANAGER: &str = "aldis/claim";

/// Whether a channel may use its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// This channel's.
    Ours,
    /// Another channel's.
    Other(Holder),
}

/// Whether this channel holds the claim, by the cache.
pub(crate) fn is_held(context: &Context, claim: &Claim, holder: &Holder) -> bool {
    let key = ObjectKey::new(&context.settings.namespace, claim.name());
    context.cluster.claims.has(&Term::Holder(holder.identity()), &key)
}

fn lease(context: &Context, claim: &Claim) -> Option<Arc<Lease>> {
    context.cluster.claims.get(&ObjectKey::new(&context.settings.namespace, claim.name()))
}

/// Acquires the claim for the channel, or says who has it.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn acquire(context: &Context, claim: &Claim, holder: &Holder) -> Result<Ownership, Error> {
    let key = ObjectKey::new(&holder.namespace, &holder.name);
    let name = claim.name();
    if let Some(lease) = lease(context, claim) {
        let found = ownership_of(context, &lease, holder).await?;
        if let Some(ownership) = found {
            note_contender(context, &name, &key, &ownership);
            return Ok(ownership);
        }
    }
    if let Some(other) = holder_without_lease(context, claim, holder) {
        let ownership = Ownership::Other(other);
        note_contender(context, &name, &key, &ownership);
        return Ok(ownership);
    }
    let made = context.writer.create("Lease", FIELD_MANAGER, &claim.lease(&context.settings.namespace, holder)).await?;
    let ownership = match made {
        Some(lease) => {
            info!(claim = name, holder = holder.identity(), "claimed");
            context.cluster.claims.wrote(lease);
            // The route appears in the gateway's configuration.
            wake_connector(context, &key);
            Some(Ownership::Ours)
        }
        None => {
            let api: Api<Lease> = Api::namespaced(context.writer.client().clone(), &context.settings.namespace);
            match api.get_opt(&name).await? {
                Some(lease) => {
                    context.cluster.claims.wrote(lease.clone());
                    ownership_of(context, &lease, holder).await?
                }
                None => None,
            }
        }
    };
    // Neither ours nor anybody's: it went this moment. The next look takes it.
    let ownership = ownership.ok_or_else(|| {
        Error::waiting(
            crate::api::Reason::Progressing,
            "the claim on the number is being released",
            std::time::Duration::from_millis(500),
        )
    })?;
    note_contender(context, &name, &key, &ownership);
    Ok(ownership)
}

/// Another channel that holds the number by its status and whose engine runs, although its Lease is lost. It takes the claim again;
/// nobody else may. None where the asking channel is in that place itself: the first of them has it. Whoever may write in a namespace can
/// write such a status, so it counts only where the namespace may use the account.
fn holder_without_lease(context: &Context, claim: &Claim, asking: &Holder) -> Option<Holder> {
    let holds = |channel: &SmsChannel| {
        summary::was_true(channel, ConditionType::NumberClaimed)
            && has_engine(context, channel)
            && claim_of(context, channel).as_ref() == Some(claim)
    };
    let mut found = context.cluster.channels.with(&Term::Number(claim.number().to_owned()));
    found.retain(|channel| holds(channel));
    let found: Vec<_> = found.iter().map(|channel| Holder::channel(channel)).collect();
    if found.contains(asking) { None } else { found.into_iter().next() }
}

/// What a channel claims, by its connector; none where it may claim nothing.
fn claim_of(context: &Context, channel: &SmsChannel) -> Option<Claim> {
    let namespace = channel.namespace()?;
    let connector = context.cluster.connectors.get(&ObjectKey::new(&namespace, &channel.spec.connector_ref.name))?;
    account::check(&connector, &context.accounts).ok()?;
    let provider = connector.spec.provider.member()?;
    Some(Claim::new(provider, &context.allowed_base_urls, &namespace, &channel.spec.number))
}

/// Whether the channel has an engine.
pub(crate) fn has_engine(context: &Context, channel: &SmsChannel) -> bool {
    let owner = Owner::channel(channel);
    let key = ObjectKey::new(&owner.namespace, &owner.child_name);
    let found = context.cluster.children.of(ChildKind::StatefulSet).get(&key);
    found.is_some_and(|found| owner.owns(&found))
}

fn note_contender(context: &Context, claim: &str, key: &ObjectKey, ownership: &Ownership) {
    match ownership {
        Ownership::Ours => context.contenders.remove(claim, key),
        Ownership::Other(_) => context.contenders.add(claim, key.clone()),
    }
}

fn wake_connector(context: &Context, channel: &ObjectKey) {
    if let Some(channel) = context.cluster.channels.get(channel) {
        let namespace = channel.namespace().unwrap_or_default();
        let connector = ObjectKey::new(namespace, &channel.spec.connector_ref.name);
        context.queues.connectors.add_spaced(connector, TOGETHER);
    }
}

/// Whose the claim is. None when it was nobody's any more and is swept.
async fn ownership_of(context: &Context, lease: &Lease, asking: &Holder) -> Result<Option<Ownership>, Error> {
    match Holder::of(lease) {
        Some(holder) if holder == *asking => Ok(Some(Ownership::Ours)),
        Some(holder) => {
            if sweep(context, lease, &holder).await? {
                return Ok(None);
            }
            Ok(Some(Ownership::Other(holder)))
        }
        None => Err(Error::stalled(
            crate::api::Reason::NameConflict,
            format!(
                "Lease {} in namespace {} is no claim of Aldis: delete it",
                lease.name_any(),
                context.settings.namespace
            ),
        )),
    }
}

/// Deletes the claim if its holder is gone for certain: the cache does not know it, and a live read says so too. A read that
/// fails says nothing.
async fn sweep(context: &Context, lease: &Lease, holder: &Holder) -> Result<bool, Error> {
    let key = ObjectKey::new(&holder.namespace, &holder.name);
    if context.cluster.channels.uid(&key).as_deref() == Some(holder.uid.as_str()) {
        return Ok(false);
    }
    let api: Api<SmsChannel> = Api::namespaced(context.writer.client().clone(), &holder.namespace);
    let gone = match api.get_metadata_opt(&holder.name).await {
        Ok(None) => true,
        Ok(Some(channel)) => channel.metadata.uid.as_deref() != Some(holder.uid.as_str()),
        Err(_) => false,
    };
    if gone {
        info!(claim = lease.name_any(), holder = holder.identity(), "sweeping the claim of a channel that is gone");
        remove(context, lease).await?;
    }
    Ok(gone)
}

/// Sweeps every claim whose holder is gone.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn sweep_all(context: &Context) -> Result<(), Error> {
    for lease in context.cluster.claims.each(context.cluster.claims.keys()) {
        if let Some(holder) = Holder::of(&lease) {
            sweep(context, &lease, &holder).await?;
        }
    }
    Ok(())
}

/// Gives up every claim of the channel. Reads past the cache, since none may stay behind.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn release(context: &Context, claim: Option<&Claim>, holder: &Holder) -> Result<bool, Error> {
    let mut held = context.cluster.claims.with(&Term::Holder(holder.identity()));
    if let Some(claim) = claim {
        let api: Api<Lease> = Api::namespaced(context.writer.client().clone(), &context.settings.namespace);
        let live = api.get_opt(&claim.name()).await?;
        held.retain(|lease| lease.name_any() != claim.name());
        held.extend(live.filter(|lease| Holder::of(lease).as_ref() == Some(holder)).map(Arc::new));
        context.contenders.remove(&claim.name(), &ObjectKey::new(&holder.namespace, &holder.name));
    }
    for lease in &held {
        remove(context, lease).await?;
    }
    // Those who yielded to a channel without a Lease see no Lease go.
    for key in claim.iter().flat_map(|claim| context.contenders.of(&claim.name())) {
        context.queues.channels.add(key);
    }
    Ok(!held.is_empty())
}

async fn remove(context: &Context, lease: &Lease) -> Result<(), Error> {
    context.writer.delete("Lease", lease).await?;
    context.cluster.claims.removed(&ObjectKey::of(lease), &lease.uid().unwrap_or_default());
    for key in context.contenders.of(&lease.name_any()) {
        context.queues.channels.add(key);
    }
    Ok(())
}
