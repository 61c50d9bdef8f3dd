//! SmsChannel: observe, validate, claim, plan, apply, summarize; and drain before it goes.

mod bots;
mod clock;
mod drain;
mod number;
mod observe;
mod opt_out;
mod plan;
mod planned;
mod sampled;
mod status;
mod storage;
mod texts;
mod validate;
mod waits_for;

use std::{sync::Arc, time::Duration};

use kube::ResourceExt;

use crate::{
    api::{ConditionStatus, Reason, names, sms_channel::Automations},
    operator::{
        controllers::{
            account, claim, finalizer, rollout,
            summary::{self, is_deleted},
            worker::{RequeueAfter, sooner},
        },
        observed::{changes, context::Context, in_force, pod, targets::Target},
        resources::{
            apply,
            child::Owner,
            claim::{Claim, Holder},
            kinds::ChildKind,
            volume_refresh::{self, Cause},
        },
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
};
pub(crate) use observe::Observed;
use planned::Planned;

#[cfg(test)]
pub(crate) use {
    plan::{Plan, plan},
    validate::{references, validate},
};

/// Brings one channel to what its spec says.
///
/// # Errors
/// As [`Error`] says; what a person should know stands in status by then.
pub(crate) async fn reconcile(context: Arc<Context>, key: ObjectKey) -> Result<RequeueAfter, Error> {
    let Some(channel) = context.cluster.channels.get(&key) else { return Ok(None) };
    if is_deleted(&*channel) {
        return drain::reconcile(&context, &channel).await;
    }
    if names::is_paused(&*channel) {
        summary::report_paused(&context, &context.cluster.channels, &channel).await?;
        if context.in_force.note_unplanned(&channel.uid().unwrap_or_default()) {
            changes::wake_blocklists(&context, &channel);
        }
        return Ok(None);
    }
    let channel = finalizer::set(&context, &context.cluster.channels, channel).await?;
    let observed = Observed::of(&context, channel)?;
    watch_engine(&context, &observed);
    let mut findings = Findings::default();
    let outcome = bring_about(&context, &observed, &mut findings).await;
    if findings.configuration.is_none() && context.in_force.note_unplanned(&observed.channel.uid().unwrap_or_default())
    {
        changes::wake_blocklists(&context, &observed.channel);
    }
    if let Err(Error::Transient(_)) = &outcome {
        // Nothing is known about the object that was not known before.
        return outcome;
    }
    let report = status::report(&context, &observed, &findings, outcome.as_ref().err()).await?;
    storage::forget_acceptance(&context, &report.stands).await?;
    let said = observed.seen.answered().and_then(|said| said.clock.as_ref());
    clock::forget_acceptance(&context, &report.stands, said).await?;
    let again = outcome?;
    if observed.is_store_to_be_told(&report.stands) {
        return Ok(Some(Duration::ZERO));
    }
    Ok(sooner(again, report.due))
}

/// What the steps found on their way; each becomes a condition even when a later step fails.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    references: Option<DesiredCondition>,
    number: Option<DesiredCondition>,
    claimed: Option<DesiredCondition>,
    configuration: Option<Planned>,
}

/// The engine is asked for its status whether or not there is a plan for it.
fn watch_engine(context: &Context, observed: &Observed) {
    if observed.pod.is_some() {
        let interval = context.settings.scrape_interval();
        let within = pod::asked_within(observed.pod.as_deref(), &observed.seen, Duration::ZERO, interval);
        context.targets.watch(Target::Engine(ObjectKey::of(&*observed.channel)), within);
    }
}

async fn bring_about(context: &Context, observed: &Observed, findings: &mut Findings) -> Result<RequeueAfter, Error> {
    let channel = &*observed.channel;
    let owner = Owner::channel(channel);
    check_readable(context, observed, &owner)?;
    let references = validate::references(observed);
    findings.references = Some(validate::desired(&references));
    let Some(connector) = &observed.connector else { return Ok(None) };
    let provider = connector.spec.provider.member();
    let provider =
        provider.ok_or_else(|| Error::stalled(Reason::ConnectorNotReady, "the connector has no provider"))?;

    account::check(connector, &context.accounts)?;
    findings.number = number::desired(observed, connector)?;
    let claim = Claim::new(provider, &context.allowed_base_urls, &owner.namespace, &channel.spec.number);
    let holder = Holder::channel(channel);
    if !claim::is_held(context, &claim, &holder) && !is_verified(observed, findings) {
        let message = "the number is claimed as soon as it is verified";
        findings.claimed = Some(DesiredCondition::unknown(Reason::NotCheckedYet, message));
        return Ok(None);
    }
    match claim::acquire(context, &claim, &holder).await? {
        claim::Ownership::Ours => {
            findings.claimed = Some(DesiredCondition::yes(Reason::Claimed, "the number belongs to this channel"));
        }
        claim::Ownership::Other(other) => {
            if observed.held_number() && claim::has_engine(context, channel) {
                // Its Lease was lost and another channel came first. What runs is kept until a person decides: the gateway's routes
                // follow the Lease, so this engine neither sends nor receives.
                findings.claimed = Some(claim_lost(&other, &owner, &channel.spec.number));
                return Ok(None);
            }
            findings.claimed = Some(held_by(&other, &owner, &channel.spec.number));
            // Never two engines for one number. The volume stays.
            let keep = |kind, _: &str| kind == ChildKind::PersistentVolumeClaim;
            apply::prune(&context.writer, &context.cluster.children, &owner, keep).await?;
            return Ok(None);
        }
    }
    let Ok(references) = references else { return Ok(None) };

    let valid = validate::validate(observed, &references)?;
    let plan = plan::plan(&owner, &valid, observed, &context.settings)?;
    storage::check_volume(context, &owner, channel)?;
    let keep: Vec<_> = plan.children.list().iter().map(|child| (child.kind, child.name.clone())).collect();
    let target = Target::Engine(owner.key());
    let applied = rollout::apply(context, &owner, target, observed.pod.as_deref(), plan.children).await?;
    let kept = |kind, name: &str| keep.iter().any(|(kept, known)| *kept == kind && known == name);
    apply::prune(&context.writer, &context.cluster.children, &owner, kept).await?;
    note_lists(context, observed, &plan.configuration);
    context.events.repaired(channel, applied.repaired()).await;
    let interval = context.settings.scrape_interval();
    let within = pod::asked_within(observed.pod.as_deref(), &observed.seen, Duration::ZERO, interval);
    context.targets.watch(Target::Engine(owner.key()), within);
    let configuration = findings.configuration.insert(plan.configuration);
    let again = refresh_engine_volume(context, observed, configuration, &owner).await?;
    applied.complete()?;
    Ok(again)
}

