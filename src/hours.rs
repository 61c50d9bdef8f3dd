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

/// A day of a campaign's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The date there; elsewhere it may be another one.
    pub date: Date,
    /// From its first instant to before that of the next day.
    from: Timestamp,
    to: Timestamp,
}

impl Day {
    /// Whether an instant is of this day.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
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

    /// The date of an instant.
    pub fn date(&self, now: Timestamp) -> Date {
        now.to_zoned(self.zone.clone()).date()
    }

    /// The day of an instant.
    pub fn day(&self, now: Timestamp) -> Day {
        let local = now.to_zoned(self.zone.clone());
        // The first and the last day that can be written have no beginning or end.
        let from = local.start_of_day().map_or(Timestamp::MIN, |start| start.timestamp());
        let next = local.date().tomorrow().and_then(|date| date.to_zoned(self.zone.clone()));
        Day { date: local.date(), from, to: next.map_or(Timestamp::MAX, |next| next.timestamp()) }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `09:00-13:00 15:00-24:00` as ranges.
    fn ranges(text: &str) -> Vec<TimeRange> {
        let minute = |time: &str| {
            let (hour, minute) = time.split_once(':').unwrap();
            hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap()
        };
        let range = |range: &str| {
            let (from, to) = range.split_once('-').unwrap();
            TimeRange::new(minute(from), minute(to)).unwrap()
        };
        text.split_whitespace().map(range).collect()
    }

    fn schedule(zone: &str, weekly: &[(Weekday, &str)], exceptions: &[(&str, &str)]) -> Schedule {
        let weekly = weekly.iter().map(|(day, text)| (*day, ranges(text))).collect();
        let exceptions = exceptions.iter().map(|(date, text)| (date.parse().unwrap(), ranges(text))).collect();
        Schedule::new(TimeZone::get(zone).unwrap(), Some(weekly), exceptions)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_are_those_of_the_wall_clock_in_the_zone() {
        use Weekday::{Friday, Monday, Saturday, Sunday};
        let madrid = schedule(
            "Europe/Madrid",
            &[(Monday, "09:00-13:00 15:00-19:00"), (Saturday, "22:00-24:00"), (Sunday, "00:00-02:00")],
            &[],
        );
        let berlin = schedule("Europe/Berlin", &[(Sunday, "01:30-02:30")], &[]);
        let berlin_late = schedule("Europe/Berlin", &[(Sunday, "02:00-03:00")], &[]);
        let new_york = schedule("America/New_York", &[(Sunday, "01:00-02:00")], &[]);
        let apia = schedule("Pacific/Apia", &[(Friday, "00:00-24:00")], &[]);
        let kathmandu = schedule("Asia/Kathmandu", &[(Monday, "09:00-10:00")], &[]);
        let cases = [
            // 2026-11-23 is a Monday; Madrid is at +01:00.
            (&madrid, "2026-11-23T07:59:59.999Z", false, "before the first range"),
            (&madrid, "2026-11-23T08:00:00Z", true, "a range begins with its first instant"),
            (&madrid, "2026-11-23T11:59:59.999Z", true, "its last instant"),
            (&madrid, "2026-11-23T12:00:00Z", false, "and ends before its end"),
            (&madrid, "2026-11-23T14:00:00Z", true, "second range"),
            (&madrid, "2026-11-24T09:00:00Z", false, "a day without a range is closed"),
            (&madrid, "2026-11-21T22:59:59Z", true, "up to midnight"),
            (&madrid, "2026-11-21T23:00:00Z", true, "and on, by the next day's range"),
            (&madrid, "2026-11-22T01:00:00Z", false, "02:00 on Sunday"),
            // Summer is at +02:00.
            (&madrid, "2026-07-06T07:00:00Z", true, "09:00 in summer"),
            (&madrid, "2026-07-06T06:59:59Z", false, "08:59 in summer"),
            // Berlin, 2026-03-29: 02:00 to 03:00 does not exist.
            (&berlin, "2026-03-29T00:59:59Z", true, "01:59 before the gap"),
            (&berlin, "2026-03-29T01:00:00Z", false, "03:00 after the gap: the rest of the range never comes"),
            (&berlin_late, "2026-03-29T01:00:00Z", false, "a range inside the gap never comes"),
            // Berlin, 2026-10-25: 02:00 to 03:00 comes twice.
            (&berlin, "2026-10-25T00:15:00Z", true, "02:15, the first time"),
            (&berlin, "2026-10-25T00:45:00Z", false, "02:45, the first time"),
            (&berlin, "2026-10-25T01:15:00Z", true, "02:15, the second time"),
            (&berlin, "2026-10-25T01:45:00Z", false, "02:45, the second time"),
            // New York, 2026-11-01: 01:00 to 02:00 comes twice.
            (&new_york, "2026-11-01T05:30:00Z", true, "the first time"),
            (&new_york, "2026-11-01T06:30:00Z", true, "the second time"),
            (&new_york, "2026-11-01T07:00:00Z", false, "02:00"),
            // Samoa left out 2011-12-30, a Friday.
            (&apia, "2011-12-30T09:59:59Z", false, "Thursday's last second"),
            (&apia, "2011-12-30T10:00:00Z", false, "Saturday's first"),
            (&kathmandu, "2026-11-23T03:15:00Z", true, "an offset of 5:45"),
            (&kathmandu, "2026-11-23T03:14:59Z", false, "just before"),
        ];
        for (schedule, instant, open, why) in cases {
            assert_eq!(schedule.is_open(at(instant)), open, "{instant}: {why}");
        }
    }

    #[test]
    fn an_exception_replaces_the_whole_day() {
        let days = [(Weekday::Thursday, "09:00-17:00"), (Weekday::Friday, "09:00-17:00")];
        let exceptions = [("2026-12-24", "09:00-12:00"), ("2026-12-25", ""), ("2026-12-27", "10:00-11:00")];
        let schedule = schedule("Europe/London", &days, &exceptions);
        let cases = [
            ("2026-12-24T09:00:00Z", true),
            ("2026-12-24T12:00:00Z", false),
            ("2026-12-25T10:00:00Z", false),
            ("2026-12-27T10:30:00Z", true),
            ("2026-12-31T16:59:59Z", true),
        ];
        for (instant, open) in cases {
            assert_eq!(schedule.is_open(at(instant)), open, "{instant}");
        }
        let otherwise_always =
            Schedule::new(TimeZone::UTC, None, [("2026-12-25".parse().unwrap(), Vec::new())].into_iter().collect());
        assert!(otherwise_always.is_open(at("2026-12-24T23:59:59Z")));
        assert!(!otherwise_always.is_open(at("2026-12-25T00:00:00Z")));
        assert!(otherwise_always.is_open(at("2026-12-26T00:00:00Z")));
    }

    #[test]
    fn ranges_stay_within_a_day() {
        assert_eq!(TimeRange::new(0, 1440).map(|range| range.contains(1439)), Ok(true));
        for (from, to) in [(0, 0), (600, 600), (1320, 120), (0, 1441), (1440, 1441)] {
            assert!(TimeRange::new(from, to).is_err(), "{from} to {to}");
        }
    }

    #[test]
    fn the_next_change_is_found_over_gaps_overlaps_midnights_and_holidays() {
        use Weekday::{Friday, Monday, Saturday, Sunday};
        let office =
            schedule("Europe/London", &[(Monday, "09:00-17:00"), (Friday, "09:00-17:00")], &[("2026-12-25", "")]);
        let night = schedule("Europe/London", &[(Saturday, "22:00-24:00"), (Sunday, "00:00-02:00")], &[]);
        let berlin = schedule("Europe/Berlin", &[(Sunday, "01:30-02:30")], &[]);
        let never = schedule("UTC", &[], &[]);
        let cases = [
            (&office, "2026-11-23T08:00:00Z", Some("2026-11-23T09:00:00Z")),
            (&office, "2026-11-23T09:00:00Z", Some("2026-11-23T17:00:00Z")),
            (&office, "2026-11-27T17:00:00Z", Some("2026-11-30T09:00:00Z")),
            (&office, "2026-12-21T17:00:00Z", Some("2026-12-28T09:00:00Z")),
            (&night, "2026-11-21T22:30:00Z", Some("2026-11-22T02:00:00Z")),
            // The gap ends the range at 03:00, when 02:30 would have.
            (&berlin, "2026-03-29T00:45:00Z", Some("2026-03-29T01:00:00Z")),
            // 02:30, then 02:00 again, then 02:30 again.
            (&berlin, "2026-10-25T00:15:00Z", Some("2026-10-25T00:30:00Z")),
            (&berlin, "2026-10-25T00:45:00Z", Some("2026-10-25T01:00:00Z")),
            (&berlin, "2026-10-25T01:15:00Z", Some("2026-10-25T01:30:00Z")),
            (&never, "2026-11-23T08:00:00Z", None),
        ];
        for (schedule, now, expected) in cases {
            assert_eq!(schedule.next_change(at(now)), expected.map(at), "{now}");
        }
        assert_eq!(Schedule::always().next_change(at("2026-11-23T08:00:00Z")), None);
    }
}
