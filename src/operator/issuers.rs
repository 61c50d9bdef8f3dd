//! Who signs tokens: the cluster itself, and the issuers that the platform team lists for agents. Their keys are fetched here
//! and written into the configuration of gateways and engines, which check tokens offline.

use std::{path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use kube::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::context::Context;
use crate::{api::names, wire::config::issuers::Issuer};

/// Between two looks at the keys. A new key is published long before it signs.
const REFRESH: Duration = Duration::from_secs(60);
const FIRST_TRY: Duration = Duration::from_secs(2);

/// An issuer of agents' tokens besides the cluster, as the platform team lists it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentIssuer {
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
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a list of issuers.
    #[error("{path} is not a list of issuers: {source}")]
    Parse {
        /// The file.
        path: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// An issuer could name users of another one.
    #[error("{0}: userPrefix must not be empty and must not begin with \"system:\"; for example \"okta:\"")]
    Prefix(String),
}

/// Reads the list of agent issuers.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub fn read(path: &Path) -> Result<Vec<AgentIssuer>, InvalidIssuers> {
    let shown = path.display().to_string();
    let text = std::fs::read(path).map_err(|source| InvalidIssuers::Read { path: shown.clone(), source })?;
    let issuers: Vec<AgentIssuer> =
        serde_json::from_slice(&text).map_err(|source| InvalidIssuers::Parse { path: shown, source })?;
    match issuers.iter().find(|issuer| issuer.user_prefix.is_empty() || issuer.user_prefix.starts_with("system:")) {
        Some(bad) => Err(InvalidIssuers::Prefix(bad.issuer.clone())),
        None => Ok(issuers),
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Known {
    cluster_issuer: String,
    cluster_keys: Value,
    agents: Vec<Issuer>,
}

/// The issuers, once they are known.
#[derive(Default)]
pub struct Issuers(ArcSwapOption<Known>);

impl Issuers {
    /// Whether the cluster's keys are known; no configuration can be written before.
    pub fn are_known(&self) -> bool {
        self.0.load().is_some()
    }

    /// Who signs the tokens that roles show each other in a namespace.
    pub fn of_roles(&self, namespace: &str) -> Vec<Issuer> {
        self.cluster(names::role_audience(namespace))
    }

    /// Who signs the tokens of a namespace's agents.
    pub fn of_agents(&self, namespace: &str) -> Vec<Issuer> {
        let mut issuers = self.cluster(names::desk_audience(namespace));
        if let Some(known) = self.0.load_full() {
            issuers.extend(known.agents.iter().cloned());
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

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    #[serde(default)]
    jwks_uri: String,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0}")]
    Api(#[from] kube::Error),
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("cannot build the request: {0}")]
    Request(#[from] axum::http::Error),
}

/// Keeps the keys fresh; looks at everything again when they change.
pub async fn run(context: Arc<Context>, agents: Vec<AgentIssuer>, http: reqwest::Client, stop: CancellationToken) {
    loop {
        let delay = match fetch(&context, &agents, &http).await {
            Ok(known) => {
                let changed = context.issuers.0.load().as_deref() != Some(&known);
                if changed {
                    info!(issuer = known.cluster_issuer, "token keys changed");
                    context.issuers.0.store(Some(Arc::new(known)));
                    context.enqueue_everything();
                }
                REFRESH
            }
            Err(error) => {
                warn!(%error, "the cluster's token keys cannot be fetched");
                FIRST_TRY
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(delay) => {}
        }
    }
}

async fn fetch(context: &Context, agents: &[AgentIssuer], http: &reqwest::Client) -> Result<Known, FetchError> {
    let client = context.writer.client();
    let discovery: Discovery = get(client, "/.well-known/openid-configuration").await?;
    let cluster_keys = in_order(get(client, "/openid/v1/jwks").await?);
    let before = context.issuers.0.load_full();
    let mut issuers = Vec::new();
    for agent in agents {
        let keys = match agent_keys(agent, http).await {
            Ok(keys) => Some(in_order(keys)),
            Err(error) => {
                warn!(issuer = agent.issuer, %error, "the keys of this issuer cannot be fetched; the known ones stay");
                let known = before.iter().flat_map(|known| &known.agents).find(|known| known.issuer == agent.issuer);
                known.map(|known| known.keys.clone())
            }
        };
        issuers.extend(keys.map(|keys| Issuer {
            issuer: agent.issuer.clone(),
            audience: agent.audience.clone(),
            user_claim: agent.user_claim.clone(),
            user_prefix: agent.user_prefix.clone(),
            keys,
        }));
    }
    Ok(Known { cluster_issuer: discovery.issuer, cluster_keys, agents: issuers })
}

async fn get<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, FetchError> {
    Ok(client.request(axum::http::Request::get(path).body(Vec::new())?).await?)
}

async fn agent_keys(agent: &AgentIssuer, http: &reqwest::Client) -> Result<Value, FetchError> {
    let uri = match &agent.jwks_uri {
        Some(uri) => uri.clone(),
        None => {
            let url = format!("{}/.well-known/openid-configuration", agent.issuer.trim_end_matches('/'));
            http.get(url).send().await?.error_for_status()?.json::<Discovery>().await?.jwks_uri
        }
    };
    Ok(http.get(uri).send().await?.error_for_status()?.json().await?)
}

/// Keys in order of their id: several API servers may list them differently, and that is no change.
fn in_order(mut keys: Value) -> Value {
    if let Some(list) = keys.get_mut("keys").and_then(Value::as_array_mut) {
        list.sort_by_key(|key| key.get("kid").and_then(Value::as_str).unwrap_or_default().to_owned());
    }
    keys
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let one = json!({"keys": [{"kid": "b"}, {"kid": "a"}]});
        let other = json!({"keys": [{"kid": "a"}, {"kid": "b"}]});
        assert_eq!(in_order(one), in_order(other));
    }

    #[test]
    fn an_issuer_without_a_prefix_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for prefix in ["", "system:"] {
            let list = json!([{"issuer": "https://id.example.com", "audience": "aldis", "userPrefix": prefix}]);
            std::fs::write(file.path(), list.to_string()).unwrap();
            assert!(matches!(read(file.path()), Err(InvalidIssuers::Prefix(_))), "{prefix:?}");
        }
    }
}
