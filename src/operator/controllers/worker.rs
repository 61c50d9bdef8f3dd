//! Works through a queue: bounded, with a time limit, surviving panics, only while this replica leads.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use kube::Resource;

use crate::{
    api::Reason,
    operator::{
        controllers::summary::{self, Reported},
        observed::context::Context,
        runtime::{
            cache::{ObjectKey, Store},
            error::{Error, Transient},
            metrics::ControllerLabel,
            queue::Queue,
        },
    },
};

/// Longest that one reconcile may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// An object that nothing happened to is looked at again after this (plus up to a tenth), in case an event was lost.
const RESYNC: Duration = Duration::from_secs(600);

/// So many faults on end are said in the object's status: by then it has been tried for some 8 seconds.
const LASTING: u32 = 5;

/// When to look again; none = when something happens.
pub(crate) type RequeueAfter = Option<Duration>;

/// The sooner of two.
pub(crate) fn sooner(one: RequeueAfter, other: RequeueAfter) -> RequeueAfter {
    [one, other].into_iter().flatten().min()
}

/// Starts the workers of one controller.
pub(crate) fn start<K, F, R>(
    context: &Arc<Context>,
    tasks: &mut JoinSet<()>,
    stop: &CancellationToken,
    name: &'static str,
    objects: fn(&Context) -> (&Queue<ObjectKey>, &Store<K>),
    reconcile: F,
) where
    K: Reported,
    F: Fn(Arc<Context>, ObjectKey) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = Result<RequeueAfter, Error>> + Send + 'static,
{
    let label = ControllerLabel { controller: name };
    let workers = context.settings.concurrency.max(1);
    context.metrics.max_concurrent.get_or_create(&label).set(i64::try_from(workers).unwrap_or(i64::MAX));
    for _ in 0..workers {
        let (context, stop) = (context.clone(), stop.clone());
        tasks.spawn(async move {
            let (queue, store) = objects(&context);
            loop {
                let key = tokio::select! {
                    () = stop.cancelled() => return,
                    key = queue.pop() => key,
                };
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = context.leadership.gained() => {}
                }
                let again = work(&context, name, store, key.clone(), reconcile).await;
                queue.done(&key, next_look(store, &key, again));
            }
        });
    }
}

/// One that is gone is looked at no more.
fn next_look<K: Resource + Clone>(store: &Store<K>, key: &ObjectKey, again: Duration) -> RequeueAfter {
    store.contains(key).then_some(again)
}

/// Looks at one object once; says when to look again.
pub(super) async fn work<K, F, R>(
    context: &Arc<Context>,
    name: &'static str,
    store: &Store<K>,
    key: ObjectKey,
    reconcile: F,
) -> Duration
where
    K: Reported,
    F: Fn(Arc<Context>, ObjectKey) -> R,
    R: Future<Output = Result<RequeueAfter, Error>> + Send + 'static,
{
    let label = ControllerLabel { controller: name };
    let started = Instant::now();
    context.metrics.active.get_or_create(&label).inc();
    // A task of its own, so that a panic ends this reconcile and not the worker.
    let task = tokio::spawn(tokio::time::timeout(TIME_LIMIT, reconcile(context.clone(), key.clone())));
    let result = match task.await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Transient::TimedOut(TIME_LIMIT).into()),
        Err(_) => {
            context.metrics.panics.get_or_create(&label).inc();
            error!(controller = name, object = %key, "reconcile panicked");
            Err(Transient::Panicked.into())
        }
    };
    context.metrics.active.get_or_create(&label).dec();
    let (class, again, fault) = settle(context, name, &key, result);
    if let Some(fault) = fault
        && let Err(error) = summary::report_fault(context, store, &key, &fault).await
    {
        debug!(controller = name, object = %key, %error, "the fault could not be reported");
    }
    context.metrics.reconciled(name, class, started.elapsed());
    debug!(controller = name, object = %key, class, again_seconds = again.as_secs_f64(), "reconciled");
    again
}

/// The class of the outcome, when to look again, and a fault that has lasted so long that the object should say so.
fn settle(
    context: &Context,
    name: &str,
    key: &ObjectKey,
    result: Result<RequeueAfter, Error>,
) -> (&'static str, Duration, Option<Transient>) {
    let identity = format!("{name}/{key}");
    let resync = RESYNC + RESYNC.mul_f64(fastrand::f64() * 0.1);
    match result {
        Ok(again) => {
            context.backoff.reset(&identity);
            (if again.is_some() { "requeue_after" } else { "success" }, again.unwrap_or(resync), None)
        }
        Err(error) => {
            let class = error.class();
            match error {
                Error::Stalled { reason, message } => {
                    info!(controller = name, object = %key, %reason, message, "stalled");
                    if ends_unseen(reason) {
                        return (class, context.backoff.next(&identity), None);
                    }
                    context.backoff.reset(&identity);
                    (class, resync, None)
                }
                Error::Waiting { reason, message, look_again } => {
                    debug!(controller = name, object = %key, %reason, message, "waiting");
                    context.backoff.reset(&identity);
                    (class, look_again, None)
                }
                Error::Transient(Transient::NotLeader) => (class, Duration::from_secs(1), None),
                // Somebody else changed the object; the newer one is on its way to the cache.
                Error::Transient(Transient::Api(kube::Error::Api(status))) if status.is_conflict() => {
                    debug!(controller = name, object = %key, message = status.message, "conflict");
                    (class, Duration::from_millis(200).max(context.backoff.next(&identity) / 4), None)
                }
                Error::Transient(fault) => {
                    let delay = context.backoff.next(&identity);
                    warn!(controller = name, object = %key, error = %fault, again_seconds = delay.as_secs_f64(), "failed");
                    let lasts = context.backoff.faults(&identity) >= LASTING;
                    (class, delay, lasts.then_some(fault))
                }
            }
        }
    }
}

/// Whether nothing that the operator watches tells that the cause is gone: others' rights, quotas, storage classes, policies, and objects that do not
/// bear our label.
const fn ends_unseen(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Forbidden
            | Reason::QuotaExceeded
            | Reason::VolumeCannotGrow
            | Reason::RefusedByPolicy
            | Reason::NameConflict
    )
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_sooner_look_counts() {
        let (one, other) = (Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!(sooner(Some(other), Some(one)), Some(one));
        assert_eq!(sooner(None, Some(other)), Some(other));
        assert_eq!(sooner(None, None), None);
    }

    #[test]
    fn an_object_that_is_gone_is_not_looked_at_again_for_ever() {
        let store = Store::default();
        let object: ConfigMap = serde_json::from_value(
            json!({"metadata": {"namespace": "n", "name": "a", "uid": "1", "resourceVersion": "5"}}),
        )
        .unwrap();
        let key = ObjectKey::of(&object);
        store.wrote(object);
        assert_eq!(next_look(&store, &key, RESYNC), Some(RESYNC));
        store.removed(&key, "1");
        assert_eq!(next_look(&store, &key, RESYNC), None);
    }
}
