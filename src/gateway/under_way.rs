//! [`UnderWay`]: how many requests of each caller wait for their end. One that asks for the same again and again must not take the port's
//! connections from the others.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

/// Counts requests by caller. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashMap<String, usize>>>);

/// A request that counts until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    under_way: UnderWay,
    caller: String,
}

impl UnderWay {
    /// Counts a request; none when the caller has `most` under way.
    pub(super) fn count(&self, caller: &str, most: usize) -> Option<Counted> {
        let mut callers = self.0.lock();
        let requests = callers.entry(caller.to_owned()).or_default();
        if *requests >= most {
            return None;
        }
        *requests += 1;
        Some(Counted { under_way: self.clone(), caller: caller.to_owned() })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut callers = self.under_way.0.lock();
        if let Some(requests) = callers.get_mut(&self.caller) {
            *requests -= 1;
            if *requests == 0 {
                callers.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_so_many_and_nobody_is_remembered() {
        let under_way = UnderWay::default();
        let mut counted: Vec<_> = (0..2).filter_map(|_| under_way.count("a", 2)).collect();
        assert_eq!(counted.len(), 2);
        assert!(under_way.count("a", 2).is_none());
        assert!(under_way.count("b", 2).is_some(), "another has its own");
        counted.pop();
        assert!(under_way.count("a", 2).is_some(), "one has ended");
        drop(counted);
        assert!(under_way.0.lock().is_empty());
    }
}
