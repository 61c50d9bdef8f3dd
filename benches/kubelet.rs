//! What the kubelet alone needs until a changed ConfigMap is a changed file: nudged by hand, and left alone.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{figure::Figure, support::testbed::Cluster};

/// Longest that a kubelet left alone is waited for: twice its longest pause.
const LONGEST: Duration = Duration::from_secs(180);
/// Nudged in vain, it is nudged again, as the operator does.
const AGAIN: Duration = Duration::from_secs(2);
/// Changes are spread over this, for the kubelet not to find them all together.
const SPREAD: Duration = Duration::from_secs(30);

/// A pod that does nothing, with a ConfigMap of its own name as a volume.
struct Bare {
    name: String,
    /// The file as the pod sees it, on the host.
    file: PathBuf,
}

/// A pod that is nudged.
pub struct Nudged {
    cluster: Arc<Cluster>,
    namespace: String,
    pod: Bare,
    pods: Api<Pod>,
}

/// Pods whose ConfigMaps change, and nothing else.
pub struct LeftAlone(JoinSet<Duration>);

fn config_map(name: &str, value: u32) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value.to_string()}})
}

fn start(cluster: &Cluster, namespace: &str, names: &[String]) -> Vec<Bare> {
    let image = cluster.busybox_image();
    let pod = |name: &String| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": image, "command": ["sleep", "3600"],
                "volumeMounts": [{"name": "config", "mountPath": "/config"}]}],
            "volumes": [{"name": "config", "configMap": {"name": name}}],
        }})
    };
    let documents: Vec<Value> = names.iter().flat_map(|name| [config_map(name, 0), pod(name)]).collect();
    apply(cluster, namespace, &documents);
    let wait = ["wait", "-n", namespace, "--for=condition=Ready", "pod", "--all", "--timeout=120s"];
    cluster.kubectl(&wait).ok();
    let bare = |name: &String| {
        let pids = cluster.pids(namespace, name, "main");
        Bare { name: name.clone(), file: PathBuf::from(format!("/proc/{}/root/config/value", pids[0])) }
    };
    names.iter().map(bare).collect()
}

fn apply(cluster: &Cluster, namespace: &str, documents: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": documents});
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), list.to_string()).expect("a file");
    cluster.kubectl(&["apply", "-n", namespace, "-f", file.path().to_str().expect("a readable path")]).ok();
}

fn reads(file: &Path, value: u32) -> bool {
    std::fs::read_to_string(file).expect("the pod runs") == value.to_string()
}

impl Nudged {
    /// Starts the pod.
    pub async fn new(cluster: Arc<Cluster>) -> Self {
        let namespace = cluster.namespace("nudged");
        let pod = start(&cluster, &namespace, &["nudged".to_owned()]).remove(0);
        let pods = Api::namespaced(cluster.client().await, &namespace);
        Self { cluster, namespace, pod, pods }
    }

    /// Applies another value with kubectl, nudges, and waits until the file has it.
    pub async fn change(&self, value: u32) -> Duration {
        let begun = Instant::now();
        let documents = [config_map(&self.pod.name, value)];
        tokio::task::block_in_place(|| apply(&self.cluster, &self.namespace, &documents));
        for nudge in 0.. {
            let patch = json!({"metadata": {"annotations": {"example.com/nudge": format!("{value}.{nudge}")}}});
            self.pods.patch(&self.pod.name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("a pod");
            let nudged = Instant::now();
            while nudged.elapsed() < AGAIN {
                if reads(&self.pod.file, value) {
                    return begun.elapsed();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(begun.elapsed() < LONGEST, "nudged in vain");
        }
        unreachable!("it is nudged without end")
    }
}

impl LeftAlone {
    /// Starts so many pods, changes the ConfigMap of each once, and waits in the background.
    pub async fn begin(cluster: &Cluster, count: usize) -> Self {
        let namespace = cluster.namespace("left-alone");
        let names: Vec<String> = (0..count).map(|nth| format!("pod-{nth}")).collect();
        let maps: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
        let mut waiting = JoinSet::new();
        for pod in start(cluster, &namespace, &names) {
            let maps = maps.clone();
            waiting.spawn(async move {
                tokio::time::sleep(SPREAD.mul_f64(fastrand::f64())).await;
                let begun = Instant::now();
                let patch = Patch::Merge(json!({"data": {"value": "1"}}));
                maps.patch(&pod.name, &PatchParams::default(), &patch).await.expect("a ConfigMap");
                while !reads(&pod.file, 1) {
                    assert!(begun.elapsed() < LONGEST, "the file does not change");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                begun.elapsed()
            });
        }
        Self(waiting)
    }

    /// Waits for the rest.
    pub async fn end(self) -> Figure {
        let mut figure = Figure::default();
        self.0.join_all().await.into_iter().for_each(|each| figure.add(each.as_secs_f64()));
        figure
    }
}
