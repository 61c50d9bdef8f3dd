//! The operator as a process against an API server, with [stubs](Stub) for the pods and a proxy that counts, and can end, its writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use kube::{
    Client,
    config::{KubeConfigOptions, Kubeconfig},
};
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;

use super::{process::Role, stub::Stub, testbed::Cluster};

/// A request that wrote, and what the API server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// HTTP status.
    pub status: u16,
    /// What was written, for a status: the conditions that are not True.
    pub untrue: Vec<String>,
}

/// When the operator is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// Before its write of this number (from 1) reaches the API server.
    Before(usize),
    /// After it did, before the answer comes back.
    After(usize),
}

/// Between the operator and the API server: counts the operator's writes and ends it at one of them.
#[derive(Clone)]
pub struct Proxy {
    client: Client,
    state: Arc<Mutex<Watched>>,
    /// A kubeconfig that leads here.
    pub kubeconfig: PathBuf,
}

#[derive(Default)]
struct Watched {
    begun: usize,
    reads: BTreeSet<String>,
    writes: Vec<Write>,
    kill: Option<Kill>,
    pid: Option<u32>,
    killed: bool,
}

impl Proxy {
    /// A proxy that speaks to the API server as an administrator. Its kubeconfig lies in `folder`.
    pub async fn start(client: Client, folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kubeconfig = folder.join("kubeconfig");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{}", listener.local_addr().unwrap())}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "users": [{"name": "proxy", "user": {}}],
        });
        std::fs::write(&kubeconfig, text.to_string()).unwrap();
        let proxy = Self { client, state: Arc::default(), kubeconfig };
        let router = Router::new().fallback(forward).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        proxy
    }

    /// A client that goes through here.
    pub async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// Ends the operator at one of its writes.
    pub fn kill_at(&self, kill: Kill) {
        self.state.lock().kill = Some(kill);
    }

    /// Whether it did.
    pub fn has_killed(&self) -> bool {
        self.state.lock().killed
    }

    /// What was read or watched so far: paths with their queries.
    pub fn reads(&self) -> BTreeSet<String> {
        self.state.lock().reads.clone()
    }

    /// The writes so far.
    pub fn writes(&self) -> Vec<Write> {
        self.state.lock().writes.clone()
    }

    /// Objects made and deleted so far, by path with what is of one test only taken out.
    pub fn made_and_deleted(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for write in self.writes() {
            let what = match (write.method.as_str(), write.status) {
                ("POST" | "PATCH", 201) => "made",
                ("DELETE", 200 | 202) => "deleted",
                _ => continue,
            };
            *counts.entry(format!("{what} {}", write.path)).or_default() += 1;
        }
        counts
    }

    fn end_operator(&self) {
        let pid = self.state.lock().pid;
        if let Some(pid) = pid {
            drop(std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status());
        }
        self.state.lock().killed = true;
    }
}

/// Leader lease, Events and tokens are no work of a reconcile.
fn is_work(method: &Method, path: &str) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
        && !path.contains("/leases/aldis-operator")
        && !path.contains("/events")
        && !path.ends_with("/token")
}

/// What a process had sent before it died still arrives, so a request goes on when its connection is gone.
async fn forward(State(proxy): State<Proxy>, request: Request) -> Response {
    let passed = tokio::spawn(pass(proxy, request)).await;
    passed.unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
}

