//! Keeps a blocklist's status.

use std::{sync::Arc, time::Duration};

use super::{ValidBlocklist, validate};
use crate::{
    api::{Blocklist, ConditionType, Reason},
    operator::{
        controllers::{
            summary::{self, summarize},
            worker::RequeueAfter,
        },
        observed::{
            changes,
            context::Context,
            in_force::{self, Loaded},
        },
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
};

/// Brings one blocklist's status up to date.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn reconcile(context: Arc<Context>, key: ObjectKey) -> Result<RequeueAfter, Error> {
    let Some(list) = summary::to_reconcile(&context, &context.cluster.blocklists, &key).await? else { return Ok(None) };
    summary::check_readable(&context, &context.cluster.blocklists, &*list).await?;
    let now = context.now();
    let mut conditions = summary::begin(&*list, now);
    let mut status = list.status.clone().unwrap_or_default();
    let references = references(&context, &list, &key);
    references.set(&mut conditions, ConditionType::ReferencesResolved);
    let bound = context.cluster.bound_by(&list);
    let valid = validate(&list.spec);
    let ready = match &valid {
        Err(faults) => {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            DesiredCondition::no(Reason::InvalidSpec, faults.join("; "))
        }
        Ok(_) if references.reason != Reason::Resolved => references,
        Ok(_) => match in_force(&context, &list, &bound) {
            Some(desired) => desired,
            // They are being looked at, and wake this list. What was said before stands meanwhile.
            None if list.status.is_some() => return Ok(None),
            None => DesiredCondition::unknown(Reason::NotCheckedYet, "the channels are being looked at"),
        },
    };
    status.entries = valid.as_ref().ok().map(|valid| valid.counts(now));
    status.channels = i64::try_from(bound.len()).ok();
    summarize(&mut conditions, &ready);
    summary::report(&context, &context.cluster.blocklists, &*list, status, conditions).await?;
    let next = valid.ok().and_then(|valid: ValidBlocklist| valid.next_expiry(now));
    Ok(next.map(|end| Duration::try_from(end.duration_since(now)).unwrap_or_default() + Duration::from_millis(100)))
}

fn references(context: &Context, list: &Blocklist, key: &ObjectKey) -> DesiredCondition {
    let known = |name: &str| context.cluster.campaigns.get(&ObjectKey::new(key.namespace(), name)).is_some();
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

/// Whether the engines have loaded the list. None: some channels have not been looked at since this operator started.
fn in_force(context: &Context, list: &Blocklist, bound: &[ObjectKey]) -> Option<DesiredCondition> {
    let edition = in_force::edition(list);
    let (mut behind, mut first) = (0, None);
    let channels = &context.cluster.channels;
    // Where no engine runs nothing is to be loaded.
    let is_claimed = |key: &ObjectKey| channels.get(key).is_some_and(|channel| changes::is_claimed(&channel));
    for key in bound {
        match context.in_force.is_loaded(&channels.uid(key).unwrap_or_default(), &edition) {
            Loaded::Yes => {}
            Loaded::Unknown if is_claimed(key) => return None,
            Loaded::No if is_claimed(key) => {
                behind += 1;
                first.get_or_insert(key);
            }
            Loaded::Unknown | Loaded::No => {}
        }
    }
    Some(match first {
        None => DesiredCondition::yes(Reason::InForce, "the entries are in force on every channel concerned"),
        Some(first) => {
            let message = format!("{behind} channels have not loaded the entries yet, {} among them", first.name());
            DesiredCondition::no(Reason::PartlyInForce, message)
        }
    })
}
