//! Events as agents' streams show them: ids and states, each encoded once, however many streams there are.

use super::core::event::{
    AgentEvent, ClockEvent, CustomerEvent, EngineEvent, Event, Happened, InboundEvent, InteractionEvent, OutboundEvent,
};

/// Which events mean something to an agent. The others are the engine's own bookkeeping.
macro_rules! shown {
    ($($group:ident($events:ident) { shown: $($shown:ident),*; hidden: $($hidden:ident),* })+) => {
        /// The types of those that are shown.
        pub(super) const TYPES: &[&str] = &[$($(stringify!($shown),)*)+];

        const fn is_shown(what: &Happened) -> bool {
            match what {
                $(Happened::$group(event) => match event {
                    $($events::$shown { .. } => true,)*
                    $($events::$hidden { .. } => false,)*
                },)+
            }
        }
    };
}

shown! {
    Engine(EngineEvent) { shown: ConfigApplied; hidden: EngineStarted, StorageAccepted }
    Clock(ClockEvent) { shown: ClockSet, Disabled, Enabled; hidden: ClockLeapt, DayBegan }
    Customer(CustomerEvent) { shown: OptedOut, OptedIn; hidden: CustomerAdded }
    Inbound(InboundEvent) { shown: InboundRecorded; hidden: InboundDuplicated, PartKept, PartRepeated, PartsTimedOut }
    Interaction(InteractionEvent) {
        shown: InteractionOpened, InteractionQueued, BotStarted, BotStepped, BotTimedOut, BotEnded, BotNoted, QueueTimedOut,
            InteractionAssigned, InteractionOffered, OfferExtended, OfferDeclined, OfferWithdrawn, TransferStarted, TransferEnded,
            InteractionRequeued, InteractionClosed, NoteAdded;
        hidden: ServiceLevelSampled, OfferRested
    }
    Outbound(OutboundEvent) {
        shown: OutboundCommitted, AttemptEnded, ResendRequested, OutboundCanceled, ReceiptApplied;
        hidden: AttemptStarted, AttemptNotSent, ReceiptParked
    }
    Agent(AgentEvent) { shown: AgentOnline, AgentOffline, AgentPresenceSet, StartBlocked; hidden: OptOutsImported }
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
