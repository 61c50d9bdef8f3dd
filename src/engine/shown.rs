//! Events as agents' streams show them: ids and states, each encoded once, however many streams there are.

use super::core::event::{
    ClockEvent, CustomerEvent, EngineEvent, Event, Happened, InboundEvent, InteractionEvent, OutboundEvent,
};

/// Whether an event means something to an agent. The others are the engine's own bookkeeping.
const fn is_shown(what: &Happened) -> bool {
    match what {
        Happened::Engine(event) => match event {
            EngineEvent::ConfigApplied { .. } => true,
            EngineEvent::EngineStarted { .. } | EngineEvent::StorageAccepted { .. } => false,
        },
        Happened::Clock(event) => match event {
            ClockEvent::ClockSet { .. } | ClockEvent::Disabled | ClockEvent::Enabled => true,
            ClockEvent::ClockLeapt { .. } => false,
        },
        Happened::Customer(event) => match event {
            CustomerEvent::OptedOut { .. } | CustomerEvent::OptedIn { .. } => true,
            CustomerEvent::CustomerAdded { .. } => false,
        },
        Happened::Inbound(event) => match event {
            InboundEvent::InboundRecorded { .. } => true,
            InboundEvent::InboundDuplicated { .. } => false,
        },
        Happened::Interaction(event) => match event {
            InteractionEvent::InteractionOpened { .. }
            | InteractionEvent::InteractionQueued { .. }
            | InteractionEvent::BotStarted { .. }
            | InteractionEvent::BotStepped { .. }
            | InteractionEvent::BotTimedOut { .. }
            | InteractionEvent::BotEnded { .. }
            | InteractionEvent::BotNoted { .. }
            | InteractionEvent::QueueTimedOut { .. }
            | InteractionEvent::InteractionAssigned { .. }
            | InteractionEvent::InteractionOffered { .. }
            | InteractionEvent::OfferExtended { .. }
            | InteractionEvent::OfferDeclined { .. }
            | InteractionEvent::OfferWithdrawn { .. }
            | InteractionEvent::TransferStarted { .. }
            | InteractionEvent::TransferEnded { .. }
            | InteractionEvent::InteractionRequeued { .. }
            | InteractionEvent::InteractionClosed { .. }
            | InteractionEvent::NoteAdded { .. } => true,
            InteractionEvent::ServiceLevelSampled { .. } | InteractionEvent::OfferRested { .. } => false,
        },
        Happened::Outbound(event) => match event {
            OutboundEvent::OutboundCommitted { .. }
            | OutboundEvent::AttemptEnded { .. }
            | OutboundEvent::ResendRequested { .. }
            | OutboundEvent::OutboundCanceled { .. }
            | OutboundEvent::ReceiptApplied { .. } => true,
            OutboundEvent::AttemptStarted { .. }
            | OutboundEvent::AttemptNotSent { .. }
            | OutboundEvent::ReceiptParked => false,
        },
        Happened::Agent(_) => true,
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
