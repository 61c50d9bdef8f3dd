//! From conditions to `Ready`, `Reconciling` and `Stalled`, and from there into the object's status.

use std::{fmt::Debug, sync::Arc, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, ResourceExt, core::NamespaceResourceScope};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    api::{
        Blocklist, Bot, Campaign, ConditionStatus, ConditionType, Conditions, Reason, SmsChannel, SmsConnector,
        condition_of, names,
    },
    operator::{
        observed::{context::Context, indexes},
        runtime::{
            cache::{ObjectKey, Store},
            desired_condition::DesiredCondition,
            error::{Error, Transient},
            index::Term,
            metrics::ReadyLabels,
        },
    },
};

/// Sets `Ready` as told, and from it `Stalled` or `Reconciling` for those who wait: `Stalled` when only a person can help.
pub(crate) fn summarize(conditions: &mut Conditions, ready: &DesiredCondition) {
    ready.set(conditions, ConditionType::Ready);
    let holds = match ready.status {
        ConditionStatus::True => None,
        _ if ready.reason.needs_person() => Some(ConditionType::Stalled),
        _ => Some(ConditionType::Reconciling),
    };
    for type_ in [ConditionType::Stalled, ConditionType::Reconciling] {
        if holds == Some(type_) {
            conditions.set(type_, ConditionStatus::True, ready.reason, ready.message.clone());
        } else {
            conditions.clear(type_);
        }
    }
}

/// The first condition in `order` that is not True makes `Ready`; else `all_well` does.
pub(crate) fn first_obstacle(
    conditions: &Conditions,
    order: &[ConditionType],
    all_well: DesiredCondition,
) -> DesiredCondition {
    order
        .iter()
        .find_map(|type_| match DesiredCondition::of(conditions, *type_) {
            Some(desired) if desired.status == ConditionStatus::True => None,
            Some(desired) => Some(desired),
            None => Some(DesiredCondition::unknown(Reason::NotCheckedYet, format!("{type_} is not known yet"))),
        })
        .unwrap_or(all_well)
}

/// Whether the pod lacks nothing but a configuration that others made: the object was ready as its spec is now, so the change that is
/// on its way to the pod is one of another object. What was ready stays so meanwhile.
pub(crate) fn is_others_change(conditions: &Conditions, applied: &DesiredCondition) -> bool {
    applied.reason == Reason::Applying && conditions.was_true(ConditionType::Ready)
}

/// A kind whose status the operator writes.
pub(crate) trait Reported:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    type Status: Clone + Default + PartialEq + Send + Sync;
    const KIND: &'static str;
    /// Field manager of its status.
    const MANAGER: &'static str;

    /// Status as it stands.
    fn status(&self) -> Option<&Self::Status>;
    /// Takes a new status.
    fn set_status(&mut self, status: Self::Status);
    /// Conditions of a status.
    fn conditions(status: &Self::Status) -> &[Condition];
    /// The generation that a status speaks of; none = of none.
    fn observed_generation(status: &Self::Status) -> Option<i64>;
    /// Puts conditions and generation into a status.
    fn finish(status: &mut Self::Status, generation: i64, conditions: Vec<Condition>);
}

macro_rules! reported {
    ($kind:ident, $status:ident, $manager:ident) => {
        impl Reported for $kind {
            type Status = crate::api::$status;
            const KIND: &'static str = stringify!($kind);
            const MANAGER: &'static str = names::$manager;

            fn status(&self) -> Option<&Self::Status> {
                self.status.as_ref()
            }

            fn set_status(&mut self, status: Self::Status) {
                self.status = Some(status);
            }

            fn conditions(status: &Self::Status) -> &[Condition] {
                &status.conditions
            }

            fn observed_generation(status: &Self::Status) -> Option<i64> {
                status.observed_generation.filter(|generation| *generation >= 0)
            }

            fn finish(status: &mut Self::Status, generation: i64, conditions: Vec<Condition>) {
                status.observed_generation = Some(generation);
                status.conditions = conditions;
            }
        }
    };
}

reported!(SmsConnector, SmsConnectorStatus, FIELD_MANAGER_CONNECTOR);
reported!(SmsChannel, SmsChannelStatus, FIELD_MANAGER_CHANNEL);
reported!(Campaign, CampaignStatus, FIELD_MANAGER_CAMPAIGN);
reported!(Bot, BotStatus, FIELD_MANAGER_BOT);
reported!(Blocklist, BlocklistStatus, FIELD_MANAGER_BLOCKLIST);

/// Whether a condition stands as True in the object's status, of whichever generation.
pub(crate) fn was_true<K: Reported>(object: &K, type_: ConditionType) -> bool {
    let conditions = object.status().map(K::conditions).unwrap_or_default();
    condition_of(conditions, type_).is_some_and(|condition| condition.status == ConditionStatus::True.as_str())
}

/// The conditions to start from.
pub(crate) fn begin<K: Reported>(object: &K, now: jiff::Timestamp) -> Conditions {
    let current = object.status().map(K::conditions).unwrap_or_default();
    Conditions::from_status(current, object.meta().generation.unwrap_or(0), now)
}

