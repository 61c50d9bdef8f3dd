//! For which numbers something went through, so that the operator asks those engines soon at which something has happened.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

/// Items and attempts by our number, counted since the gateway started. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Traffic(Arc<Mutex<BTreeMap<String, u64>>>);

impl Traffic {
    /// The engine of a number has taken so many items, or has learnt what came of so many attempts to send. Call it afterwards: whoever
    /// reads the count then asks the engine, which must know of them.
    pub(super) fn note(&self, number: &str, count: u64) {
        let mut counts = self.0.lock();
        match counts.get_mut(number) {
            Some(known) => *known = known.wrapping_add(count),
            None => drop(counts.insert(number.to_owned(), count)),
        }
    }

    /// The counts of the numbers that are `wanted`.
    pub(super) fn counts(&self, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, u64> {
        self.0
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
        assert_eq!(traffic.counts(|_| true), BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 3)]));
        assert_eq!(traffic.counts(|number| number == "b"), BTreeMap::from([("b".to_owned(), 3)]), "no route, no count");
    }
}
