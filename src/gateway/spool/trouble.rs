//! What was lately wrong with the spool's file, beyond room and damage: a volume that became read-only, a disk that fails, a lock that
//! somebody else holds.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rusqlite::ErrorCode;

/// A failure counts for so long after it happened: texts that wait are tried again more often.
const COUNTS_FOR: Duration = Duration::from_secs(30);

/// The last failure. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<(Instant, ErrorCode)>>>);

impl Trouble {
    /// Work failed with this.
    pub(super) fn note(&self, code: ErrorCode) {
        *self.0.lock() = Some((Instant::now(), code));
    }

    /// SQLite's name of what failed lately.
    pub(super) fn lately(&self) -> Option<String> {
        self.lately_at(Instant::now())
    }

    fn lately_at(&self, now: Instant) -> Option<String> {
        let (at, code) = (*self.0.lock())?;
        (now.saturating_duration_since(at) < COUNTS_FOR).then(|| format!("{code:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_for_half_a_minute() {
        let trouble = Trouble::default();
        assert_eq!(trouble.lately(), None);
        trouble.note(ErrorCode::SystemIoFailure);
        let after = |seconds| trouble.lately_at(Instant::now() + Duration::from_secs(seconds));
        assert_eq!(
            (after(0).as_deref(), after(29).as_deref(), after(31)),
            (Some("SystemIoFailure"), Some("SystemIoFailure"), None)
        );
    }
}
