//! Keeps a blocklist's status.

use std::{sync::Arc, time::Duration};

use kube::ResourceExt;

use super::{ValidBlocklist, concerns, validate};
use crate::{
    api::{Blocklist, ConditionType, Reason, SmsChannel},
    operator::{
        controllers::{
            channel,
            summary::{self, summarize},
            worker::RequeueAfter,
        },
        observed::context::Context,
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
};

/// Brings one blocklist's status up to date.
///
/// # Errors
/// Faults of the API server.
pub async fn reconcile(context: Arc<Context>, key: ObjectKey) -> Result<RequeueAfter, Error> {
    let Some(list) = summary::to_reconcile(&context, &context.cluster.blocklists, &key).await? else { return Ok(None) };
    summary::check_readable(&context, &context.cluster.blocklists, &*list).await?;
    let now = context.now();
    let mut conditions = summary::begin(&*list, now);
    let mut status = list.status.clone().unwrap_or_default();
    let references = references(&context, &list, &key);
    references.set(&mut conditions, ConditionType::ReferencesResolved);
    let bound = context.cluster.channels.select(|channel| concerns(&list, channel));
    let valid = validate(&list.spec);
    let ready = match &valid {
        Err(faults) => {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            DesiredCondition::no(Reason::InvalidSpec, faults.join("; "))
        }
        Ok(_) if references.reason != Reason::Resolved => references,
        Ok(_) => in_force(&context, &bound)?,
    };
    status.entries = valid.as_ref().ok().map(|valid| valid.counts(now));
    status.channels = i64::try_from(bound.len()).ok();
    summarize(&mut conditions, &ready);
    summary::report(&context, &context.cluster.blocklists, &*list, status, conditions).await?;
    let next = valid.ok().and_then(|valid: ValidBlocklist| valid.next_expiry(now));
    Ok(next.map(|end| Duration::try_from(end.duration_since(now)).unwrap_or_default() + Duration::from_millis(100)))
}

fn references(context: &Context, list: &Blocklist, key: &ObjectKey) -> DesiredCondition {
    let known = |name: &str| context.cluster.campaigns.get(&ObjectKey::new(&key.namespace, name)).is_some();
    let missing = list.spec.campaigns.iter().filter(|campaign| !known(&campaign.name));
    let missing: Vec<_> = missing.map(|campaign| campaign.name.as_str()).collect();
    if missing.is_empty() {
        return DesiredCondition::yes(Reason::Resolved, "every campaign is there");
    }
    DesiredCondition::no(
        Reason::CampaignNotFound,
        format!("campaign {} does not exist in this namespace", missing.join(", ")),
    )
}

fn in_force(context: &Context, bound: &[Arc<SmsChannel>]) -> Result<DesiredCondition, Error> {
    let mut behind = Vec::new();
    for channel in bound {
        if !channel::is_up_to_date(context, channel)? {
            behind.push(channel.name_any());
        }
    }
    Ok(match behind.first() {
        None => DesiredCondition::yes(Reason::InForce, "the entries are in force on every channel concerned"),
        Some(first) => {
            let message = format!("{} channels have not loaded the entries yet, {first} among them", behind.len());
            DesiredCondition::no(Reason::PartlyInForce, message)
        }
    })
}
