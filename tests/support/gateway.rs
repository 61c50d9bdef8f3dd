//! A gateway as its own process, with the files that a pod would mount.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use aldis::wire::{
    config::ConfigHash,
    outbound::{SendOutcome, SendRequest},
    ports,
    status::GatewayStatus,
};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    issuer::TestIssuer,
    process::{LOG_FILTER, address, preloaded_together},
    volume::Volume,
    wall_clock::WallClock,
};

/// Our number in most tests.
pub const NUMBER: &str = "+15551230001";
/// A second one.
pub const OTHER_NUMBER: &str = "+15551230002";
/// The engine of [`NUMBER`].
pub const ENGINE: &str = "system:serviceaccount:shop:sms-support";
/// The engine of [`OTHER_NUMBER`].
pub const OTHER_ENGINE: &str = "system:serviceaccount:shop:sms-sales";
/// The gateway itself.
pub const GATEWAY: &str = "system:serviceaccount:shop:smsc-main";
/// The operator.
pub const OPERATOR: &str = "system:serviceaccount:aldis-system:aldis-operator";
/// What roles' tokens are for.
pub const AUDIENCE: &str = "aldis:shop";
/// What the provider was given.
pub const PUBLIC_URL: &str = "https://sms.example.com/desk";

/// A gateway and its files. Ends with the test.
pub struct Gateway {
    child: Option<Child>,
    dir: TempDir,
    /// Its own, so that nobody takes its ports while it is away.
    address: IpAddr,
    /// `host:port` of the webhooks.
    pub public: String,
    /// Base URL of the internal API.
    pub internal: String,
    /// Base URL of health and metrics.
    pub admin: String,
    /// Signs the roles' tokens.
    pub issuer: TestIssuer,
    /// Its wall clock.
    pub clock: WallClock,
    /// Variables that it is started with, beside those of its clock.
    pub environment: Vec<(String, String)>,
    /// The file system of its data, if that is its own.
    pub volume: Option<Volume>,
    config: Value,
    routes: Vec<Value>,
    client: Client,
}

impl Gateway {
    /// A gateway for a provider, as in the `provider` of its document. No routes yet.
    pub async fn start(provider: Value, credentials: &[(&str, &str)]) -> Self {
        Self::start_on(provider, credentials, None).await
    }

    /// A gateway with its data on a volume of its own of so many MiB, in memory.
    pub async fn start_on(provider: Value, credentials: &[(&str, &str)], volume: Option<u32>) -> Self {
        aldis::process::crypto::install_providers();
        let issuer = TestIssuer::new("https://cluster.example");
        let config = json!({
            "format": 1,
            "connector": {"namespace": "shop", "name": "main", "uid": "1"},
            "enabled": true,
            "provider": provider,
            "webhook": {"publicUrl": PUBLIC_URL, "management": "Observe"},
            "accountLimit": {"segments": 10_000, "perSeconds": 1},
            "checkIntervalSeconds": 1,
            "retentionDays": 1,
            "roleIssuers": [{"issuer": issuer.url, "audience": AUDIENCE, "userClaim": "sub", "keys": issuer.keys()}],
            "operatorUser": OPERATOR,
        });
        let address = address();
        let mut gateway = Self {
            child: None,
            dir: tempfile::tempdir().unwrap(),
            address,
            public: format!("{address}:{}", ports::PUBLIC),
            internal: format!("http://{address}:{}", ports::INTERNAL),
            admin: format!("http://{address}:{}", ports::ADMIN),
            issuer,
            clock: WallClock::new(),
            environment: Vec::new(),
            volume: None,
            config,
            routes: Vec::new(),
            client: Client::new(),
        };
        for name in ["config", "credentials", "data"] {
            fs::create_dir(gateway.path(name)).unwrap();
        }
        gateway.volume = volume.map(|size| Volume::mount(&gateway.path("data"), size));
        write(&gateway.path("token"), gateway.issuer.token(GATEWAY, AUDIENCE).as_bytes());
        gateway.credentials(credentials);
        gateway.write_config();
        gateway.run();
        gateway.in_force().await;
        gateway
    }

