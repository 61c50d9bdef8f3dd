//! How many bytes of bodies a port holds, and which body makes room for others.
//!
//! A body takes room before any of it is read, and holds it until the request is answered. It is either waited for, or whole and being
//! worked with. When there is no room for more, those that hold some and have been waited for longest end; one that is being worked with
//! never does.

use std::{collections::BTreeMap, pin::pin, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The bodies of one port. Clones share the room.
#[derive(Clone, Debug)]
pub(crate) struct Bodies(Arc<Port>);

#[derive(Debug)]
struct Port {
    held: Mutex<Held>,
    /// Room was given back.
    freed: Notify,
}

#[derive(Debug)]
struct Held {
    free: usize,
    /// What bodies that were ended will give back.
    ending: usize,
    next: u64,
    /// Those that are waited for, the longest first.
    coming: BTreeMap<u64, Coming>,
}

#[derive(Debug)]
struct Coming {
    bytes: usize,
    ended: CancellationToken,
}

/// There is no room for a body, or it was ended to make room for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

/// A body that is waited for.
#[derive(Debug)]
pub(super) struct ComingBody {
    port: Arc<Port>,
    number: u64,
    ended: CancellationToken,
}

/// The room of a whole body: it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    port: Arc<Port>,
    bytes: usize,
}

impl Bodies {
    /// Room for so many bytes: several of the longest bodies.
    pub(crate) fn new(bytes: usize) -> Self {
        let held = Held { free: bytes, ending: 0, next: 0, coming: BTreeMap::new() };
        Self(Arc::new(Port { held: Mutex::new(held), freed: Notify::new() }))
    }

    /// A body begins to come.
    pub(super) fn begin(&self) -> ComingBody {
        let ended = CancellationToken::new();
        let mut held = self.0.held.lock();
        let number = held.next;
        held.next += 1;
        held.coming.insert(number, Coming { bytes: 0, ended: ended.clone() });
        ComingBody { port: Arc::clone(&self.0), number, ended }
    }
}

impl ComingBody {
    /// Reserves room for more bytes of it, as soon as those that must end for it have ended.
    ///
    /// # Errors
    /// When it is itself the one that was waited for longest, or all others are being worked with.
    pub(super) async fn grow(&self, bytes: usize) -> Result<(), NoRoom> {
        loop {
            let mut freed = pin!(self.port.freed.notified());
            // From now on nothing that is given back is missed.
            freed.as_mut().enable();
            if self.port.held.lock().reserve(self.number, bytes)? {
                return Ok(());
            }
            tokio::select! {
                () = freed => {}
                () = self.ended() => return Err(NoRoom),
            }
        }
    }

    /// Waits until it must end to make room for others.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// All of it has come: from now on it is not ended.
    pub(super) fn whole(self) -> Room {
        let bytes = self.port.held.lock().leave(self.number);
        Room { port: Arc::clone(&self.port), bytes }
    }
}

impl Held {
    /// Reserves room for a body that is waited for; false when it is yet to be given back by others, which have been ended for it.
    fn reserve(&mut self, number: u64, bytes: usize) -> Result<bool, NoRoom> {
        let coming = self.coming.get_mut(&number).filter(|coming| !coming.ended.is_cancelled()).ok_or(NoRoom)?;
        if self.free >= bytes {
            self.free -= bytes;
            coming.bytes += bytes;
            return Ok(true);
        }
        // The end of one that holds nothing makes no room.
        let may_end = |(_, coming): &(&u64, &mut Coming)| coming.bytes > 0 && !coming.ended.is_cancelled();
        let waited_for_longer = self.coming.iter_mut().filter(may_end).take_while(|(other, _)| **other != number);
        let (mut to_end, mut room) = (Vec::new(), self.free + self.ending);
        for (_, coming) in waited_for_longer {
            if room >= bytes {
                break;
            }
            room += coming.bytes;
            to_end.push(coming);
        }
        // Nobody ends in vain.
        if room < bytes {
            return Err(NoRoom);
        }
        for coming in to_end {
            coming.ended.cancel();
            self.ending += coming.bytes;
        }
        Ok(false)
    }

