//! The newest committed events, for those who watch: streams read here and only go to the store for what is older.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::RwLock;
use tokio::sync::watch;

use super::core::event::Event;

/// Events that are kept at hand.
const KEPT: usize = 4096;

/// A committed event and its number.
pub type Numbered = (u64, Arc<Event>);

/// The newest committed events. Clones share them.
#[derive(Clone, Debug)]
pub struct Feed {
    newest: Arc<RwLock<VecDeque<Numbered>>>,
    last: watch::Sender<u64>,
}

/// What the feed has after an event.
#[derive(Debug, PartialEq)]
pub enum After {
    /// These, in order; none yet when empty.
    Events(Vec<Numbered>),
    /// The next one is older than what is at hand: the store has it.
    Older,
}

impl Feed {
    /// A feed that goes on after the event with this number.
    pub fn new(last: u64) -> Self {
        Self { newest: Arc::default(), last: watch::Sender::new(last) }
    }

    /// Number of the newest event, 0 when there is none.
    pub fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// Wakes when there is something new.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Adds committed events; the last of them has the number `last`.
    pub fn publish(&self, events: Vec<Event>, last: u64) {
        let first = last + 1 - events.len() as u64;
        {
            let mut newest = self.newest.write();
            newest.extend((first..).zip(events.into_iter().map(Arc::new)));
            let surplus = newest.len().saturating_sub(KEPT);
            newest.drain(..surplus);
        }
        self.last.send_replace(last);
    }

    /// At most `limit` events after the one with the number `after`.
    pub fn after(&self, after: u64, limit: usize) -> After {
        let newest = self.newest.read();
        if after >= self.last() {
            return After::Events(Vec::new());
        }
        match newest.front() {
            Some((first, _)) if *first <= after + 1 => {
                let skip = usize::try_from(after + 1 - first).unwrap_or(usize::MAX);
                After::Events(newest.iter().skip(skip).take(limit).cloned().collect())
            }
            Some(_) | None => After::Older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::event::Happened;

    fn events(count: usize) -> Vec<Event> {
        vec![Event { at: jiff::Timestamp::UNIX_EPOCH, what: Happened::EngineStarted { ids_from: 0 } }; count]
    }

    fn numbers(after: After) -> Option<Vec<u64>> {
        match after {
            After::Events(events) => Some(events.into_iter().map(|(number, _)| number).collect()),
            After::Older => None,
        }
    }

    #[test]
    fn events_are_numbered_on_and_older_ones_are_left_to_the_store() {
        let feed = Feed::new(10);
        assert_eq!(numbers(feed.after(10, 9)), Some(vec![]), "nothing new");
        assert_eq!(numbers(feed.after(3, 9)), None, "before this start");
        feed.publish(events(3), 13);
        assert_eq!(numbers(feed.after(10, 9)), Some(vec![11, 12, 13]));
        assert_eq!(numbers(feed.after(11, 1)), Some(vec![12]));
        assert_eq!(numbers(feed.after(9, 9)), None);
        feed.publish(events(KEPT), 13 + KEPT as u64);
        assert_eq!(numbers(feed.after(12, 9)), None, "pushed out");
        assert_eq!(numbers(feed.after(13, 2)), Some(vec![14, 15]));
    }
}
