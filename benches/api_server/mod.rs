//! An API server that is simulated, for as many objects as no real one takes on two cores: lists by page, watches with bookmarks, and the
//! operator's writes, over objects in memory that are ready to be sent. No authentication, no admission, no schemas, no disk, no TLS.

mod cluster;
mod http;
mod object;
mod query;
mod store;
mod write;

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime, sync::Notify};

pub use self::{cluster::Condition, object::Key};
use self::{
    cluster::{Cluster, Writer},
    write::Refused,
};
use crate::pods::Pods;

/// Name of its threads, by which their processor time is known.
pub const THREADS: &str = "api-server";

/// A running server. It ends when it is dropped.
pub struct ApiServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

struct Shared {
    cluster: Mutex<Cluster>,
    requests: Mutex<BTreeMap<Request, u64>>,
    changed: Notify,
}

/// What is counted: verb and kind, `apply v1/configmaps`.
pub type Request = (&'static str, String);

impl ApiServer {
    /// Starts one without objects.
    pub fn start(pods: Pods) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name(THREADS).enable_all().build();
        let runtime = runtime.expect("threads");
        let shared =
            Shared { cluster: Mutex::new(Cluster::new(pods)), requests: Mutex::default(), changed: Notify::new() };
        let shared = Arc::new(shared);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let router = http::router(shared.clone());
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            axum::serve(listener, router).await
        });
        Self { shared, address, runtime: Some(runtime) }
    }

    /// Writes a kubeconfig that leads here.
    pub fn write_kubeconfig(&self, to: &Path) {
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "simulated",
            "clusters": [{"name": "simulated", "cluster": {"server": format!("http://{}", self.address)}}],
            "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": "simulated"}}],
            "users": [{"name": "simulated", "user": {}}],
        });
        std::fs::write(to, text.to_string()).expect("a kubeconfig");
    }

    /// Makes an object, as a person does. `kind` is its path: `aldis.dev/v1alpha1/campaigns`.
    pub fn create(&self, kind: &str, namespace: &str, object: Value) {
        let mut cluster = self.shared.cluster.lock();
        let made = cluster.create(kind, namespace, object, PERSON);
        made.unwrap_or_else(|Refused(_, _, message)| panic!("{message}"));
        drop(cluster);
        self.shared.changed.notify_waiters();
    }

    /// Changes the spec of an object, as a person does; gives its new generation.
    pub fn change(&self, kind: &str, key: &Key, change: impl FnOnce(&mut Value)) -> i64 {
        let mut cluster = self.shared.cluster.lock();
        let old = cluster.store.get(kind, key).expect("it is there").value();
        let mut new = old.clone();
        change(&mut new["spec"]);
        let written = json!({"apiVersion": new["apiVersion"], "spec": new["spec"]});
        let object = cluster.update(kind, key, old, new, &written, PERSON);
        drop(cluster);
        self.shared.changed.notify_waiters();
        object.value()["metadata"]["generation"].as_i64().unwrap_or(0)
    }

    /// How many objects of a kind have a condition that is True.
    pub fn count_true(&self, kind: &str, condition: &str) -> usize {
        self.shared.cluster.lock().count_true(kind, condition)
    }

    /// A condition as it stands.
    pub fn condition(&self, kind: &str, key: &Key, condition: &str) -> Option<Condition> {
        self.shared.cluster.lock().condition(kind, key, condition).cloned()
    }

    /// Requests so far.
    pub fn requests(&self) -> BTreeMap<Request, u64> {
        self.shared.requests.lock().clone()
    }

    /// The writes so far, but for the leader lease, tokens and Events.
    pub fn writes(&self) -> u64 {
        let requests = self.shared.requests.lock();
        let is_write = |(verb, kind): &Request| {
            matches!(*verb, "create" | "apply" | "patch" | "replace" | "delete")
                && !kind.contains("events")
                && !kind.ends_with("/token")
        };
        requests.iter().filter(|(request, _)| is_write(request)).map(|(_, count)| count).sum()
    }

    /// Waits until something holds, and asks for it after each write.
    pub async fn until<T>(&self, mut holds: impl FnMut() -> Option<T>) -> T {
        loop {
            let changed = self.shared.changed.notified();
            if let Some(found) = holds() {
                return found;
            }
            changed.await;
        }
    }
}

const PERSON: Writer<'static> = Writer { manager: "kubectl", operation: "Apply" };

impl Drop for ApiServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
