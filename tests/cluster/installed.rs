//! The shared cluster with Aldis on it: installed once for all tests of this binary, from the chart, as a platform team does.

use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use crate::support::testbed::Cluster;

/// How many namespaces tests may have whose simulator the operator allows.
const NAMESPACES: usize = 24;

/// Aldis on the shared cluster.
pub(crate) struct Installed {
    /// The cluster.
    pub(crate) cluster: &'static Cluster,
    /// The name of the image.
    pub(crate) image: String,
    names: Vec<String>,
    next: AtomicUsize,
}

/// Aldis on the shared cluster, installed by the first who asks.
pub(crate) fn installed() -> &'static Installed {
    static INSTALLED: LazyLock<Installed> = LazyLock::new(install);
    &INSTALLED
}

fn install() -> Installed {
    let cluster = Cluster::node();
    let image = cluster.aldis_image();
    let names: Vec<String> = (0..NAMESPACES).map(|number| format!("desk-{}-{number}", std::process::id())).collect();
    let simulators: Vec<String> = names.iter().map(|name| format!("http://aldis-simulator.{name}:8090")).collect();
    let (repository, tag) = image.rsplit_once(':').expect("an image with a tag");
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/aldis");
    let mut arguments =
        vec!["upgrade", "--install", "aldis", chart, "--namespace", "aldis-system", "--create-namespace"];
    arguments.extend(["--wait", "--timeout=5m"]);
    let values = [
        format!("image.repository={repository}"),
        format!("image.tag={tag}"),
        format!("allowBaseUrls={{{}}}", simulators.join(",")),
        "sampleIntervalSeconds=2".into(),
        "scrapeIntervalSeconds=1".into(),
        "leaseDurationSeconds=3".into(),
    ];
    arguments.extend(values.iter().flat_map(|value| ["--set", value.as_str()]));
    let said = cluster.helm(&arguments);
    if !said.success {
        show(cluster, "aldis-system");
    }
    said.ok();
    Installed { cluster, image, names, next: AtomicUsize::new(0) }
}

impl Installed {
    /// A new namespace under Pod Security "restricted", whose simulator connectors may name: `http://aldis-simulator.NAMESPACE:8090`.
    pub(crate) fn namespace(&self) -> String {
        let name = self.names.get(self.next.fetch_add(1, Ordering::Relaxed)).expect("NAMESPACES are enough").clone();
        self.cluster.kubectl(&["create", "namespace", &name]).ok();
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        self.cluster.kubectl(&["label", "namespace", &name, restricted]).ok();
        name
    }

    /// Waits until objects are Ready; says what stands in their way when they do not become so.
    pub(crate) fn wait_until_ready(&self, namespace: &str, objects: &[&str]) {
        let mut arguments = vec!["wait", "-n", namespace, "--for=condition=Ready", "--timeout=300s"];
        arguments.extend(objects);
        let waited = self.cluster.kubectl(&arguments);
        if !waited.success {
            show(self.cluster, namespace);
            show(self.cluster, "aldis-system");
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
