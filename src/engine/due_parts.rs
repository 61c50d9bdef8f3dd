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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use jiff::Timestamp;

    use super::*;
    use crate::engine::core::{assembly::Assembly, clock::ChannelTime, ids::CustomerId, tests::config};

    /// A state in which so many texts of three parts are waited for no longer.
    fn state(texts: u64) -> State {
        let mut rows = State::new(Arc::new(config())).rows();
        let text = |id: u64| Assembly {
            id: AssemblyId(id),
            customer: CustomerId(id),
            reference: 7,
            total: 4,
            sequences: BTreeSet::from([1, 2, 3]),
            bytes: 30,
            ends_at: ChannelTime::from(Timestamp::UNIX_EPOCH),
            timed_out: true,
        };
        rows.assemblies = (1..=texts).map(text).collect();
        State::from_rows(Arc::new(config()), rows)
    }

    #[test]
    fn a_transaction_takes_so_many_rows_and_one_text_at_least() {
        let due = DueParts::default();
        assert!(!due.are_due(&state(0)) && due.portion(&state(0), false).is_empty());
        let many = state(1_000);
        assert!(due.are_due(&many));
        assert_eq!((due.portion(&many, false).len(), due.portion(&many, true).len()), (128, 16), "4 rows each");
        assert_eq!(due.portion(&state(1), true), [AssemblyId(1)]);
    }

    #[test]
    fn while_they_are_held_back_nothing_is_due() {
        let (mut due, state) = (DueParts::default(), state(1));
        due.hold();
        assert!(!due.are_due(&state) && due.hold_back(&state) && due.portion(&state, false).is_empty());
        due.held_until = Some(Instant::now());
        assert!(due.are_due(&state) && !due.hold_back(&state));
    }
}
