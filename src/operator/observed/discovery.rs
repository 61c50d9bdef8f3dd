//! Fetches the keys of those who sign tokens, and keeps them fresh.
//!
//! A set of issuers that lacks a configured one is never published: every agent of it would be locked out. While an issuer does not
//! answer, its known keys stay; an operator that starts meanwhile reads them back from the configurations that an earlier one wrote.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, api::ListParams};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    api::names,
    operator::{
        observed::{
            context::Context,
            issuers::{AgentIssuer, FetchedKeys, Published},
            key_ring::KeyRing,
        },
        runtime::{lenient::Lenient, metrics::IssuerLabel, settings::Settings},
    },
    wire::config::{
        MAIN_DOCUMENT,
        issuers::{Issuer, key_set},
    },
};

/// Between two looks at the keys. A new key is published long before it signs.
const REFRESH: Duration = Duration::from_secs(60);
const FIRST_TRY: Duration = Duration::from_secs(2);
/// Configurations read at a time when an issuer's keys are looked for in them.
const PAGE: u32 = 20;
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
pub(crate) async fn run(
    context: Arc<Context>,
    agents: Vec<AgentIssuer>,
    http: reqwest::Client,
    stop: CancellationToken,
) {
    let mut rings = Rings::default();
    loop {
        let delay = match fetch(&context, &agents, &http, &mut rings).await {
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

/// The keys of the cluster and of each agents' issuer that has answered, and what was published of those that have not.
#[derive(Default)]
struct Rings {
    cluster: KeyRing,
    agents: HashMap<String, KeyRing>,
    published: Option<Published>,
}

async fn fetch(
    context: &Context,
    agents: &[AgentIssuer],
    http: &reqwest::Client,
    rings: &mut Rings,
) -> Result<FetchedKeys, FetchError> {
    let client = context.writer.client();
    let discovery: Discovery = get(client, "/.well-known/openid-configuration").await?;
    let cluster_keys = key_set_at("/openid/v1/jwks", get(client, "/openid/v1/jwks").await?)?;
    rings.cluster.add(&cluster_keys, Instant::now());
    for agent in agents {
        let answer = agent_keys(agent, http).await;
        let label = IssuerLabel { issuer: agent.issuer.clone() };
        context.metrics.issuer_reachable.get_or_create(&label).set(i64::from(answer.is_ok()));
        match answer {
            Ok(keys) => rings.agents.entry(agent.issuer.clone()).or_default().add(&keys, Instant::now()),
            Err(error) => {
                warn!(issuer = agent.issuer, %error, "the keys of this issuer cannot be fetched; the known ones stay");
            }
        }
    }
    let never_answered = |agent: &AgentIssuer| !rings.agents.contains_key(&agent.issuer);
    if !agents.iter().any(never_answered) {
        rings.published = None;
    } else if rings.published.is_none() {
        rings.published = Some(published_keys(client, &context.settings).await?);
    }
    let issuer = |agent: &AgentIssuer| Issuer {
        issuer: agent.issuer.clone(),
        audience: agent.audience.clone(),
        user_claim: agent.user_claim.clone(),
        user_prefix: agent.user_prefix.clone(),
        keys: rings.agents.get(&agent.issuer).map_or_else(|| json!({"keys": []}), KeyRing::key_set),
    };
    Ok(FetchedKeys {
        cluster_issuer: discovery.issuer,
        cluster_keys: rings.cluster.key_set(),
        agents: agents.iter().map(issuer).collect(),
        published: rings.published.clone().unwrap_or_default(),
    })
}

/// The agents' issuers' keys as the configurations of engines have them.
async fn published_keys(client: &Client, settings: &Settings) -> Result<Published, FetchError> {
    let selector = format!(
        "{}={},{}={}",
        names::LABEL_MANAGED_BY,
        names::MANAGED_BY,
        names::LABEL_COMPONENT,
        names::COMPONENT_ENGINE
    );
    let mut published = Published::default();
    for scope in settings.scopes() {
        let api = scope.api::<Lenient<ConfigMap>>(client);
        let mut page = ListParams::default().labels(&selector).limit(PAGE);
        loop {
            let listed = api.list(&page).await?;
            listed.items.iter().for_each(|Lenient(document)| read_back(document, &mut published));
            match listed.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(published)
}

/// Adds what one configuration says. What is no configuration of an engine says nothing.
fn read_back(document: &ConfigMap, published: &mut Published) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Main {
        agent_issuers: Vec<Issuer>,
    }
    let text = document.data.as_ref().and_then(|data| data.get(MAIN_DOCUMENT));
    let Some(Ok(main)) = text.map(|text| serde_json::from_str::<Main>(text)) else { return };
    let namespace = document.metadata.namespace.clone().unwrap_or_default();
    for known in main.agent_issuers {
        if key_set(&known.keys).is_some_and(|keys| !keys.is_empty()) {
            published.add(&namespace, known.issuer, known.keys);
        }
    }
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
}