/// Nothing is planned from a channel that cannot be read as a whole, nor from what it refers to where no good form of that is known.
fn check_readable(context: &Context, observed: &Observed, owner: &Owner) -> Result<(), Error> {
    let (cluster, spec) = (&context.cluster, &observed.channel.spec);
    if let Some(error) = summary::unreadable(&cluster.channels, &owner.key(), "channel") {
        return Err(error);
    }
    let key = |name: &str| ObjectKey::new(&owner.namespace, name);
    let (connector, campaign) = (key(&spec.connector_ref.name), key(&spec.campaign_ref.name));
    let lists = observed.blocklists.iter().map(|list| ObjectKey::of(&**list));
    let unreadable = summary::without_good_form(&cluster.connectors, &connector, "connector")
        .or_else(|| summary::without_good_form(&cluster.campaigns, &campaign, "campaign"))
        .or_else(|| {
            let named = spec.automations.iter().flat_map(Automations::bots);
            let bots = named.map(|(_, bot)| summary::without_good_form(&cluster.bots, &key(&bot.name), "bot"));
            bots.flatten().next()
        })
        .or_else(|| {
            lists
                .map(|list| summary::without_good_form(&cluster.blocklists, &list, "blocklist"))
                .find_map(|error| error)
        });
    unreadable.map_or(Ok(()), Err)
}

/// Leaves behind which blocklists the planned configuration holds, and whether the engine has it.
fn note_lists(context: &Context, observed: &Observed, planned: &Planned) {
    let channel = &*observed.channel;
    let reported = channel.status.as_ref().and_then(|status| status.engine.as_ref()?.config_hash.clone());
    let said = observed.seen.answered().and_then(|said| planned.in_force(said)).map(|hash| hash.to_string());
    let lists = observed.blocklists.iter().map(|list| in_force::edition(list)).collect();
    let uid = channel.uid().unwrap_or_default();
    if context.in_force.note(&uid, planned.hash, lists, said.or(reported).as_deref()) {
        changes::wake_blocklists(context, channel);
    }
}

/// Verified now, or before this operator started and nobody has said otherwise since.
fn is_verified(observed: &Observed, findings: &Findings) -> bool {
    match &findings.number {
        Some(desired) => desired.status == ConditionStatus::True,
        None => observed.was_number_valid(),
    }
}

fn held_by(other: &Holder, owner: &Owner, number: &str) -> DesiredCondition {
    let who = name_of(other, owner);
    let message = format!("{who} has the number {number}; this channel takes over by itself when that one is deleted");
    DesiredCondition::no(Reason::HeldByOther, message)
}

fn claim_lost(other: &Holder, owner: &Owner, number: &str) -> DesiredCondition {
    let who = name_of(other, owner);
    let message = format!(
        "the record of this channel's claim on {number} was lost, and {who} has the number now; this engine is kept, but neither sends \
         nor receives; delete the one of the two channels that shall not have the number: this one takes over when the other is deleted"
    );
    DesiredCondition::no(Reason::ClaimLost, message)
}

/// Another namespace's channel is not named.
fn name_of(other: &Holder, owner: &Owner) -> String {
    if other.namespace == owner.namespace {
        format!("channel {}", other.name)
    } else {
        "a channel of another namespace".into()
    }
}

async fn refresh_engine_volume(
    context: &Context,
    observed: &Observed,
    planned: &Planned,
    owner: &Owner,
) -> Result<RequeueAfter, Error> {
    let hash = &planned.hash;
    let Some(pod) = &observed.pod else { return Ok(None) };
    let reload = summary::annotation(&*observed.channel, names::ANNOTATION_RELOAD);
    if volume_refresh::is_reload_due(pod, reload) {
        volume_refresh::send(&context.writer, pod, hash, reload).await?;
    }
    let Some(said) = observed.seen.answered() else { return Ok(None) };
    if !planned.is_wanted_by(said) {
        context.volume_refreshes.settled(pod, Cause::Config);
        return Ok(None);
    }
    let again = context.volume_refreshes.refresh(&context.writer, pod, Cause::Config, hash, reload).await?;
    context.targets.watch(Target::Engine(owner.key()), Duration::from_millis(500));
    Ok(Some(again))
}
