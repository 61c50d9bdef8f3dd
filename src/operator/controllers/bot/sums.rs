//! What runs and what failed of a bot, in all of its channels together. Pure.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{
        BotStatus, Reason,
        bot::{BotChannels, BotConversations, LISTED_FAILURES, LISTED_VERSIONS, StepFailure, StepFailureReason},
    },
    operator::{observed::bot_reports::BotReport, runtime::desired_condition::DesiredCondition},
    wire::bot_status::FailureStatus,
};

/// A step that failed so long ago is no matter of now any more.
const LATELY: SignedDuration = SignedDuration::from_hours(1);
/// Steps that a message names at most.
const NAMED: usize = 5;

/// What runs and what failed, in all channels together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    channels: BotChannels,
    running: i64,
    conversations: Vec<BotConversations>,
    /// All of them, the last one first.
    failures: Vec<Failure>,
    sampled_at: Option<Timestamp>,
    /// Whether the engine of any channel has told.
    is_known: bool,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    /// Its times are the engine's.
    listed: StepFailure,
    /// For the last time, by the operator's clock.
    at: Timestamp,
}

impl Sums {
    /// Of what engines said. The version `present` comes first.
    pub(super) fn of(channels: BotChannels, reports: &[BotReport], present: Option<&str>) -> Self {
        let (mut running, mut versions, mut failures) =
            (0_i64, BTreeMap::<_, BotConversations>::new(), BTreeMap::new());
        for report in reports {
            running = running.saturating_add(signed(report.said.more_conversations));
            let mut here = BTreeSet::new();
            for told in report.said.conversations.iter().filter(|told| told.count > 0) {
                let sum = versions.entry(told.version.as_str()).or_default();
                sum.count = sum.count.saturating_add(signed(told.count));
                // An engine of ours names each once.
                sum.channels += i64::from(here.insert(told.version.as_str()));
                running = running.saturating_add(signed(told.count));
            }
            for told in &report.said.failures {
                failures.insert((report.channel.name(), told.step.as_str(), told.reason), failure(report, told));
            }
        }
        let named = |(version, sum): (&str, BotConversations)| BotConversations { version: version.to_owned(), ..sum };
        let mut conversations: Vec<_> = versions.into_iter().map(named).collect();
        conversations.sort_by_key(|sum| (Some(sum.version.as_str()) != present, Reverse(sum.count)));
        let mut failures: Vec<_> = failures.into_values().collect();
        // By the times that are listed: how far clocks are apart changes, and the order is written.
        failures.sort_by_key(|failure: &Failure| Reverse(failure.listed.at));
        let sampled_at = reports.iter().map(|report| whole_seconds(report.at)).min();
        // An engine that tells may have nothing to say of this bot.
        let is_known = !reports.is_empty() || channels.silent < channels.total;
        Self { channels, running, conversations, failures, sampled_at, is_known }
    }

    /// Whether a status says the same.
    pub(super) fn stand_in(&self, status: &BotStatus) -> bool {
        let mut taken = status.clone();
        self.clone().put(&mut taken);
        // Another time alone is no news.
        taken.sampled_at = status.sampled_at;
        taken == *status
    }

    /// Puts them into a status, as many as it lists.
    pub(super) fn put(mut self, status: &mut BotStatus) {
        status.failure_count = Some(i32::try_from(self.failures.len()).unwrap_or(i32::MAX));
        self.failures.truncate(LISTED_FAILURES);
        self.conversations.truncate(LISTED_VERSIONS);
        status.channels = Some(self.channels);
        status.running = Some(self.running);
        status.conversations = self.conversations;
        status.last_failures = self.failures.into_iter().map(|failure| failure.listed).collect();
        status.sampled_at = self.sampled_at;
    }

    /// What `StepsSucceed` says.
    pub(super) fn steps_succeed(&self, now: Timestamp) -> DesiredCondition {
        let failed = self.lately(now).map(|failure| &failure.listed);
        let steps: BTreeSet<_> = failed.map(|failure| (failure.step.as_str(), failure.reason)).collect();
        if !steps.is_empty() {
            return DesiredCondition::no(Reason::StepsFail, message(&steps));
        }
        if self.channels.total > 0 && !self.is_known {
            return DesiredCondition::unknown(
                Reason::MetricsUnavailable,
                "no engine of a channel with the bot can be asked",
            );
        }
        DesiredCondition::yes(Reason::NoStepFailed, "no step failed within the last hour")
    }

