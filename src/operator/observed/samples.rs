//! What gateways and engines said about themselves last.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use parking_lot::RwLock;

use crate::{
    sms::PhoneNumber,
    wire::status::{CredentialsStatus, EngineStatus, GatewayStatus, NumberStatus, ProviderStatus},
};

/// Numbers, and names of files, of which a gateway tells details at most.
const LISTED: usize = 20;
/// Numbers of which a gateway may tell what went through: more than have ever belonged to one account.
const COUNTED: usize = 20_000;
/// A pod counts as unreachable after so many failures in a row; one lost answer is no news.
const FAILURES: u32 = 3;

/// What is known from asking a pod.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sampled<T> {
    /// Not asked since this operator started, or no desired yet.
    Never,
    Answered(Arc<T>),
    /// It does not answer.
    Unreachable {
        /// How the last attempt failed.
        message: String,
        /// Its last answer before that.
        last: Option<Arc<T>>,
    },
}

impl<T> Sampled<T> {
    /// The answer, unless the pod is out of reach.
    pub(crate) const fn answered(&self) -> Option<&Arc<T>> {
        match self {
            Self::Answered(status) => Some(status),
            Self::Never | Self::Unreachable { .. } => None,
        }
    }
}

/// What a gateway said, with its numbers in order so that one is found among ten thousand at once.
#[derive(Clone, Debug)]
pub(crate) struct GatewaySample {
    status: GatewayStatus,
    /// What went through, by number. None: it does not tell.
    traffic: Option<BTreeMap<String, u64>>,
}

impl GatewaySample {
    /// Of a status as it was read. What is more than any gateway of ours says is left out: somebody else may have answered, and entries
    /// take much more room than their text.
    pub(crate) fn new(mut status: GatewayStatus) -> Self {
        status.numbers.sort_by(|one, other| one.number.cmp(&other.number));
        let spool = &mut status.spool;
        spool.set_aside.truncate(LISTED);
        spool.room.full_numbers.truncate(LISTED);
        spool.room.full_ledgers.truncate(LISTED);
        while spool.unrouted_numbers.len() > LISTED {
            spool.unrouted_numbers.pop_last();
        }
        while spool.parked_numbers.len() > LISTED {
            spool.parked_numbers.pop_last();
        }
        let traffic = status.traffic.take().filter(|traffic| traffic.len() <= COUNTED);
        Self { status, traffic }
    }

    /// Whether it tells for which numbers something went through.
    pub(crate) const fn tells_traffic(&self) -> bool {
        self.traffic.is_some()
    }

    /// A number as the provider has it.
    pub(crate) fn number(&self, number: &PhoneNumber) -> Option<&NumberStatus> {
        let index = self.numbers.binary_search_by(|known| known.number.cmp(number)).ok()?;
        self.numbers.get(index)
    }

    /// The numbers of which `self` says something else than `before` that a channel reads.
    fn changed_since(&self, before: &Self) -> Numbers {
        if self.numbers_listed_at.is_some() != before.numbers_listed_at.is_some() {
            return Numbers::All;
        }
        let differs = |one: &NumberStatus, others: &Self| {
            let other = others.number(&one.number);
            other.is_none_or(|other| (other.at_provider, other.sms_capable) != (one.at_provider, one.sms_capable))
        };
        let new = self.numbers.iter().filter(|number| differs(number, before));
        let gone = before.numbers.iter().filter(|number| self.number(&number.number).is_none());
        Numbers::Some(new.chain(gone).map(|number| number.number.clone()).collect())
    }

    /// The numbers for which something went through since `before`.
    fn busy_since(&self, before: Option<&Self>) -> Vec<String> {
        let before = before.and_then(|before| before.traffic.as_ref());
        let count = |number: &str| before.and_then(|before| before.get(number));
        let now = self.traffic.iter().flatten();
        now.filter(|(number, now)| count(number) != Some(now)).map(|(number, _)| number.clone()).collect()
    }
}

impl std::ops::Deref for GatewaySample {
    type Target = GatewayStatus;

    fn deref(&self) -> &GatewayStatus {
        &self.status
    }
}

/// The numbers of a gateway whose channels read something else now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// All of them: the gateway became known or silent.
    All,
    /// These.
    Some(Vec<PhoneNumber>),
}

/// What is new in an answer of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatewayNews {
    /// Of which numbers it says something else. None: it says what it said before.
    pub changed: Option<Numbers>,
    /// The numbers for which something went through since its last answer.
    pub busy: Vec<String>,
}

