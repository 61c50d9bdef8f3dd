//! One stub that answers for the pods of all gateways and engines when the operator asks for their status, with answers that are ready.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use aldis::wire::config::{ConfigHash, MAIN_DOCUMENT};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::support::healthy;

/// Name of its threads, by which their processor time is known.
pub const THREADS: &str = "pods";

/// All pods.
#[derive(Clone)]
pub struct Pods {
    shared: Arc<Shared>,
    /// Where they listen, all at the same place: the `Host` of a request says who is meant (`sms-line.demo.svc:8081`).
    pub address: SocketAddr,
}

struct Shared {
    pods: Mutex<HashMap<String, Pod>>,
    runtime: Mutex<Option<Runtime>>,
}

#[derive(Default)]
struct Pod {
    /// Said over what a healthy pod says.
    overlay: Value,
    document: Option<Document>,
    /// Of a gateway: what went through, by number.
    traffic: BTreeMap<String, u64>,
    answer: Bytes,
    is_silent: bool,
    /// Commits that it has made: one for each answer, when it is kept busy.
    commits: Option<u64>,
    asked: Vec<Instant>,
}

/// The configuration that a pod has loaded.
#[derive(Clone)]
struct Document {
    hash: String,
    content: Arc<Value>,
    since: Instant,
}

impl Pods {
    /// Starts the stub. No pod runs until its configuration is loaded.
    pub fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name(THREADS).enable_all().build();
        let runtime = runtime.expect("threads");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { pods: Mutex::default(), runtime: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::downgrade(&shared));
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            axum::serve(listener, router).await
        });
        *shared.runtime.lock() = Some(runtime);
        Self { shared, address }
    }

    /// The pod behind `service` (`sms-line.demo`) loads what its ConfigMap holds.
    pub fn load(&self, service: &str, data: &Value) {
        let Some(text) = data[MAIN_DOCUMENT].as_str() else { return };
        let hash = ConfigHash::of(text.as_bytes()).to_string();
        let mut pods = self.shared.pods.lock();
        let pod = pods.entry(service.to_owned()).or_default();
        if pod.document.as_ref().is_some_and(|loaded| loaded.hash == hash) {
            return;
        }
        let content = Arc::new(serde_json::from_str(text).expect("a document"));
        pod.document = Some(Document { hash, content, since: Instant::now() });
        pod.prepare(service);
    }

    /// From now on the pod behind `service` says this over what a healthy one says.
    pub fn say(&self, service: &str, overlay: Value) {
        let mut pods = self.shared.pods.lock();
        let pod = pods.entry(service.to_owned()).or_default();
        pod.overlay = overlay;
        pod.prepare(service);
    }

    /// Something went through the gateway behind `service` for this number.
    pub fn carry(&self, service: &str, number: &str) {
        let mut pods = self.shared.pods.lock();
        let pod = pods.entry(service.to_owned()).or_default();
        *pod.traffic.entry(number.to_owned()).or_default() += 1;
        pod.prepare(service);
    }

    /// From now on the engine behind `service` has an interaction under way, and has committed something whenever it is asked.
    pub fn keep_busy(&self, service: &str) {
        let mut pods = self.shared.pods.lock();
        let pod = pods.entry(service.to_owned()).or_default();
        pod.overlay = json!({"queue": {"active": 1}});
        pod.commits = Some(1000);
        pod.prepare(service);
    }

    /// From now on the pod behind `service` takes connections and never answers.
    pub fn silence(&self, service: &str) {
        self.shared.pods.lock().entry(service.to_owned()).or_default().is_silent = true;
    }

    /// What the pod behind `service` has loaded, and since when.
    pub fn loaded(&self, service: &str) -> Option<(Arc<Value>, Instant)> {
        let pods = self.shared.pods.lock();
        pods.get(service)?.document.as_ref().map(|document| (document.content.clone(), document.since))
    }

    /// Forgets who was asked when.
    pub fn forget_asked(&self) {
        self.shared.pods.lock().values_mut().for_each(|pod| pod.asked.clear());
    }

    /// How many pods were asked since, at least once.
    pub fn asked(&self) -> usize {
        self.shared.pods.lock().values().filter(|pod| !pod.asked.is_empty()).count()
    }

    /// How often the pods were asked since.
    pub fn questions(&self) -> usize {
        self.shared.pods.lock().values().map(|pod| pod.asked.len()).sum()
    }

    /// Seconds between two questions, of all engines that are busy. A last one that has not come yet counts as long as it has lasted.
    pub fn intervals(&self) -> Vec<f64> {
        let now = Instant::now();
        let pods = self.shared.pods.lock();
        let busy = pods.values().filter(|pod| pod.commits.is_some());
        let intervals = busy.flat_map(|pod| {
            let asked = pod.asked.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64());
            let open = pod.asked.last().map(|last| (now - *last).as_secs_f64()).filter(|open| *open > 6.0);
            asked.chain(open).collect::<Vec<_>>()
        });
        intervals.collect()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}

impl Pod {
    /// Makes the answer.
    fn prepare(&mut self, service: &str) {
        let Some(document) = &self.document else { return };
        let is_gateway = service.starts_with("smsc-");
        let mut said = if is_gateway { healthy::gateway(Vec::new()) } else { healthy::engine(&document.content) };
        said["config"] = json!({ "hash": document.hash });
        if is_gateway {
            said["traffic"] = json!(self.traffic);
        }
        if !self.overlay.is_null() {
            healthy::merge(&mut said, &self.overlay);
        }
        if let Some(commits) = self.commits {
            said["store"]["commits"] = json!(commits);
        }
        self.answer = said.to_string().into();
    }
}

async fn answer(State(shared): State<std::sync::Weak<Shared>>, headers: HeaderMap) -> Response {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let service = host.split_once(".svc").map_or(host, |(service, _)| service);
    let Some(shared) = shared.upgrade() else { return StatusCode::BAD_GATEWAY.into_response() };
    let said = {
        let mut pods = shared.pods.lock();
        pods.get_mut(service).map(|pod| {
            pod.asked.push(Instant::now());
            let said = (pod.is_silent, pod.answer.clone());
            if let Some(commits) = &mut pod.commits {
                *commits += 1;
                pod.prepare(service);
            }
            said
        })
    };
    drop(shared);
    match said {
        Some((true, _)) => std::future::pending().await,
        Some((false, answer)) if !answer.is_empty() => ([("content-type", "application/json")], answer).into_response(),
        _ => StatusCode::BAD_GATEWAY.into_response(),
    }
}
