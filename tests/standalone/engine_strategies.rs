//! Every strategy against a second implementation, which follows the rules of docs/distribution.md: the same choices, in random histories.

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _, num::NonZeroU32, path::Path, process::Stdio};

use aldis::engine::core::{
    config::{ChannelConfig, Member, OfferMode, Strategy},
    ids::UserId,
    schedule::Schedule,
};
use jiff::{
    Timestamp,
    tz::{self, TimeZone},
};
use serde_json::{Value, json};

use crate::support::{
    channel::{Channel, Step, config},
    peers,
};

const USERS: [&str; 6] = ["ana", "bo", "cy", "dee", "Eli", "åsa"];
/// A supervisor who is no member.
const SUPERVISOR: &str = "eva";
const STRATEGIES: [Strategy; 7] = [
    Strategy::LeastRecent,
    Strategy::FewestInteractions,
    Strategy::Random,
    Strategy::Linear,
    Strategy::RoundRobin,
    Strategy::WeightedRandom,
    Strategy::RingAll,
];
/// Histories that begin with each strategy, and in how many transactions of up to 20 steps they go on.
const HISTORIES: usize = 25;
const BATCHES: usize = 20;

/// A history as the second implementation reads it: configurations and events, one a line.
struct History {
    channel: Channel,
    /// Of the campaign's time zone, in seconds.
    offset: i32,
    /// Whether agents are asked.
    asks: bool,
    random: fastrand::Rng,
    read: u64,
    lines: String,
}

impl History {
    fn new(path: &Path, strategy: Strategy, mut random: fastrand::Rng) -> Self {
        let offset = [0, 19_800, -10_800][random.usize(..3)];
        let zone = TimeZone::fixed(tz::Offset::from_seconds(offset).unwrap());
        let schedule = Schedule::new(zone, None, BTreeMap::new());
        let now: Timestamp = "2026-11-22T14:27:31.123456789Z".parse().unwrap();
        let channel = Channel::open(path, ChannelConfig { strategy, schedule, ..config() }, now).unwrap();
        let asks = strategy == Strategy::RingAll || random.bool();
        let mut history = Self { channel, offset, asks, random, read: 0, lines: String::new() };
        if asks {
            history.take(&[Step::Ask { seconds: NonZeroU32::new(30) }]);
        } else {
            history.tell();
        }
        history
    }

