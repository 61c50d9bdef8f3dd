//! A cluster with Aldis on it, from the chart, as a platform team installs it: one for all tests of this binary, or one of one's own.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use crate::support::testbed::Cluster;

/// Where the operator runs.
pub(crate) const OPERATOR_NAMESPACE: &str = "aldis-system";
/// The Service that bots of a test's namespace may call, at port 8090.
pub(crate) const BOTS_SERVICE: &str = "orders";
/// How many namespaces tests may have whose simulator the operator allows.
const NAMESPACES: usize = 24;

/// Aldis on a cluster.
pub(crate) struct Installed {
    /// The cluster.
    pub(crate) cluster: Arc<Cluster>,
    /// The name of the image.
    pub(crate) image: String,
    names: Vec<String>,
    next: AtomicUsize,
}

/// Aldis on the shared cluster, installed by the first who asks.
pub(crate) fn installed() -> Arc<Installed> {
    static INSTALLED: LazyLock<Arc<Installed>> = LazyLock::new(|| Installed::on(Cluster::node()));
    Arc::clone(&INSTALLED)
}

impl Installed {
    /// Installs Aldis in a namespace that takes restricted pods only.
    pub(crate) fn on(cluster: Arc<Cluster>) -> Arc<Self> {
        let image = cluster.aldis_image();
        // Of one length, so that none is part of another.
        let names = (0..NAMESPACES).map(|number| format!("desk-{}-{number:02}", std::process::id())).collect();
        let installed = Arc::new(Self { cluster, image, names, next: AtomicUsize::new(0) });
        installed.make_namespace(OPERATOR_NAMESPACE);
        installed.helm(&["upgrade", "--install"], &[]);
        installed
    }

    /// `helm install` or `helm upgrade` with the values of the tests, and further ones; returns when the operator is ready.
    pub(crate) fn helm(&self, command: &[&str], further: &[&str]) {
        let of_each = |service: &str| {
            let urls: Vec<String> = self.names.iter().map(|name| format!("http://{service}.{name}:8090")).collect();
            urls.join(",")
        };
        let simulators = of_each("aldis-simulator");
        let (repository, tag) = self.image.rsplit_once(':').expect("an image with a tag");
        let values = [
            format!("image.repository={repository}"),
            format!("image.tag={tag}"),
            format!("allowBaseUrls={{{simulators}}}"),
            // What answers there as Twilio stands for Twilio itself.
            format!("providerBaseUrls={{{simulators}}}"),
            format!("allowBotUrls={{{}}}", of_each(BOTS_SERVICE)),
            "sampleIntervalSeconds=2".into(),
            "scrapeIntervalSeconds=1".into(),
            "leaseDurationSeconds=3".into(),
        ];
        let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/aldis");
        let release = ["aldis", chart, "--namespace", OPERATOR_NAMESPACE, "--wait", "--timeout=5m"];
        let mut arguments = [command, &release].concat();
        arguments.extend(
            values.iter().map(String::as_str).chain(further.iter().copied()).flat_map(|value| ["--set", value]),
        );
        let said = self.cluster.helm(&arguments);
        if !said.success {
            show(&self.cluster, OPERATOR_NAMESPACE);
        }
        said.ok();
    }

    /// Creates a namespace under Pod Security "restricted", unless it is there.
    fn make_namespace(&self, name: &str) {
        let restricted = "{pod-security.kubernetes.io/enforce: restricted}";
        let manifest = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {restricted}}}}}");
        self.cluster.apply(&manifest).ok();
    }

    /// A new namespace under Pod Security "restricted", whose simulator connectors may name: `http://aldis-simulator.NAMESPACE:8090`.
    pub(crate) fn namespace(&self) -> String {
        let name = self.names.get(self.next.fetch_add(1, Ordering::Relaxed)).expect("NAMESPACES are enough").clone();
        self.make_namespace(&name);
        name
    }

    /// Waits until objects are Ready; says what stands in their way when they do not become so.
    pub(crate) fn wait_until_ready(&self, namespace: &str, objects: &[&str]) {
        let mut arguments = vec!["wait", "-n", namespace, "--for=condition=Ready", "--timeout=300s"];
        arguments.extend(objects);
        let waited = self.cluster.kubectl(&arguments);
        if !waited.success {
            show(&self.cluster, namespace);
            show(&self.cluster, OPERATOR_NAMESPACE);
        }
        waited.ok();
    }
}

/// Prints what a person would look at.
fn show(cluster: &Cluster, namespace: &str) {
    for what in [
        &["get", "aldis,pods", "-n", namespace, "-o", "yaml"][..],
        &["get", "events", "-n", namespace],
        &["logs", "-n", namespace, "--all-pods", "-l", "app.kubernetes.io/name=aldis", "--prefix", "--tail=60"],
    ] {
        let said = cluster.kubectl(what);
        eprintln!("--- kubectl {}\n{}{}", what.join(" "), said.stdout, said.stderr);
    }
}
