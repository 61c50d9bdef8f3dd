//! What engines said of bots last. It outlives their pods: conversations do too.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;

use crate::{
    operator::runtime::cache::ObjectKey,
    wire::bot_status::{BotStatus, TOLD_BOTS},
};

/// What the engine of one channel said of one bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BotReport {
    /// The channel.
    pub channel: ObjectKey,
    /// When its engine said it, by the engine's clock.
    pub at: Timestamp,
    /// How far that clock was ahead of the operator's then, in whole minutes.
    pub ahead: SignedDuration,
    pub said: BotStatus,
}

struct Told {
    channel: ObjectKey,
    at: Timestamp,
    ahead: SignedDuration,
    bots: Vec<BotStatus>,
}

impl Told {
    fn of<'a>(&'a self, bot: &'a str) -> impl Iterator<Item = &'a BotStatus> {
        self.bots.iter().filter(move |told| told.name == bot)
    }

    fn names(&self) -> BTreeSet<&str> {
        self.bots.iter().map(|bot| bot.name.as_str()).collect()
    }
}

#[derive(Default)]
struct State {
    /// By UID of the channel.
    told: HashMap<String, Told>,
    /// The UIDs of the channels in which a bot runs.
    channels: HashMap<ObjectKey, BTreeSet<String>>,
}

/// What engines said of bots last.
#[derive(Default)]
pub(crate) struct BotReports(RwLock<State>);

impl BotReports {
    /// Takes what the engine of a channel says; none where it does not tell. It says so `at` its own time, which is `now` for the operator.
    /// Returns the bots of which it says something else than before.
    pub(crate) fn note(
        &self,
        uid: &str,
        channel: &ObjectKey,
        said: Option<Vec<BotStatus>>,
        at: Timestamp,
        now: Timestamp,
    ) -> Vec<ObjectKey> {
        let bots: Vec<_> = said.into_iter().flatten().take(TOLD_BOTS).filter_map(BotStatus::bounded).collect();
        if bots.is_empty() {
            // As most channels have no bots, nothing is kept of them.
            return self.forget(uid);
        }
        let mut state = self.0.write();
        // What an answer takes on its way is no difference of clocks.
        let ahead = SignedDuration::from_mins(at.duration_since(now).as_mins());
        let told = Told { channel: channel.clone(), at, ahead, bots };
        let before = state.take(uid);
        let changed = differences(before.as_ref(), Some(&told));
        state.put(uid, told);
        changed
    }

    /// What is known of a bot, from all channels.
    pub(crate) fn of(&self, bot: &ObjectKey) -> Vec<BotReport> {
        let state = self.0.read();
        let channels = state.channels.get(bot).into_iter().flatten();
        let told = channels.filter_map(|uid| state.told.get(uid));
        let report = |told: &Told, said: &BotStatus| BotReport {
            channel: told.channel.clone(),
            at: told.at,
            ahead: told.ahead,
            said: said.clone(),
        };
        told.flat_map(|told| told.of(bot.name()).map(move |said| report(told, said))).collect()
    }

    /// The bots of which the engine of the channel with this UID said something.
    pub(crate) fn bots(&self, uid: &str) -> BTreeSet<ObjectKey> {
        let state = self.0.read();
        let Some(told) = state.told.get(uid) else { return BTreeSet::new() };
        told.names().into_iter().map(|bot| ObjectKey::new(told.channel.namespace(), bot)).collect()
    }

    /// The channel is gone. Returns the bots of which it said something.
    pub(crate) fn forget(&self, uid: &str) -> Vec<ObjectKey> {
        let before = self.0.write().take(uid);
        differences(before.as_ref(), None)
    }
}

impl State {
    fn put(&mut self, uid: &str, told: Told) {
        for bot in told.names() {
            let key = ObjectKey::new(told.channel.namespace(), bot);
            self.channels.entry(key).or_default().insert(uid.to_owned());
        }
        self.told.insert(uid.to_owned(), told);
    }

    fn take(&mut self, uid: &str) -> Option<Told> {
        let told = self.told.remove(uid)?;
        for bot in told.names() {
            let key = ObjectKey::new(told.channel.namespace(), bot);
            if let Some(channels) = self.channels.get_mut(&key) {
                channels.remove(uid);
                if channels.is_empty() {
                    self.channels.remove(&key);
                }
            }
        }
        Some(told)
    }
}

