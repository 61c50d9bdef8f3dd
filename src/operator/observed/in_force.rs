//! Which blocklists the engines have loaded. A channel's reconcile leaves it behind, so that a list is answered for without planning
//! every channel that it binds anew.

use std::collections::HashMap;

use kube::ResourceExt;
use parking_lot::Mutex;

use crate::{api::Blocklist, wire::config::ConfigHash};

/// A blocklist as a configuration holds it: UID and generation.
pub(crate) type Edition = (String, i64);

/// The edition of a list that the cache holds.
pub(crate) fn edition(list: &Blocklist) -> Edition {
    (list.uid().unwrap_or_default(), list.metadata.generation.unwrap_or(0))
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// Hash of the configuration that was planned last.
    planned: Option<ConfigHash>,
    /// Of the last one that the engine had loaded.
    loaded: Vec<Edition>,
}

/// Whether a channel's engine has loaded a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    /// It has.
    Yes,
    /// It has not yet.
    No,
    /// The channel was not looked at since this operator started.
    Unknown,
}

/// By UID of the channel.
#[derive(Default)]
pub(crate) struct InForce(Mutex<HashMap<String, Entry>>);

impl InForce {
    /// Notes what was planned and what the engine has; says whether anything changed for the lists.
    pub(crate) fn note(&self, channel: &str, planned: ConfigHash, lists: Vec<Edition>, has: Option<&str>) -> bool {
        let mut all = self.0.lock();
        let entry = all.entry(channel.to_owned()).or_default();
        let before = entry.clone();
        if has == Some(planned.to_string().as_str()) {
            entry.loaded = lists;
        }
        entry.planned = Some(planned);
        before.planned.is_none() || entry.loaded != before.loaded
    }

    /// Notes that the channel was looked at, and nothing could be planned; says whether it is looked at for the first time.
    pub(crate) fn note_unplanned(&self, channel: &str) -> bool {
        let mut all = self.0.lock();
        let is_first = !all.contains_key(channel);
        all.entry(channel.to_owned()).or_default();
        is_first
    }

    /// Whether the engine of the channel has loaded this edition of a list.
    pub(crate) fn is_loaded(&self, channel: &str, list: &Edition) -> Loaded {
        match self.0.lock().get(channel) {
            Some(entry) if entry.loaded.contains(list) => Loaded::Yes,
            Some(_) => Loaded::No,
            None => Loaded::Unknown,
        }
    }

    /// The channel is gone.
    pub(crate) fn forget(&self, channel: &str) {
        self.0.lock().remove(channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_in_force_when_the_engine_has_a_configuration_with_this_edition_of_it() {
        let in_force = InForce::default();
        let (one, two) = (ConfigHash::of(b"1"), ConfigHash::of(b"2"));
        let edition = |generation| ("list".to_owned(), generation);
        assert_eq!(in_force.is_loaded("c", &edition(1)), Loaded::Unknown);
        assert!(in_force.note("c", one, vec![edition(1)], None));
        assert_eq!(in_force.is_loaded("c", &edition(1)), Loaded::No);
        assert!(in_force.note("c", one, vec![edition(1)], Some(&one.to_string())));
        assert_eq!(in_force.is_loaded("c", &edition(1)), Loaded::Yes);
        assert!(!in_force.note("c", two, vec![edition(1)], Some(&one.to_string())), "another object has changed");
        assert_eq!(in_force.is_loaded("c", &edition(1)), Loaded::Yes);
        assert!(!in_force.note_unplanned("c") && in_force.note_unplanned("d"));
        assert_eq!(in_force.is_loaded("d", &edition(1)), Loaded::No);
        in_force.note("c", two, vec![edition(2)], Some(&one.to_string()));
        assert_eq!(in_force.is_loaded("c", &edition(2)), Loaded::No);
    }
}
