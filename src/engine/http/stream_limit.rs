//! How many streams an agent may have open, and which of them ends when they open one too many.
//!
//! A stream takes a connection of the port for as long as it lasts, and the port has some for each member. The oldest ends and not the new one
//! is refused: a desktop that was reloaded, or whose network changed, has streams that nobody reads any more.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::engine::core::ids::UserId;

/// Streams of an agent at once: a few desktops, and what is left of those that were closed without a word.
pub(super) const MOST: usize = 8;

/// The open streams of all agents. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamLimit(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// The oldest first.
    of: HashMap<UserId, VecDeque<(u64, CancellationToken)>>,
}

/// An open stream: leaves the list when it is dropped.
#[derive(Debug)]
pub(super) struct LimitedStream {
    limit: StreamLimit,
    user: UserId,
    number: u64,
}

impl StreamLimit {
    /// Notes that an agent opened a stream, and cancels `displaced` when it is one too many. True when another one had to end for this one.
    pub(super) fn open(&self, user: &UserId, displaced: CancellationToken) -> (LimitedStream, bool) {
        let mut open = self.0.lock();
        let number = open.next;
        open.next += 1;
        let streams = open.of.entry(user.clone()).or_default();
        let oldest = if streams.len() < MOST { None } else { streams.pop_front() };
        streams.push_back((number, displaced));
        if let Some((_, oldest)) = &oldest {
            oldest.cancel();
        }
        (LimitedStream { limit: self.clone(), user: user.clone(), number }, oldest.is_some())
    }
}

impl Drop for LimitedStream {
    fn drop(&mut self) {
        let mut open = self.limit.0.lock();
        let Some(streams) = open.of.get_mut(&self.user) else { return };
        streams.retain(|(number, _)| *number != self.number);
        if streams.is_empty() {
            open.of.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_many_ends_the_oldest_of_the_same_agent() {
        let streams = StreamLimit::default();
        let open = |user: &str| {
            let displaced = CancellationToken::new();
            let (stream, displaces) = streams.open(&UserId::from(user), displaced.clone());
            (stream, displaced, displaces)
        };
        let other = open("bo");
        let mut of_ana: Vec<_> = (0..MOST).map(|_| open("ana")).collect();
        assert!(of_ana.iter().all(|(_, displaced, displaces)| !displaced.is_cancelled() && !displaces));
        // One that ended by itself makes room, wherever it stands.
        of_ana.remove(1);
        of_ana.push(open("ana"));
        assert!(!of_ana[MOST - 1].2);
        of_ana.push(open("ana"));
        assert!(of_ana[MOST].2);
        let displaced: Vec<_> = of_ana.iter().map(|(_, displaced, _)| displaced.is_cancelled()).collect();
        assert_eq!(displaced.iter().position(|displaced| *displaced), Some(0));
        assert_eq!(displaced.iter().filter(|displaced| **displaced).count(), 1);
        assert!(!other.1.is_cancelled());
        drop((other, of_ana));
        assert!(streams.0.lock().of.is_empty());
    }
}
