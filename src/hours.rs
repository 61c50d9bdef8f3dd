//! When a campaign is open, in its own time zone.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, Zoned, civil::Date, civil::Weekday, tz::TimeZone};

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// How far ahead a change of the hours is looked for. A week and a day see every weekly range; exceptions further away come into
/// sight in time.
const HORIZON_DAYS: i64 = 8;

/// A part of a day in minutes of local time: its beginning belongs to it, its end does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeRange {
    from: u16,
    to: u16,
}

/// A range that is empty, backwards or longer than the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a range of minutes {from} to {to} is not within one day; write two ranges for one that passes midnight")]
pub struct InvalidTimeRange {
    from: u16,
    to: u16,
}

impl TimeRange {
    /// From a minute of the day (0 to 1439) until before another (1 to 1440).
    ///
    /// # Errors
    /// When the end is not after the beginning, or after midnight.
    pub const fn new(from: u16, to: u16) -> Result<Self, InvalidTimeRange> {
        if from < to && to <= DAY { Ok(Self { from, to }) } else { Err(InvalidTimeRange { from, to }) }
    }

    const fn contains(self, minute: u16) -> bool {
        self.from <= minute && minute < self.to
    }
}

/// When a campaign is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    zone: TimeZone,
    /// By day from Monday; none = every day, all day.
    weekly: Option<[Vec<TimeRange>; 7]>,
    exceptions: BTreeMap<Date, Vec<TimeRange>>,
}

impl Schedule {
    /// Open at every hour, in any zone.
    pub fn always() -> Self {
        Self { zone: TimeZone::UTC, weekly: None, exceptions: BTreeMap::new() }
    }

    /// Opening hours in a zone. `weekly`: a day that is not named is closed; none at all = always open but for the exceptions.
    /// `exceptions`: the ranges of a date replace those of its day; none = closed.
    pub fn new(
        zone: TimeZone,
        weekly: Option<Vec<(Weekday, Vec<TimeRange>)>>,
        exceptions: BTreeMap<Date, Vec<TimeRange>>,
    ) -> Self {
        let weekly = weekly.map(|days| {
            let mut week: [Vec<TimeRange>; 7] = Default::default();
            for (day, ranges) in days {
                week[usize::from(day.to_monday_zero_offset().unsigned_abs())].extend(ranges);
            }
            week
        });
        Self { zone, weekly, exceptions }
    }

    /// Whether the campaign is open. The wall clock decides: an hour that a change of the clocks repeats is open twice, one that it
    /// leaves out never comes.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.is_open_at(&now.to_zoned(self.zone.clone()))
    }

    fn is_open_at(&self, local: &Zoned) -> bool {
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        match self.ranges(local.date()) {
            Some(ranges) => ranges.iter().any(|range| range.contains(minute)),
            None => true,
        }
    }

    /// The ranges of a date; none = all day.
    fn ranges(&self, date: Date) -> Option<&[TimeRange]> {
        if let Some(ranges) = self.exceptions.get(&date) {
            return Some(ranges);
        }
        let weekly = self.weekly.as_ref()?;
        Some(&weekly[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())])
    }

    /// When [`is_open`](Self::is_open) changes next, if it does within eight days.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let open = self.is_open(now);
        let today = now.to_zoned(self.zone.clone()).date();
        let mut candidates: Vec<Timestamp> = (0..=HORIZON_DAYS)
            .filter_map(|days| today.checked_add(days.days()).ok())
            .flat_map(|date| self.boundaries(date))
            .chain(self.zone.following(now).take(2).map(|transition| transition.timestamp()))
            .filter(|at| *at > now)
            .collect();
        candidates.sort_unstable();
        candidates.into_iter().find(|at| self.is_open(*at) != open)
    }

    /// The instants of a date at which its ranges begin and end, and its midnight. A boundary in a gap is where the gap ends; one
    /// that comes twice counts twice.
    fn boundaries(&self, date: Date) -> Vec<Timestamp> {
        let minutes = self.ranges(date).unwrap_or_default().iter().flat_map(|range| [range.from, range.to]);
        minutes
            .chain([0])
            .filter_map(|minute| {
                let (date, minute) = if minute == DAY { (date.tomorrow().ok()?, 0) } else { (date, minute) };
                let hour = i8::try_from(minute / 60).ok()?;
                Some(date.at(hour, i8::try_from(minute % 60).ok()?, 0, 0))
            })
            .flat_map(|at| {
                let local = self.zone.to_ambiguous_timestamp(at);
                [local.earlier().ok(), local.later().ok()]
            })
            .flatten()
            .collect()
    }
}
