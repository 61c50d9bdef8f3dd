//! How many queries of an agent the store is asked at once. They are answered one after the other, for all agents: one who asks without an
//! end would have the others wait.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::engine::core::ids::UserId;

/// Queries of an agent at once: what a desktop asks when it opens, and some more.
const MOST: usize = 16;

/// The queries of all agents. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadLimit(Arc<Mutex<HashMap<UserId, usize>>>);

/// A query that runs, or waits for its turn: leaves when it is dropped.
#[derive(Debug)]
pub(super) struct LimitedRead {
    limit: ReadLimit,
    user: UserId,
}

impl ReadLimit {
    /// Room for one more query of an agent; none when they have as many as they may.
    pub(super) fn begin(&self, user: &UserId) -> Option<LimitedRead> {
        let mut reads = self.0.lock();
        let of_user = reads.entry(user.clone()).or_default();
        if *of_user == MOST {
            return None;
        }
        *of_user += 1;
        drop(reads);
        Some(LimitedRead { limit: self.clone(), user: user.clone() })
    }
}

impl Drop for LimitedRead {
    fn drop(&mut self) {
        if let Entry::Occupied(mut of_user) = self.limit.0.lock().entry(self.user.clone()) {
            *of_user.get_mut() -= 1;
            if *of_user.get() == 0 {
                of_user.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_agent_has_so_many_and_leaves_room_for_others() {
        let reads = ReadLimit::default();
        let [ana, bo] = ["ana", "bo"].map(UserId::from);
        let mut of_ana: Vec<_> = (0..MOST).map(|_| reads.begin(&ana).unwrap()).collect();
        assert!(reads.begin(&ana).is_none());
        let of_bo = reads.begin(&bo).unwrap();
        of_ana.pop();
        of_ana.push(reads.begin(&ana).unwrap());
        assert!(reads.begin(&ana).is_none());
        drop((of_ana, of_bo));
        assert!(reads.0.lock().is_empty(), "who asks nothing takes no room");
    }
}
