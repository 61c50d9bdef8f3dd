//! From a campaign's spec into types that cannot be wrong.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kube::ResourceExt;

use super::{
    faults::{CampaignFault, CampaignFaults},
    schedule::{hours_of, schedule},
};
use crate::{
    api::{
        Campaign, CampaignSpec, Reason,
        campaign::{CANNED_REPLIES_BYTES, CannedReply, Member},
    },
    hours,
    sms::{self, MAX_SEGMENTS},
    wire::config::{Origin, engine},
};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::config::engine::{TimeRange, Weekday};
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
