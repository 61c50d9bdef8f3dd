//! From a campaign's spec into types that cannot be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday as Day};
use jiff::tz::TimeZone;
use kube::ResourceExt;

use crate::{
    api::{
        Campaign, CampaignSpec, Reason,
        campaign::{CANNED_REPLIES_BYTES, CannedReply, Exception, Member, Schedule, Weekly},
    },
    hours,
    sms::{self, MAX_SEGMENTS},
    wire::config::{
        InvalidOrigin, Origin,
        engine::{self, TimeRange, Weekday},
    },
};

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// What is wrong with a campaign's spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CampaignFault {
    /// Nobody knows the time zone.
    #[error("spec.timeZone {0:?} is no time zone that IANA knows: write one such as Europe/Madrid or UTC")]
    TimeZone(String),
    /// A range of hours is wrong.
    #[error("spec.schedule.{at}: {range:?} {fault}")]
    Range {
        /// The day or date.
        at: String,
        /// The range as it stands.
        range: String,
        /// What is wrong with it, and what to do.
        fault: &'static str,
    },
    /// A date does not exist.
    #[error("spec.schedule.exceptions: there is no {0}: correct or remove the date")]
    Date(String),
    /// A date stands twice.
    #[error("spec.schedule.exceptions: {0} stands twice: keep one")]
    DateTwice(String),
    /// A user stands twice.
    #[error("spec.members: {0:?} stands twice: keep one")]
    MemberTwice(String),
    /// A supervisor stands twice.
    #[error("spec.supervisors: {0:?} stands twice: keep one")]
    SupervisorTwice(String),
    /// A disposition stands twice.
    #[error("spec.dispositions: {0:?} stands twice: keep one")]
    DispositionTwice(String),
    /// A disposition is asked for, and there is none.
    #[error("spec.dispositionRequired: there is nothing to choose from: add dispositions, or set it to false")]
    NothingToChoose,
    /// A canned reply stands twice.
    #[error("spec.cannedReplies: {0:?} stands twice: keep one")]
    CannedReplyTwice(String),
    /// No agent could send a canned reply.
    #[error("spec.cannedReplies: {shortcut:?} {fault}")]
    CannedReply {
        /// The shortcut, as the campaign writes it.
        shortcut: String,
        /// What is wrong with its text, and what to do.
        fault: String,
    },
    /// The canned replies are too long together.
    #[error(
        "spec.cannedReplies: all together have {bytes} bytes, and {CANNED_REPLIES_BYTES} are possible: shorten or remove some"
    )]
    CannedRepliesTooLong {
        /// In UTF-8, without what JSON adds.
        bytes: usize,
    },
    /// No web page has this origin, or too many have.
    #[error("spec.allowedOrigins: {origin:?} {fault}")]
    Origin {
        /// The origin as it stands.
        origin: String,
        /// What is wrong with it, and what to do.
        fault: InvalidOrigin,
    },
    /// A number of a member is out of its range.
    #[error("spec.members: {field} of {user:?} is {value}: it must be {range}")]
    Member {
        /// The user.
        user: String,
        /// The field.
        field: &'static str,
        value: i32,
        /// The values that it may have, in words.
        range: &'static str,
    },
}

impl CampaignFault {
    /// The reason that conditions show.
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::TimeZone(_) => Reason::TimeZoneUnknown,
            Self::Range { .. } | Self::Date(_) | Self::DateTwice(_) => Reason::ScheduleInvalid,
            Self::MemberTwice(_)
            | Self::SupervisorTwice(_)
            | Self::DispositionTwice(_)
            | Self::NothingToChoose
            | Self::CannedReplyTwice(_)
            | Self::CannedReply { .. }
            | Self::CannedRepliesTooLong { .. }
            | Self::Origin { .. }
            | Self::Member { .. } => Reason::InvalidSpec,
        }
    }
}

/// All that is wrong with a campaign; at least one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CampaignFaults(Vec<CampaignFault>);

