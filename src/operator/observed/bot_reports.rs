//! What engines said of bots last. It outlives their pods: conversations do too.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
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
    /// When its engine said it.
    pub at: Timestamp,
    pub said: BotStatus,
}

struct Told {
    channel: ObjectKey,
    at: Timestamp,
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
    /// Takes what the engine of a channel says; none where it does not tell. Returns the bots of which it says something else than before.
    pub(crate) fn note(
        &self,
        uid: &str,
        channel: &ObjectKey,
        said: Option<Vec<BotStatus>>,
        at: Timestamp,
    ) -> Vec<ObjectKey> {
        let bots: Vec<_> = said.into_iter().flatten().take(TOLD_BOTS).filter_map(BotStatus::bounded).collect();
        if bots.is_empty() {
            // As most channels have no bots, nothing is kept of them.
            return self.forget(uid);
        }
        let mut state = self.0.write();
        let told = Told { channel: channel.clone(), at, bots };
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
            said: said.clone(),
        };
        told.flat_map(|told| told.of(bot.name()).map(move |said| report(told, said))).collect()
    }

    /// Whether the engine of the channel with this UID has told of its bots.
    pub(crate) fn has(&self, uid: &str) -> bool {
        self.0.read().told.contains_key(uid)
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
            let changed = reports.note("u", &support, bots, Timestamp::UNIX_EPOCH);
            changed.into_iter().map(|bot| bot.to_string()).collect()
        };
        assert_eq!(note(said(json!([running("a", 1), running("b", 1)]))), ["shop/a", "shop/b"]);
        assert_eq!(note(said(json!([running("b", 1), running("a", 1)]))), [""; 0], "another order");
        assert_eq!(note(said(json!([running("a", 2), running("b", 1)]))), ["shop/a"]);
        assert_eq!(reports.of(&ObjectKey::new("shop", "a"))[0].said.conversations[0].count, 2);
        assert_eq!(reports.of(&ObjectKey::new("bank", "a")), [], "bots of other namespaces are other bots");
        assert_eq!(note(said(json!([running("a", 2)]))), ["shop/b"], "it is not there any more");
        assert_eq!(reports.of(&ObjectKey::new("shop", "b")), []);
        assert!(reports.has("u"));
        assert_eq!(note(None), ["shop/a"], "an older engine does not tell");
        assert!(!reports.has("u"));
        assert!(reports.0.read().channels.is_empty(), "nothing is left of it");
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
        let changed = reports.note("u", &ObjectKey::new("shop", "support"), said(bots.into()), Timestamp::UNIX_EPOCH);
        assert_eq!(changed.len(), TOLD_BOTS - 1);
        let of = |bot: &str| {
            let report = reports.of(&ObjectKey::new("shop", bot)).remove(0).said;
            (report.conversations.len(), report.failures.len())
        };
        assert_eq!((of("many"), of("long")), ((20, 20), (0, 0)));
    }
}
