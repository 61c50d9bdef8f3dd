//! The operator as a process against an API server, with stubs for the pods and a proxy that counts, and can end, its writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aldis::wire::{
    config::{ConfigHash, MAIN_DOCUMENT, issuers::Issuer},
    tokens::{Verifier, bearer},
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    config::{KubeConfigOptions, Kubeconfig},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{process::Role, testbed::Cluster};

/// What the pods of one test say when the operator asks them.
#[derive(Clone)]
pub struct Stub {
    client: Client,
    said: Arc<Mutex<Said>>,
    /// Where it listens.
    pub address: SocketAddr,
}

#[derive(Default)]
struct Said {
    /// Merged over what a healthy pod says, by Service name and namespace (`smsc-sim.demo`).
    overlays: BTreeMap<String, Value>,
    silent: Vec<String>,
    /// Where a pod really runs.
    real: BTreeMap<String, SocketAddr>,
    refused_tokens: u32,
    accepted_tokens: u32,
    /// Requests by Service name and namespace.
    asked: BTreeMap<String, u32>,
}

impl Stub {
    /// Answers for every Service: each pod has loaded the configuration that its ConfigMap holds.
    pub async fn start(client: Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Self { client, said: Arc::default(), address: listener.local_addr().unwrap() };
        let router = Router::new().fallback(answer).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stub
    }

    /// From now on the pod behind `service` (`smsc-sim.demo`) says this over what a healthy one says.
    pub fn say(&self, service: &str, overlay: Value) {
        self.said.lock().overlays.insert(service.into(), overlay);
    }

    /// From now on the pod behind `service` does not answer (or does again).
    pub fn silence(&self, service: &str, silent: bool) {
        let mut said = self.said.lock();
        said.silent.retain(|known| known != service);
        if silent {
            said.silent.push(service.into());
        }
    }

    /// From now on what is asked of `service` (`smsc-sim.demo`) goes to a process that listens there.
    pub fn lead(&self, service: &str, to: SocketAddr) {
        self.said.lock().real.insert(service.into(), to);
    }

    /// How often the pod behind `service` was asked.
    pub fn asked(&self, service: &str) -> u32 {
        self.said.lock().asked.get(service).copied().unwrap_or(0)
    }

    /// How many requests showed a good token, and how many did not.
    pub fn tokens(&self) -> (u32, u32) {
        let said = self.said.lock();
        (said.accepted_tokens, said.refused_tokens)
    }
}

async fn answer(State(stub): State<Stub>, uri: Uri, headers: HeaderMap) -> Response {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let service = host.trim_end_matches(".svc:8081").to_owned();
    let Some((name, namespace)) = service.split_once('.') else { return StatusCode::BAD_GATEWAY.into_response() };
    *stub.said.lock().asked.entry(service.clone()).or_default() += 1;
    if stub.said.lock().silent.contains(&service) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let real = stub.said.lock().real.get(&service).copied();
    if let Some(real) = real {
        return pass_on(real, &uri, &headers).await.unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response());
    }
    let api: Api<ConfigMap> = Api::namespaced(stub.client.clone(), namespace);
    let Ok(Some(map)) = api.get_opt(name).await else { return StatusCode::BAD_GATEWAY.into_response() };
    let text = map.data.unwrap_or_default().remove(MAIN_DOCUMENT).unwrap_or_default();
    let document: Value = serde_json::from_str(&text).unwrap();
    let issuers: Vec<Issuer> = serde_json::from_value(document["roleIssuers"].clone()).unwrap();
    let verifier = Verifier::new(&issuers).unwrap();
    let good = bearer(&headers).and_then(|token| verifier.verify(token));
    if !good.is_ok_and(|identity| identity.user == document["operatorUser"].as_str().unwrap()) {
        stub.said.lock().refused_tokens += 1;
        return StatusCode::UNAUTHORIZED.into_response();
    }
    stub.said.lock().accepted_tokens += 1;
    let mut said = if name.starts_with("smsc-") { gateway() } else { engine(&document) };
    said["config"] = json!({"hash": ConfigHash::of(text.as_bytes())});
    if let Some(overlay) = stub.said.lock().overlays.get(&service) {
        merge(&mut said, overlay);
    }
    axum::Json(said).into_response()
}

async fn pass_on(to: SocketAddr, uri: &Uri, headers: &HeaderMap) -> reqwest::Result<Response> {
    let token = bearer(headers).unwrap_or_default();
    let answer = reqwest::Client::new().get(format!("http://{to}{uri}")).bearer_auth(token).send().await?;
    let status = answer.status();
    Ok((status, answer.bytes().await?).into_response())
}

/// Numbers +15551230001 to +15551230008, all well.
fn gateway() -> Value {
    let numbers: Vec<Value> = (1..=8)
        .map(|last| {
            json!({"number": format!("+1555123000{last}"), "atProvider": true, "smsCapable": true,
                   "webhook": {"state": "InSync"}})
        })
        .collect();
    json!({
        "version": "0.1.0", "credentials": {"state": "Valid", "checkedAt": "2026-01-01T00:00:00Z"},
        "provider": {"state": "Answers", "checkedAt": "2026-01-01T00:00:00Z"},
        "numbersListedAt": "2026-01-01T00:00:00Z", "numbers": numbers, "sampledAt": "2026-01-01T00:00:00Z",
        "spool": {"waiting": 0, "unrouted": 0, "oldestWaitSeconds": 0},
    })
}

fn engine(document: &Value) -> Value {
    json!({
        "version": "0.1.0", "inHours": true, "sampledAt": "2026-01-01T00:00:00Z",
        "queue": {"waiting": 0, "oldestWaitSeconds": 0, "withBot": 0, "active": 0, "waitingBeyondTarget": 0, "maxQueued": 0},
        "agents": {"online": 0, "available": 0},
        "store": {"id": format!("store-{}", document["channel"]["name"].as_str().unwrap()), "commits": 7,
                  "number": document["number"], "account": document["gateway"]["account"], "accepted": true},
        "serviceLevel": {"answered": 0, "answeredInTarget": 0, "abandoned": 0, "abandonedInTarget": 0, "unanswered": 0},
        "outbox": {"waiting": 0, "inFlight": 0, "unknown": 0},
    })
}

fn merge(value: &mut Value, overlay: &Value) {
    match (value, overlay) {
        (Value::Object(value), Value::Object(overlay)) => {
            for (key, overlay) in overlay {
                merge(value.entry(key.clone()).or_insert(Value::Null), overlay);
            }
        }
        (value, overlay) => *value = overlay.clone(),
    }
}

/// A request that wrote, and what the API server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// HTTP status.
    pub status: u16,
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
    let upstream = Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    let answer = match proxy.client.send(upstream).await {
        Ok(answer) => answer,
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    if number.is_some() {
        let write = Write { method: method.to_string(), path, status: answer.status().as_u16() };
        proxy.state.lock().writes.push(write);
    }
    if killed_now {
        proxy.end_operator();
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let (parts, body) = answer.into_parts();
    Response::from_parts(parts, Body::new(body))
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
    pub async fn start_as_itself(cluster: &Cluster, watched: &[&str]) -> Self {
        let mut config = cluster.client_config().await;
        config.auth_info.impersonate = Some(ACCOUNT.to_owned());
        let client = Client::try_from(config).unwrap();
        Self::start_in(cluster, "aldis-system".into(), client, watched, Flags::default(), "test").await
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
            "--image=aldis:test".to_owned(),
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
