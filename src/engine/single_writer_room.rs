//! What the writer does as its volume fills and empties.

use std::time::{Duration, Instant};

use super::{
    inbox::Inbox,
    single_writer::SingleWriter,
    store::{error::CommitError, room::Fill},
};

/// After the volume was exhausted nothing is sent for so long: opt-outs that waited in the gateway come first.
const OPT_OUTS_FIRST: Duration = Duration::from_secs(10);

/// Why an engine with an exhausted volume is not ready.
const EXHAUSTED: &str = "the volume is full, and what is kept free for closing work is used up: nothing is written but what frees room; enlarge \
     spec.engine.storage.volume.size or shorten retentionDays";

impl SingleWriter {
    /// Notes how full the volume is.
    pub(super) fn look_for_room(&mut self, inbox: &Inbox) -> Result<(), CommitError> {
        let before = inbox.fill();
        let mut fill = self.store.fill(before)?;
        if fill > before || (fill > Fill::Roomy && self.log_is_in_use) {
            self.log_is_in_use = !self.store.make_room()?;
            fill = self.store.fill(before)?;
        }
        inbox.set_fill(fill);
        self.has_room_again |= self.state.is_volume_full() && fill == Fill::Roomy;
        self.state.set_volume_full(fill > Fill::Roomy);
        if fill != before {
            self.volume_changed(before, fill);
        }
        self.send_again_at = self.send_again_at.filter(|at| Instant::now() < *at);
        self.state.pause_sending(fill == Fill::Exhausted || self.send_again_at.is_some());
        Ok(())
    }

    /// The volume is fuller than before, or less full.
    fn volume_changed(&mut self, before: Fill, fill: Fill) {
        match fill {
            Fill::Roomy => {
                tracing::info!("the volume has room again");
                self.store.hold_room();
                self.due_parts.hold();
            }
            Fill::Full => tracing::error!("the volume is full: nothing new is taken until there is room"),
            Fill::Exhausted => tracing::error!("the volume is exhausted: nothing is written but what frees room"),
        }
        if fill == Fill::Exhausted {
            self.not_ready.set("volume", EXHAUSTED);
        } else if before == Fill::Exhausted {
            self.not_ready.clear("volume");
            self.send_again_at = Instant::now().checked_add(OPT_OUTS_FIRST);
        }
    }
}
