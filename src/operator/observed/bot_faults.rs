//! What is wrong with each bot, so that a bot is compiled once for each of its specs and not at every look at the channels that name it:
//! its patterns may take a tenth of a second.

use std::{collections::HashMap, sync::Arc};

use kube::ResourceExt;
use parking_lot::Mutex;

use crate::api::{Bot, BotSpec};

#[derive(Debug)]
struct Entry {
    generation: Option<i64>,
    faults: Option<Arc<str>>,
}

/// By UID of the bot.
#[derive(Default)]
pub(crate) struct BotFaults(Mutex<HashMap<String, Entry>>);

impl BotFaults {
    /// What is wrong with the bot, as `judge` says, which is asked when the spec is another one than before. None: nothing.
    pub(crate) fn of(&self, bot: &Bot, judge: impl FnOnce(&BotSpec) -> Option<String>) -> Option<Arc<str>> {
        let (uid, generation) = (bot.uid().unwrap_or_default(), bot.metadata.generation);
        if let Some(known) = self.0.lock().get(&uid).filter(|known| known.generation == generation) {
            return known.faults.clone();
        }
        // Not under the lock: other bots are looked up meanwhile.
        let faults: Option<Arc<str>> = judge(&bot.spec).map(Arc::from);
        self.0.lock().insert(uid, Entry { generation, faults: faults.clone() });
        faults
    }

    /// The bot is gone.
    pub(crate) fn forget(&self, bot: &str) {
        self.0.lock().remove(bot);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bot_is_judged_once_for_each_of_its_specs() {
        let bot = |uid: &str, generation: i64| -> Bot {
            serde_json::from_value(json!({
                "apiVersion": "aldis.dev/v1alpha1", "kind": "Bot", "spec": {"steps": []},
                "metadata": {"name": "greeting", "namespace": "n", "uid": uid, "generation": generation},
            }))
            .unwrap()
        };
        let faults = BotFaults::default();
        let judged = std::cell::Cell::new(0);
        let ask = |uid: &str, generation: i64, says: Option<&str>| {
            let found = faults.of(&bot(uid, generation), |_| {
                judged.set(judged.get() + 1);
                says.map(str::to_owned)
            });
            (judged.get(), found.map(|found| found.to_string()))
        };
        assert_eq!(ask("a", 1, Some("bad")), (1, Some("bad".to_owned())));
        assert_eq!(ask("a", 1, None), (1, Some("bad".to_owned())), "the same spec");
        assert_eq!(ask("b", 1, None), (2, None), "another bot");
        assert_eq!(ask("a", 2, None), (3, None), "another spec");
        assert_eq!(ask("a", 2, Some("bad")), (3, None));
        faults.forget("a");
        assert_eq!(ask("a", 2, Some("bad")), (4, Some("bad".to_owned())), "forgotten");
    }
}