impl CampaignFaults {
    /// The reason of the first.
    pub(crate) fn reason(&self) -> Reason {
        self.0.first().map_or(Reason::InvalidSpec, CampaignFault::reason)
    }
}

impl fmt::Display for CampaignFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&each.join("; "))
    }
}

impl std::error::Error for CampaignFaults {}

/// A campaign without faults.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ValidCampaign {
    schedule: Option<engine::Schedule>,
    members: Vec<engine::Member>,
    supervisors: Vec<String>,
    dispositions: Vec<engine::Disposition>,
    canned_replies: Vec<engine::CannedReply>,
    allowed_origins: Vec<Origin>,
    hours: hours::Schedule,
    zone: TimeZone,
}

/// Whether a campaign is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hours {
    /// Whether it is open now.
    pub open: bool,
    pub reason: Reason,
    /// When that changes, if it does within eight days.
    pub until: Option<Timestamp>,
}

impl ValidCampaign {
    /// Whether the campaign is open at a time, and until when.
    pub(crate) fn hours(&self, now: Timestamp) -> Hours {
        let open = self.hours.is_open(now);
        let today = now.to_zoned(self.zone.clone()).date();
        let reason = match &self.schedule {
            None => Reason::AlwaysOpen,
            Some(_) if open => Reason::Open,
            Some(schedule) if schedule.exceptions.contains_key(&today) => Reason::ClosedByException,
            Some(_) => Reason::Closed,
        };
        Hours { open, reason, until: self.hours.next_change(now) }
    }
}

/// Checks a campaign's spec.
///
/// # Errors
/// Every fault that it has.
pub(crate) fn validate(spec: &CampaignSpec) -> Result<ValidCampaign, CampaignFaults> {
    let mut faults = Vec::new();
    let zone = TimeZone::get(&spec.time_zone).unwrap_or_else(|_| {
        faults.push(CampaignFault::TimeZone(spec.time_zone.clone()));
        TimeZone::UTC
    });
    let schedule = spec.schedule.as_ref().map(|declared| schedule(declared, &mut faults));
    let members = members(&spec.members, &mut faults);
    let hours = schedule.as_ref().map_or_else(hours::Schedule::always, |schedule| hours_of(schedule, zone.clone()));
    let supervisors = supervisors(spec, &mut faults);
    let dispositions = dispositions(spec, &mut faults);
    let canned_replies = canned_replies(spec, &mut faults);
    let allowed_origins = origins(spec, &mut faults);
    if faults.is_empty() {
        Ok(ValidCampaign { schedule, members, supervisors, dispositions, canned_replies, allowed_origins, hours, zone })
    } else {
        Err(CampaignFaults(faults))
    }
}

/// The campaign as the engines of its channels are told of it.
///
/// # Errors
/// As [`validate`].
pub(crate) fn for_engine(campaign: &Campaign) -> Result<engine::Campaign, CampaignFaults> {
    let valid = validate(&campaign.spec)?;
    Ok(engine::Campaign {
        name: campaign.name_any(),
        enabled: campaign.spec.enabled,
        time_zone: campaign.spec.time_zone.clone(),
        schedule: valid.schedule,
        members: valid.members,
        supervisors: valid.supervisors,
        dispositions: valid.dispositions,
        disposition_required: campaign.spec.disposition_required,
        canned_replies: valid.canned_replies,
        allowed_origins: valid.allowed_origins,
    })
}

