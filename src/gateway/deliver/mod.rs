//! Bringing messages and receipts to their engines.
//!
//! An item is posted at once and acknowledged after the engine's commit. When that takes longer than a second, fails, or the number has no
//! route, it is committed to the spool instead. From then on a number's traffic queues behind its spooled rows until they are delivered.

mod backlog;
mod batches;
mod engines;
#[cfg(test)]
mod fixtures;
mod keyed_locks;
mod maintenance;
mod parked;

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use batches::Batches;
use engines::Turn;
pub(super) use engines::{Engines, NotTaken};

use super::{
    current::Current,
    metrics::{Metrics, WebhookOutcome},
    settings::Route,
    spool::{Kept, NoRoom, Place, Spool, SpoolError},
    traffic::Traffic,
};
use crate::wire::delivery::Item;
use keyed_locks::KeyedLocks;

/// How long the provider waits for the engine before the spool takes over.
const DIRECT_DEADLINE: Duration = Duration::from_secs(1);

/// Brings items to engines. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Delivery(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spool: Spool,
    engines: Engines,
    batches: Batches,
    current: watch::Receiver<Current>,
    metrics: Metrics,
    traffic: Traffic,
    order: KeyedLocks,
    numbers: Mutex<HashMap<String, NumberState>>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// One of our numbers.
#[derive(Debug, Default)]
struct NumberState {
    /// Rows that wait in order, and those that are being written.
    waiting: u64,
    /// Whether a task delivers them, or removes those that are too old.
    taken: bool,
}

/// A panic takes a task with it, and not the number that it has: nothing of it would be delivered any more.
struct EndAfterPanic<'n> {
    delivery: &'n Delivery,
    number: &'n str,
}

impl Drop for EndAfterPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.delivery.end(self.number);
        }
    }
}

impl Delivery {
    /// Takes over what waits in the spool.
    pub(super) fn start(
        spool: Spool,
        engines: Engines,
        current: watch::Receiver<Current>,
        metrics: Metrics,
        traffic: Traffic,
        shutdown: CancellationToken,
    ) -> Self {
        let numbers = spool
            .tally()
            .numbers
            .into_iter()
            .map(|(number, counts)| (number, NumberState { waiting: counts.waiting, ..NumberState::default() }))
            .collect();
        let tasks = TaskTracker::new();
        let delivery = Self(Arc::new(Inner {
            spool,
            batches: Batches::new(engines.clone(), tasks.clone()),
            engines,
            current,
            metrics,
            traffic,
            order: KeyedLocks::default(),
            numbers: Mutex::new(numbers),
            tasks,
            shutdown,
        }));
        delivery.0.tasks.spawn(delivery.clone().follow_routes());
        delivery.0.tasks.spawn(delivery.clone().maintain());
        delivery.0.tasks.spawn(delivery.clone().retry_parked_items());
        delivery
    }

