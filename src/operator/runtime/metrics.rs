//! What the operator counts, under the names that users of controller-runtime have dashboards for.

use std::{collections::BTreeMap, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// Label of one controller.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ControllerLabel {
    pub controller: &'static str,
}

/// Label of a work queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct QueueLabel {
    /// Its name: the controller's.
    pub name: &'static str,
}

/// How many objects wait to be reconciled, by queue: counted when somebody asks, since what waits grows while every worker is busy.
pub(crate) struct QueueDepths<F>(pub F);

impl<F> std::fmt::Debug for QueueDepths<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QueueDepths")
    }
}

impl<F, const N: usize> Collector for QueueDepths<F>
where
    F: Fn() -> [(&'static str, usize); N] + Send + Sync + 'static,
{
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Objects that wait to be reconciled";
        let mut metric = encoder.encode_descriptor("workqueue_depth", help, None, MetricType::Gauge)?;
        for (name, depth) in self.0() {
            let depth = ConstGauge::new(i64::try_from(depth).unwrap_or(i64::MAX));
            depth.encode(metric.encode_family(&QueueLabel { name })?)?;
        }
        Ok(())
    }
}

/// Label of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct NamespaceLabel {
    pub namespace: String,
}

/// Pods that are being replaced in a roll-out and those that wait for it, by namespace: counted when somebody asks.
pub(crate) struct RolloutCounts<F>(pub F);

impl<F> std::fmt::Debug for RolloutCounts<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RolloutCounts")
    }
}

impl<F> Collector for RolloutCounts<F>
where
    F: Fn() -> (BTreeMap<String, usize>, BTreeMap<String, usize>) + Send + Sync + 'static,
{
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (under_way, waiting) = self.0();
        let metrics = [
            (
                "aldis_operator_rollouts_under_way",
                "Pods that a roll-out replaces and that are not ready again",
                under_way,
            ),
            ("aldis_operator_rollouts_waiting", "Connectors and channels whose pods wait for a roll-out", waiting),
        ];
        for (name, help, counts) in metrics {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (namespace, count) in counts {
                let count = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
                count.encode(metric.encode_family(&NamespaceLabel { namespace })?)?;
            }
        }
        Ok(())
    }
}

/// Labels of a finished reconcile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ResultLabels {
    /// The controller.
    pub controller: &'static str,
    /// `success`, `requeue_after`, `error`, `waiting` or `stalled`.
    pub result: &'static str,
}

/// Labels of a request to the API server that writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct WriteLabels {
    /// Kind of the object.
    pub kind: &'static str,
    /// `apply`, `create`, `replace`, `patch`, `delete`.
    pub verb: &'static str,
    /// HTTP status, or `error`.
    pub code: String,
}

/// Labels of a reading of a pod's status.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ScrapeLabels {
    /// `gateway` or `engine`.
    pub target: &'static str,
    /// `success` or `error`.
    pub result: &'static str,
}

/// Label of an issuer of agents' tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct IssuerLabel {
    /// As its tokens name it.
    pub issuer: String,
}

/// Labels of how many objects are in which state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ReadyLabels {
    /// Kind of the object.
    pub kind: &'static str,
    /// Status of `Ready`.
    pub ready: &'static str,
}

/// All metrics of the operator.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// Finished reconciles.
    pub reconciles: Family<ResultLabels, Counter>,
    /// Reconciles that ended with a passing fault.
    pub errors: Family<ControllerLabel, Counter>,
    /// Reconciles that wait for a person.
    pub terminal_errors: Family<ControllerLabel, Counter>,
    /// Reconciles that panicked.
    pub panics: Family<ControllerLabel, Counter>,
    /// Duration of reconciles.
    pub duration: Family<ControllerLabel, Histogram, fn() -> Histogram>,
    /// Reconciles allowed at a time.
    pub max_concurrent: Family<ControllerLabel, Gauge>,
    /// Reconciles that run now.
    pub active: Family<ControllerLabel, Gauge>,
    /// Retries after a passing fault.
    pub queue_retries: Family<QueueLabel, Counter>,
    /// Objects known, by kind.
    pub cached: Family<QueueLabel, Gauge>,
    /// Objects that cannot be read as a whole, by kind.
    pub unreadable: Family<QueueLabel, Gauge>,
    /// Watches that had to start again.
    pub watch_errors: Family<QueueLabel, Counter>,
    /// Requests that write.
    pub writes: Family<WriteLabels, Counter>,
    /// Readings of pods' status.
    pub scrapes: Family<ScrapeLabels, Counter>,
    /// Objects by readiness.
    pub ready: Family<ReadyLabels, Gauge>,
    /// 1 while an issuer of agents' tokens answers.
    pub issuer_reachable: Family<IssuerLabel, Gauge>,
    /// 1 on the leader.
    pub leader: Gauge,
}

