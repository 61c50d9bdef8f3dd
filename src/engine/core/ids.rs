//! Names of things. Numbers come from counters in the [`State`](super::state::State), so the same commands give the same ids.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

macro_rules! counted_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The id after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counted_id! {
    /// One customer of this channel: one sender.
    CustomerId
}
counted_id! {
    /// One interaction: a conversation from its first message to its close.
    InteractionId
}
counted_id! {
    /// One message, inbound or outbound. Later messages have higher ids.
    MessageId
}
counted_id! {
    /// One offer of an interaction, counted from 1 within it.
    OfferId
}
counted_id! {
    /// One agent's note.
    NoteId
}

counted_id! {
    /// One long text of which not all parts are there yet.
    AssemblyId
}

/// Ids and event numbers stay below this: JSON readers hold whole numbers up to here exactly.
const LARGEST: u64 = (1 << 53) - 1;

/// The first id and event number of a life of the store, which begins with each start of the engine: beyond `used`, every one that
/// this store has given out, and beyond those that it may have given out and forgotten, if this is an older copy of it.
///
/// It is the start's instant in microseconds: the ids of a life never catch up with the clock. While the clock is behind the ids
/// (it was ahead once, or is behind now) it is so far beyond them that another life after the same copy hardly meets it.
pub fn first_of_life(now: Timestamp, used: u64, random: u32) -> u64 {
    let by_clock = u64::try_from(now.as_microsecond()).unwrap_or(0);
    if by_clock > used && by_clock < LARGEST / 2 {
        return by_clock;
    }
    used.saturating_add(1 << 20).saturating_add(u64::from(random)).min(LARGEST)
}

/// An agent: the user's name with its issuer's prefix, as the campaign's members are written. Opaque here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(from = "String", into = "String")]
pub struct UserId(Arc<str>);

impl UserId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for UserId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&str> for UserId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<UserId> for String {
    fn from(user: UserId) -> Self {
        user.0.as_ref().into()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Names that people gave to what they declared.
macro_rules! names {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// As it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )+};
}

names! {
    /// What an agent chose as the outcome of an interaction, by the name that the campaign gives it.
    DispositionName;
    /// A bot, by the name of its object.
    BotName;
    /// A version of a bot: a digest of its steps.
    BotVersion;
}

/// Counts the changes of an interaction's owner. Who acts as owner shows the epoch that they know; an old one is refused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch after the next change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Counts the attempts to send one message, from 1. Each is a new permission to send.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Attempt(pub u32);

impl Attempt {
    /// The attempt after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_begins_beyond_every_earlier_one_whatever_the_clock_says() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-25T12:00:00Z");
        let by_clock = 1_795_608_000_000_000;
        assert_eq!(first_of_life(now, 7, 0), by_clock);
        // Two starts from one copy.
        assert!(first_of_life(now, 7, 1) < first_of_life(now + jiff::SignedDuration::from_micros(1), 7, 1));
        // The clock is behind the ids, before 1970 or absurdly far ahead.
        for clock in [now, at("1960-01-01T00:00:00Z"), at("9999-01-01T00:00:00Z")] {
            assert_eq!(first_of_life(clock, by_clock, 3), by_clock + (1 << 20) + 3, "{clock}");
        }
        assert!(first_of_life(now, u64::MAX, u32::MAX) < 1 << 53);
    }
}