    fn restarted(self, path: &Path) -> Self {
        let Channel { store, state, now, delivered } = self.channel;
        drop(store);
        let opened = Channel::open(path, ChannelConfig::clone(state.config()), now).unwrap();
        Self { channel: Channel { delivered, ..opened }, ..self }
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.usize(..of.len())]
    }

    fn members(&mut self) -> Vec<Member> {
        let mut members: Vec<Member> = USERS
            .iter()
            .map(|user| Member {
                user: (*user).into(),
                position: self.random.u32(..4),
                penalty: self.one(&[0, 0, 0, 1, 1, 9, 100]),
                receive: self.random.u32(..10) > 0,
                initiate: true,
                max_interactions: self.random.u32(1..4),
            })
            .collect();
        members.retain(|_| self.random.u32(..6) > 0);
        members
    }

    fn step(&mut self) -> Step {
        let (user, nth) = (self.one(&USERS), self.random.usize(..20));
        match self.random.u32(..100) {
            0..30 => Step::Text { customer: self.random.u8(..30), text: "TEXT-hello" },
            30..45 => Step::Finish { nth },
            45..55 => Step::AnswerOffer { nth, accepts: self.random.u32(..3) > 0 },
            55..60 => Step::Stream { user, open: self.random.u32(..4) > 0 },
            60..68 => Step::Presence { user, present: self.random.u32(..4) > 0 },
            68..71 => Step::Start { user, customer: self.random.u8(30..40) },
            71..76 => Step::Transfer { nth, to: self.random.bool().then_some(user) },
            76 => Step::CancelTransfer { nth },
            77 => Step::Assign { nth, to: self.one(&[user, user, SUPERVISOR]) },
            78 => Step::Close { nth },
            79 => Step::Stream { user: SUPERVISOR, open: self.random.u32(..4) > 0 },
            // Whoever is asked all the time answers hardly ever.
            _ if self.asks => Step::Pass { seconds: self.one(&[0, 1, 5, 20, 31, 60, 290]) },
            _ => Step::Pass { seconds: self.one(&[0, 1, 5, 60, 290, 3600, 30_000]) },
        }
    }

    /// By itself, since the second implementation must know what is in force when something happens.
    fn configuration(&mut self) -> Step {
        match self.random.u32(..9) {
            7 => {
                let reopen_seconds = self.one(&[None, Some(100), Some(10_000)]);
                Step::Return { reopen_seconds, max_queue_seconds: self.one(&[None, Some(10), Some(300)]) }
            }
            0..3 => Step::Members { members: self.members() },
            3 => Step::Enable { enabled: false },
            4..7 => Step::Enable { enabled: true },
            _ if self.asks && self.random.bool() => Step::Ask { seconds: NonZeroU32::new(self.random.u32(20..400)) },
            _ if self.asks => Step::Distribute { strategy: self.one(&STRATEGIES) },
            // All but the last, which asks.
            _ => Step::Distribute { strategy: self.one(&STRATEGIES[..6]) },
        }
    }

    /// Writes down which configuration is in force, and what happened since the last time.
    fn tell(&mut self) {
        let config = self.channel.state.config();
        let members: Vec<Value> = config
            .members
            .iter()
            .map(|member| {
                json!({
                    "user": member.user.as_str(), "position": member.position, "penalty": member.penalty,
                    "receive": member.receive, "maxInteractions": member.max_interactions,
                })
            })
            .collect();
        let strategy = format!("{:?}", config.strategy);
        let timeout = match config.offer {
            OfferMode::Assign => None,
            OfferMode::Ask { timeout_seconds } => Some(timeout_seconds.get()),
        };
        let line = json!({"config": {
            "enabled": config.enabled, "strategy": strategy, "offerTimeoutSeconds": timeout,
            "zoneOffsetSeconds": self.offset, "members": members,
            "sessionReopenSeconds": config.session_reopen.map(|within| within.as_secs()),
            "maxTransferSeconds": config.max_transfer.map(|limit| limit.as_secs()),
            "supervisors": config.supervisors.iter().map(UserId::as_str).collect::<Vec<_>>(),
            "maxQueueSeconds": config.max_queue.map(|limit| limit.as_secs()),
        }});
        writeln!(self.lines, "{line}").unwrap();
        let reader = self.channel.store.reader().unwrap();
        loop {
            let events = reader.events_after(self.read, 1000).unwrap();
            let Some(last) = events.last() else { break };
            self.read = last.sequence;
            for numbered in &events {
                writeln!(self.lines, "{}", json!({ "event": numbered.event.to_json() })).unwrap();
            }
        }
    }

    /// The history of a channel that is also restarted.
    fn of(path: &Path, strategy: Strategy, random: fastrand::Rng) -> String {
        let mut history = Self::new(path, strategy, random);
        let members = Step::Members { members: history.members() };
        history.take(&[members]);
        let present = USERS.map(|user| Step::Presence { user, present: true });
        let online = USERS.map(|user| Step::Stream { user, open: true });
        history.take(&[present, online].concat());
        for _ in 0..BATCHES {
            if history.random.u32(..8) == 0 {
                history = history.restarted(path);
            }
            let configuration = history.configuration();
            history.take(&[configuration]);
            let steps: Vec<Step> = (0..history.random.usize(..20)).map(|_| history.step()).collect();
            history.take(&steps);
        }
        history.lines
    }

    fn take(&mut self, steps: &[Step]) {
        self.channel.take(steps);
        self.tell();
    }
}

/// What the second implementation says of these histories: how many choices of each strategy it checked.
fn checked(lines: &str) -> Result<Value, String> {
    let mut python = peers::python();
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/strategies.py"));
    let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("Python");
    // It may end before it has read all: then its words say why.
    drop(child.stdin.take().unwrap().write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn a_second_implementation_of_the_rules_makes_the_same_choices() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for number in 0..HISTORIES * STRATEGIES.len() {
        let strategy = STRATEGIES[number % STRATEGIES.len()];
        writeln!(lines, "{}", json!({ "history": number })).unwrap();
        lines += &History::of(&dir.path().join(format!("{number}.db")), strategy, random.fork());
    }
    let said = checked(&lines).unwrap_or_else(|said| {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strategies.jsonl");
        std::fs::write(&kept, &lines).unwrap();
        panic!("seed {seed}, all histories are in {}: {said}", kept.display())
    });
    println!("seed {seed}: {said}");
    for strategy in STRATEGIES {
        let choices = said[format!("{strategy:?}")].as_u64().unwrap_or(0);
        assert!(choices > 100, "seed {seed}: only {choices} choices of {strategy:?}");
    }
    for checked in ["previous", "timedOut", "transfers", "assigned"] {
        let count = said[checked].as_u64().unwrap_or(0);
        assert!(count > 20, "seed {seed}: only {count} of {checked}: {said}");
    }

    // It finds a choice that is another one.
    let other = r#""user":"ana""#;
    let wrong = lines
        .replace(r#""type":"InteractionAssigned","user":"bo""#, &format!(r#""type":"InteractionAssigned",{other}"#));
    assert!(wrong != lines && checked(&wrong).is_err(), "seed {seed}");
}