impl Metrics {
    /// Registers all metrics.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let metrics = Self {
            reconciles: Family::default(),
            errors: Family::default(),
            terminal_errors: Family::default(),
            panics: Family::default(),
            duration: Family::new_with_constructor(histogram),
            max_concurrent: Family::default(),
            active: Family::default(),
            queue_retries: Family::default(),
            cached: Family::default(),
            unreadable: Family::default(),
            watch_errors: Family::default(),
            writes: Family::default(),
            scrapes: Family::default(),
            ready: Family::default(),
            issuer_reachable: Family::default(),
            leader: Gauge::default(),
        };
        metrics.register(registry);
        metrics
    }

    fn register(&self, registry: &mut Registry) {
        let controller = registry.sub_registry_with_prefix("controller_runtime");
        controller.register("reconcile", "Reconciles by controller and result", self.reconciles.clone());
        controller.register("reconcile_errors", "Reconciles that ended with a passing fault", self.errors.clone());
        controller.register(
            "terminal_reconcile_errors",
            "Reconciles that ended with a fault that a person must mend",
            self.terminal_errors.clone(),
        );
        controller.register("reconcile_panics", "Reconciles that panicked", self.panics.clone());
        controller.register("reconcile_time_seconds", "Duration of reconciles", self.duration.clone());
        controller.register("max_concurrent_reconciles", "Reconciles allowed at a time", self.max_concurrent.clone());
        controller.register("active_workers", "Reconciles that run now", self.active.clone());
        registry.register("workqueue_retries", "Retries after a passing fault", self.queue_retries.clone());
        registry.register("aldis_operator_cached_objects", "Objects known to the operator", self.cached.clone());
        registry.register(
            "aldis_operator_unreadable_objects",
            "Objects that this version cannot read as a whole; what was in force for them stays",
            self.unreadable.clone(),
        );
        registry.register("aldis_operator_watch_errors", "Watches that had to start again", self.watch_errors.clone());
        registry.register("aldis_operator_writes", "Requests to the API server that write", self.writes.clone());
        registry.register("aldis_operator_scrapes", "Readings of engines' and gateways' status", self.scrapes.clone());
        registry.register("aldis_operator_objects", "Objects by kind and readiness", self.ready.clone());
        registry.register(
            "aldis_operator_issuer_reachable",
            "1 while the keys of an issuer of agents' tokens can be fetched; while they cannot, the known ones stay",
            self.issuer_reachable.clone(),
        );
        registry.register("aldis_operator_leader", "1 on the replica that leads", self.leader.clone());
    }

    /// Counts a reconcile.
    pub(crate) fn reconciled(&self, controller: &'static str, result: &'static str, took: Duration) {
        self.reconciles.get_or_create(&ResultLabels { controller, result }).inc();
        let label = ControllerLabel { controller };
        self.duration.get_or_create(&label).observe(took.as_secs_f64());
        match result {
            "error" => {
                self.errors.get_or_create(&label).inc();
                self.queue_retries.get_or_create(&QueueLabel { name: controller }).inc();
            }
            "stalled" => {
                self.terminal_errors.get_or_create(&label).inc();
            }
            _ => {}
        }
    }

    /// Counts a request that writes.
    pub(crate) fn wrote<T>(&self, kind: &'static str, verb: &'static str, result: &Result<T, kube::Error>) {
        let code = match result {
            Ok(_) => "200".to_owned(),
            Err(kube::Error::Api(status)) => status.code.to_string(),
            Err(_) => "error".to_owned(),
        };
        self.writes.get_or_create(&WriteLabels { kind, verb, code }).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::operator::runtime::queue::Queue;

    #[test]
    fn the_depth_of_a_queue_is_that_of_now_though_no_worker_has_taken_anything() {
        let queue = Arc::new(Queue::default());
        let (counted, mut registry) = (queue.clone(), Registry::default());
        registry.register_collector(Box::new(QueueDepths(move || [("smschannel", counted.depth())])));
        let shown = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        assert!(shown().contains("workqueue_depth{name=\"smschannel\"} 0"), "{}", shown());
        queue.add("a");
        queue.add("b");
        assert!(shown().contains("workqueue_depth{name=\"smschannel\"} 2"), "{}", shown());
    }

    #[test]
    fn roll_outs_are_counted_by_namespace() {
        let mut registry = Registry::default();
        let counts = |namespace: &str, count| BTreeMap::from([(namespace.to_owned(), count)]);
        registry.register_collector(Box::new(RolloutCounts(move || (counts("shop", 5), counts("sales", 7)))));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "aldis_operator_rollouts_under_way{namespace=\"shop\"} 5",
            "aldis_operator_rollouts_waiting{namespace=\"sales\"} 7",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
