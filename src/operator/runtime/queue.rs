//! A work queue: every key at most once, never two workers on the same key, and keys that become due later.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

/// A work queue. Adding a key that waits keeps the earlier time; adding one that is being worked on runs it again afterwards.
pub(crate) struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
    /// Of the one worker that waits for the next key. If all waited for it, all would wake when it is due, and all but one in vain.
    turn: tokio::sync::Mutex<()>,
}

struct State<K> {
    /// In the order in which they are due, and of those that are due together, in which they were added.
    due: BTreeMap<(Instant, u64), K>,
    waiting: HashMap<K, (Instant, u64)>,
    running: HashSet<K>,
    again: HashMap<K, Instant>,
    /// When keys that are spaced were due last.
    spaced: HashMap<K, Instant>,
    next: u64,
}

impl<K: Clone + Eq + Hash> Default for Queue<K> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                due: BTreeMap::new(),
                waiting: HashMap::new(),
                running: HashSet::new(),
                again: HashMap::new(),
                spaced: HashMap::new(),
                next: 0,
            }),
            changed: Notify::new(),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl<K: Clone + Eq + Hash> Queue<K> {
    /// Works on `key` as soon as there is a worker.
    pub(crate) fn add(&self, key: K) {
        self.add_at(key, Instant::now());
    }

    /// Works on `key` after `delay`, or earlier if it is added again.
    pub(crate) fn add_after(&self, key: K, delay: Duration) {
        self.add_at(key, Instant::now() + delay);
    }

    /// Works on `key` as soon as there is a worker, but not within `gap` of when it was last due in this way: what is added
    /// meanwhile is worked on together.
    pub(crate) fn add_spaced(&self, key: K, gap: Duration) {
        let now = Instant::now();
        let at = {
            let mut state = self.state.lock();
            let last = state.spaced.get(&key).copied();
            let at = match last {
                // It waits already.
                Some(last) if last > now => last,
                Some(last) => now.max(last + gap),
                None => now,
            };
            state.spaced.insert(key.clone(), at);
            at
        };
        self.add_at(key, at);
    }

    fn add_at(&self, key: K, at: Instant) {
        let mut state = self.state.lock();
        if state.running.contains(&key) {
            state.again.entry(key).and_modify(|known| *known = at.min(*known)).or_insert(at);
            return;
        }
        if !state.enqueue(key, at) {
            return;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The next key that is due. It counts as being worked on until [`Queue::done`].
    pub(crate) async fn pop(&self) -> K {
        let _turn = self.turn.lock().await;
        loop {
            let wait = {
                let mut state = self.state.lock();
                let first = state.due.first_entry();
                let wait = first.as_ref().map(|first| first.key().0);
                if let Some(first) = first.filter(|first| first.key().0 <= Instant::now()) {
                    let key = first.remove();
                    state.waiting.remove(&key);
                    state.running.insert(key.clone());
                    return key;
                }
                wait
            };
            match wait {
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = self.changed.notified() => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// Work on `key` is over; `again` says when to work on it next.
    pub(crate) fn done(&self, key: &K, again: Option<Duration>) {
        let mut state = self.state.lock();
        state.running.remove(key);
        let planned = again.map(|delay| Instant::now() + delay);
        let asked = state.again.remove(key);
        let at = match (planned, asked) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        match at {
            Some(at) => {
                state.enqueue(key.clone(), at);
                drop(state);
                self.changed.notify_one();
            }
            None => drop(state.spaced.remove(key)),
        }
    }

    /// Keys that wait.
    pub(crate) fn depth(&self) -> usize {
        let now = Instant::now();
        self.state.lock().due.range(..=(now, u64::MAX)).count()
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn enqueue(&mut self, key: K, at: Instant) -> bool {
        if let Some((known, id)) = self.waiting.get(&key).copied() {
            if known <= at {
                return false;
            }
            self.due.remove(&(known, id));
        }
        let id = self.next;
        self.next += 1;
        self.due.insert((at, id), key.clone());
        self.waiting.insert(key, (at, id));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    async fn is_empty(queue: &Queue<&'static str>) -> bool {
        tokio::time::timeout(SOON, queue.pop()).await.is_err()
    }

    #[tokio::test]
    async fn a_key_added_twice_is_taken_once() {
        let queue = Queue::default();
        queue.add("a");
        queue.add("a");
        queue.add("b");
        assert_eq!((queue.pop().await, queue.pop().await), ("a", "b"));
        assert!(is_empty(&queue).await);
    }

    #[tokio::test]
    async fn a_key_that_is_worked_on_is_not_given_to_another_worker_but_runs_again() {
        let queue = Queue::default();
        queue.add("a");
        let key = queue.pop().await;
        queue.add("a");
        assert!(is_empty(&queue).await);
        queue.done(&key, None);
        assert_eq!(queue.pop().await, "a");
    }

    #[tokio::test]
    async fn the_earlier_of_two_times_counts() {
        let hour = Duration::from_secs(3600);
        let queue = Queue::default();
        queue.add_after("a", hour);
        assert!(is_empty(&queue).await);
        queue.add_after("a", SOON);
        queue.add_after("a", hour);
        assert_eq!(queue.pop().await, "a");
        queue.add_after("a", SOON);
        queue.done(&"a", Some(hour));
        assert_eq!(queue.pop().await, "a");
        queue.done(&"a", Some(SOON));
        assert_eq!(queue.pop().await, "a");
    }

    #[tokio::test]
    async fn a_spaced_key_is_due_once_for_all_that_comes_together() {
        let queue = Queue::default();
        let (gap, start) = (SOON * 3, Instant::now());
        let mut due = Vec::new();
        for _ in 0..3 {
            // The first is due at once, the others within the gap together at its end.
            for _ in 0..50 {
                queue.add_spaced("a", gap);
            }
            let key = queue.pop().await;
            due.push(start.elapsed());
            queue.add_spaced("a", gap);
            queue.done(&key, None);
        }
        assert!(due[1] >= gap && due[2] >= gap * 2, "{due:?}");
    }

    #[tokio::test]
    async fn two_workers_get_two_keys() {
        let queue = std::sync::Arc::new(Queue::default());
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.pop().await })
            })
            .collect();
        tokio::task::yield_now().await;
        queue.add(1);
        queue.add(2);
        let mut taken = Vec::new();
        for worker in workers {
            taken.push(worker.await.unwrap());
        }
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
    }
}
