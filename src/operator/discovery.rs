//! Fetches the keys of those who sign tokens, and keeps them fresh.

use std::{sync::Arc, time::Duration};

use kube::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    context::Context,
    issuers::{AgentIssuer, Known},
};
use crate::wire::config::issuers::Issuer;

/// Between two looks at the keys. A new key is published long before it signs.
const REFRESH: Duration = Duration::from_secs(60);
const FIRST_TRY: Duration = Duration::from_secs(2);

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
                let issuer = known.cluster_issuer.clone();
                if context.issuers.learn(known) {
                    info!(issuer, "token keys changed");
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
    let before = context.issuers.known();
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
}