async fn pass(proxy: Proxy, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if method == Method::GET {
        proxy.state.lock().reads.insert(request.uri().to_string());
    }
    let leader = method == Method::POST && path.ends_with("/leases");
    let (mut parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let leader = leader && body.windows(16).any(|window| window == b"\"aldis-operator\"");
    let number = (is_work(&method, &path) && !leader).then(|| {
        let mut state = proxy.state.lock();
        state.begun += 1;
        state.begun
    });
    let kill = proxy.state.lock().kill;
    let is_killed_now = |kill: Option<Kill>, number: Option<usize>| {
        number.is_some()
            && kill.is_some_and(|kill| match kill {
                Kill::Before(at) | Kill::After(at) => Some(at) == number,
            })
    };
    let killed_now = is_killed_now(kill, number);
    if killed_now && matches!(kill, Some(Kill::Before(_))) {
        proxy.end_operator();
        return StatusCode::BAD_GATEWAY.into_response();
    }
    parts.headers.remove("host");
    parts.headers.remove("authorization");
    parts.headers.remove("accept-encoding");
    let untrue = untrue(&body);
    let upstream = Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    let answer = match proxy.client.send(upstream).await {
        Ok(answer) => answer,
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    if number.is_some() {
        let write = Write { method: method.to_string(), path, status: answer.status().as_u16(), untrue };
        proxy.state.lock().writes.push(write);
    }
    if killed_now {
        proxy.end_operator();
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let (parts, body) = answer.into_parts();
    Response::from_parts(parts, Body::new(body))
}

/// The conditions in a written status that are not True, with their reasons and messages.
fn untrue(body: &[u8]) -> Vec<String> {
    let object: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .filter(|condition| condition["status"] != "True")
        .map(|condition| format!("{} {} {}", condition["type"], condition["reason"], condition["message"]))
        .collect()
}

/// The operator's account in the default installation.
pub const ACCOUNT: &str = "system:serviceaccount:aldis-system:aldis-operator";

/// An operator of its own for one test: it looks after the test's namespaces only.
pub struct Operator {
    /// Its namespace: leader lease and claims.
    pub namespace: String,
    /// What pods say.
    pub stub: Stub,
    /// What it writes.
    pub proxy: Proxy,
    /// Port of its metrics.
    pub admin: SocketAddr,
    role: Role,
    _folder: tempfile::TempDir,
}

/// Flags that a test changes.
#[derive(Clone, Debug)]
pub struct Flags {
    /// Image of gateways and engines.
    pub image: String,
    /// Seconds between samples in status.
    pub sample_interval: u64,
    /// Seconds between two readings of a pod's status.
    pub scrape_interval: u64,
    /// Seconds that a channel may be on its way before status says so.
    pub progress_hold: u64,
    /// Seconds that a channel drains.
    pub drain: u64,
    /// Further base URLs that connectors may use.
    pub base_urls: Vec<String>,
    /// Further arguments.
    pub more: Vec<String>,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            image: "aldis:test".into(),
            sample_interval: 2,
            scrape_interval: 1,
            progress_hold: 1,
            drain: 60,
            base_urls: Vec::new(),
            more: Vec::new(),
        }
    }
}

impl Operator {
    /// Starts an operator that looks after `watched`, or all if none is named, with stubs for its pods.
    pub async fn start(cluster: &Cluster, watched: &[&str], flags: Flags) -> Self {
        let namespace = cluster.namespace("aldis-system");
        cluster.kubectl(&["create", "serviceaccount", "aldis-operator", "-n", &namespace]).ok();
        let client = cluster.client().await;
        Self::start_in(cluster, namespace, client, watched, flags, "test").await
    }

    /// Starts another replica of this operator.
    pub async fn start_beside(&self, cluster: &Cluster, watched: &[&str]) -> Self {
        let client = cluster.client().await;
        Self::start_in(cluster, self.namespace.clone(), client, watched, Flags::default(), "beside").await
    }

    /// As [`Operator::start`] in the namespace of the default installation, under the operator's own account with nothing but its
    /// own rights.
    pub async fn start_as_itself(cluster: &Cluster, watched: &[&str], flags: Flags) -> Self {
        let mut config = cluster.client_config().await;
        config.auth_info.impersonate = Some(ACCOUNT.to_owned());
        let client = Client::try_from(config).unwrap();
        Self::start_in(cluster, "aldis-system".into(), client, watched, flags, "test").await
    }

    async fn start_in(
        cluster: &Cluster,
        namespace: String,
        client: Client,
        watched: &[&str],
        flags: Flags,
        identity: &str,
    ) -> Self {
        super::kinds::install(cluster);
        let folder = tempfile::tempdir().unwrap();
        let stub = Stub::start(cluster.client().await).await;
        let proxy = Proxy::start(client, folder.path()).await;
        let admin = SocketAddr::new(super::process::address(), 9090);
        let mut arguments = vec![
            "operator".to_owned(),
            format!("--kubeconfig={}", proxy.kubeconfig.display()),
            format!("--image={}", flags.image),
            format!("--namespace={namespace}"),
            format!("--identity={identity}"),
            "--service-account=aldis-operator".to_owned(),
            format!("--allow-base-urls=http://simulator.test:8090,{}", flags.base_urls.join(",")),
            format!("--sample-interval-seconds={}", flags.sample_interval),
            format!("--scrape-interval-seconds={}", flags.scrape_interval),
            format!("--progress-hold-seconds={}", flags.progress_hold),
            "--lease-duration-seconds=6".to_owned(),
            "--condition-hold-seconds=1".to_owned(),
            format!("--drain-seconds={}", flags.drain),
            format!("--admin-address={admin}"),
            format!("--resolve-services-to={}", stub.address),
        ];
        arguments.extend(flags.more);
        if !watched.is_empty() {
            arguments.push(format!("--watch-namespaces={}", watched.join(",")));
        }
        let role = Role::start(arguments, &folder.path().join("operator.log"));
        proxy.state.lock().pid = role.pid();
        Self { namespace, stub, proxy, admin, role, _folder: folder }
    }

    /// Stops it where it stands (`STOP`), or lets it go on as if no time had passed (`CONT`).
    pub fn signal(&self, name: &str) {
        let pid = self.role.pid().expect("it runs").to_string();
        let signal = format!("-{name}");
        assert!(std::process::Command::new("kill").args([&signal, &pid]).status().unwrap().success());
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.role.kill();
    }

    /// Starts it again after it was ended by the proxy.
    pub fn start_again(&mut self) {
        self.role.kill();
        self.proxy.state.lock().kill = None;
        self.role.start_again();
        self.proxy.state.lock().pid = self.role.pid();
    }

    /// Ends it in good order and starts it again.
    pub fn restart(&mut self) {
        assert!(self.role.terminate(), "the operator ends well");
        self.role.start_again();
        self.proxy.state.lock().pid = self.role.pid();
    }

    /// Ends it for good. The proxy goes on.
    pub fn stop(&mut self) {
        assert!(self.role.terminate(), "the operator ends well");
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.role.pid().expect("it runs")
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.role.is_running()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.role.log()
    }

    /// The sum of a metric over all its labels that hold `label`.
    pub async fn metric(&self, name: &str, label: &str) -> f64 {
        let Ok(answer) = reqwest::get(format!("http://{}/metrics", self.admin)).await else { return 0.0 };
        let text = answer.text().await.unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

/// Waits until nothing of `ask` has changed for a while.
pub async fn settled<T: PartialEq, F: Future<Output = T>>(mut ask: impl FnMut() -> F) -> T {
    let begun = std::time::Instant::now();
    let mut last = ask().await;
    let mut same = 0;
    while same < 15 {
        assert!(begun.elapsed() < super::process::PATIENCE, "it does not come to rest");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let next = ask().await;
        same = if next == last { same + 1 } else { 0 };
        last = next;
    }
    last
}
