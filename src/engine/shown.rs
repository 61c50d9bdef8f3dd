//! Events as agents' streams show them: ids and states, each encoded once, however many streams there are.

use super::core::event::{Event, Happened};

/// Whether an event means something to an agent. The others are the engine's own bookkeeping.
const fn is_shown(what: &Happened) -> bool {
    match what {
        Happened::ConfigApplied { .. }
        | Happened::ClockSet { .. }
        | Happened::Disabled
        | Happened::Enabled
        | Happened::InboundRecorded { .. }
        | Happened::OptedOut { .. }
        | Happened::OptedIn { .. }
        | Happened::StartBlocked { .. }
        | Happened::InteractionOpened { .. }
        | Happened::InteractionQueued { .. }
        | Happened::InteractionAssigned { .. }
        | Happened::InteractionRequeued { .. }
        | Happened::InteractionClosed { .. }
        | Happened::OutboundCommitted { .. }
        | Happened::AttemptEnded { .. }
        | Happened::OutboundCanceled { .. }
        | Happened::ReceiptApplied { .. }
        | Happened::AgentOnline { .. }
        | Happened::AgentOffline { .. }
        | Happened::AgentPresenceSet { .. }
        | Happened::NoteAdded { .. } => true,
        Happened::EngineStarted { .. }
        | Happened::ClockLeapt { .. }
        | Happened::StorageAccepted { .. }
        | Happened::CustomerAdded { .. }
        | Happened::InboundDuplicated { .. }
        | Happened::ServiceLevelSampled { .. }
        | Happened::AttemptStarted { .. }
        | Happened::AttemptNotSent { .. }
        | Happened::ReceiptParked => false,
    }
}

/// Adds an event as a server-sent event, if it is shown.
pub(super) fn encode(number: u64, event: &Event, into: &mut Vec<u8>) {
    if !is_shown(&event.what) {
        return;
    }
    let begin = into.len();
    into.extend_from_slice(format!("event: {}\nid: {number}\ndata: ", event.name()).as_bytes());
    match event.write_json(into) {
        Ok(()) => into.extend_from_slice(b"\n\n"),
        // It is made of strings, numbers and names.
        Err(error) => {
            tracing::error!(%error, number, "an event cannot be written");
            into.truncate(begin);
        }
    }
}
