//! The form in which events are stored and streamed, which is read for ever.

use jiff::Timestamp;
use serde::{Deserialize as _, Serialize, de::Error as _};
use serde_json::Value;

use super::{
    AgentEvent, ClockEvent, CustomerEvent, EngineEvent, Event, Happened, InboundEvent, InteractionEvent, OutboundEvent,
};

/// The version of the form in which events are written.
pub const EVENT_VERSION: u32 = 1;

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEvent {
    /// Written by a newer version of Aldis.
    #[error("the event has version {found}, and this version of Aldis reads up to {EVENT_VERSION}; run the newer one")]
    Newer {
        /// The version that the event says it has.
        found: u64,
    },
    /// Not an event.
    #[error("not an event: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Without a version.
    #[error("the event has no version")]
    NoVersion,
}

/// Brings an event's JSON from one version to the next.
type Upcaster = fn(&mut Value);

/// The upcaster at place `n` reads version `n + 1`. There is one for every version but the newest.
const UPCASTERS: [Upcaster; EVENT_VERSION as usize - 1] = [];

impl Event {
    /// The event as it is stored: one JSON object with its version `v`.
    pub fn to_json(&self) -> Value {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Value::Object(fields) = &mut json {
            fields.insert("v".into(), EVENT_VERSION.into());
        }
        json
    }

    /// Writes what [`to_json`](Self::to_json) gives.
    ///
    /// # Errors
    /// Never, as far as is known: it is made of strings, numbers and names.
    pub fn write_json(&self, into: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        #[derive(Serialize)]
        struct Versioned<'e> {
            v: u32,
            #[serde(flatten)]
            event: &'e Event,
        }
        serde_json::to_writer(into, &Versioned { v: EVENT_VERSION, event: self })
    }

    /// Reads an event of this or an older version.
    ///
    /// # Errors
    /// When it is of a newer version, or not an event.
    pub fn from_json(mut json: Value) -> Result<Self, UnreadableEvent> {
        let found = json.get("v").and_then(Value::as_u64).ok_or(UnreadableEvent::NoVersion)?;
        if found > u64::from(EVENT_VERSION) {
            return Err(UnreadableEvent::Newer { found });
        }
        for upcast in UPCASTERS.iter().skip(usize::try_from(found.saturating_sub(1)).unwrap_or(usize::MAX)) {
            upcast(&mut json);
        }
        let at = Timestamp::deserialize(&json["at"])?;
        Ok(Self { at, what: Happened::from_json(json)? })
    }

    /// The event's type, as it is stored and counted.
    pub const fn name(&self) -> &'static str {
        self.what.name()
    }
}

/// The types of events by their group. A type is the name of a variant.
macro_rules! types {
    ($($group:ident($events:ident): $($variant:ident),+;)+) => {
        $(
            impl $events {
                const NAMES: &[&str] = &[$(stringify!($variant)),+];

                const fn name(&self) -> &'static str {
                    match self {
                        $(Self::$variant { .. } => stringify!($variant),)+
                    }
                }
            }

            impl From<$events> for Happened {
                fn from(event: $events) -> Self {
                    Self::$group(event)
                }
            }
        )+

        impl Happened {
            /// The names of all types.
            #[cfg(test)]
            pub(in crate::engine::core) fn names() -> impl Iterator<Item = &'static str> {
                [$($events::NAMES),+].into_iter().flatten().copied()
            }

            const fn name(&self) -> &'static str {
                match self {
                    $(Self::$group(event) => event.name(),)+
                }
            }

            fn from_json(json: Value) -> Result<Self, serde_json::Error> {
                let name = json["type"].as_str().ok_or_else(|| serde_json::Error::missing_field("type"))?;
                $(
                    if $events::NAMES.contains(&name) {
                        return serde_json::from_value(json).map(Self::$group);
                    }
                )+
                Err(serde_json::Error::custom(format_args!("{name:?} is no type of event")))
            }
        }
    };
}

types! {
    Engine(EngineEvent): EngineStarted, ConfigApplied, StorageAccepted;
    Clock(ClockEvent): ClockLeapt, ClockSet, DayBegan, Disabled, Enabled;
    Customer(CustomerEvent): CustomerAdded, OptedOut, OptedIn;
    Inbound(InboundEvent): InboundRecorded, InboundDuplicated, PartKept, PartRepeated, PartsTimedOut;
    Interaction(InteractionEvent): InteractionOpened, InteractionQueued, BotStarted, BotStepped, BotTimedOut, BotEnded, BotNoted, QueueTimedOut, InteractionAssigned, InteractionOffered, OfferExtended, OfferDeclined, OfferWithdrawn, OfferRested, TransferStarted, TransferEnded, InteractionRequeued, InteractionClosed, ServiceLevelSampled, NoteAdded;
    Outbound(OutboundEvent): OutboundCommitted, AttemptStarted, AttemptNotSent, AttemptEnded, ResendRequested, OutboundCanceled, ReceiptApplied, ReceiptParked;
    Agent(AgentEvent): AgentOnline, AgentOffline, AgentPresenceSet, OptOutsImported, StartBlocked;
}