/// The bots of which one says something else than the other.
fn differences(before: Option<&Told>, now: Option<&Told>) -> Vec<ObjectKey> {
    let Some(channel) = now.or(before).map(|told| &told.channel) else { return Vec::new() };
    let names: BTreeSet<&str> = before.into_iter().chain(now).flat_map(Told::names).collect();
    let of = |told: Option<&Told>, bot: &str| -> Vec<BotStatus> {
        told.map(|told| told.of(bot).cloned().collect()).unwrap_or_default()
    };
    let changed = names.into_iter().filter(|bot| of(before, bot) != of(now, bot));
    changed.map(|bot| ObjectKey::new(channel.namespace(), bot)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(bots: Value) -> Option<Vec<BotStatus>> {
        Some(serde_json::from_value(bots).unwrap())
    }

    fn running(bot: &str, count: u64) -> Value {
        json!({"name": bot, "conversations": [{"version": "v1", "count": count}]})
    }

    #[test]
    fn those_bots_are_named_of_which_an_engine_says_something_else() {
        let reports = BotReports::default();
        let support = ObjectKey::new("shop", "support");
        let note = |bots| -> Vec<String> {
            let changed = reports.note("u", &support, bots, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
            changed.into_iter().map(|bot| bot.to_string()).collect()
        };
        assert_eq!(note(said(json!([running("a", 1), running("b", 1)]))), ["shop/a", "shop/b"]);
        assert_eq!(note(said(json!([running("b", 1), running("a", 1)]))), [""; 0], "another order");
        assert_eq!(note(said(json!([running("a", 2), running("b", 1)]))), ["shop/a"]);
        assert_eq!(reports.of(&ObjectKey::new("shop", "a"))[0].said.conversations[0].count, 2);
        assert_eq!(reports.of(&ObjectKey::new("bank", "a")), [], "bots of other namespaces are other bots");
        assert_eq!(note(said(json!([running("a", 2)]))), ["shop/b"], "it is not there any more");
        assert_eq!(reports.of(&ObjectKey::new("shop", "b")), []);
        assert_eq!(reports.bots("u").into_iter().collect::<Vec<_>>(), [ObjectKey::new("shop", "a")]);
        assert_eq!(note(None), ["shop/a"], "an older engine does not tell");
        assert_eq!(reports.bots("u"), BTreeSet::new());
        assert!(reports.0.read().channels.is_empty(), "nothing is left of it");
    }

    #[test]
    fn how_far_the_engines_clock_is_ahead_is_known_but_for_an_answers_way() {
        let reports = BotReports::default();
        let support = ObjectKey::new("shop", "support");
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        for (at, minutes) in [
            ("2026-11-28T11:59:58Z", 0),
            ("2026-11-28T12:00:02Z", 0),
            ("2026-11-28T14:00:01Z", 120),
            ("2026-11-28T10:59:59Z", -60),
        ] {
            reports.note("u", &support, said(json!([running("a", 1)])), at.parse().unwrap(), now);
            let report = reports.of(&ObjectKey::new("shop", "a")).remove(0);
            assert_eq!((report.at.to_string(), report.ahead.as_mins()), (at.to_owned(), minutes));
        }
    }

    #[test]
    fn what_is_more_than_an_engine_of_ours_says_is_left_out() {
        let reports = BotReports::default();
        let failure = |step: String| json!({"step": step, "reason": "CallStatus", "count": 1, "since": "2026-01-01T00:00:00Z", "at": "2026-01-01T00:00:00Z"});
        let versions: Vec<_> = (0..100).map(|nth| json!({"version": nth.to_string(), "count": 1})).collect();
        let failures: Vec<_> = (0..100).map(|nth| failure(nth.to_string())).collect();
        let mut bots = vec![
            json!({"name": "n".repeat(1000)}),
            json!({"name": "many", "conversations": versions, "failures": failures}),
            json!({"name": "long", "conversations": [{"version": "v".repeat(65), "count": 1}], "failures": [failure("s".repeat(64))]}),
        ];
        bots.extend((0..100).map(|nth| running(&format!("bot-{nth}"), 1)));
        let (support, at) = (ObjectKey::new("shop", "support"), Timestamp::UNIX_EPOCH);
        let changed = reports.note("u", &support, said(bots.into()), at, at);
        assert_eq!(changed.len(), TOLD_BOTS - 1);
        let of = |bot: &str| {
            let report = reports.of(&ObjectKey::new("shop", bot)).remove(0).said;
            (report.conversations.len(), report.failures.len())
        };
        assert_eq!((of("many"), of("long")), ((20, 20), (0, 0)));
    }
}