fn schedule(declared: &Schedule, faults: &mut Vec<CampaignFault>) -> engine::Schedule {
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

/// Reads the ranges of a day, in the order of the clock. What is wrong goes to the faults and is left out.
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

fn members(declared: &[Member], faults: &mut Vec<CampaignFault>) -> Vec<engine::Member> {
    let mut members: Vec<engine::Member> = Vec::with_capacity(declared.len());
    for member in declared {
        let mut number = |field, value, low, high, range| {
            if !(low..=high).contains(&value) {
                faults.push(CampaignFault::Member { user: member.user.clone(), field, value, range });
            }
            u32::try_from(value).unwrap_or_default()
        };
        members.push(engine::Member {
            user: member.user.clone(),
            position: number("position", member.position, 0, 10_000, "0 to 10000"),
            penalty: number("penalty", member.penalty, 0, 100, "0 to 100"),
            receive: member.receive,
            initiate: member.initiate,
            max_interactions: number("maxInteractions", member.max_interactions, 1, 100, "1 to 100"),
        });
    }
    members.sort_by(|a, b| (a.position, &a.user).cmp(&(b.position, &b.user)));
    let mut users: Vec<&str> = members.iter().map(|member| member.user.as_str()).collect();
    users.sort_unstable();
    let twice =
        users.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| CampaignFault::MemberTwice(pair[0].into()));
    faults.extend(twice);
    members
}

fn supervisors(spec: &CampaignSpec, faults: &mut Vec<CampaignFault>) -> Vec<String> {
    let mut users = BTreeSet::new();
    for supervisor in spec.supervisors.iter().filter(|supervisor| !users.insert(&supervisor.user)) {
        faults.push(CampaignFault::SupervisorTwice(supervisor.user.clone()));
    }
    users.into_iter().cloned().collect()
}

/// In the order of their paths, as agents find them.
fn dispositions(spec: &CampaignSpec, faults: &mut Vec<CampaignFault>) -> Vec<engine::Disposition> {
    if spec.disposition_required && spec.dispositions.is_empty() {
        faults.push(CampaignFault::NothingToChoose);
    }
    let mut names = BTreeSet::new();
    for disposition in spec.dispositions.iter().filter(|disposition| !names.insert(&disposition.name)) {
        faults.push(CampaignFault::DispositionTwice(disposition.name.clone()));
    }
    let mut read: Vec<_> = spec
        .dispositions
        .iter()
        .map(|disposition| engine::Disposition { name: disposition.name.clone(), path: disposition.path.clone() })
        .collect();
    read.sort_by(|a, b| (&a.path, &a.name).cmp(&(&b.path, &b.name)));
    read
}

/// In the order of their shortcuts.
fn canned_replies(spec: &CampaignSpec, faults: &mut Vec<CampaignFault>) -> Vec<engine::CannedReply> {
    // Each channel's document has them all.
    let bytes = spec.canned_replies.iter().map(CannedReply::bytes).sum();
    if bytes > CANNED_REPLIES_BYTES {
        faults.push(CampaignFault::CannedRepliesTooLong { bytes });
    }
    let mut read = BTreeMap::new();
    for CannedReply { shortcut, text, title, language } in spec.canned_replies.clone() {
        let segments = sms::segments(&text).count;
        let fault = if text.trim().is_empty() {
            Some("has nothing but blanks: write a text, or remove it".into())
        } else if segments > MAX_SEGMENTS {
            Some(format!("has {segments} segments, and {MAX_SEGMENTS} can be sent: shorten its text"))
        } else {
            None
        };
        faults.extend(fault.map(|fault| CampaignFault::CannedReply { shortcut: shortcut.clone(), fault }));
        let reply = engine::CannedReply { shortcut: shortcut.clone(), text, title, language };
        if read.insert(shortcut.clone(), reply).is_some() {
            faults.push(CampaignFault::CannedReplyTwice(shortcut));
        }
    }
    read.into_values().collect()
}

/// Each once, in order.
fn origins(spec: &CampaignSpec, faults: &mut Vec<CampaignFault>) -> Vec<Origin> {
    let mut origins = BTreeSet::new();
    for declared in &spec.allowed_origins {
        match declared.parse() {
            Ok(origin) => drop(origins.insert(origin)),
            Err(fault) => faults.push(CampaignFault::Origin { origin: declared.clone(), fault }),
        }
    }
    origins.into_iter().collect()
}

