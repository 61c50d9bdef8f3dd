//! What gateways and engines said about themselves last.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;

use crate::wire::status::{CredentialsStatus, EngineStatus, GatewayStatus, ProviderStatus};

/// A pod counts as unreachable after so many failures in a row; one lost answer is no news.
const FAILURES: u32 = 3;

/// What is known from asking a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen<T> {
    /// Not asked since this operator started, or no desired yet.
    Never,
    /// Its last answer.
    Answered(Arc<T>),
    /// It does not answer.
    Unreachable {
        /// How the last attempt failed.
        message: String,
        /// Its last answer before that.
        last: Option<Arc<T>>,
    },
}

impl<T> Seen<T> {
    /// The answer, unless the pod is out of reach.
    pub const fn answered(&self) -> Option<&Arc<T>> {
        match self {
            Self::Answered(status) => Some(status),
            Self::Never | Self::Unreachable { .. } => None,
        }
    }
}

struct Entry<T> {
    last: Option<Arc<T>>,
    failures: u32,
    message: String,
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self { last: None, failures: 0, message: String::new() }
    }
}

/// Answers by UID of the object that the pod runs for.
#[derive(Default)]
pub struct Samples {
    gateways: RwLock<HashMap<String, Entry<GatewayStatus>>>,
    engines: RwLock<HashMap<String, Entry<EngineStatus>>>,
}

impl Samples {
    /// What the gateway of the connector with this UID said.
    pub fn gateway(&self, uid: &str) -> Seen<GatewayStatus> {
        seen(&self.gateways, uid)
    }

    /// What the engine of the channel with this UID said.
    pub fn engine(&self, uid: &str) -> Seen<EngineStatus> {
        seen(&self.engines, uid)
    }

    /// Takes an answer of a gateway, or how asking failed; says whether that is news.
    pub fn gateway_said(&self, uid: &str, answer: Result<GatewayStatus, String>) -> bool {
        take(&self.gateways, uid, answer, |status| {
            let mut status = status.clone();
            status.sampled_at = jiff::Timestamp::UNIX_EPOCH;
            status.numbers_listed_at = status.numbers_listed_at.map(|_| jiff::Timestamp::UNIX_EPOCH);
            status.spool.oldest_wait_seconds = 0;
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
        })
    }

    /// Takes an answer of an engine, or how asking failed; says whether that is news.
    pub fn engine_said(&self, uid: &str, answer: Result<EngineStatus, String>) -> bool {
        let answer = answer.map(|mut status| {
            // Now is when the clocks can be compared; in whole minutes, so that it changes seldom.
            if let Some(clock) = &mut status.clock {
                let ahead = status.sampled_at.duration_since(jiff::Timestamp::now());
                clock.ahead_of_asker_minutes = ahead.as_secs() / 60;
            }
            status
        });
        take(&self.engines, uid, answer, |status| {
            let mut status = status.clone();
            status.sampled_at = jiff::Timestamp::UNIX_EPOCH;
            status
        })
    }

    /// Forgets an object that is gone, or whose pod was replaced.
    pub fn forget(&self, uid: &str) {
        self.gateways.write().remove(uid);
        self.engines.write().remove(uid);
    }
}

fn seen<T>(map: &RwLock<HashMap<String, Entry<T>>>, uid: &str) -> Seen<T> {
    match map.read().get(uid) {
        None => Seen::Never,
        Some(entry) if entry.failures >= FAILURES => {
            Seen::Unreachable { message: entry.message.clone(), last: entry.last.clone() }
        }
        Some(entry) => entry.last.clone().map_or(Seen::Never, Seen::Answered),
    }
}

fn take<T: PartialEq>(
    map: &RwLock<HashMap<String, Entry<T>>>,
    uid: &str,
    answer: Result<T, String>,
    timeless: impl Fn(&T) -> T,
) -> bool {
    let mut map = map.write();
    let entry = map.entry(uid.to_owned()).or_default();
    match answer {
        Ok(status) => {
            let returned = entry.failures >= FAILURES;
            let changed = entry.last.as_ref().is_none_or(|last| timeless(last) != timeless(&status));
            *entry = Entry { last: Some(Arc::new(status)), failures: 0, message: String::new() };
            returned || changed
        }
        Err(message) => {
            entry.failures += 1;
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

    fn engine() -> EngineStatus {
        serde_json::from_value(serde_json::json!({
            "version": "0.1.0", "config": {}, "inHours": true, "queue": {"waiting": 0, "oldestWaitSeconds": 0, "withBot": 0,
            "active": 0, "waitingBeyondTarget": 0, "maxQueued": 0}, "agents": {"online": 0, "available": 0},
            "store": {"id": "s", "commits": 1, "number": "+15551230001", "account": "a", "accepted": true},
            "serviceLevel": {"answered": 0, "answeredInTarget": 0, "abandoned": 0, "abandonedInTarget": 0, "unanswered": 0},
            "outbox": {"waiting": 0, "inFlight": 0, "unknown": 0}, "sampledAt": "2026-01-01T00:00:00Z"
        }))
        .unwrap()
    }

    #[test]
    fn one_lost_answer_is_no_news_but_silence_is() {
        let samples = Samples::default();
        assert!(samples.engine_said("u", Ok(engine())));
        assert!(!samples.engine_said("u", Err("timeout".into())));
        assert!(matches!(samples.engine("u"), Seen::Answered(_)));
        samples.engine_said("u", Err("timeout".into()));
        assert!(samples.engine_said("u", Err("timeout".into())));
        assert!(matches!(samples.engine("u"), Seen::Unreachable { last: Some(_), .. }));
        assert!(samples.engine_said("u", Ok(engine())), "its return is news");
    }

    #[test]
    fn an_engines_time_is_compared_with_ours_when_it_answers() {
        let samples = Samples::default();
        for (seconds, minutes) in [(30, 0), (-30, 0), (3630, 60), (-3630, -60)] {
            let mut status = engine();
            status.sampled_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
            status.clock = Some(crate::wire::status::ClockStatus::default());
            samples.engine_said("u", Ok(status));
            let Seen::Answered(said) = samples.engine("u") else { panic!("it answered") };
            assert_eq!(said.clock.as_ref().unwrap().ahead_of_asker_minutes, minutes, "{seconds} s");
        }
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