    /// A body is waited for no more; what it holds.
    fn leave(&mut self, number: u64) -> usize {
        let Some(coming) = self.coming.remove(&number) else { return 0 };
        if coming.ended.is_cancelled() {
            self.ending -= coming.bytes;
        }
        coming.bytes
    }
}

impl Drop for ComingBody {
    fn drop(&mut self) {
        let mut held = self.port.held.lock();
        // At once: whoever asks in between would find less room than there is.
        held.free += held.leave(self.number);
        drop(held);
        self.port.freed.notify_waiters();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.port.held.lock().free += self.bytes;
        self.port.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, poll};

    #[tokio::test]
    async fn the_body_that_has_been_waited_for_longest_makes_room() {
        let bodies = Bodies::new(10);
        let (first, second, third) = (bodies.begin(), bodies.begin(), bodies.begin());
        assert_eq!(first.grow(4).await, Ok(()));
        assert_eq!(second.grow(4).await, Ok(()));
        let mut growing = Box::pin(third.grow(5));
        assert!(poll!(&mut growing).is_pending());
        assert!(first.ended().now_or_never().is_some(), "it has been waited for longest");
        assert!(second.ended().now_or_never().is_none(), "one is enough");
        drop(first);
        assert_eq!(growing.await, Ok(()));
        // Now the second has been waited for longest: it ends itself.
        assert_eq!(second.grow(4).await, Err(NoRoom));
    }

    #[tokio::test]
    async fn a_whole_body_is_never_ended_and_holds_its_room_until_it_is_done_with() {
        let bodies = Bodies::new(10);
        let first = bodies.begin();
        assert_eq!(first.grow(8).await, Ok(()));
        let room = first.whole();
        let second = bodies.begin();
        assert_eq!(second.grow(3).await, Err(NoRoom), "nobody can make room");
        assert_eq!(second.grow(2).await, Ok(()));
        drop(room);
        assert_eq!(second.grow(8).await, Ok(()));
        drop(second);
        assert_eq!(bodies.begin().grow(10).await, Ok(()), "all of it is given back");
    }

    #[tokio::test]
    async fn several_end_for_one_that_needs_what_they_hold_together() {
        let bodies = Bodies::new(10);
        let before: Vec<_> = (0..5).map(|_| bodies.begin()).collect();
        for body in &before {
            assert_eq!(body.grow(2).await, Ok(()));
        }
        let (one, other) = (bodies.begin(), bodies.begin());
        let (mut one_grows, mut other_grows) = (Box::pin(one.grow(4)), Box::pin(other.grow(3)));
        assert!(poll!(&mut one_grows).is_pending());
        let ended = |bodies: &[ComingBody]| bodies.iter().filter(|body| body.ended().now_or_never().is_some()).count();
        assert_eq!(ended(&before), 2);
        assert!(poll!(&mut other_grows).is_pending());
        drop(before);
        assert_eq!((one_grows.await, other_grows.await), (Ok(()), Ok(())));
    }

    #[tokio::test]
    async fn a_body_that_holds_nothing_makes_room_for_nobody() {
        let bodies = Bodies::new(10);
        let (empty, holding, next) = (bodies.begin(), bodies.begin(), bodies.begin());
        assert_eq!(holding.grow(10).await, Ok(()));
        let mut growing = Box::pin(next.grow(4));
        assert!(poll!(&mut growing).is_pending());
        assert!(empty.ended().now_or_never().is_none(), "it has nothing to give");
        assert!(holding.ended().now_or_never().is_some());
        drop(holding);
        assert_eq!(growing.await, Ok(()));
    }

    #[tokio::test]
    async fn nobody_ends_for_one_that_finds_no_room_all_the_same() {
        let bodies = Bodies::new(10);
        let whole = bodies.begin();
        assert_eq!(whole.grow(7).await, Ok(()));
        let _room = whole.whole();
        let (coming, next) = (bodies.begin(), bodies.begin());
        assert_eq!(coming.grow(2).await, Ok(()));
        assert_eq!(next.grow(4).await, Err(NoRoom));
        assert!(coming.ended().now_or_never().is_none());
    }
}
