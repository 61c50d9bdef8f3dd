//! Who signs tokens: the cluster itself, and the issuers that the platform team lists for agents. Their keys are written into the
//! configuration of gateways and engines, which check tokens offline.

use std::{collections::HashMap, path::Path, sync::Arc};

use arc_swap::ArcSwapOption;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    api::names,
    wire::config::issuers::{Issuer, key_set},
};

/// An issuer of agents' tokens besides the cluster, as the platform team lists it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AgentIssuer {
    /// The `iss` claim; also where discovery begins.
    pub issuer: String,
    /// The `aud` claim.
    pub audience: String,
    /// The claim that names the user.
    #[serde(default = "sub")]
    pub user_claim: String,
    /// Put before the claim's value; mandatory, so that no issuer can name another's users.
    pub user_prefix: String,
    /// Where the keys are, if not where discovery says.
    #[serde(default)]
    pub jwks_uri: Option<String>,
}

fn sub() -> String {
    "sub".into()
}

/// The list of agent issuers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidIssuers {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not a list of issuers.
    #[error("{path} is not a list of issuers: {source}")]
    Parse {
        /// The file.
        path: String,
        /// The place in the file, and what is wrong there.
        source: serde_json::Error,
    },
    /// An issuer could name users of another one.
    #[error("{0}: userPrefix must not be empty and must not begin with \"system:\"; for example \"okta:\"")]
    Prefix(String),
    /// Two issuers could name the same user.
    #[error(
        "{first} and {second}: the userPrefix of one begins with that of the other, so that one could name the other's users; \
         end each prefix with a character of its own, for example \"okta:\" and \"okta-eu:\""
    )]
    Overlap {
        /// One issuer.
        first: String,
        /// The other.
        second: String,
    },
}

/// Reads the list of agent issuers.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub(crate) fn read(path: &Path) -> Result<Vec<AgentIssuer>, InvalidIssuers> {
    let shown = path.display().to_string();
    let text = std::fs::read(path).map_err(|source| InvalidIssuers::Read { path: shown.clone(), source })?;
    let issuers: Vec<AgentIssuer> =
        serde_json::from_slice(&text).map_err(|source| InvalidIssuers::Parse { path: shown, source })?;
    check_prefixes(&issuers)?;
    Ok(issuers)
}

/// No issuer may name users of another: not the cluster's, and not those of one whose prefix begins as its own does. The same issuer may
/// stand in the list for several audiences.
fn check_prefixes(issuers: &[AgentIssuer]) -> Result<(), InvalidIssuers> {
    for (at, issuer) in issuers.iter().enumerate() {
        let prefix = issuer.user_prefix.as_str();
        if prefix.is_empty() || prefix.starts_with("system:") || "system:".starts_with(prefix) {
            return Err(InvalidIssuers::Prefix(issuer.issuer.clone()));
        }
        let overlaps = |other: &&AgentIssuer| {
            other.issuer != issuer.issuer
                && (other.user_prefix.starts_with(prefix) || prefix.starts_with(&other.user_prefix))
        };
        if let Some(other) = issuers[..at].iter().find(overlaps) {
            return Err(InvalidIssuers::Overlap { first: other.issuer.clone(), second: issuer.issuer.clone() });
        }
    }
    Ok(())
}

/// The keys of all issuers, as they were last fetched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FetchedKeys {
    /// The `iss` claim of the cluster's tokens.
    pub cluster_issuer: String,
    /// The cluster's key set.
    pub cluster_keys: Value,
    /// Those besides the cluster. One that has not answered since this operator started has no keys.
    pub agents: Vec<Issuer>,
    /// What stands in for the keys of those.
    pub published: Published,
}

/// Keys that an earlier operator published, by namespace and issuer. Whoever may write ConfigMaps in a namespace can write what they
/// like there, so that keys read back from a namespace count in that namespace only.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Published(HashMap<String, HashMap<String, Value>>);

impl Published {
    /// An engine in the namespace has these keys of the issuer.
    pub(crate) fn add(&mut self, namespace: &str, issuer: String, keys: Value) {
        self.0.entry(namespace.to_owned()).or_default().entry(issuer).or_insert(keys);
    }

    fn of(&self, namespace: &str, issuer: &str) -> Option<&Value> {
        self.0.get(namespace)?.get(issuer)
    }
}

/// The issuers, once they are known.
#[derive(Default)]
pub(crate) struct Issuers(ArcSwapOption<FetchedKeys>);

impl Issuers {
    /// Whether the cluster's keys are known; no configuration can be written before.
    pub(crate) fn are_known(&self) -> bool {
        self.0.load().is_some()
    }

