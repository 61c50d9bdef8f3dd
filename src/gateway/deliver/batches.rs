//! Items that come while others are under way to the same engine go together in the next request: it commits them together, and HTTP costs more than
//! what an item takes by itself. One that comes alone goes at once and alone.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, field};

use super::engines::{Apart, Engines, NotTaken, Turn};
use crate::{
    gateway::settings::Route,
    wire::{
        delivery::{Item, MAX_DELIVERIES},
        inbound::MAX_DELIVERY_BYTES,
    },
};

/// Requests that are under way for one of our numbers at once: while the engine writes one batch the next is on its way.
const REQUESTS_AT_ONCE: usize = 2;

/// Posts items to engines, many at once. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Batches {
    engines: Engines,
    numbers: Arc<Mutex<HashMap<String, Number>>>,
    tasks: TaskTracker,
}

/// What is on its way for one of our numbers.
#[derive(Debug, Default)]
struct Number {
    waiting: VecDeque<Waiting>,
    requests: usize,
}

/// An item for which no request has begun.
#[derive(Debug)]
struct Waiting {
    route: Arc<Route>,
    item: Item,
    json: Vec<u8>,
    answer: oneshot::Sender<Result<(), NotTaken>>,
}

impl Batches {
    pub(super) fn new(engines: Engines, tasks: TaskTracker) -> Self {
        Self { engines, numbers: Arc::default(), tasks }
    }

    /// Posts an item, and waits until the engine has it on its disk. It waits no longer than `deadline` for others and no longer than that for its own request.
    ///
    /// # Errors
    /// Whether it is worth trying again.
    #[tracing::instrument(name = "delivery", skip_all, fields(channel = route.channel, kind = item.kind(), outcome = field::Empty))]
    pub(super) async fn post(&self, route: &Arc<Route>, item: &Item, deadline: Duration) -> Result<(), NotTaken> {
        let result = self.post_with_others(route, item, deadline).await;
        super::engines::record(&result);
        result
    }

    async fn post_with_others(&self, route: &Arc<Route>, item: &Item, deadline: Duration) -> Result<(), NotTaken> {
        let json = serde_json::to_vec(item).map_err(|error| NotTaken::Refused(error.to_string()))?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { route: Arc::clone(route), item: item.clone(), json, answer };
        if self.add(item.number(), waiting) {
            let bring = self.clone().bring(item.number().to_owned(), deadline);
            self.tasks.spawn(bring.in_current_span());
        }
        match tokio::time::timeout(2 * deadline, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(NotTaken::Unavailable("the request to it ended early".into())),
            Err(_) => Err(NotTaken::Unavailable("too many items are under way to it".into())),
        }
    }

    /// Adds an item; whether another request may begin.
    fn add(&self, number: &str, waiting: Waiting) -> bool {
        let mut numbers = self.numbers.lock();
        let number = numbers.entry(number.to_owned()).or_default();
        number.waiting.push_back(waiting);
        let begins = number.requests < REQUESTS_AT_ONCE;
        number.requests += usize::from(begins);
        begins
    }

    /// Brings what waits for a number, one request after the other, until nothing does.
    async fn bring(self, number: String, deadline: Duration) {
        let slot = Slot { batches: &self, number: &number };
        loop {
            let batch = slot.next();
            let Some(first) = batch.first() else { return };
            let together = match &batch[..] {
                [_] => Err(Apart),
                _ => self.engines.post_together(&first.route, list(&batch), batch.len(), deadline).await,
            };
            let results = match together {
                Ok(results) => results,
                Err(Apart) => {
                    let posts = batch
                        .iter()
                        .map(|waiting| self.engines.post_once(&waiting.route, &waiting.item, Turn::InOrder, deadline));
                    join_all(posts).await
                }
            };
            for (waiting, result) in batch.into_iter().zip(results) {
                // Who waited too long has put it into the spool.
                let _ = waiting.answer.send(result);
            }
        }
    }
}

/// One of the [`REQUESTS_AT_ONCE`] of a number.
struct Slot<'b> {
    batches: &'b Batches,
    number: &'b str,
}

impl Slot<'_> {
    /// The items of the next request; when there are none it was the last.
    fn next(&self) -> Vec<Waiting> {
        let mut numbers = self.batches.numbers.lock();
        let Some(number) = numbers.get_mut(self.number) else { return Vec::new() };
        let batch = next(&mut number.waiting);
        if batch.is_empty() {
            give_back(&mut numbers, self.number);
        }
        batch
    }
}

/// A panic takes its task with it, and not its slot: there would never be another.
impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            give_back(&mut self.batches.numbers.lock(), self.number);
        }
    }
}

