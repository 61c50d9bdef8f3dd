//! For which numbers something went through, so that the operator asks those engines soon at which something has happened.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

/// Largest number from which a gateway counts: with whatever comes it stays a whole number in every JSON reader.
const LARGEST_START: u64 = 1 << 48;

/// Items and attempts by our number, counted since the gateway started. Clones share the counts.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
    /// Each start counts from another number, so that a count is never by chance that of the process before.
    start: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { counts: Arc::default(), start: fastrand::u64(..LARGEST_START) }
    }
}

impl Traffic {
    /// The engine of a number has taken so many items, or has learnt what came of so many attempts to send. Call it afterwards: whoever
    /// reads the count then asks the engine, which must know of them.
    pub(super) fn note(&self, number: &str, count: u64) {
        let mut counts = self.counts.lock();
        match counts.get_mut(number) {
            Some(known) => *known = known.saturating_add(count),
            None => drop(counts.insert(number.to_owned(), self.start.saturating_add(count))),
        }
    }

    /// The counts of the numbers that are `wanted`.
    pub(super) fn counts(&self, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, u64> {
        self.counts
            .lock()
            .iter()
            .filter(|(number, _)| wanted(number))
            .map(|(number, count)| (number.clone(), *count))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_through_is_counted_by_number() {
        let traffic = Traffic::default();
        assert!(traffic.counts(|_| true).is_empty());
        for (number, count) in [("a", 1), ("b", 3), ("a", 1)] {
            traffic.clone().note(number, count);
        }
        let [a, b] = [2, 3].map(|count| traffic.start + count);
        assert_eq!(traffic.counts(|_| true), BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]));
        assert_eq!(traffic.counts(|number| number == "b"), BTreeMap::from([("b".to_owned(), b)]), "no route, no count");
    }

    #[test]
    fn another_start_has_other_counts() {
        let counts = || {
            let traffic = Traffic::default();
            traffic.note("a", 1);
            traffic.counts(|_| true)
        };
        assert_ne!(counts(), counts());
    }
}
