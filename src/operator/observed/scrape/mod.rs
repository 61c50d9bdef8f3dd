//! Asks gateways and engines for their status, apart from reconciling: bounded, jittered, each with a deadline, so that a slow
//! pod delays nobody.

mod tokens;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::trace;

use crate::{
    api::names,
    operator::{
        observed::{context::Context, pod, targets::Target},
        resources::{child::Owner, kinds::ChildKind},
        runtime::{cache::ObjectKey, metrics::ScrapeLabels},
    },
    wire::{
        ports,
        status::{EngineStatus, GatewayStatus},
    },
};
use tokens::Tokens;

/// Longest that one pod may take to answer.
const DEADLINE: Duration = Duration::from_secs(3);
/// A pod that has just become ready may be out of reach for a moment, until the nodes know the way.
const FIRST_AGAIN: Duration = Duration::from_secs(1);
/// Pods asked at a time.
const WORKERS: usize = 32;
/// Longest status that is read: 10,000 numbers fit well.
const LONGEST: usize = 8 << 20;

/// Why a pod gave no status.
#[derive(Debug, thiserror::Error)]
enum ScrapeError {
    #[error("no token for the pod: {0}")]
    Token(kube::Error),
    #[error("it does not answer: {0}")]
    Http(String),
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("its answer is too long")]
    TooLong,
    #[error("its answer is no status: {0}")]
    Parse(serde_json::Error),
}

struct Scraper {
    context: Arc<Context>,
    http: reqwest::Client,
    tokens: Tokens,
}

/// Starts asking.
pub fn start(context: &Arc<Context>, http: reqwest::Client, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
    let tokens = Tokens::new(&context.settings);
    let scraper = Arc::new(Scraper { context: context.clone(), http, tokens });
    for _ in 0..WORKERS {
        let (scraper, stop) = (scraper.clone(), stop.clone());
        tasks.spawn(async move {
            loop {
                let target = tokio::select! {
                    () = stop.cancelled() => return,
                    target = scraper.context.targets.take() => target,
                };
                let again = scraper.visit(&target).await;
                scraper.context.targets.done(&target, again);
            }
        });
    }
}

impl Scraper {
    /// Asks once; says when to ask again, none when there is nobody to ask any more.
    async fn visit(&self, target: &Target) -> Option<Duration> {
        let interval = self.context.settings.scrape_interval();
        let (label, result, again) = match target {
            Target::Gateway(key) => {
                let connector = self.context.cluster.connectors.get(key)?;
                let owner = Owner::connector(&connector);
                self.has_pod(&owner)?;
                let answer = self.ask::<GatewayStatus>(&owner, ports::STATUS_PATH).await;
                let result = outcome(&answer);
                if self.context.samples.gateway_said(&owner.uid, answer.map_err(|error| error.to_string())) {
                    self.context.queues.connectors.add(key.clone());
                    for channel in self.context.channels_of_connector(key) {
                        self.context.queues.channels.add(ObjectKey::of(&*channel));
                    }
                }
                let (pod, seen) = (pod::of(&self.context, &owner), self.context.samples.gateway(&owner.uid));
                ("gateway", result, pod::asked_within(pod.as_deref(), &seen, FIRST_AGAIN, interval))
            }
            Target::Engine(key) => {
                let channel = self.context.cluster.channels.get(key)?;
                let owner = Owner::channel(&channel);
                self.has_pod(&owner)?;
                let path = ports::of_channel(ports::CHANNEL_STATUS_PATH, &owner.name);
                let answer = self.ask::<EngineStatus>(&owner, &path).await;
                let result = outcome(&answer);
                if self.context.samples.engine_said(&owner.uid, answer.map_err(|error| error.to_string())) {
                    self.context.queues.channels.add(key.clone());
                }
                let (pod, seen) = (pod::of(&self.context, &owner), self.context.samples.engine(&owner.uid));
                ("engine", result, pod::asked_within(pod.as_deref(), &seen, FIRST_AGAIN, interval))
            }
        };
        self.context.metrics.scrapes.get_or_create(&ScrapeLabels { target: label, result }).inc();
        Some(again.mul_f64(0.9 + fastrand::f64() * 0.2))
    }

    /// Nobody is asked before the StatefulSet is there.
    fn has_pod(&self, owner: &Owner) -> Option<()> {
        let key = ObjectKey::new(&owner.namespace, &owner.child_name);
        self.context.cluster.children.of(ChildKind::StatefulSet).get(&key).map(|_| ())
    }

    async fn ask<T: DeserializeOwned>(&self, owner: &Owner, path: &str) -> Result<T, ScrapeError> {
        let asked = self.ask_without_limit(owner, path);
        let answer = tokio::time::timeout(DEADLINE, asked).await;
        let result = answer.unwrap_or_else(|_| Err(ScrapeError::Http(format!("not within {} s", DEADLINE.as_secs()))));
        if let Err(error) = &result {
            trace!(target = owner.child_name, namespace = owner.namespace, %error, "not answered");
        }
        result
    }

    async fn ask_without_limit<T: DeserializeOwned>(&self, owner: &Owner, path: &str) -> Result<T, ScrapeError> {
        let audience = names::role_audience(&owner.namespace);
        let client = self.context.writer.client();
        let token = self.tokens.get(client, &audience).await.map_err(ScrapeError::Token)?;
        let host = format!("{}.{}.svc:{}", owner.child_name, owner.namespace, ports::ROLES);
        let url = url(&host, path, self.context.settings.resolve_services_to);
        let request = self.http.get(url).header("host", host).bearer_auth(token);
        let mut answer = request.send().await.map_err(|error| ScrapeError::Http(root_cause(&error)))?;
        if answer.status().as_u16() == 401 {
            // Keys may have been rotated since the token was made.
            self.tokens.forget(&audience);
        }
        if !answer.status().is_success() {
            return Err(ScrapeError::Status(answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| ScrapeError::Http(root_cause(&error)))? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err(ScrapeError::TooLong);
            }
        }
        serde_json::from_slice(&body).map_err(ScrapeError::Parse)
    }
}

fn outcome<T>(answer: &Result<T, ScrapeError>) -> &'static str {
    if answer.is_ok() { "success" } else { "error" }
}

fn url(host: &str, path: &str, instead: Option<SocketAddr>) -> String {
    match instead {
        Some(address) => format!("http://{address}{path}"),
        None => format!("http://{host}{path}"),
    }
}

/// The innermost cause: the outer ones repeat the URL.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
