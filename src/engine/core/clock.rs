//! The channel's own time, which stands still while the channel is disabled: timers measure it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// An instant of the channel's own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelTime(Timestamp);

impl ChannelTime {
    /// As it is stored.
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }

    /// The instant so much later.
    #[must_use]
    pub fn after(self, duration: SignedDuration) -> Self {
        Self(later(self.0, duration))
    }
}

impl From<Timestamp> for ChannelTime {
    /// Reads what [`ChannelTime::timestamp`] gave.
    fn from(stored: Timestamp) -> Self {
        Self(stored)
    }
}

/// Maps the time of the world to the channel's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelClock {
    /// How long it has stood still so far, in all.
    stood_still: SignedDuration,
    /// Since when it stands still now.
    stopped_at: Option<Timestamp>,
}

impl ChannelClock {
    /// The channel's own time.
    pub fn at(&self, now: Timestamp) -> ChannelTime {
        ChannelTime(earlier(self.stopped_at.unwrap_or(now), self.stood_still))
    }

    /// When the channel's own time will be this, if nothing stops it; none while it stands still.
    pub fn when(&self, time: ChannelTime) -> Option<Timestamp> {
        if self.stopped_at.is_some() { None } else { Some(later(time.0, self.stood_still)) }
    }

    /// Whether it stands still.
    pub const fn is_stopped(&self) -> bool {
        self.stopped_at.is_some()
    }

    pub(super) fn stop(&mut self, now: Timestamp) {
        self.stopped_at.get_or_insert(now);
    }

    pub(super) fn go_on(&mut self, now: Timestamp) {
        if let Some(since) = self.stopped_at.take() {
            self.stood_still = self.stood_still.saturating_add(now.duration_since(since));
        }
    }
}

/// The instant so much later, at most the last one that can be written.
pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The instant so much earlier, at least the first one that can be written.
pub(super) fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_while_stopped_and_goes_on_from_there() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut clock = ChannelClock::default();
        let deadline = clock.at(at(100)).after(SignedDuration::from_secs(60));
        assert_eq!(clock.when(deadline), Some(at(160)));
        clock.stop(at(130));
        clock.stop(at(140));
        assert_eq!((clock.at(at(500)), clock.when(deadline)), (clock.at(at(130)), None));
        clock.go_on(at(1130));
        assert_eq!(clock.when(deadline), Some(at(1160)));
        assert!(clock.at(at(1159)) < deadline && clock.at(at(1160)) == deadline);
    }
}
