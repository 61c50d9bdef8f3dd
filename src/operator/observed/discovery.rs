//! Fetches the keys of those who sign tokens, and keeps them fresh.

use std::{sync::Arc, time::Duration};

use kube::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    operator::observed::{
        context::Context,
        issuers::{AgentIssuer, Known},
    },
    wire::config::issuers::{Issuer, key_set},
};

/// Between two looks at the keys. A new key is published long before it signs.
const REFRESH: Duration = Duration::from_secs(60);
const FIRST_TRY: Duration = Duration::from_secs(2);
/// Longest answer of an issuer that is read. Its keys go into the configuration of every engine.
const LONGEST: usize = 64 * 1024;

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
    #[error("{url} has more than {LONGEST} bytes")]
    TooLong { url: String },
    #[error("{url}: {source}")]
    Json { url: String, source: serde_json::Error },
    #[error("{url} holds no JSON Web Key Set, an object with a list \"keys\"")]
    NoKeySet { url: String },
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
    let cluster_keys = in_order(key_set_at("/openid/v1/jwks", get(client, "/openid/v1/jwks").await?)?);
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
            read::<Discovery>(http, &url).await?.jwks_uri
        }
    };
    key_set_at(&uri, read(http, &uri).await?)
}

async fn read<T: serde::de::DeserializeOwned>(http: &reqwest::Client, url: &str) -> Result<T, FetchError> {
    let mut answer = http.get(url).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err(FetchError::TooLong { url: url.to_owned() });
        }
    }
    serde_json::from_slice(&body).map_err(|source| FetchError::Json { url: url.to_owned(), source })
}

/// Gateways and engines would refuse a configuration with anything else.
fn key_set_at(url: &str, document: Value) -> Result<Value, FetchError> {
    if key_set(&document).is_none() {
        return Err(FetchError::NoKeySet { url: url.to_owned() });
    }
    Ok(document)
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
    use axum::{Json, Router, routing::get};
    use serde_json::json;

    use super::*;

    /// What becomes of the keys of an issuer that serves this.
    async fn keys_of(document: Value) -> Result<Value, String> {
        crate::process::crypto::install_providers();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let discovery = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")});
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(discovery)))
            .route("/keys", get(async move || Json(document)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let agent = json!({"issuer": format!("{issuer}/"), "audience": "desk", "userPrefix": "x:"});
        let agent: AgentIssuer = serde_json::from_value(agent).unwrap();
        agent_keys(&agent, &reqwest::Client::new()).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn only_a_key_set_is_taken_for_keys() {
        let good = json!({"keys": [{"kty": "RSA", "kid": "1"}]});
        assert_eq!(keys_of(good.clone()).await, Ok(good));
        for bad in [json!({}), json!([]), json!({"keys": {}}), json!("sign in first")] {
            let error = keys_of(bad.clone()).await.unwrap_err();
            assert!(error.contains("/keys holds no JSON Web Key Set"), "{bad}: {error}");
        }
        let error = keys_of(json!({"keys": ["x".repeat(LONGEST)]})).await.unwrap_err();
        assert!(error.ends_with("/keys has more than 65536 bytes"), "{error}");
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let one = json!({"keys": [{"kid": "b"}, {"kid": "a"}]});
        let other = json!({"keys": [{"kid": "a"}, {"kid": "b"}]});
        assert_eq!(in_order(one), in_order(other));
    }
}
