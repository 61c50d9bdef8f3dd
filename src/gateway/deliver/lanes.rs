//! [`Lanes`]: whoever comes first goes first.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// Our number and the customer (or the message of a receipt).
type Key = (String, String);

/// One turn at a time for each key, in the order of arrival; keys do not hinder each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes(Arc<Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>>);

/// A turn; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    lanes: Lanes,
    key: Key,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Lanes {
    /// Waits for those that came before.
    pub(super) async fn enter(&self, number: &str, lane: &str) -> Turn {
        let key = (number.to_owned(), lane.to_owned());
        let lock = Arc::clone(self.0.lock().entry(key.clone()).or_default());
        Turn { lanes: self.clone(), key, guard: Some(lock.lock_owned().await) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lanes = self.lanes.0.lock();
        self.guard = None;
        // Nobody can enter while the map is locked, so a lock that only the map holds is not needed any more.
        if lanes.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            lanes.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, poll};

    #[tokio::test]
    async fn turns_come_in_order_and_leave_nothing_behind() {
        let lanes = Lanes::default();
        let first = lanes.enter("n", "a").await;
        let other = lanes.enter("n", "b").now_or_never().expect("lanes do not hinder each other");
        let mut second = Box::pin(lanes.enter("n", "a"));
        let mut third = Box::pin(lanes.enter("n", "a"));
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        drop(first);
        assert!(poll!(&mut third).is_pending());
        drop(second.await);
        drop((third.await, other));
        assert!(lanes.0.lock().is_empty());
    }
}