    /// A file or directory of the gateway.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The keys of the Secret, all of them.
    pub fn credentials(&self, keys: &[(&str, &str)]) {
        let dir = self.path("credentials");
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if !keys.iter().any(|(key, _)| path.ends_with(key)) {
                fs::remove_file(path).unwrap();
            }
        }
        for (key, value) in keys {
            write(&dir.join(key), value.as_bytes());
        }
    }

    /// Sets a field of the document, by JSON pointer, and waits until it counts.
    pub async fn configure(&mut self, pointer: &str, value: Value) {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        self.config.pointer_mut(parent).unwrap()[field] = value;
        self.write_config();
        self.in_force().await;
    }

    /// Routes a number, and waits until it counts.
    pub async fn route(&mut self, number: &str, engine_url: &str, engine_user: &str) {
        self.routes.retain(|route| route["number"] != number);
        self.routes
            .push(json!({"number": number, "channel": "support", "engineUrl": engine_url, "engineUser": engine_user}));
        self.write_config();
        self.in_force().await;
    }

    fn write_config(&mut self) {
        let routes = json!({"format": 1, "routes": self.routes}).to_string();
        self.config["parts"] = json!({"routes-0.json": ConfigHash::of(routes.as_bytes()).to_string()});
        write(&self.path("config/routes-0.json"), routes.as_bytes());
        write(&self.path("config/config.json"), self.config.to_string().as_bytes());
    }

    async fn in_force(&self) {
        let hash = ConfigHash::of(self.config.to_string().as_bytes());
        self.until("has the configuration", |status| status.config.hash == Some(hash)).await;
    }

    fn run(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_aldis"))
            .envs(preloaded_together([self.clock.environment(), self.environment.clone()]))
            .env("ALDIS_LOG", LOG_FILTER.get_or_init(|| "aldis=debug,info"))
            .args(["gateway", "--address", &self.address.to_string()])
            .arg("--config-dir")
            .arg(self.path("config"))
            .arg("--credentials-dir")
            .arg(self.path("credentials"))
            .arg("--token-file")
            .arg(self.path("token"))
            .arg("--data-dir")
            .arg(self.path("data"))
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Ends the process as a power cut would, and starts it again.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Starts it again after it ended.
    pub fn start_again(&mut self) {
        self.run();
    }

    /// Ends the process as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Ends the process as the kubelet does, and waits until it has ended.
    pub fn terminate(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let ended = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(ended.success());
        child.wait().unwrap();
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// What the gateway wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The status, as the operator sees it.
    pub async fn status(&self) -> reqwest::Result<GatewayStatus> {
        let request = self.client.get(format!("{}/internal/status", self.internal));
        let token = self.issuer.token(OPERATOR, AUDIENCE);
        request.bearer_auth(token).send().await?.error_for_status()?.json().await
    }

    /// Waits until the status is so.
    pub async fn until(&self, what: &str, is_so: impl Fn(&GatewayStatus) -> bool) -> GatewayStatus {
        let mut last = None;
        for _ in 0..1200 {
            match self.status().await {
                Ok(status) if is_so(&status) => return status,
                other => last = Some(other),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never {what}; last: {last:#?}\n{}", self.log());
    }

    /// Asks for an attempt, as `user`.
    pub async fn send(&self, user: &str, request: &SendRequest) -> reqwest::Result<SendOutcome> {
        self.send_with(&self.issuer.token(user, AUDIENCE), request).await
    }

    /// Asks for an attempt with a token.
    pub async fn send_with(&self, token: &str, request: &SendRequest) -> reqwest::Result<SendOutcome> {
        let post = self.client.post(format!("{}/internal/messages", self.internal)).bearer_auth(token).json(request);
        post.send().await?.error_for_status()?.json().await
    }

    /// Asks for an attempt as an engine, in its own words. The status and the document of the answer.
    pub async fn ask(&self, user: &str, document: &Value) -> (u16, Value) {
        let post = self.client.post(format!("{}/internal/messages", self.internal));
        let answer = post.bearer_auth(self.issuer.token(user, AUDIENCE)).json(document).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The value of a metric's line, 0 when there is none.
    pub async fn metric(&self, line: &str) -> f64 {
        let text = self.client.get(format!("{}/metrics", self.admin)).send().await.unwrap().text().await.unwrap();
        let found = text.lines().find_map(|candidate| candidate.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The first request of an attempt that was begun just now and may begin within a minute.
pub fn request(message_id: u64, attempt: u32, text: &str) -> SendRequest {
    SendRequest {
        store_id: "store-1".into(),
        message_id,
        attempt,
        asked_before: false,
        begun_millis_ago: Some(0),
        begin_within_millis: 60_000,
        sent_at: jiff::Timestamp::now(),
        from: NUMBER.into(),
        to: "+15559870001".into(),
        text: text.into(),
        segments: 1,
        receipt_token: format!("{message_id}.abc"),
    }
}

/// As the kubelet does it: nobody ever sees half a file.
fn write(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, bytes).unwrap();
    fs::rename(&new, path).unwrap();
}