    /// Says what is known now; true = it is another thing than before.
    pub(crate) fn learn(&self, known: FetchedKeys) -> bool {
        let changed = self.0.load().as_deref() != Some(&known);
        if changed {
            self.0.store(Some(Arc::new(known)));
        }
        changed
    }

    /// Who signs the tokens that roles show each other in a namespace.
    pub(crate) fn of_roles(&self, namespace: &str) -> Vec<Issuer> {
        self.cluster(names::role_audience(namespace))
    }

    /// Who signs the tokens of a namespace's agents.
    pub(crate) fn of_agents(&self, namespace: &str) -> Vec<Issuer> {
        let mut issuers = self.cluster(names::desk_audience(namespace));
        if let Some(known) = self.0.load_full() {
            issuers.extend(known.agents.iter().map(|agent| in_namespace(&known, agent, namespace)));
        }
        issuers
    }

    fn cluster(&self, audience: String) -> Vec<Issuer> {
        let known = self.0.load_full();
        known
            .iter()
            .map(|known| Issuer {
                issuer: known.cluster_issuer.clone(),
                audience: audience.clone(),
                user_claim: sub(),
                user_prefix: String::new(),
                keys: known.cluster_keys.clone(),
            })
            .collect()
    }
}

fn in_namespace(known: &FetchedKeys, agent: &Issuer, namespace: &str) -> Issuer {
    let is_unheard = key_set(&agent.keys).is_none_or(<[Value]>::is_empty);
    let published = known.published.of(namespace, &agent.issuer).filter(|_| is_unheard);
    Issuer { keys: published.unwrap_or(&agent.keys).clone(), ..agent.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_issuer_without_a_prefix_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for prefix in ["", "system:", "system:serviceaccount:", "sys"] {
            let list = json!([{"issuer": "https://id.example.com", "audience": "aldis", "userPrefix": prefix}]);
            std::fs::write(file.path(), list.to_string()).unwrap();
            assert!(matches!(read(file.path()), Err(InvalidIssuers::Prefix(_))), "{prefix:?}");
        }
    }

    #[test]
    fn issuers_whose_users_could_be_taken_for_each_others_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let list = |prefixes: [&str; 2], issuers: [&str; 2]| {
            let entry = |at: usize| json!({"issuer": issuers[at], "audience": "aldis", "userPrefix": prefixes[at]});
            std::fs::write(file.path(), json!([entry(0), entry(1)]).to_string()).unwrap();
            read(file.path())
        };
        let two = ["https://a.example", "https://b.example"];
        for prefixes in [["okta:", "okta:eu:"], ["okta:eu:", "okta:"], ["okta:", "okta:"], ["o", "okta:"]] {
            let error = list(prefixes, two).unwrap_err();
            assert!(
                matches!(&error, InvalidIssuers::Overlap { first, .. } if first == two[0]),
                "{prefixes:?}: {error}"
            );
        }
        assert_eq!(list(["okta:", "okta-eu:"], two).unwrap().len(), 2);
        assert_eq!(list(["okta:", "okta:"], ["https://a.example"; 2]).unwrap().len(), 2, "one issuer, two audiences");
    }

    fn agent(keys: Value) -> Issuer {
        let user_prefix = "okta:".to_owned();
        Issuer { issuer: "https://id".into(), audience: "desk".into(), user_claim: sub(), user_prefix, keys }
    }

    fn issuers(agent: Issuer, published: Published) -> Issuers {
        let issuers = Issuers::default();
        let (cluster_issuer, cluster_keys) = ("https://cluster".to_owned(), json!({"keys": []}));
        issuers.learn(FetchedKeys { cluster_issuer, cluster_keys, agents: vec![agent], published });
        issuers
    }

    #[test]
    fn an_issuer_that_does_not_answer_stays_with_the_keys_that_its_namespace_has() {
        let (none, old) = (json!({"keys": []}), json!({"keys": [{"kid": "old"}]}));
        let mut published = Published::default();
        published.add("desk", "https://id".into(), old.clone());
        let issuers = issuers(agent(none.clone()), published);
        assert_eq!(issuers.of_agents("desk")[1], agent(old));
        assert_eq!(issuers.of_agents("other")[1], agent(none), "one namespace does not say whom another one trusts");
    }

    #[test]
    fn what_an_issuer_says_counts_more_than_what_was_published() {
        let new = json!({"keys": [{"kid": "new"}]});
        let mut published = Published::default();
        published.add("desk", "https://id".into(), json!({"keys": [{"kid": "old"}]}));
        assert_eq!(issuers(agent(new.clone()), published).of_agents("desk")[1], agent(new));
    }
}
