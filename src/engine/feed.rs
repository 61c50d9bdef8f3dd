//! The newest committed events, for those who watch: streams read here and only go to the store for what is older.

use std::{collections::VecDeque, sync::Arc};

use axum::body::Bytes;
use parking_lot::RwLock;
use tokio::sync::watch;

use super::{core::event::Event, shown};

/// Bytes that are kept at hand.
const KEPT: usize = 1 << 20;

/// The events of one transaction, encoded once for all streams.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chunk {
    first: u64,
    last: u64,
    sent: Bytes,
}

impl Chunk {
    /// In memory; one without a shown event takes room, too.
    const fn size(&self) -> usize {
        size_of::<Self>() + self.sent.len()
    }
}

#[derive(Debug, Default)]
struct Newest {
    chunks: VecDeque<Chunk>,
    bytes: usize,
}

/// The newest committed events. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    newest: Arc<RwLock<Newest>>,
    last: watch::Sender<u64>,
}

/// What the feed has after an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    /// These server-sent events, up to the one with this number.
    Sent(Bytes, u64),
    /// Nothing yet.
    Nothing,
    /// The next one is older than what is at hand: the store has it.
    Older,
}

impl Feed {
    /// A feed that goes on after the event with this number.
    pub(super) fn new(last: u64) -> Self {
        Self { newest: Arc::default(), last: watch::Sender::new(last) }
    }

    /// Number of the newest event, 0 when there is none.
    pub(super) fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// Wakes when there is something new.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Adds the events of a transaction; the last of them has the number `last`.
    pub(super) fn publish(&self, events: &[Event], last: u64) {
        if events.is_empty() {
            return;
        }
        let first = last + 1 - events.len() as u64;
        let watched = self.last.receiver_count() > 0;
        {
            let mut newest = self.newest.write();
            if watched {
                newest.push(first, last, events);
            } else {
                // Who comes later begins at the newest event, or asks for what the store has.
                *newest = Newest::default();
            }
        }
        self.last.send_replace(last);
    }

    /// Events after the one with the number `after`, as far as they are of one transaction.
    pub(super) fn after(&self, after: u64) -> After {
        let newest = self.newest.read();
        if after >= self.last() {
            return After::Nothing;
        }
        // Numbers may leave gaps between transactions, never within one.
        let place = newest.chunks.partition_point(|chunk| chunk.last <= after);
        match newest.chunks.get(place) {
            Some(chunk) if chunk.first == after + 1 || (place > 0 && newest.chunks[place - 1].last == after) => {
                After::Sent(chunk.sent.clone(), chunk.last)
            }
            Some(_) | None => After::Older,
        }
    }
}

impl Newest {
    fn push(&mut self, first: u64, last: u64, events: &[Event]) {
        let mut sent = Vec::new();
        for (number, event) in (first..).zip(events) {
            shown::encode(number, event, &mut sent);
        }
        let chunk = Chunk { first, last, sent: sent.into() };
        self.bytes += chunk.size();
        self.chunks.push_back(chunk);
        while self.bytes > KEPT {
            let Some(oldest) = self.chunks.pop_front() else { break };
            self.bytes -= oldest.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::event::{ClockEvent, Happened};

    fn events(count: usize) -> Vec<Event> {
        vec![Event { at: jiff::Timestamp::UNIX_EPOCH, what: Happened::Clock(ClockEvent::Enabled) }; count]
    }

    fn numbers(after: After) -> Option<Vec<u64>> {
        match after {
            After::Sent(sent, _) => {
                let text = String::from_utf8(sent.to_vec()).unwrap();
                Some(text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect())
            }
            After::Nothing => Some(Vec::new()),
            After::Older => None,
        }
    }

    #[test]
    fn events_are_numbered_on_and_older_ones_are_left_to_the_store() {
        let feed = Feed::new(10);
        let _watched = feed.watch();
        assert_eq!(numbers(feed.after(10)), Some(vec![]), "nothing new");
        assert_eq!(numbers(feed.after(3)), None, "before this start");
        feed.publish(&events(3), 13);
        feed.publish(&events(2), 15);
        assert_eq!(numbers(feed.after(10)), Some(vec![11, 12, 13]));
        assert_eq!(numbers(feed.after(13)), Some(vec![14, 15]));
        assert_eq!(numbers(feed.after(11)), None, "within a transaction");
        assert_eq!(numbers(feed.after(9)), None);
        feed.publish(&events(KEPT / 50), 15 + KEPT as u64 / 50);
        assert_eq!(numbers(feed.after(10)), None, "pushed out");
    }

    #[test]
    fn nothing_is_encoded_while_nobody_watches() {
        let feed = Feed::new(0);
        feed.publish(&events(3), 3);
        assert_eq!(numbers(feed.after(0)), None);
        let _watched = feed.watch();
        assert_eq!(numbers(feed.after(feed.last())), Some(vec![]));
        feed.publish(&events(1), 4);
        assert_eq!(numbers(feed.after(3)), Some(vec![4]));
    }

    #[test]
    fn all_streams_share_the_same_bytes() {
        let feed = Feed::new(0);
        let _watched = feed.watch();
        feed.publish(&events(1), 1);
        let (After::Sent(one, _), After::Sent(other, _)) = (feed.after(0), feed.after(0)) else { panic!("sent") };
        assert_eq!(one.as_ptr(), other.as_ptr());
    }
}
