//! A carrier to try things with: handsets on a page, a provider's HTTP API, faults on demand.
//!
//! Nothing here is protected but the provider API: whoever reaches the port may read and change everything else.

mod account;
mod carrier;
mod config;
mod connection;
mod control;
mod delivery;
mod fault;
mod ledger;
mod metrics;
mod options;
mod page;
mod provider;
mod reply;
mod stream;
mod webhook;

pub use carrier::{Fate, Message, Webhook, WebhookState};
pub use config::{AccountConfig, Config, ConfigError, HandsetConfig, NumberConfig, Settings};
pub use control::{AccountView, CustomerText, HandsetChange, NumberChange, Snapshot};
pub use fault::{Action, FaultError, FaultRequest, InjectedFault, Route};
pub use ledger::{Entry, Event, LedgerPage, LedgerQuery, MessageRef};
pub use options::{Error, Options, run};

use axum::Router;
use carrier::Carrier;
use connection::{CuttableListener, Knife};
use fault::{InjectedFaults, Moment};
use ledger::Ledger;
use metrics::Metrics;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use std::{io, path::Path, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
};
use tokio_util::sync::CancellationToken;
use webhook::Lanes;

use crate::process::http_client;

/// Changes that a slow page may lag behind before it has to read everything again.
const LAG: usize = 1024;

/// The simulator. Clones are the same one.
#[derive(Clone)]
pub struct Simulator {
    carrier: Arc<Mutex<Carrier>>,
    lanes: Arc<Mutex<Lanes>>,
    faults: Arc<Mutex<InjectedFaults>>,
    ledger: Arc<Ledger>,
    client: reqwest::Client,
    metrics: Metrics,
    changes: broadcast::Sender<stream::Change>,
    woken: Arc<watch::Sender<()>>,
}

impl Simulator {
    /// A simulator at rest. Every ledger entry is appended to the file, if one is named.
    ///
    /// # Errors
    /// When the ledger file cannot be opened, or no HTTPS client can be made.
    pub fn new(config: Config, ledger: Option<&Path>) -> io::Result<Self> {
        Ok(Self {
            carrier: Arc::new(Mutex::new(Carrier::new(config))),
            lanes: Arc::default(),
            faults: Arc::default(),
            ledger: Arc::new(Ledger::new(ledger)?),
            client: client()?,
            metrics: Metrics::default(),
            changes: broadcast::Sender::new(LAG),
            woken: Arc::new(watch::Sender::new(())),
        })
    }

    /// Serves page, provider API, ledger and control API until `shutdown`.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(&self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        let router = Router::new()
            .merge(provider::router())
            .merge(control::router())
            .merge(stream::router(shutdown.clone()))
            .merge(page::router())
            .fallback(reply::not_found)
            .method_not_allowed_fallback(reply::method_not_allowed)
            .with_state(self.clone())
            .into_make_service_with_connect_info::<Knife>();
        axum::serve(CuttableListener(listener), router).with_graceful_shutdown(shutdown.cancelled_owned()).await
    }

    /// Registers the metrics.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// The faults that strike here and now.
    fn strike(&self, route: Route, moment: Moment, numbers: [&str; 2]) -> Vec<(u64, Action)> {
        let struck = self.faults.lock().strike(route, moment, numbers);
        if !struck.is_empty() {
            self.show_faults();
        }
        struck
    }

    /// Lets everyone look again who waits for something.
    fn wake(&self) {
        self.woken.send_replace(());
    }

    /// Waits until something is so. It must be [woken](Self::wake) when it may have become so.
    async fn until(&self, is_so: impl Fn() -> bool) {
        let mut woken = self.woken.subscribe();
        while !is_so() && woken.changed().await.is_ok() {}
    }
}

/// Calls webhooks.
fn client() -> io::Result<reqwest::Client> {
    let builder = http_client::to_the_world(None).map_err(io::Error::other)?;
    builder.user_agent(concat!("aldis-simulator/", env!("CARGO_PKG_VERSION"))).build().map_err(io::Error::other)
}
