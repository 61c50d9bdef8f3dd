//! [`KeyedLocks`]: one lock per key, in the order of arrival.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// Our number and the ordering key of an item.
type Key = (String, String);

/// One holder at a time for each key, in the order of arrival; keys do not hinder each other. What nobody holds or waits for is not kept.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyedLocks(Arc<Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>>);

/// Holds the lock of a key until it is dropped.
#[derive(Debug)]
pub(super) struct KeyGuard {
    locks: KeyedLocks,
    key: Key,
    guard: Option<OwnedMutexGuard<()>>,
}

impl KeyedLocks {
    /// Waits for those that came before.
    pub(super) async fn lock(&self, number: &str, ordering_key: &str) -> KeyGuard {
        let key = (number.to_owned(), ordering_key.to_owned());
        let lock = Arc::clone(self.0.lock().entry(key.clone()).or_default());
        KeyGuard { locks: self.clone(), key, guard: Some(lock.lock_owned().await) }
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        let mut locks = self.locks.0.lock();
        self.guard = None;
        // Nobody can enter while the map is locked, so a lock that only the map holds is not needed any more.
        if locks.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, poll};

    #[tokio::test]
    async fn locks_are_given_in_order_and_leave_nothing_behind() {
        let locks = KeyedLocks::default();
        let first = locks.lock("n", "a").await;
        let other = locks.lock("n", "b").now_or_never().expect("keys do not hinder each other");
        let mut second = Box::pin(locks.lock("n", "a"));
        let mut third = Box::pin(locks.lock("n", "a"));
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        drop(first);
        assert!(poll!(&mut third).is_pending());
        drop(second.await);
        drop((third.await, other));
        assert!(locks.0.lock().is_empty());
    }
}
