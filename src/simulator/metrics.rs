//! The simulator's metrics.

use super::fault::Route;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    /// The HTTP status, or `none`.
    status: String,
}

impl Answered {
    fn new(route: Route, status: Option<u16>) -> Self {
        Self { route: format!("{route:?}"), status: status.map_or_else(|| "none".into(), |status| status.to_string()) }
    }
}

/// Counters. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    api_requests: Family<Answered, Counter>,
    webhook_tries: Family<Answered, Counter>,
    customer_messages: Counter,
}

impl Metrics {
    pub(super) fn api_request(&self, route: Route, status: Option<u16>) {
        self.api_requests.get_or_create(&Answered::new(route, status)).inc();
    }

    pub(super) fn webhook_try(&self, route: Route, status: Option<u16>) {
        self.webhook_tries.get_or_create(&Answered::new(route, status)).inc();
    }

    pub(super) fn customer_message(&self) {
        self.customer_messages.inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("aldis_simulator");
        registry.register("api_requests", "Requests to the provider API by answer", self.api_requests.clone());
        registry.register("webhook_tries", "Webhooks posted, retries included, by answer", self.webhook_tries.clone());
        registry.register("customer_messages", "Messages that customers wrote", self.customer_messages.clone());
    }
}
