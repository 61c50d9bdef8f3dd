//! Keeps a blocklist's status.

use std::{sync::Arc, time::Duration};

use super::{ValidBlocklist, concerns, validate};
use crate::{
    api::{Blocklist, ConditionType, Reason, SmsChannel, names},
    operator::{
        cache::ObjectKey,
        context::Context,
        controller::Again,
        error::Error,
        summary::{self, Verdict, is_deleted, summarize},
    },
};

/// Brings one blocklist's status up to date.
///
/// # Errors
/// Faults of the API server.
pub async fn reconcile(context: Arc<Context>, key: ObjectKey) -> Result<Again, Error> {
    let Some(list) = context.cluster.blocklists.get(&key) else { return Ok(None) };
    if is_deleted(&*list) {
        return Ok(None);
    }
    if names::is_paused(&*list) {
        summary::report_paused(&context, &context.cluster.blocklists, &list).await?;
        return Ok(None);
    }
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
            Verdict::no(Reason::InvalidSpec, faults.join("; "))
        }
        Ok(_) if references.reason != Reason::Resolved => references,
        Ok(_) => in_force(&bound),
    };
    status.entries = valid.as_ref().ok().map(|valid| valid.counts(now));
    status.channels = i64::try_from(bound.len()).ok();
    summarize(&mut conditions, &ready);
    summary::report(&context, &context.cluster.blocklists, &*list, status, conditions).await?;
    let next = valid.ok().and_then(|valid: ValidBlocklist| valid.next_expiry(now));
    Ok(next.map(|end| Duration::try_from(end.duration_since(now)).unwrap_or_default() + Duration::from_millis(100)))
}

fn references(context: &Context, list: &Blocklist, key: &ObjectKey) -> Verdict {
    let known = |name: &str| context.cluster.campaigns.get(&ObjectKey::new(&key.namespace, name)).is_some();
    let missing = list.spec.campaigns.iter().filter(|campaign| !known(&campaign.name));
    let missing: Vec<_> = missing.map(|campaign| campaign.name.as_str()).collect();
    if missing.is_empty() {
        return Verdict::yes(Reason::Resolved, "every campaign is there");
    }
    Verdict::no(Reason::CampaignNotFound, format!("campaign {} does not exist in this namespace", missing.join(", ")))
}

fn in_force(bound: &[Arc<SmsChannel>]) -> Verdict {
    let behind: Vec<_> = bound.iter().filter(|channel| !is_applied(channel)).collect();
    match behind.first() {
        None => Verdict::yes(Reason::InForce, "the entries are in force on every channel concerned"),
        Some(first) => {
            let name = first.metadata.name.clone().unwrap_or_default();
            let message = format!("{} channels have not loaded the entries yet, {name} among them", behind.len());
            Verdict::no(Reason::PartlyInForce, message)
        }
    }
}

/// Whether the channel runs with its present configuration, or has no engine that could lag behind.
fn is_applied(channel: &SmsChannel) -> bool {
    let conditions = channel.status.iter().flat_map(|status| &status.conditions);
    let is_true = |type_: ConditionType| {
        let mut found = conditions.clone().filter(move |condition| condition.type_ == type_.as_str());
        found.any(|condition| condition.status == "True")
    };
    !is_true(ConditionType::NumberClaimed) || is_true(ConditionType::ConfigApplied)
}
