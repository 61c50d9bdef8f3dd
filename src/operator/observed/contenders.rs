//! Who waits for a claim.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use crate::operator::runtime::cache::ObjectKey;

/// Channels that found their number held, by the claim's name; they are woken when it changes.
#[derive(Default)]
pub(crate) struct Contenders(Mutex<HashMap<String, HashSet<ObjectKey>>>);

impl Contenders {
    /// From now on it waits.
    pub(crate) fn add(&self, claim: &str, key: ObjectKey) {
        self.0.lock().entry(claim.to_owned()).or_default().insert(key);
    }

    /// It does not wait any more.
    pub(crate) fn remove(&self, claim: &str, key: &ObjectKey) {
        let mut waiting = self.0.lock();
        if let Some(keys) = waiting.get_mut(claim) {
            keys.remove(key);
            if keys.is_empty() {
                waiting.remove(claim);
            }
        }
    }

    /// Who waits for the claim.
    pub(crate) fn of(&self, claim: &str) -> Vec<ObjectKey> {
        self.0.lock().get(claim).into_iter().flatten().cloned().collect()
    }
}