    /// Waits for the tasks that were started, after the shutdown.
    pub(super) async fn ended(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Brings the items of one call to their engines' disks or to our own, and says what became of the one that came least far. Those of one
    /// customer, or about one message, keep their order; the others do not wait for each other.
    ///
    /// # Errors
    /// When one of them is on no disk.
    pub(super) async fn accept_all(&self, items: Vec<Item>) -> Result<WebhookOutcome, SpoolError> {
        let mut ordered: HashMap<(String, String), Vec<Item>> = HashMap::new();
        for item in items {
            let key = (item.number().to_owned(), item.ordering_key().to_owned());
            ordered.entry(key).or_default().push(item);
        }
        let of_one = |items: Vec<Item>| async move {
            let mut outcomes = Vec::new();
            for item in items {
                outcomes.push(self.accept(item).await?);
            }
            Ok::<_, SpoolError>(outcomes)
        };
        let outcomes = futures::future::join_all(ordered.into_values().map(of_one)).await;
        let outcomes: Vec<_> = outcomes.into_iter().collect::<Result<Vec<Vec<_>>, _>>()?.concat();
        let least_far = |outcome: &WebhookOutcome| match outcome {
            WebhookOutcome::Spooled => 1,
            WebhookOutcome::Unrouted => 2,
            WebhookOutcome::Parked => 3,
            WebhookOutcome::Delivered
            | WebhookOutcome::Ignored
            | WebhookOutcome::BadSignature
            | WebhookOutcome::Malformed
            | WebhookOutcome::NotReady
            | WebhookOutcome::SpoolFailed => 0,
        };
        Ok(outcomes.into_iter().max_by_key(least_far).unwrap_or(WebhookOutcome::Ignored))
    }

    /// Brings an item to its engine's disk or to our own. Once begun it ends, whoever stops waiting for it.
    ///
    /// # Errors
    /// When it is on no disk.
    async fn accept(&self, item: Item) -> Result<WebhookOutcome, SpoolError> {
        let delivery = self.clone();
        let task = self.0.tasks.spawn(async move { delivery.bring(item).await }.in_current_span());
        match task.await {
            Ok(result) => result,
            Err(error) => Err(SpoolError::new(format!("the delivery ended early: {error}"))),
        }
    }

    async fn bring(&self, item: Item) -> Result<WebhookOutcome, SpoolError> {
        let _guard = self.0.order.lock(item.number(), item.ordering_key()).await;
        if self.is_waiting(item.number()) {
            let overtaking = item.clone();
            let kept = self.keep(item, None).await;
            // An opt-out is not lost with what there is no room for.
            return match kept {
                Err(error) => self.overtake(&overtaking).await.ok_or(error),
                Ok(outcome) => Ok(outcome),
            };
        }
        let Some(route) = self.route(item.number()) else { return self.keep(item, None).await };
        match self.0.batches.post(&route, &item, DIRECT_DEADLINE).await {
            Ok(()) => {
                self.0.traffic.note(item.number(), 1);
                Ok(WebhookOutcome::Delivered)
            }
            Err(NotTaken::Refused(reason)) => {
                tracing::error!(
                    number = item.number(),
                    id = item.provider_message_id(),
                    reason,
                    "the engine refuses an item; it is parked"
                );
                self.keep(item, Some(reason)).await
            }
            Err(NotTaken::Unavailable(reason) | NotTaken::NoRoom(reason) | NotTaken::Doubtful(reason)) => {
                tracing::warn!(number = item.number(), reason, "the engine did not take an item; the spool has it");
                self.keep(item, None).await
            }
        }
    }

    /// Brings an item past those that wait, if its engine takes it for what it says of the customer's consent.
    async fn overtake(&self, item: &Item) -> Option<WebhookOutcome> {
        let route = self.route(item.number())?;
        match self.0.engines.post(&route, item, Turn::Overtaking, DIRECT_DEADLINE).await {
            Ok(()) => {
                self.0.traffic.note(item.number(), 1);
                Some(WebhookOutcome::Delivered)
            }
            Err(reason) => {
                tracing::debug!(number = item.number(), %reason, "the engine did not take an item past others");
                None
            }
        }
    }

    /// Commits an item to the spool; parked rows stand outside of the order.
    async fn keep(&self, item: Item, parked: Option<String>) -> Result<WebhookOutcome, SpoolError> {
        let number = item.number().to_owned();
        if let Some(reason) = parked {
            self.commit(item, Place::Parked(reason)).await?;
            return Ok(WebhookOutcome::Parked);
        }
        let routed = self.route(&number).is_some();
        let place = if routed { Place::Behind } else { Place::Unrouted(self.unrouted_rows()) };
        // Counted before it is written: what comes meanwhile must queue behind it.
        self.0.numbers.lock().entry(number.clone()).or_default().waiting += 1;
        let kept = self.commit(item, place).await;
        if !matches!(kept, Ok(true)) {
            self.less(&number, 1);
        }
        kept?;
        // Who follows the routes does not see what was not counted yet when one came.
        if self.route(&number).is_none() {
            return Ok(WebhookOutcome::Unrouted);
        }
        self.deliver_backlog(number);
        Ok(WebhookOutcome::Spooled)
    }

    /// Whether it is new.
    async fn commit(&self, item: Item, place: Place) -> Result<bool, SpoolError> {
        let number = item.number().to_owned();
        match self.0.spool.keep(item, place).await? {
            Kept::New => Ok(true),
            Kept::Known => Ok(false),
            Kept::NoRoom(why) => {
                self.0.metrics.no_room(why);
                tracing::error!(number, ?why, "there is no room for an item in the spool");
                Err(SpoolError::new(match why {
                    NoRoom::Volume => "its volume is full",
                    NoRoom::Number => "this number has as much in it as one number may have",
                    NoRoom::Unrouted => "numbers without a route have as much in it as they may have",
                }))
            }
        }
    }

    /// Rows that wait without a route.
    fn unrouted_rows(&self) -> u64 {
        let numbers = self.0.numbers.lock();
        let unrouted = numbers.iter().filter(|(name, number)| number.waiting > 0 && self.route(name).is_none());
        unrouted.map(|(_, number)| number.waiting).sum()
    }

    fn is_waiting(&self, number: &str) -> bool {
        self.0.numbers.lock().get(number).is_some_and(|number| number.waiting > 0)
    }

    /// Takes a number of which rows wait, unless another task has it.
    fn begin(&self, number: &str) -> bool {
        let mut numbers = self.0.numbers.lock();
        let Some(state) = numbers.get_mut(number).filter(|state| !state.taken && state.waiting > 0) else {
            return false;
        };
        state.taken = true;
        true
    }

    /// Gives a number back.
    fn end(&self, number: &str) {
        if let Some(state) = self.0.numbers.lock().get_mut(number) {
            state.taken = false;
        }
    }

    fn less(&self, number: &str, by: u64) {
        if let Some(number) = self.0.numbers.lock().get_mut(number) {
            number.waiting = number.waiting.saturating_sub(by);
        }
    }

    fn route(&self, number: &str) -> Option<Arc<Route>> {
        let current = self.0.current.borrow();
        current.active.as_ref().and_then(|active| active.settings.route(number).cloned())
    }

    /// Begins to deliver what waits for numbers that have a route (again).
    async fn follow_routes(self) {
        let mut current = self.0.current.clone();
        loop {
            let waiting: Vec<String> = {
                let numbers = self.0.numbers.lock();
                numbers.iter().filter(|(_, number)| number.waiting > 0).map(|(name, _)| name.clone()).collect()
            };
            for number in waiting {
                if self.route(&number).is_some() {
                    self.deliver_backlog(number);
                }
            }
            match self.0.shutdown.run_until_cancelled(current.changed()).await {
                Some(Ok(())) => {}
                Some(Err(_)) | None => return,
            }
        }
    }
}
