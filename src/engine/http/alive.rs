//! Signs of life of agents. A connection says little: what stands between may keep it open, and read it, long after the agent's
//! machine is gone. A request with the agent's own token cannot come from anybody else.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::engine::core::ids::UserId;

/// Agents are asked for a sign of life this often, by an event `Beat` on their stream.
pub(super) const BEAT: Duration = Duration::from_secs(8);
/// Who gave no sign of life for so long is gone: time for three beats, so that a lost one does no harm.
pub(super) const SILENCE: Duration = Duration::from_secs(25);

/// When each agent gave a sign of life last. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alive(Arc<Mutex<HashMap<UserId, Instant>>>);

impl Alive {
    /// A member made a request.
    pub(super) fn seen(&self, user: &UserId) {
        let mut seen = self.0.lock();
        match seen.get_mut(user) {
            Some(at) => *at = Instant::now(),
            None => {
                seen.insert(user.clone(), Instant::now());
            }
        }
    }

    /// Whether nothing was heard of an agent for so long.
    pub(super) fn is_silent(&self, user: &UserId, since: Duration) -> bool {
        self.0.lock().get(user).is_none_or(|at| at.elapsed() >= since)
    }

    /// Forgets an agent whose last stream ended.
    pub(super) fn forget_silent(&self) {
        self.0.lock().retain(|_, at| at.elapsed() < SILENCE);
    }
}
