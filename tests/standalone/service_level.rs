//! The service level against a second reckoning of the rules in docs/concepts.md: SQL over a store's events, and nothing else.

use std::{collections::BTreeMap, fmt::Write as _, fs, num::NonZeroU32, path::Path};

use aldis::engine::core::{
    config::{AnsweredBy, ChannelConfig, ServiceLevelGoal},
    service_level::ServiceLevel,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{
    channel::{Channel, Step, config, hash},
    peers,
};

mod running;

/// How many days of each kind.
const DAYS: usize = 50;
const KINDS: [Kind; 2] = [Kind::Any, Kind::LikeCalls];
const AGENTS: [&str; 2] = ["ana", "bo"];
const SUPERVISOR: &str = "eva";

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Everything happens.
    Any,
    /// Whoever waits gets an agent or gives up, and every conversation is finished: as with telephone calls. One promise holds all day.
    LikeCalls,
}

/// A channel's day, as the second reckoning gets it.
#[derive(Default)]
struct Record {
    goals: BTreeMap<String, Value>,
    checks: Vec<Value>,
    /// What the engine says at each check.
    said: Vec<Value>,
}

impl Record {
    /// The day as a line of the script's input.
    fn line(&self, store: &Path) -> String {
        json!({ "store": store, "goals": self.goals, "checks": self.checks }).to_string()
    }
}