fn hours_of(schedule: &engine::Schedule, zone: TimeZone) -> hours::Schedule {
    // Ranges that are wrong were left out and reported.
    let ranges = |ranges: &Vec<TimeRange>| -> Vec<hours::TimeRange> {
        ranges.iter().filter_map(|range| hours::TimeRange::new(range.from_minute, range.to_minute).ok()).collect()
    };
    let weekly = DAYS.iter().map(|(day, name)| (*day, schedule.weekly.get(name).map(ranges).unwrap_or_default()));
    let exceptions = schedule.exceptions.iter().map(|(date, declared)| (*date, ranges(declared))).collect();
    hours::Schedule::new(zone, Some(weekly.collect()), exceptions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn spec(value: Value) -> CampaignSpec {
        serde_json::from_value(value).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn each_fault_is_named_with_its_place_and_a_remedy() {
        let weekly = |ranges: Value| json!({"schedule": {"weekly": {"monday": ranges}}});
        let cases = [
            (
                json!({"timeZone": "Europe/Nowhere"}),
                Reason::TimeZoneUnknown,
                "spec.timeZone \"Europe/Nowhere\" is no time zone",
            ),
            (
                weekly(json!(["9:00-13:00"])),
                Reason::ScheduleInvalid,
                "spec.schedule.weekly.monday: \"9:00-13:00\" is no range",
            ),
            (weekly(json!(["09:00-24:01"])), Reason::ScheduleInvalid, "is no range"),
            (weekly(json!(["24:00-24:00"])), Reason::ScheduleInvalid, "is no range"),
            (weekly(json!(["22:00-06:00"])), Reason::ScheduleInvalid, "ends before it starts"),
            (weekly(json!(["09:00-09:00"])), Reason::ScheduleInvalid, "ends before it starts"),
            (weekly(json!(["10:00-12:00", "09:00-10:01"])), Reason::ScheduleInvalid, "\"10:00-12:00\" overlaps"),
            (
                json!({"schedule": {"exceptions": [{"date": "2026-02-30"}]}}),
                Reason::ScheduleInvalid,
                "there is no 2026-02-30",
            ),
            (
                json!({"schedule": {"exceptions": [{"date": "2026-02-03"}, {"date": "2026-02-03"}]}}),
                Reason::ScheduleInvalid,
                "2026-02-03 stands twice",
            ),
            (json!({"members": [{"user": "ana"}, {"user": "ana"}]}), Reason::InvalidSpec, "\"ana\" stands twice"),
            (json!({"supervisors": [{"user": "eva"}, {"user": "eva"}]}), Reason::InvalidSpec, "\"eva\" stands twice"),
            (
                json!({"dispositions": [{"name": "sold", "path": "A"}, {"name": "sold", "path": "B"}]}),
                Reason::InvalidSpec,
                "\"sold\" stands twice",
            ),
            (json!({"dispositionRequired": true}), Reason::InvalidSpec, "nothing to choose from"),
            (
                json!({"cannedReplies": [{"shortcut": "hi", "text": "Hi"}, {"shortcut": "hi", "text": "Hello"}]}),
                Reason::InvalidSpec,
                "\"hi\" stands twice",
            ),
            (
                json!({"cannedReplies": [{"shortcut": "hi", "text": " "}]}),
                Reason::InvalidSpec,
                "\"hi\" has nothing but blanks",
            ),
            (
                json!({"cannedReplies": [{"shortcut": "hi", "text": "ж".repeat(671)}]}),
                Reason::InvalidSpec,
                "\"hi\" has 11 segments, and 10 can be sent",
            ),
            (
                json!({"cannedReplies": (0..44).map(|n| json!({"shortcut": format!("r{n:02}"), "text": "é".repeat(750)})).collect::<Vec<_>>()}),
                Reason::InvalidSpec,
                "spec.cannedReplies: all together have 66132 bytes, and 65536 are possible",
            ),
            (
                json!({"allowedOrigins": ["*"]}),
                Reason::InvalidSpec,
                "spec.allowedOrigins: \"*\" lets every web page in: name the origins",
            ),
            (
                json!({"allowedOrigins": ["https://desk.example.com:443"]}),
                Reason::InvalidSpec,
                "browsers write https://desk.example.com",
            ),
            (
                json!({"members": [{"user": "ana", "maxInteractions": 0}]}),
                Reason::InvalidSpec,
                "maxInteractions of \"ana\" is 0: it must be 1 to 100",
            ),
        ];
        for (value, reason, words) in cases {
            let faults = validate(&spec(value.clone())).unwrap_err();
            assert_eq!(faults.reason(), reason, "{value}");
            assert_eq!(faults.0.len(), 1, "{faults}");
            assert!(faults.to_string().contains(words), "{faults}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let faults = validate(&spec(json!({
            "timeZone": "Nowhere", "schedule": {"weekly": {"sunday": ["x"]}}, "members": [{"user": "a"}, {"user": "a"}],
        })));
        assert_eq!(faults.unwrap_err().0.len(), 3);
    }

    #[test]
    fn hours_follow_the_zone_the_week_and_the_exceptions() {
        let valid = validate(&spec(json!({
            "timeZone": "Europe/Madrid",
            "schedule": {
                "weekly": {"monday": ["15:00-19:00", "09:00-13:00"]},
                "exceptions": [{"date": "2026-11-30"}, {"date": "2026-12-01", "ranges": ["10:00-11:00"]}],
            },
        })))
        .unwrap();
        let cases = [
            ("2026-11-23T08:00:00Z", true, Reason::Open, Some("2026-11-23T12:00:00Z")),
            ("2026-11-23T12:00:00Z", false, Reason::Closed, Some("2026-11-23T14:00:00Z")),
            ("2026-11-24T09:00:00Z", false, Reason::Closed, Some("2026-12-01T09:00:00Z")),
            ("2026-11-30T08:00:00Z", false, Reason::ClosedByException, Some("2026-12-01T09:00:00Z")),
            ("2026-12-01T09:30:00Z", true, Reason::Open, Some("2026-12-01T10:00:00Z")),
        ];
        for (now, open, reason, until) in cases {
            let expected = Hours { open, reason, until: until.map(at) };
            assert_eq!(valid.hours(at(now)), expected, "{now}");
        }
    }

    #[test]
    fn without_a_schedule_or_a_week_a_campaign_is_open_but_for_exceptions() {
        let always = validate(&spec(json!({}))).unwrap();
        assert_eq!(
            always.hours(at("2026-11-23T03:00:00Z")),
            Hours { open: true, reason: Reason::AlwaysOpen, until: None }
        );
        let holidays = validate(&spec(json!({"schedule": {"exceptions": [{"date": "2026-12-25"}]}}))).unwrap();
        assert!(holidays.hours(at("2026-11-23T03:00:00Z")).open);
        assert_eq!(holidays.hours(at("2026-12-25T03:00:00Z")).reason, Reason::ClosedByException);
    }

    #[test]
    fn engines_get_the_members_in_their_order_and_the_hours_in_minutes() {
        let campaign = Campaign::new(
            "support",
            spec(json!({
                "schedule": {"weekly": {"friday": ["00:00-24:00"]}},
                "members": [{"user": "luis", "position": 2}, {"user": "ana", "position": 1}, {"user": "eva", "position": 2}],
            })),
        );
        let told = for_engine(&campaign).unwrap();
        let users: Vec<&str> = told.members.iter().map(|member| member.user.as_str()).collect();
        assert_eq!(users, ["ana", "eva", "luis"]);
        let schedule = told.schedule.unwrap();
        assert_eq!(schedule.weekly[&Weekday::Friday], [TimeRange { from_minute: 0, to_minute: 1440 }]);
        assert_eq!(schedule.weekly[&Weekday::Monday], []);
    }
}