/// Writes the status if it differs from the one that stands there, and publishes what changed. Returns the object as it was written; none:
/// it stands as it was.
///
/// # Errors
/// Faults of the API server; a conflict when the object has changed meanwhile.
pub(crate) async fn report<K: Reported>(
    context: &Context,
    store: &Store<K>,
    object: &K,
    status: K::Status,
    conditions: Conditions,
) -> Result<Option<Arc<K>>, Error> {
    report_of(context, store, object, status, conditions, object.meta().generation.unwrap_or(0)).await
}

/// As [`report`], of an earlier generation where nobody has looked at the present one.
async fn report_of<K: Reported>(
    context: &Context,
    store: &Store<K>,
    object: &K,
    mut status: K::Status,
    conditions: Conditions,
    generation: i64,
) -> Result<Option<Arc<K>>, Error> {
    K::finish(&mut status, generation, conditions.into_list());
    if object.status() == Some(&status) {
        return Ok(None);
    }
    let old = object.status().map(|old| K::conditions(old).to_vec()).unwrap_or_default();
    let new = K::conditions(&status).to_vec();
    let mut changed = object.clone();
    changed.set_status(status);
    let written = context.writer.replace_status(K::KIND, K::MANAGER, &changed).await?;
    let written = store.wrote(written);
    context.events.transitions(object, &old, &new).await;
    count_ready(context, store);
    Ok(Some(written))
}

fn count_ready<K: Reported>(context: &Context, store: &Store<K>) {
    for ready in indexes::READY {
        let count = i64::try_from(store.count(&Term::Ready(ready))).unwrap_or(i64::MAX);
        context.metrics.ready.get_or_create(&ReadyLabels { kind: K::KIND, ready }).set(count);
    }
}

/// The object, if there is something to do about it: it is there, stays there, and nobody has paused it, which is reported.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn to_reconcile<K: Reported>(
    context: &Context,
    store: &Store<K>,
    key: &ObjectKey,
) -> Result<Option<Arc<K>>, Error> {
    let Some(object) = store.get(key) else {
        count_ready(context, store);
        return Ok(None);
    };
    if is_deleted(&*object) {
        return Ok(None);
    }
    if names::is_paused(&*object) {
        report_paused(context, store, &object).await?;
        return Ok(None);
    }
    Ok(Some(object))
}

/// Reports that the object is paused: `Ready` is Unknown, of the generation that was looked at last. Everything else stays as it is.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn report_paused<K: Reported>(context: &Context, store: &Store<K>, object: &K) -> Result<(), Error> {
    let status = object.status().cloned().unwrap_or_default();
    let generation = K::observed_generation(&status);
    let mut conditions = Conditions::from_status(K::conditions(&status), generation.unwrap_or(0), context.now());
    let message =
        format!("annotation {} is {}: remove it to go on", names::ANNOTATION_RECONCILE, names::RECONCILE_DISABLED);
    DesiredCondition::unknown(Reason::Paused, message).set(&mut conditions, ConditionType::Ready);
    conditions.clear(ConditionType::Stalled);
    conditions.clear(ConditionType::Reconciling);
    report_of(context, store, object, status, conditions, generation.unwrap_or(-1)).await.map(drop)
}

/// Reports a fault of the API server, or of the operator, that lasts. What was said of the parts stays as it is.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn report_fault<K: Reported>(
    context: &Context,
    store: &Store<K>,
    key: &ObjectKey,
    fault: &Transient,
) -> Result<(), Error> {
    let Some(object) = store.get(key) else { return Ok(()) };
    let words = fault.words();
    let message = format!("{words}; the operator tries again by itself; if it lasts, talk to the platform team");
    let mut conditions = begin(&*object, context.now());
    let is_known = DesiredCondition::of(&conditions, ConditionType::Ready)
        .is_some_and(|ready| ready.reason == Reason::TransientError);
    summarize(&mut conditions, &DesiredCondition::unknown(Reason::TransientError, message.clone()));
    report(context, store, &*object, object.status().cloned().unwrap_or_default(), conditions).await?;
    if !is_known {
        context.events.publish(&*object, true, Reason::TransientError.as_str(), &message).await;
    }
    Ok(())
}

/// What is said of an object that cannot be read as a whole. None: it can.
pub(crate) fn unreadable<K: Resource + Clone>(store: &Store<K>, key: &ObjectKey, kind: &str) -> Option<Error> {
    let found = store.unreadable(key)?;
    let message = format!(
        "this version of the operator cannot read {kind} {}: {}; what was in force stays; correct the object, or upgrade the operator",
        key.name(),
        found.fault
    );
    Some(Error::stalled(Reason::Unreadable, message))
}

/// As [`unreadable`], where no good form of the object is known either.
pub(crate) fn without_good_form<K: Resource + Clone>(store: &Store<K>, key: &ObjectKey, kind: &str) -> Option<Error> {
    store.unreadable(key).filter(|found| !found.has_good_form)?;
    unreadable(store, key, kind)
}

