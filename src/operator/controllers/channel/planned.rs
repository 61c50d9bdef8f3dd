//! The configuration that an engine shall have, and whether it has it.

use crate::wire::{config::ConfigHash, status::EngineStatus};

/// The configuration that an engine shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub hash: ConfigHash,
    /// Where it names the store: the hash of the same configuration without that, and the store.
    pub without_store: Option<(ConfigHash, String)>,
}

impl Planned {
    /// Hash of the configuration that the engine has. One that lacks nothing but the name of the very store that the engine has counts as
    /// the planned one: the name is for the next start, which reads it anyway, and changes nothing in the engine that runs.
    pub(crate) fn in_force(&self, said: &EngineStatus) -> Option<ConfigHash> {
        let has = said.config.hash?;
        let lacks_its_store_only =
            self.without_store.as_ref().is_some_and(|(hash, store)| *hash == has && *store == said.store.id);
        Some(if lacks_its_store_only { self.hash } else { has })
    }

    /// Whether the engine has not looked at it yet.
    pub(crate) fn is_wanted_by(&self, said: &EngineStatus) -> bool {
        self.in_force(said) != Some(self.hash)
            && said.config.rejected.as_ref().is_none_or(|rejected| rejected.hash != self.hash)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::status::{RejectedConfig, fixture};

    fn said(hash: ConfigHash, store: &str) -> EngineStatus {
        let mut said = fixture::engine(&json!({"config": {"hash": hash}}));
        said.store.id = store.into();
        said
    }

    #[test]
    fn an_engine_need_not_be_told_the_name_of_its_own_store() {
        let [planned, bare, old] = ["planned", "without the store", "old"].map(|text| ConfigHash::of(text.as_bytes()));
        let told = Planned { hash: planned, without_store: Some((bare, "s".into())) };
        let untold = Planned { hash: planned, without_store: None };
        let cases = [
            (&told, planned, "s", planned),
            (&told, bare, "s", planned),
            (&told, bare, "another", bare),
            (&told, old, "s", old),
            (&untold, bare, "s", bare),
        ];
        for (plan, has, store, expected) in cases {
            let mut said = said(has, store);
            assert_eq!(plan.in_force(&said), Some(expected), "{store}");
            assert_eq!(plan.is_wanted_by(&said), expected != planned);
            said.config.rejected = Some(RejectedConfig { hash: planned, message: "no".into() });
            assert!(!plan.is_wanted_by(&said), "it was looked at");
        }
    }
}