/// How a pod has answered lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It answers.
    Saying {
        /// So many answers in a row said the same.
        unchanged: u32,
    },
    /// It does not.
    Silent {
        /// So many attempts beyond those after which it counted as unreachable.
        beyond: u32,
    },
}

struct Entry<T> {
    last: Option<Arc<T>>,
    unchanged: u32,
    failures: u32,
    message: String,
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self { last: None, unchanged: 0, failures: 0, message: String::new() }
    }
}

/// Answers by UID of the object that the pod runs for.
#[derive(Default)]
pub(crate) struct Samples {
    gateways: RwLock<HashMap<String, Entry<GatewaySample>>>,
    engines: RwLock<HashMap<String, Entry<EngineStatus>>>,
}

impl Samples {
    /// What the gateway of the connector with this UID said.
    pub(crate) fn gateway(&self, uid: &str) -> Sampled<GatewaySample> {
        seen(&self.gateways, uid)
    }

    /// What the engine of the channel with this UID said.
    pub(crate) fn engine(&self, uid: &str) -> Sampled<EngineStatus> {
        seen(&self.engines, uid)
    }

    /// Whether the engine of the channel with this UID answers, and tells of its bots. What it tells is kept elsewhere.
    pub(crate) fn tells_of_bots(&self, uid: &str) -> bool {
        self.engine(uid).answered().is_some_and(|said| said.bots.is_some())
    }

    /// Takes an answer of a gateway, or how asking failed.
    pub(crate) fn gateway_said(&self, uid: &str, answer: Result<GatewayStatus, String>) -> GatewayNews {
        let before = self.gateway(uid);
        let answer = answer.map(GatewaySample::new);
        let changed = match (&before, &answer) {
            (Sampled::Answered(before), Ok(now)) => now.changed_since(before),
            (Sampled::Never | Sampled::Unreachable { .. }, _) | (_, Err(_)) => Numbers::All,
        };
        let busy = match &answer {
            Ok(now) => now.busy_since(before.answered().map(Arc::as_ref)),
            Err(_) => Vec::new(),
        };
        let changed = record(&self.gateways, uid, answer, timeless).then_some(changed);
        GatewayNews { changed, busy }
    }

    /// Takes an answer of an engine, or how asking failed; says whether that is news.
    pub(crate) fn engine_said(&self, uid: &str, answer: Result<EngineStatus, String>) -> bool {
        let answer = answer.map(|mut status| {
            // Now is when the clocks can be compared; in whole minutes, so that it changes seldom.
            if let Some(clock) = &mut status.clock {
                let ahead = status.sampled_at.duration_since(jiff::Timestamp::now());
                clock.ahead_of_asker_minutes = ahead.as_secs() / 60;
            }
            status
        });
        record(&self.engines, uid, answer, |status| {
            let mut status = status.clone();
            status.sampled_at = jiff::Timestamp::UNIX_EPOCH;
            status
        })
    }

    /// How the gateway of the connector with this UID has answered.
    pub(crate) fn gateway_habit(&self, uid: &str) -> Habit {
        habit(&self.gateways, uid)
    }

    /// How the engine of the channel with this UID has answered.
    pub(crate) fn engine_habit(&self, uid: &str) -> Habit {
        habit(&self.engines, uid)
    }

    /// Forgets an object that is gone, or whose pod was replaced.
    pub(crate) fn forget(&self, uid: &str) {
        self.gateways.write().remove(uid);
        self.engines.write().remove(uid);
    }
}

/// Without what changes by itself.
fn timeless(sample: &GatewaySample) -> GatewayStatus {
    let mut status = sample.status.clone();
    status.sampled_at = jiff::Timestamp::UNIX_EPOCH;
    status.numbers_listed_at = status.numbers_listed_at.map(|_| jiff::Timestamp::UNIX_EPOCH);
    status.spool.oldest_wait_seconds = 0;
    status.spool.room.used_percent = 0;
    if let Some(skew) = &mut status.clock_skew {
        skew.engine_ahead_millis = skew.ahead_seconds() * 1000;
    }
    match &mut status.credentials {
        CredentialsStatus::Valid { checked_at }
        | CredentialsStatus::Invalid { checked_at, .. }
        | CredentialsStatus::Suspended { checked_at, .. } => *checked_at = jiff::Timestamp::UNIX_EPOCH,
        CredentialsStatus::Unchecked | CredentialsStatus::Missing { .. } => {}
    }
    match &mut status.provider {
        ProviderStatus::Answers { checked_at } | ProviderStatus::Silent { checked_at, .. } => {
            *checked_at = jiff::Timestamp::UNIX_EPOCH;
        }
        ProviderStatus::Unasked => {}
    }
    status
}