/// Reports that the object cannot be read as a whole, where that is so. Everything else stays as it is.
///
/// # Errors
/// [`Error::Stalled`] once that is reported; faults of the API server.
pub(crate) async fn check_readable<K: Reported>(context: &Context, store: &Store<K>, object: &K) -> Result<(), Error> {
    let Some(error) = unreadable(store, &ObjectKey::of(object), "this") else { return Ok(()) };
    if let Error::Stalled { reason, message } = &error {
        let mut conditions = begin(object, context.now());
        summarize(&mut conditions, &DesiredCondition::no(*reason, message.clone()));
        report(context, store, object, object.status().cloned().unwrap_or_default(), conditions).await?;
    }
    Err(error)
}

/// How long ago the object was deleted.
pub(crate) fn age_of_deletion<K: Resource>(object: &K, now: jiff::Timestamp) -> Duration {
    let deleted = object.meta().deletion_timestamp.as_ref();
    deleted.map_or(Duration::MAX, |deleted| Duration::try_from(now.duration_since(deleted.0)).unwrap_or_default())
}

/// Between two writes of how much a deletion still waits for.
const COUNT_AGAIN: Duration = Duration::from_secs(10);

/// The message of `Ready` while a deletion waits for something. One that stands and says the same of another count (`is_said`) stays for a
/// while before `message` takes its place; another one does at once.
pub(crate) fn draining_message<K: Reported>(
    context: &Context,
    object: &K,
    is_said: impl FnOnce(&str) -> bool,
    message: String,
) -> String {
    let uid = object.uid().unwrap_or_default();
    let conditions = object.status().map(K::conditions).unwrap_or_default();
    let stands = condition_of(conditions, ConditionType::Ready).map(|ready| &ready.message);
    match stands.filter(|stands| is_said(stands)) {
        Some(stands) if *stands == message || context.figures.left(&uid, COUNT_AGAIN).is_some() => stands.clone(),
        _ => {
            context.figures.wrote(&uid);
            message
        }
    }
}

/// When to look again at a deleted object that waits for something that no watch may tell: ever more rarely.
pub(crate) fn look_again_at_deleted<K: Resource>(object: &K, now: jiff::Timestamp) -> Duration {
    (age_of_deletion(object, now) / 10).clamp(Duration::from_millis(500), Duration::from_secs(30))
}

/// Whether the object still is the one with this UID in the cache.
pub(crate) fn is_deleted<K: Resource>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_some()
}

/// The value of an annotation.
pub(crate) fn annotation<'a, K: ResourceExt>(object: &'a K, name: &str) -> Option<&'a str> {
    object.annotations().get(name).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summarized(ready: &DesiredCondition) -> Conditions {
        let mut conditions = Conditions::from_status(&[], 3, jiff::Timestamp::UNIX_EPOCH);
        summarize(&mut conditions, ready);
        conditions
    }

    #[test]
    fn a_fault_for_people_is_stalled_and_a_passing_one_reconciling() {
        let stalled = summarized(&DesiredCondition::no(Reason::NumberNotInConnector, "add it"));
        assert!(stalled.is_true(ConditionType::Stalled) && stalled.get(ConditionType::Reconciling).is_none());
        let passing = summarized(&DesiredCondition::no(Reason::CampaignNotFound, "create it"));
        assert!(passing.is_true(ConditionType::Reconciling) && passing.get(ConditionType::Stalled).is_none());
    }

    #[test]
    fn ready_leaves_neither() {
        let mut conditions = summarized(&DesiredCondition::no(Reason::HeldByOther, "wait"));
        summarize(&mut conditions, &DesiredCondition::yes(Reason::Available, ""));
        assert!(conditions.is_true(ConditionType::Ready));
        assert!(
            conditions.get(ConditionType::Stalled).is_none() && conditions.get(ConditionType::Reconciling).is_none()
        );
    }

    #[test]
    fn what_holds_on_holds_since_it_began() {
        for reason in [Reason::HeldByOther, Reason::CampaignNotFound] {
            let ready = DesiredCondition::no(reason, "wait");
            let before = summarized(&ready).into_list();
            let later = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1);
            let mut again = Conditions::from_status(&before, 3, later);
            summarize(&mut again, &ready);
            assert_eq!(again.into_list(), before, "nothing to write");
        }
    }

    #[test]
    fn the_first_obstacle_in_order_makes_ready() {
        let mut conditions = Conditions::from_status(&[], 1, jiff::Timestamp::UNIX_EPOCH);
        DesiredCondition::no(Reason::Crashing, "x").set(&mut conditions, ConditionType::EngineAvailable);
        DesiredCondition::no(Reason::HeldByOther, "y").set(&mut conditions, ConditionType::NumberClaimed);
        let order = [ConditionType::NumberClaimed, ConditionType::EngineAvailable];
        let well = DesiredCondition::yes(Reason::Available, "");
        assert_eq!(first_obstacle(&conditions, &order, well.clone()).reason, Reason::HeldByOther);
        assert_eq!(first_obstacle(&conditions, &[ConditionType::NumberValid], well).reason, Reason::NotCheckedYet);
    }
}
