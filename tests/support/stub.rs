//! What the pods of one test say when the operator asks them.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use aldis::wire::{
    config::{ConfigHash, MAIN_DOCUMENT, issuers::Issuer},
    tokens::{Verifier, bearer},
};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::healthy;

/// What the pods of one test say when the operator asks them.
#[derive(Clone)]
pub struct Stub {
    client: Client,
    said: Arc<Mutex<Said>>,
    /// Where it listens.
    pub address: SocketAddr,
}

#[derive(Default)]
struct Said {
    /// Merged over what a healthy pod says, by Service name and namespace (`smsc-sim.demo`).
    overlays: BTreeMap<String, Value>,
    silent: Vec<String>,
    /// Where a pod really runs.
    real: BTreeMap<String, SocketAddr>,
    refused_tokens: u32,
    accepted_tokens: u32,
    /// Requests by Service name and namespace.
    asked: BTreeMap<String, u32>,
}

impl Stub {
    /// Answers for every Service: each pod has loaded the configuration that its ConfigMap holds.
    pub async fn start(client: Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Self { client, said: Arc::default(), address: listener.local_addr().unwrap() };
        let router = Router::new().fallback(answer).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stub
    }

    /// From now on the pod behind `service` (`smsc-sim.demo`) says this over what a healthy one says.
    pub fn say(&self, service: &str, overlay: Value) {
        self.said.lock().overlays.insert(service.into(), overlay);
    }

    /// From now on the pod behind `service` does not answer (or does again).
    pub fn silence(&self, service: &str, silent: bool) {
        let mut said = self.said.lock();
        said.silent.retain(|known| known != service);
        if silent {
            said.silent.push(service.into());
        }
    }

    /// From now on what is asked of `service` (`smsc-sim.demo`) goes to a process that listens there.
    pub fn lead(&self, service: &str, to: SocketAddr) {
        self.said.lock().real.insert(service.into(), to);
    }

    /// How often the pod behind `service` was asked.
    pub fn asked(&self, service: &str) -> u32 {
        self.said.lock().asked.get(service).copied().unwrap_or(0)
    }

    /// How many requests showed a good token, and how many did not.
    pub fn tokens(&self) -> (u32, u32) {
        let said = self.said.lock();
        (said.accepted_tokens, said.refused_tokens)
    }
}

async fn answer(State(stub): State<Stub>, uri: Uri, headers: HeaderMap) -> Response {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let service = host.trim_end_matches(".svc:8081").to_owned();
    let Some((name, namespace)) = service.split_once('.') else { return StatusCode::BAD_GATEWAY.into_response() };
    *stub.said.lock().asked.entry(service.clone()).or_default() += 1;
    if stub.said.lock().silent.contains(&service) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let real = stub.said.lock().real.get(&service).copied();
    if let Some(real) = real {
        return pass_on(real, &uri, &headers).await.unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response());
    }
    let api: Api<ConfigMap> = Api::namespaced(stub.client.clone(), namespace);
    let Ok(Some(map)) = api.get_opt(name).await else { return StatusCode::BAD_GATEWAY.into_response() };
    let text = map.data.unwrap_or_default().remove(MAIN_DOCUMENT).unwrap_or_default();
    let document: Value = serde_json::from_str(&text).unwrap();
    let issuers: Vec<Issuer> = serde_json::from_value(document["roleIssuers"].clone()).unwrap();
    let verifier = Verifier::new(&issuers).unwrap();
    let good = bearer(&headers).and_then(|token| verifier.verify(token));
    if !good.is_ok_and(|identity| identity.user == document["operatorUser"].as_str().unwrap()) {
        stub.said.lock().refused_tokens += 1;
        return StatusCode::UNAUTHORIZED.into_response();
    }
    stub.said.lock().accepted_tokens += 1;
    let mut said = if name.starts_with("smsc-") { gateway() } else { healthy::engine(&document) };
    said["config"] = json!({"hash": ConfigHash::of(text.as_bytes())});
    if let Some(overlay) = stub.said.lock().overlays.get(&service) {
        healthy::merge(&mut said, overlay);
    }
    axum::Json(said).into_response()
}

async fn pass_on(to: SocketAddr, uri: &Uri, headers: &HeaderMap) -> reqwest::Result<Response> {
    let token = bearer(headers).unwrap_or_default();
    let answer = reqwest::Client::new().get(format!("http://{to}{uri}")).bearer_auth(token).send().await?;
    let status = answer.status();
    Ok((status, answer.bytes().await?).into_response())
}

/// Numbers +15551230001 to +15551230008, all well.
fn gateway() -> Value {
    healthy::gateway((1..=8).map(|last| healthy::number(&format!("+1555123000{last}"))).collect())
}