fn seen<T>(map: &RwLock<HashMap<String, Entry<T>>>, uid: &str) -> Sampled<T> {
    match map.read().get(uid) {
        None => Sampled::Never,
        Some(entry) if entry.failures >= FAILURES => {
            Sampled::Unreachable { message: entry.message.clone(), last: entry.last.clone() }
        }
        Some(entry) => entry.last.clone().map_or(Sampled::Never, Sampled::Answered),
    }
}

fn habit<T>(map: &RwLock<HashMap<String, Entry<T>>>, uid: &str) -> Habit {
    match map.read().get(uid) {
        Some(entry) if entry.failures > 0 => Habit::Silent { beyond: entry.failures.saturating_sub(FAILURES) },
        Some(entry) => Habit::Saying { unchanged: entry.unchanged },
        None => Habit::Saying { unchanged: 0 },
    }
}

fn record<T, U: PartialEq>(
    map: &RwLock<HashMap<String, Entry<T>>>,
    uid: &str,
    answer: Result<T, String>,
    timeless: impl Fn(&T) -> U,
) -> bool {
    let mut map = map.write();
    let entry = map.entry(uid.to_owned()).or_default();
    match answer {
        Ok(status) => {
            let returned = entry.failures >= FAILURES;
            let changed = entry.last.as_ref().is_none_or(|last| timeless(last) != timeless(&status));
            let unchanged = if changed { 0 } else { entry.unchanged.saturating_add(1) };
            *entry = Entry { last: Some(Arc::new(status)), unchanged, failures: 0, message: String::new() };
            returned || changed
        }
        Err(message) => {
            entry.failures = entry.failures.saturating_add(1);
            let news = entry.failures == FAILURES;
            // The words of the first desired stay, so that status does not change with every attempt.
            if entry.failures <= FAILURES {
                entry.message = message;
            }
            news
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::status::{ClockSkew, fixture};

    fn engine() -> EngineStatus {
        fixture::engine(&serde_json::json!({}))
    }

    #[test]
    fn one_lost_answer_is_no_news_but_silence_is() {
        let samples = Samples::default();
        assert!(samples.engine_said("u", Ok(engine())));
        assert!(!samples.engine_said("u", Err("timeout".into())));
        assert!(matches!(samples.engine("u"), Sampled::Answered(_)));
        samples.engine_said("u", Err("timeout".into()));
        assert!(samples.engine_said("u", Err("timeout".into())));
        assert!(matches!(samples.engine("u"), Sampled::Unreachable { last: Some(_), .. }));
        assert!(samples.engine_said("u", Ok(engine())), "its return is news");
    }

    fn gateway(numbers: &[(&str, bool)]) -> GatewayStatus {
        let numbers: Vec<_> = numbers
            .iter()
            .map(|(number, capable)| {
                serde_json::json!({"number": number, "atProvider": true, "smsCapable": capable, "webhook": {"state": "InSync"}})
            })
            .collect();
        serde_json::from_value(serde_json::json!({
            "version": "0.1.0", "config": {}, "credentials": {"state": "Unchecked"}, "numbers": numbers,
            "numbersListedAt": "2026-01-01T00:00:00Z", "sampledAt": "2026-01-01T00:00:00Z",
            "spool": {"waiting": 0, "unrouted": 0, "oldestWaitSeconds": 0},
        }))
        .unwrap()
    }

    #[test]
    fn a_gateway_is_news_for_the_channels_of_those_numbers_only_that_changed() {
        let samples = Samples::default();
        let (one, two, three) = ("+15551230001", "+15551230002", "+15551230003");
        let say = |numbers: &[(&str, bool)]| samples.gateway_said("u", Ok(gateway(numbers))).changed;
        let some =
            |numbers: &[&str]| Some(Numbers::Some(numbers.iter().map(|number| number.parse().unwrap()).collect()));
        assert_eq!(say(&[(two, true), (one, true)]), Some(Numbers::All), "nothing was known before");
        assert_eq!(say(&[(one, true), (two, true)]), None, "another order is no news");
        assert_eq!(say(&[(one, true), (two, false), (three, true)]), some(&[two, three]));
        assert_eq!(say(&[(one, true), (three, true)]), some(&[two]));
        let Sampled::Answered(sample) = samples.gateway("u") else { panic!("it answers") };
        assert!(sample.number(&three.parse().unwrap()).is_some() && sample.number(&two.parse().unwrap()).is_none());
        for _ in 0..FAILURES - 1 {
            assert_eq!(samples.gateway_said("u", Err("timeout".into())).changed, None);
        }
        let silent = samples.gateway_said("u", Err("timeout".into()));
        assert_eq!(silent.changed, Some(Numbers::All), "nothing is known any more");
    }

    #[test]
    fn numbers_with_traffic_are_named_once_and_are_no_other_news() {
        let samples = Samples::default();
        let say = |traffic: serde_json::Value| {
            let mut status = gateway(&[("+15551230001", true)]);
            status.traffic = serde_json::from_value(traffic).unwrap();
            samples.gateway_said("u", Ok(status))
        };
        let json = |text: &str| serde_json::from_str(text).unwrap();
        assert_eq!(say(json("null")).busy, [""; 0]);
        for (what, traffic, busy) in [
            ("it tells from now on", r#"{"a": 3}"#, vec!["a"]),
            ("nothing since", r#"{"a": 3}"#, vec![]),
            ("one more, and another's first", r#"{"a": 4, "b": 1}"#, vec!["a", "b"]),
            ("the gateway was started again", r#"{"b": 2}"#, vec!["b"]),
        ] {
            assert_eq!(
                say(json(traffic)),
                GatewayNews { changed: None, busy: busy.into_iter().map(Into::into).collect() },
                "{what}"
            );
        }
        for _ in 0..FAILURES {
            assert_eq!(samples.gateway_said("u", Err("timeout".into())).busy, [""; 0]);
        }
        assert_eq!(say(json(r#"{"b": 2}"#)).busy, ["b"], "whatever came while it was out of reach");
    }

    #[test]
    fn what_is_more_than_a_gateway_of_ours_says_is_left_out() {
        let samples = Samples::default();
        let mut status = gateway(&[]);
        let many = |count: usize| (0..count).map(|at| (at.to_string(), 1)).collect::<BTreeMap<_, _>>();
        status.spool.unrouted_numbers = many(1_000);
        status.spool.set_aside = vec![String::new(); 1_000];
        status.traffic = Some(many(COUNTED + 1));
        samples.gateway_said("u", Ok(status));
        let Sampled::Answered(said) = samples.gateway("u") else { panic!("it answers") };
        assert_eq!((said.spool.unrouted_numbers.len(), said.spool.set_aside.len()), (LISTED, LISTED));
        assert!(!said.tells_traffic());
    }

    #[test]
    fn an_engines_time_is_compared_with_ours_when_it_answers() {
        let samples = Samples::default();
        for (seconds, minutes) in [(30, 0), (-30, 0), (3630, 60), (-3630, -60)] {
            let mut status = engine();
            status.sampled_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
            status.clock = Some(crate::wire::status::ClockStatus::default());
            samples.engine_said("u", Ok(status));
            let Sampled::Answered(said) = samples.engine("u") else { panic!("it answered") };
            assert_eq!(said.clock.as_ref().unwrap().ahead_of_asker_minutes, minutes, "{seconds} s");
        }
    }

    #[test]
    fn what_varies_a_little_in_a_gateways_status_is_no_news() {
        let samples = Samples::default();
        let say = |used_percent, engine_ahead_millis| {
            let mut status = gateway(&[]);
            status.spool.room.used_percent = used_percent;
            status.clock_skew = Some(ClockSkew { number: "+15551230001".into(), engine_ahead_millis });
            samples.gateway_said("u", Ok(status)).changed.is_some()
        };
        assert!(say(10, 29_990));
        assert!(!say(11, 30_020));
        assert!(say(11, 0), "the clocks agree again");
        assert!(!say(11, -400));
    }

    #[test]
    fn another_time_alone_is_no_news() {
        let samples = Samples::default();
        samples.engine_said("u", Ok(engine()));
        let mut later = engine();
        later.sampled_at = "2026-01-01T00:01:00Z".parse().unwrap();
        assert!(!samples.engine_said("u", Ok(later.clone())));
        later.queue.waiting = 1;
        assert!(samples.engine_said("u", Ok(later)));
    }
}
