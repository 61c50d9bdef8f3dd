//! Which connections a port has open, and which of them makes room for a new one.
//!
//! A connection either waits for its client (for a head, a body, or the next request) or the role is at work for it. When a port
//! has as many connections as it may have, the one that has waited longest for its client ends; one that the role is at work for never does.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// [`Progress::waiting_since`] while the role is at work.
const AT_WORK: u64 = u64::MAX;

/// The open connections of one port.
#[derive(Debug)]
pub(super) struct Connections {
    began: Instant,
    room: Arc<Semaphore>,
    open: Mutex<Open>,
    /// A connection began to wait for its client.
    waiting: Notify,
    /// A connection has ended.
    gone: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    progress: HashMap<u64, Arc<Progress>>,
}

/// One open connection: leaves the list when it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    connections: Arc<Connections>,
    number: u64,
    pub(super) progress: Arc<Progress>,
    _room: OwnedSemaphorePermit,
}

/// How far a connection is. Shared with what serves it.
#[derive(Debug)]
pub(super) struct Progress {
    connections: Arc<Connections>,
    /// Microseconds after [`Connections::began`], or [`AT_WORK`].
    waiting_since: AtomicU64,
    head_seen: AtomicBool,
    ended: CancellationToken,
}

impl Connections {
    /// No connection yet, and room for `most` at once.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            room: Arc::new(Semaphore::new(most)),
            open: Mutex::default(),
            waiting: Notify::new(),
            gone: Notify::new(),
        })
    }

    /// Takes a new connection in, as soon as there is room. When there is none, the one that has waited longest for its client ends.
    pub(super) async fn admit(self: &Arc<Self>) -> Connection {
        let room = self.room().await;
        let progress = Arc::new(Progress {
            connections: Arc::clone(self),
            waiting_since: AtomicU64::new(self.now()),
            head_seen: AtomicBool::new(false),
            ended: CancellationToken::new(),
        });
        let mut open = self.open.lock();
        let number = open.next;
        open.next += 1;
        open.progress.insert(number, Arc::clone(&progress));
        Connection { connections: Arc::clone(self), number, progress, _room: room }
    }

    async fn room(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(room) = Arc::clone(&self.room).try_acquire_owned() {
                return room;
            }
            let waiting = self.waiting.notified();
            // One ends for one that comes: its room is free within moments.
            let ended = self.end_longest_waiting();
            tokio::select! {
                room = Arc::clone(&self.room).acquire_owned() => {
                    #[expect(clippy::expect_used, reason = "nobody closes the semaphore")]
                    return room.expect("the semaphore is never closed");
                }
                () = waiting, if !ended => {}
            }
        }
    }

    /// Ends the connection that has waited longest for its client; false when the role is at work for all of them.
    pub(super) fn end_longest_waiting(&self) -> bool {
        let open = self.open.lock();
        let waiting = open.progress.values().filter(|progress| !progress.ended.is_cancelled());
        let longest = waiting
            .map(|progress| (progress.waiting_since.load(Ordering::Relaxed), progress))
            .filter(|(since, _)| *since != AT_WORK)
            .min_by_key(|(since, _)| *since);
        match longest {
            Some((_, progress)) => {
                progress.ended.cancel();
                true
            }
            None => false,
        }
    }

    /// Waits until a connection has ended, with its file.
    pub(super) async fn one_is_gone(&self) {
        self.gone.notified().await;
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(AT_WORK - 1)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.open.lock().progress.remove(&self.number);
        self.connections.gone.notify_one();
    }
}

impl Progress {
    /// The head of a request has come.
    pub(super) fn head(&self) {
        self.head_seen.store(true, Ordering::Relaxed);
    }

    /// Whether the head of a request has ever come.
    pub(super) fn head_seen(&self) -> bool {
        self.head_seen.load(Ordering::Relaxed)
    }

    /// From now on the connection waits for its client.
    pub(super) fn waits(&self) {
        self.waiting_since.store(self.connections.now(), Ordering::Relaxed);
        self.connections.waiting.notify_one();
    }

    /// From now on the role is at work for the connection.
    pub(super) fn at_work(&self) {
        self.waiting_since.store(AT_WORK, Ordering::Relaxed);
    }

    /// Waits until the connection must end to make room.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, poll};

    #[tokio::test]
    async fn who_has_waited_longest_makes_room() {
        let connections = Connections::new(3);
        let (first, second, third) = (connections.admit().await, connections.admit().await, connections.admit().await);
        // The first is being worked for; the second speaks again.
        first.progress.at_work();
        std::thread::sleep(std::time::Duration::from_millis(1));
        second.progress.waits();
        let mut fourth = Box::pin(connections.admit());
        assert!(poll!(&mut fourth).is_pending());
        assert!(third.progress.ended().now_or_never().is_some(), "it has waited longest");
        assert!(second.progress.ended().now_or_never().is_none(), "one is enough");
        drop(third);
        let _fourth = fourth.await;
        assert!(first.progress.ended().now_or_never().is_none());
    }

    #[tokio::test]
    async fn work_that_is_under_way_is_never_ended() {
        let connections = Connections::new(1);
        let only = connections.admit().await;
        only.progress.at_work();
        let mut next = Box::pin(connections.admit());
        assert!(poll!(&mut next).is_pending());
        assert!(only.progress.ended().now_or_never().is_none());
        only.progress.waits();
        assert!(poll!(&mut next).is_pending());
        assert!(only.progress.ended().now_or_never().is_some(), "its work is done: it makes room");
        drop(only);
        next.await;
    }
}