fn give_back(numbers: &mut HashMap<String, Number>, name: &str) {
    let Some(number) = numbers.get_mut(name) else { return };
    number.requests = number.requests.saturating_sub(1);
    if number.requests == 0 && number.waiting.is_empty() {
        numbers.remove(name);
    }
}

/// Takes what goes together: items for the same engine, as many and as long as it takes at once, at least one. Those for which nobody waits any more are dropped.
fn next(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let mut batch: Vec<Waiting> = Vec::new();
    let mut bytes = "[]".len();
    while let Some(next) = waiting.pop_front() {
        if next.answer.is_closed() {
            continue;
        }
        bytes += next.json.len() + ",".len();
        let fits = batch.first().is_none_or(|first| {
            batch.len() < MAX_DELIVERIES && bytes <= MAX_DELIVERY_BYTES && next.route == first.route
        });
        if !fits {
            waiting.push_front(next);
            break;
        }
        batch.push(next);
    }
    batch
}

/// A JSON array of them.
fn list(batch: &[Waiting]) -> Vec<u8> {
    let mut list = vec![b'['];
    for (place, waiting) in batch.iter().enumerate() {
        if place > 0 {
            list.push(b',');
        }
        list.extend_from_slice(&waiting.json);
    }
    list.push(b']');
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gateway::deliver::fixtures::{NUMBER, message},
        process::crypto,
        wire::tokens::TokenFile,
    };

    fn route(engine_url: &str) -> Arc<Route> {
        Arc::new(Route { channel: "support".into(), engine_url: engine_url.into(), engine_user: "engine".into() })
    }

    /// Items that wait, and who waits for them.
    fn waiting(items: &[(&str, usize)]) -> (VecDeque<Waiting>, Vec<oneshot::Receiver<Result<(), NotTaken>>>) {
        let items = items.iter().map(|(engine, long)| {
            let item = Item::Inbound(message(&"x".repeat(*long)));
            let (answer, answered) = oneshot::channel();
            (Waiting { route: route(engine), json: serde_json::to_vec(&item).unwrap(), item, answer }, answered)
        });
        items.unzip()
    }

    #[test]
    fn items_go_together_as_far_as_an_engine_takes_them_at_once() {
        let half = MAX_DELIVERY_BYTES / 2;
        let cases = [
            ("few", vec![("a", 1); 3], vec![3]),
            ("many", vec![("a", 1); MAX_DELIVERIES + 1], vec![MAX_DELIVERIES, 1]),
            ("long", vec![("a", half), ("a", half), ("a", 1)], vec![1, 2]),
            ("longer than all of them may be", vec![("a", 2 * half), ("a", 1)], vec![1, 1]),
            ("the route changed", vec![("a", 1), ("a", 1), ("b", 1)], vec![2, 1]),
        ];
        for (what, items, expected) in cases {
            let (mut waiting, _answered) = waiting(&items);
            let batches: Vec<_> =
                std::iter::from_fn(|| Some(next(&mut waiting)).filter(|batch| !batch.is_empty())).collect();
            assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), expected, "{what}");
            assert!(
                batches.iter().filter(|batch| batch.len() > 1).all(|batch| list(batch).len() <= MAX_DELIVERY_BYTES)
            );
        }
    }

    #[test]
    fn a_panic_does_not_keep_the_slot_of_a_request() {
        crypto::install_providers();
        let batches = Batches::new(Engines::new(TokenFile::new("none")).unwrap(), TaskTracker::new());
        let (items, _answered) = waiting(&[("a", 1); REQUESTS_AT_ONCE + 2]);
        let begins: Vec<_> = items.into_iter().map(|item| batches.add(NUMBER, item)).collect();
        assert_eq!(begins, [true, true, false, false]);
        let ends = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let slot = Slot { batches: &batches, number: NUMBER };
            panic!("with {} items", slot.next().len());
        }));
        assert!(ends.is_err());
        let (mut items, _answered) = waiting(&[("a", 1)]);
        assert!(batches.add(NUMBER, items.pop_front().unwrap()), "a request begins instead of the one that panicked");
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_not_posted() {
        let (mut waiting, mut answered) = waiting(&[("a", 1), ("a", 2), ("a", 3)]);
        drop(answered.remove(1));
        let lengths = |item: &Item| match item {
            Item::Inbound(message) => message.text.len(),
            Item::Receipt(_) => 0,
        };
        assert_eq!(next(&mut waiting).iter().map(|waiting| lengths(&waiting.item)).collect::<Vec<_>>(), [1, 3]);
    }
}
