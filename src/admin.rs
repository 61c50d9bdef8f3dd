//! The port that people and machines who run Aldis look at: `/livez`, `/readyz`, `/metrics`. Every role serves it.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use parking_lot::{Mutex, RwLock};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::process::serve::{self, Limits};

/// Media type of the OpenMetrics text format.
const OPENMETRICS: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The kubelet, collectors of metrics, and a person or two. No body is read.
pub(crate) const LIMITS: Limits = Limits { connections: 64, head_bytes: 8 * 1024, bodies_bytes: 0 };

/// Why a role is not ready, or not live: one reason per part of the role. No reason means that all is well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reasons(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Reasons {
    /// Notes that `part` is not well, replacing what it said before.
    pub(crate) fn set(&self, part: &'static str, reason: impl Into<String>) {
        self.0.lock().insert(part, reason.into());
    }

    /// Notes that `part` is well.
    pub(crate) fn clear(&self, part: &'static str) {
        self.0.lock().remove(part);
    }

    /// 200 and `ok`, or 503 and a line `part: reason` for each.
    fn answer(&self) -> Response {
        let reasons = self.0.lock();
        if reasons.is_empty() {
            return (StatusCode::OK, "ok\n").into_response();
        }
        let lines: String = reasons.iter().map(|(part, reason)| format!("{part}: {reason}\n")).collect();
        (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
    }
}

/// What the port shows. Clones share the reasons, so that each part of a role keeps one and speaks for itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Why the role cannot do its work now; takes the pod out of its Service.
    pub not_ready: Reasons,
    /// Why only a restart can help; makes the kubelet restart the pod.
    pub not_live: Reasons,
}

/// The metrics of a role. What is known only later (an engine's channel) may still add its own.
#[derive(Clone, Debug)]
pub(crate) struct SharedRegistry(Arc<RwLock<Registry>>);

impl From<Registry> for SharedRegistry {
    fn from(registry: Registry) -> Self {
        Self(Arc::new(RwLock::new(registry)))
    }
}

impl SharedRegistry {
    /// Adds metrics.
    pub(crate) fn register<T>(&self, metrics: impl FnOnce(&mut Registry) -> T) -> T {
        metrics(&mut self.0.write())
    }
}

#[derive(Clone)]
struct Shown {
    health: Health,
    registry: SharedRegistry,
}

/// Serves the port until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    health: Health,
    registry: impl Into<SharedRegistry>,
    shutdown: CancellationToken,
) {
    serve::serve(listener, router(health, registry.into()), LIMITS, shutdown).await;
}

fn router(health: Health, registry: SharedRegistry) -> Router {
    Router::new()
        .route("/livez", get(async |State(shown): State<Shown>| shown.health.not_live.answer()))
        .route("/readyz", get(async |State(shown): State<Shown>| shown.health.not_ready.answer()))
        .route("/metrics", get(metrics))
        .with_state(Shown { health, registry })
}

async fn metrics(State(shown): State<Shown>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &shown.registry.0.read()) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[tokio::test]
    async fn the_port_shows_health_with_reasons_and_metrics() {
        crate::process::crypto::install_providers();
        let health = Health::default();
        let mut registry = Registry::with_prefix("aldis");
        let counter: Counter = Counter::default();
        registry.register("things", "Things", counter.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(serve(listener, health.clone(), registry, shutdown.clone()));

        assert_eq!(get(address, "/livez").await, (200, "ok\n".into()));
        health.not_ready.set("config", "no configuration yet");
        health.not_ready.set("store", "opening");
        assert_eq!(get(address, "/readyz").await, (503, "config: no configuration yet\nstore: opening\n".into()));
        health.not_ready.clear("config");
        health.not_ready.clear("store");
        assert_eq!(get(address, "/readyz").await, (200, "ok\n".into()));
        counter.inc();
        let (status, text) = get(address, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("aldis_things_total 1\n") && text.ends_with("# EOF\n"), "{text}");

        shutdown.cancel();
        server.await.unwrap();
    }
}
