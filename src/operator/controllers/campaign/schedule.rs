//! The hours of a campaign, from its spec for the engines and for the operator itself.

use std::collections::BTreeMap;

use jiff::{
    civil::{Date, Weekday as Day},
    tz::TimeZone,
};

use super::faults::CampaignFault;
use crate::{
    api::campaign::{Exception, Schedule, Weekly},
    hours,
    wire::config::engine::{self, TimeRange, Weekday},
};

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// The hours as engines are told of them. What is wrong goes to the faults and is left out.
pub(super) fn schedule(declared: &Schedule, faults: &mut Vec<CampaignFault>) -> engine::Schedule {
    let weekly = match &declared.weekly {
        Some(weekly) => week(weekly, faults),
        None => DAYS.iter().map(|(_, day)| (*day, vec![TimeRange { from_minute: 0, to_minute: DAY }])).collect(),
    };
    let mut exceptions = BTreeMap::new();
    for Exception { date, ranges: declared, .. } in &declared.exceptions {
        let ranges = ranges(&format!("exceptions[{date}]"), declared, faults);
        match date.parse::<Date>() {
            Err(_) => faults.push(CampaignFault::Date(date.clone())),
            Ok(day) => {
                if exceptions.insert(day, ranges).is_some() {
                    faults.push(CampaignFault::DateTwice(date.clone()));
                }
            }
        }
    }
    engine::Schedule { weekly, exceptions }
}

/// The days, Monday first: as jiff names them, and as the engine's document does.
const DAYS: [(Day, Weekday); 7] = [
    (Day::Monday, Weekday::Monday),
    (Day::Tuesday, Weekday::Tuesday),
    (Day::Wednesday, Weekday::Wednesday),
    (Day::Thursday, Weekday::Thursday),
    (Day::Friday, Weekday::Friday),
    (Day::Saturday, Weekday::Saturday),
    (Day::Sunday, Weekday::Sunday),
];

fn week(weekly: &Weekly, faults: &mut Vec<CampaignFault>) -> BTreeMap<Weekday, Vec<TimeRange>> {
    let days = weekly.days().into_iter().zip(DAYS);
    days.map(|((name, declared), (_, day))| (day, ranges(&format!("weekly.{name}"), declared, faults))).collect()
}

/// Reads the ranges of a day, in the order of the clock.
fn ranges(at: &str, declared: &[String], faults: &mut Vec<CampaignFault>) -> Vec<TimeRange> {
    let mut fault =
        |range: &str, fault| faults.push(CampaignFault::Range { at: at.into(), range: range.into(), fault });
    let mut read = Vec::new();
    for text in declared {
        match range(text) {
            None => fault(text, "is no range: write HH:MM-HH:MM"),
            Some(range) if range.from_minute >= range.to_minute => {
                fault(text, "ends before it starts: for a night shift write two, as 22:00-24:00 and 00:00-06:00");
            }
            Some(range) => read.push((range, text)),
        }
    }
    read.sort_by_key(|(range, _)| (range.from_minute, range.to_minute));
    for pair in read.windows(2) {
        if let [(before, _), (after, text)] = pair
            && after.from_minute < before.to_minute
        {
            fault(text, "overlaps with another range of the day: join or separate them");
        }
    }
    read.into_iter().map(|(range, _)| range).collect()
}

fn range(text: &str) -> Option<TimeRange> {
    let (from, to) = text.split_once('-')?;
    Some(TimeRange { from_minute: minute(from).filter(|minute| *minute < DAY)?, to_minute: minute(to)? })
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}

/// The same as the operator asks for them.
pub(super) fn hours_of(schedule: &engine::Schedule, zone: TimeZone) -> hours::Schedule {
    // Ranges that are wrong were left out and reported.
    let ranges = |ranges: &Vec<TimeRange>| -> Vec<hours::TimeRange> {
        ranges.iter().filter_map(|range| hours::TimeRange::new(range.from_minute, range.to_minute).ok()).collect()
    };
    let weekly = DAYS.iter().map(|(day, name)| (*day, schedule.weekly.get(name).map(ranges).unwrap_or_default()));
    let exceptions = schedule.exceptions.iter().map(|(date, declared)| (*date, ranges(declared))).collect();
    hours::Schedule::new(zone, Some(weekly.collect()), exceptions)
}
