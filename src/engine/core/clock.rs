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

    /// The instant so much earlier.
    #[must_use]
    pub fn before(self, duration: SignedDuration) -> Self {
        Self(earlier(self.0, duration))
    }

    /// How long after another instant this one is.
    pub fn since(self, earlier: Self) -> SignedDuration {
        self.0.duration_since(earlier.0)
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

    /// Since when it stands still; none while it runs.
    pub const fn stopped_at(&self) -> Option<Timestamp> {
        self.stopped_at
    }

    /// How long it has stood still in all, but for what it does now.
    pub const fn stood_still(&self) -> SignedDuration {
        self.stood_still
    }

    /// Whether it stands still.
    pub const fn is_stopped(&self) -> bool {
        self.stopped_at.is_some()
    }

    /// The time of the world went on by so much in no time: timers do not count it.
    pub(super) fn skip(&mut self, by: SignedDuration) {
        if self.stopped_at.is_none() {
            self.stood_still = self.stood_still.saturating_add(by);
        }
    }

    /// The time of the world goes back; the channel's own stays where it is.
    pub(super) fn set_back(&mut self, back: SetBack) {
        let by = match self.stopped_at {
            Some(stopped) => {
                self.stopped_at = Some(back.moved(stopped));
                stopped.duration_since(back.moved(stopped))
            }
            None => back.by,
        };
        self.stood_still = self.stood_still.saturating_sub(by);
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

/// The time of the world is set back: what was written down while it was ahead goes back with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetBack {
    /// The time from now on.
    pub to: Timestamp,
    /// How far it goes back.
    pub by: SignedDuration,
}

impl SetBack {
    /// Where an instant that was written down before is from now on: one that would lie in the future moves, with its distance to
    /// others; one that is past in any case stays.
    #[must_use]
    pub fn moved(self, at: Timestamp) -> Timestamp {
        if at > self.to { earlier(at, self.by) } else { at }
    }
}

/// A leap of the clock that nobody has confirmed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leap {
    /// How far it went, together with those before it that were not confirmed either.
    pub by: SignedDuration,
    /// When it counts as confirmed, because the clock has gone on from there for as long as it leapt.
    pub until: Timestamp,
}

impl Leap {
    /// The longest time that confirms a leap of any length.
    const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

    /// A leap by so much that ended now, after another that may not be confirmed yet.
    pub(super) fn after(earlier: Option<Self>, by: SignedDuration, now: Timestamp) -> Self {
        let open = earlier.filter(|leap| now.saturating_sub(by).is_ok_and(|before| before < leap.until));
        let by = open.map_or(by, |open| open.by.saturating_add(by));
        Self { by, until: later(now, by.min(Self::LONGEST)) }
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

    #[test]
    fn timers_count_neither_a_leap_nor_that_it_is_taken_back() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let day = SignedDuration::from_hours(24);
        for stopped in [false, true] {
            let mut clock = ChannelClock::default();
            if stopped {
                clock.stop(at(100));
            }
            let before = clock.at(at(100));
            clock.skip(day);
            let leapt = at(100) + day;
            assert_eq!(clock.at(leapt), before, "stopped: {stopped}");
            clock.set_back(SetBack { to: at(100), by: day });
            assert_eq!(clock.at(at(100)), before, "stopped: {stopped}");
            clock.go_on(at(100));
            assert_eq!(clock.at(at(160)), before.after(SignedDuration::from_secs(60)), "stopped: {stopped}");
        }
    }

    #[test]
    fn leaps_add_up_until_the_first_is_confirmed() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let seconds = SignedDuration::from_secs;
        let first = Leap::after(None, seconds(100), at(1000));
        assert_eq!((first.by, first.until), (seconds(100), at(1100)));
        assert_eq!(Leap::after(Some(first), seconds(50), at(1120)).by, seconds(150), "70 s after the first");
        assert_eq!(Leap::after(Some(first), seconds(50), at(1150)).by, seconds(50), "100 s after the first");
        assert_eq!(Leap::after(None, SignedDuration::MAX, at(0)).until, at(7 * 86_400));
    }
}
