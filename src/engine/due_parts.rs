//! Texts whose other parts are waited for no longer, in portions for which nobody waits long.

use std::time::{Duration, Instant};

use super::core::{ids::AssemblyId, state::State};

/// Rows of the store that those of one transaction may take; the first one is taken in any case.
const MAX_ROWS: usize = 512;
/// The same while the log has little room.
const MAX_ROWS_SHORT: usize = 64;
/// When the volume has room again, and after a start, parts that wait in the gateway come first for so long.
const PARTS_FIRST: Duration = Duration::from_mins(2);

/// When they may become messages.
#[derive(Debug, Default)]
pub(super) struct DueParts {
    held_until: Option<Instant>,
}

impl DueParts {
    /// Holds them back: the gateway may bring what they lack.
    pub(super) fn hold(&mut self) {
        self.held_until = Instant::now().checked_add(PARTS_FIRST);
    }

    fn are_held(&self) -> bool {
        self.held_until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether some become messages now.
    pub(super) fn are_due(&self, state: &State) -> bool {
        !self.are_held() && state.parts_due().next().is_some()
    }

    /// Whether some are held back.
    pub(super) fn hold_back(&self, state: &State) -> bool {
        self.are_held() && state.parts_due().next().is_some()
    }

    /// Those that become messages in one transaction.
    pub(super) fn portion(&self, state: &State, has_short_log: bool) -> Vec<AssemblyId> {
        if self.are_held() {
            return Vec::new();
        }
        let most = if has_short_log { MAX_ROWS_SHORT } else { MAX_ROWS };
        let mut rows = 0;
        let fits = |id: &AssemblyId| {
            let is_first = rows == 0;
            rows += state.assembly(*id).map_or(1, |assembly| assembly.rows());
            is_first || rows <= most
        };
        state.parts_due().take_while(fits).collect()
    }
}