/// What the second reckoning says of a day.
#[derive(Deserialize)]
struct Reckoned {
    levels: Vec<Value>,
    asterisk: Asterisk,
    kinds: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Asterisk {
    /// `ServicelevelPerf`, floored.
    perf: u64,
    /// `ServicelevelPerf2`, floored.
    perf2: u64,
    /// Whether our formulas are the same on this day.
    reduces: bool,
}

/// The second reckoning of these days.
fn reckoned(lines: &str) -> Vec<Reckoned> {
    let mut python = peers::python();
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/service_level.py"));
    peers::output(python, lines).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn goal(target_seconds: i64, window_seconds: i64, answered_by: AnsweredBy) -> ServiceLevelGoal {
    let seconds = SignedDuration::from_secs;
    ServiceLevelGoal { target: seconds(target_seconds), window: seconds(window_seconds), answered_by }
}

fn numbers(level: ServiceLevel) -> Value {
    json!({
        "answered": level.answered, "answeredInTarget": level.answered_in_target,
        "abandoned": level.abandoned, "abandonedInTarget": level.abandoned_in_target,
        "unanswered": level.unanswered, "noReply": level.no_reply, "noReplyInTarget": level.no_reply_in_target,
        "waitingBeyondTarget": level.waiting_beyond_target,
        "percent": level.percent, "percentWithAbandoned": level.percent_with_abandoned,
    })
}

struct Day {
    kind: Kind,
    channel: Channel,
    random: fastrand::Rng,
    record: Record,
}

impl Day {
    fn of(path: &Path, kind: Kind, random: fastrand::Rng) -> Record {
        let now: Timestamp = "2026-11-22T06:00:00Z".parse().unwrap();
        // Whom the engine closes for silence, in time.
        let session_idle = SignedDuration::from_secs(if kind == Kind::Any { 600 } else { 86_400 });
        let channel = Channel::open(path, ChannelConfig { session_idle, ..config() }, now).unwrap();
        let mut day = Self { kind, channel, random, record: Record::default() };
        day.promise();
        let online = AGENTS.map(|user| Step::Stream { user, open: true });
        let present = AGENTS.map(|user| Step::Presence { user, present: true });
        day.channel.take(&[online, present].concat());
        if kind == Kind::Any && day.random.u32(..4) == 0 {
            // A customer whom nobody answers is closed within a long target.
            let unanswered = [Step::Text { customer: 0, text: "TEXT-hello" }, Step::Pass { seconds: 700 }];
            day.promised(goal(1_800, 86_400, AnsweredBy::Reply));
            day.channel.take(&unanswered);
        }
        for batch in 0..30 {
            if day.random.u32(..12) == 0 {
                day = day.restarted(path);
            }
            day.edit();
            let steps: Vec<Step> = (0..day.random.usize(..12)).map(|_| day.step()).collect();
            day.channel.take(&steps);
            if batch % 10 == 9 {
                day.check();
            }
        }
        if kind == Kind::LikeCalls {
            // The last customers hang up, and whoever has an agent is finished with.
            let hung_up: Vec<Step> = (0..30).map(|customer| Step::Text { customer, text: "STOP" }).collect();
            day.channel.take(&hung_up);
            day.channel.take(&vec![Step::Finish { nth: 0 }; 40]);
        }
        day.check();
        day.record
    }

    fn restarted(self, path: &Path) -> Self {
        let Channel { store, state, now, delivered } = self.channel;
        drop(store);
        let opened = Channel::open(path, ChannelConfig::clone(state.config()), now).unwrap();
        let mut day = Self { channel: Channel { delivered, ..opened }, ..self };
        day.channel.take(&AGENTS.map(|user| Step::Stream { user, open: true }));
        day
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.usize(..of.len())]
    }

    fn promise(&mut self) {
        let goal = match self.kind {
            Kind::Any => goal(
                self.one(&[1, 30, 60, 300, 1_800]),
                self.one(&[600, 3_600, 86_400]),
                self.one(&[AnsweredBy::Reply, AnsweredBy::Accept]),
            ),
            Kind::LikeCalls => goal(self.one(&[20, 60, 300]), 86_400, AnsweredBy::Accept),
        };
        self.promised(goal);
    }

    fn promised(&mut self, goal: ServiceLevelGoal) {
        let told = json!({
            "targetSeconds": goal.target.as_secs(), "windowSeconds": goal.window.as_secs(),
            "answeredBy": format!("{:?}", goal.answered_by),
        });
        self.record.goals.insert(hash(&goal), told);
        self.channel.take(&[Step::Promise { goal }]);
    }

    fn edit(&mut self) {
        let (edit, seconds) = (self.random.u32(..20), NonZeroU32::new(self.random.u32(20..200)));
        let step = match edit {
            0..3 => Step::Ask { seconds: seconds.filter(|_| edit > 0) },
            3..6 if self.kind == Kind::Any => return self.promise(),
            6..9 if self.kind == Kind::Any => Step::Bots { on: edit < 8 },
            9 if self.kind == Kind::Any => Step::Enable { enabled: false },
            10..12 => Step::Enable { enabled: true },
            12 => Step::Return { reopen_seconds: Some(600), max_queue_seconds: seconds.map(NonZeroU32::get) },
            _ => return,
        };
        self.channel.take(&[step]);
    }

    fn step(&mut self) -> Step {
        let (user, nth, customer) = (self.one(&AGENTS), self.random.usize(..20), self.random.u8(..30));
        let text = self.one(&["TEXT-hello", "TEXT-hello", "TEXT-hello", "TEXT-ok"]);
        match self.random.u32(..100) {
            0..30 => Step::Text { customer, text },
            30..34 => Step::Text { customer, text: "STOP" },
            34..36 => Step::Text { customer, text: "START" },
            36..46 => Step::AnswerOffer { nth, accepts: self.random.u32(..3) > 0 },
            46..58 => Step::Reply { nth },
            58..67 => Step::Finish { nth },
            67..71 => Step::Transfer { nth, to: self.random.bool().then_some(user) },
            71 => Step::CancelTransfer { nth },
            72..75 => Step::Assign { nth, to: self.one(&[user, SUPERVISOR]) },
            75 if self.kind == Kind::Any => Step::Close { nth },
            76 => Step::Stream { user: SUPERVISOR, open: self.random.u32(..4) > 0 },
            77..80 => Step::Stream { user, open: self.random.u32(..4) > 0 },
            80..83 => Step::Presence { user, present: self.random.u32(..4) > 0 },
            83 => Step::Start { user, customer: self.random.u8(20..40) },
            84 if self.kind == Kind::Any => Step::Hours { open: false },
            85..87 => Step::Hours { open: true },
            // Whoever is at the boundary of a target, and on both sides of it.
            _ => Step::Pass { seconds: self.one(&[0, 1, 19, 20, 29, 30, 31, 59, 60, 61, 300, 1_799, 1_800]) },
        }
    }

    fn check(&mut self) {
        let (last, now) = (self.channel.store.last_sequence(), self.channel.now);
        self.record.checks.push(json!({ "last": last, "now": now }));
        self.record.said.push(numbers(self.channel.state.service_level(now)));
    }
}

#[test]
fn on_random_days_a_reckoning_from_the_events_alone_says_the_same() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    // Stores on a disk would mostly wait for it.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let (mut lines, mut days) = (String::new(), Vec::new());
    for number in 0..DAYS * KINDS.len() {
        let store = dir.path().join(format!("{number}.db"));
        let record = Day::of(&store, KINDS[number % KINDS.len()], random.fork());
        writeln!(lines, "{}", record.line(&store)).unwrap();
        days.push((store, record));
    }
    let reckoned = reckoned(&lines);
    assert_eq!(reckoned.len(), days.len());
    let (mut kinds, mut like_asterisk) = (BTreeMap::<String, u64>::new(), [0; 2]);
    for (number, ((store, record), reckoned)) in days.iter().zip(&reckoned).enumerate() {
        for ((said, level), check) in record.said.iter().zip(&reckoned.levels).zip(&record.checks) {
            if said != level {
                let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("service-level.db");
                fs::copy(store, &kept).unwrap();
                panic!(
                    "seed {seed}, day {number} at {check}, its store is {}: said {said}, is {level}",
                    kept.display()
                );
            }
        }
        for (kind, count) in &reckoned.kinds {
            *kinds.entry(kind.clone()).or_default() += count;
        }
        let (last, asterisk) = (record.said.last().unwrap(), &reckoned.asterisk);
        if asterisk.reduces {
            // Asterisk says 0 where there is nothing to divide by.
            let percents =
                [&last["percent"], &last["percentWithAbandoned"]].map(|percent| percent.as_u64().unwrap_or(0));
            assert_eq!(percents, [asterisk.perf, asterisk.perf2], "seed {seed}, day {number}: {last}");
            like_asterisk[usize::from(percents[0] != percents[1])] += 1;
        }
    }
    println!(
        "samples {kinds:?}; {like_asterisk:?} days as Asterisk reckons them, without and with an effect of those who gave up"
    );
    let all = [
        "AnsweredInTarget",
        "AnsweredLate",
        "AbandonedInTarget",
        "AbandonedLate",
        "UnansweredInTarget",
        "UnansweredLate",
        "NoReplyInTarget",
        "NoReplyLate",
    ];
    for kind in all {
        assert!(kinds.get(kind).is_some_and(|count| *count >= 2), "seed {seed}: too few samples {kind}: {kinds:?}");
    }
    assert!(like_asterisk.iter().sum::<u64>() > 20 && like_asterisk[1] > 5, "seed {seed}: {like_asterisk:?}");
}