    /// When the last failure that counts will be no matter of now any more; an hour from now at most, whatever its engine says.
    pub(super) fn forgiven_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.lately(now).map(|failure| failure.at.min(now)).max()?.checked_add(LATELY).ok()
    }

    /// Failures that count: of the last hour, and not what customers brought about.
    fn lately(&self, now: Timestamp) -> impl Iterator<Item = &Failure> {
        let counts = move |failure: &&Failure| now.duration_since(failure.at) < LATELY;
        self.failures.iter().filter(counts).filter(|failure| !failure.listed.reason.is_customers())
    }
}

fn message(steps: &BTreeSet<(&str, StepFailureReason)>) -> String {
    let named = steps.iter().take(NAMED).map(|(step, reason)| match *step {
        "" => format!("its beginning ({reason:?})"),
        step => format!("{step} ({reason:?})"),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match steps.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("within the last hour failed: {named}{more}; status.lastFailures has how often, and in which channel")
}

fn failure(report: &BotReport, told: &FailureStatus) -> Failure {
    let listed = StepFailure {
        step: told.step.clone(),
        reason: told.reason,
        channel: report.channel.name().to_owned(),
        count: signed(told.count),
        since: whole_seconds(told.since),
        at: whole_seconds(told.at),
    };
    let at = listed.at.checked_sub(report.ahead).unwrap_or(listed.at);
    Failure { listed, at }
}

/// Without parts of seconds, and not before 1970: the API server takes no years below 0.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().max(0)).unwrap_or(at)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::operator::runtime::cache::ObjectKey;

    const NOON: &str = "2026-11-28T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn report(channel: &str, said: Value) -> BotReport {
        let mut told = json!({"name": "greeting"});
        told.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        BotReport {
            channel: ObjectKey::new("shop", channel),
            at: at(NOON),
            ahead: SignedDuration::ZERO,
            said: serde_json::from_value(told).unwrap(),
        }
    }

    fn failed(step: &str, reason: &str, when: &str) -> Value {
        json!({"step": step, "reason": reason, "count": 2, "since": "2026-11-28T08:00:00Z", "at": format!("2026-11-28T{when}Z")})
    }

    fn of(reports: &[BotReport]) -> Sums {
        let channels = BotChannels { total: i64::try_from(reports.len()).unwrap(), silent: 0 };
        Sums::of(channels, reports, Some("new"))
    }

    fn status(sums: Sums) -> BotStatus {
        let mut status = BotStatus::default();
        sums.put(&mut status);
        status
    }

    #[test]
    fn conversations_are_summed_by_version_and_the_present_one_comes_first() {
        let sums = of(&[
            report(
                "a",
                json!({"conversations": [{"version": "old", "count": 7}, {"version": "new", "count": 1}, {"version": "gone", "count": 0}]}),
            ),
            report(
                "b",
                json!({"conversations": [{"version": "old", "count": 2}, {"version": "older", "count": 3}], "moreConversations": 4}),
            ),
        ]);
        let status = status(sums.clone());
        let listed: Vec<_> =
            status.conversations.iter().map(|it| (it.version.as_str(), it.count, it.channels)).collect();
        assert_eq!(listed, [("new", 1, 1), ("old", 9, 2), ("older", 3, 1)]);
        assert_eq!(status.running, Some(17), "those of versions that are not listed too");
        assert!(sums.stand_in(&status));
        assert!(!of(&[]).stand_in(&status));
    }

    #[test]
    fn the_last_failures_are_listed_and_all_are_counted() {
        let many: Vec<_> =
            (0..19).map(|nth| failed(&format!("step-{nth}"), "CallStatus", &format!("10:{nth:02}:00"))).collect();
        let sums = of(&[
            report("a", json!({"failures": many})),
            report(
                "b",
                json!({"failures": [failed("look-up", "CallTimedOut", "11:00:00"), failed("step-1", "CallStatus", "09:00:00")]}),
            ),
        ]);
        let status = status(sums);
        assert_eq!((status.failure_count, status.last_failures.len()), (Some(21), 20));
        let first = &status.last_failures[0];
        assert_eq!((first.step.as_str(), first.channel.as_str(), first.count), ("look-up", "b", 2));
        assert_eq!(status.last_failures[19].step, "step-0", "that of 09:00 is left out");
    }

    #[test]
    fn a_failure_matters_for_an_hour_unless_it_is_the_customers() {
        let cases = [
            (json!([]), Reason::NoStepFailed),
            (json!([failed("look-up", "CallTimedOut", "11:00:00")]), Reason::NoStepFailed),
            (json!([failed("look-up", "CallTimedOut", "11:00:01")]), Reason::StepsFail),
            (json!([failed("look-up", "CallTimedOut", "12:10:00")]), Reason::StepsFail),
            (
                json!([failed("topic", "TimedOut", "11:59:00"), failed("topic", "NoAnswer", "11:59:00")]),
                Reason::NoStepFailed,
            ),
            (json!([failed("topic", "TooManyTurns", "11:59:00")]), Reason::NoStepFailed),
            (json!([failed("", "Lost", "11:59:00")]), Reason::StepsFail),
            (json!([failed("say", "OfANewerEngine", "11:59:00")]), Reason::StepsFail),
        ];
        for (failures, reason) in cases {
            let sums = of(&[report("a", json!({ "failures": failures }))]);
            assert_eq!(sums.steps_succeed(at(NOON)).reason, reason, "{failures}");
            assert_eq!(sums.forgiven_at(at(NOON)).is_some(), reason == Reason::StepsFail, "{failures}");
        }
        let sums = of(&[report("a", json!({"failures": [failed("look-up", "CallTimedOut", "11:00:01")]}))]);
        assert_eq!(sums.forgiven_at(at(NOON)), Some(at("2026-11-28T12:00:01Z")));
        let ahead = of(&[report("a", json!({"failures": [failed("look-up", "CallTimedOut", "23:00:00")]}))]);
        assert_eq!(ahead.forgiven_at(at(NOON)), Some(at("2026-11-28T13:00:00Z")), "no engine of ours says so");
    }

    #[test]
    fn the_hour_is_the_operators_whatever_the_engines_clock_says() {
        // The engine's clock, when a step failed by it, and when that is forgiven by the operator's.
        let cases = [
            (120, "13:30:00", Some("12:30:00")),
            (120, "12:59:00", None),
            (-120, "09:30:00", Some("12:30:00")),
            (-120, "08:59:00", None),
        ];
        for (minutes, when, forgiven) in cases {
            let mut report = report("a", json!({"failures": [failed("look-up", "CallTimedOut", when)]}));
            report.ahead = SignedDuration::from_mins(minutes);
            let sums = of(&[report]);
            let reason = if forgiven.is_some() { Reason::StepsFail } else { Reason::NoStepFailed };
            assert_eq!(sums.steps_succeed(at(NOON)).reason, reason, "{minutes} {when}");
            let forgiven = forgiven.map(|time| at(&format!("2026-11-28T{time}Z")));
            assert_eq!(sums.forgiven_at(at(NOON)), forgiven, "{minutes} {when}");
            let listed = status(sums).last_failures[0].at;
            assert_eq!(listed, at(&format!("2026-11-28T{when}Z")), "as the engine says it");
        }
    }

    #[test]
    fn the_message_names_steps_and_stays_the_same_while_they_fail_on() {
        let said = |when: &str| {
            let failures = json!([failed("look-up", "CallTimedOut", when), failed("", "Lost", "11:30:00")]);
            of(&[report("a", json!({ "failures": failures }))]).steps_succeed(at(NOON)).message
        };
        assert_eq!(said("11:10:00"), said("11:50:00"));
        assert!(said("11:10:00").contains("its beginning (Lost), look-up (CallTimedOut)"), "{}", said("11:10:00"));
    }

    #[test]
    fn nobody_can_tell_while_no_engine_of_its_channels_does() {
        let sums = Sums::of(BotChannels { total: 2, silent: 2 }, &[], None);
        assert_eq!(sums.steps_succeed(at(NOON)).reason, Reason::MetricsUnavailable);
        let unheard_of = Sums::of(BotChannels { total: 2, silent: 1 }, &[], None);
        assert_eq!(unheard_of.steps_succeed(at(NOON)).reason, Reason::NoStepFailed, "one tells of no bots");
        let unused = Sums::of(BotChannels::default(), &[], None);
        assert_eq!(unused.steps_succeed(at(NOON)).reason, Reason::NoStepFailed);
    }

    #[test]
    fn what_somebody_else_than_an_engine_of_ours_says_can_be_written() {
        let mut false_pod = report(
            "a",
            json!({
                "conversations": [{"version": "v", "count": u64::MAX}, {"version": "v", "count": u64::MAX}],
                "moreConversations": u64::MAX,
                "failures": [failed("x", "Lost", "11:00:00"), failed("x", "Lost", "11:30:00")],
            }),
        );
        false_pod.said.failures[0].since = "-009999-01-02T01:59:59Z".parse().unwrap();
        false_pod.said.failures[1].since = false_pod.said.failures[0].since;
        let status = status(of(&[false_pod.clone(), false_pod]));
        assert_eq!((status.running, status.conversations.len(), status.last_failures.len()), (Some(i64::MAX), 1, 1));
        assert_eq!(status.last_failures[0].since, Timestamp::UNIX_EPOCH);
    }
}
