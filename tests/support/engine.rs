//! An engine as a process of its own, with a mounted configuration that the test writes, and tokens that it signs.

use std::{fs, net::IpAddr, path::PathBuf};

use aldis::{process::crypto, wire::ports};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    issuer::TestIssuer,
    process::{Role, address, eventually, ready},
};

/// The channel's number.
pub const NUMBER: &str = "+15551230001";
/// The channel's name.
pub const CHANNEL: &str = "support";
/// The namespace of everything here.
pub const NAMESPACE: &str = "shop";
/// The gateway's account, as its tokens name it.
pub const GATEWAY: &str = "system:serviceaccount:shop:smsc-demo";
/// The engine's account.
pub const ENGINE: &str = "system:serviceaccount:shop:sms-support";
/// The operator's account.
pub const OPERATOR: &str = "system:serviceaccount:aldis-system:aldis-operator";
/// Audience of the roles' tokens.
pub const ROLES: &str = "aldis:shop";
/// Audience of the agents' tokens.
pub const DESK: &str = "aldis-desk:shop";

/// An engine.
pub struct Engine {
    /// Where it listens.
    pub address: IpAddr,
    /// The process.
    pub role: Role,
    /// Signs everybody's tokens.
    pub issuer: TestIssuer,
    /// The document in its mount.
    pub document: Value,
    /// Its files.
    pub dir: TempDir,
    client: Client,
}

impl Engine {
    /// An engine that sends through `gateway` (a base URL), with the agents ana and bo; `change` has the last word on its document.
    pub async fn start(gateway: &str, change: impl FnOnce(&mut Value)) -> Self {
        crypto::install_providers();
        let issuer = TestIssuer::new("https://kubernetes.default.svc");
        let mut document = document(gateway, &issuer);
        change(&mut document);
        let dir = tempfile::tempdir().unwrap();
        for name in ["config", "data"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("token"), issuer.token(ENGINE, ROLES)).unwrap();
        let address = address();
        write(&dir.path().join("config/config.json"), &document);
        let role = Role::start(arguments(&dir, address), &dir.path().join("log"));
        ready(address).await;
        Self { address, role, issuer, document, dir, client: Client::new() }
    }

    /// Starts it again with a wall clock of its own.
    pub async fn crash_into_clock(&mut self, clock: &super::wall_clock::WallClock) {
        self.role.environment = clock.environment();
        self.crash().await;
    }

    /// Kills it and starts it again.
    pub async fn crash(&mut self) {
        self.role.kill();
        self.role.start_again();
        ready(self.address).await;
    }

    /// A copy of its volume, as a snapshot makes it; it starts again afterwards.
    pub async fn copy_volume(&mut self) -> TempDir {
        self.role.kill();
        let copy = tempfile::tempdir().unwrap();
        copy_files(&self.dir.path().join("data"), copy.path());
        self.role.start_again();
        ready(self.address).await;
        copy
    }

    /// Kills it, puts a copy of its volume in the volume's place, and starts it again.
    pub async fn restore_volume(&mut self, copy: &TempDir) {
        self.role.kill();
        let data = self.dir.path().join("data");
        fs::remove_dir_all(&data).unwrap();
        fs::create_dir(&data).unwrap();
        copy_files(copy.path(), &data);
        self.role.start_again();
        ready(self.address).await;
    }

    /// Another engine on the same files, as when a pod is replaced before the old one is gone; its address.
    pub fn start_rival(&self) -> (Role, IpAddr) {
        let address = address();
        (Role::start(arguments(&self.dir, address), &self.dir.path().join("rival.log")), address)
    }

    /// The base URL of its internal API, as a gateway's route has it.
    pub fn internal_url(&self) -> String {
        format!("http://{}:{}", self.address, ports::INTERNAL)
    }

    /// Its store.
    pub fn store(&self) -> PathBuf {
        self.dir.path().join("data/engine.db")
    }

    /// A query of its store with the `sqlite3` command: rows of JSON objects.
    pub fn sqlite(&self, query: &str) -> Vec<Value> {
        sqlite(&self.store(), query)
    }

    /// Writes another document into the mount, and waits until it is in force.
    pub async fn configure(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.document);
        let hash = write(&self.dir.path().join("config/config.json"), &self.document);
        eventually("the configuration is in force", || async {
            let status = self.status().await;
            if status["config"]["hash"] == hash { Ok(()) } else { Err(status["config"].clone()) }
        })
        .await;
    }

    /// A request of the agents' interface.
    pub fn agent(&self, user: &str, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}:{}{path}", self.address, ports::PUBLIC);
        self.client.request(method, url).bearer_auth(self.issuer.token(user, DESK))
    }

    /// What an agent sees at a path, which must be there.
    pub async fn get(&self, user: &str, path: &str) -> Value {
        let (status, body) = answer(self.agent(user, Method::GET, path)).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// What an agent does, with a fresh key.
    pub async fn post(&self, user: &str, path: &str, body: Value) -> (u16, Value) {
        let key = format!("{:032x}", fastrand::u128(..));
        answer(self.agent(user, Method::POST, path).header("Idempotency-Key", key).json(&body)).await
    }

    /// Sets an agent's presence.
    pub async fn presence(&self, user: &str, present: bool) {
        let request =
            self.agent(user, Method::PUT, "/v1/channels/support/me/presence").json(&json!({ "present": present }));
        assert_eq!(answer(request).await.0, 200);
    }

    /// A request of the role interface.
    pub fn as_role(&self, user: &str, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.internal_url()))
            .bearer_auth(self.issuer.token(user, ROLES))
    }

    /// A customer's message, as the gateway brings it: status and outcome.
    pub async fn inbound(&self, id: &str, from: &str, text: &str) -> (u16, Value) {
        self.inbound_as(&self.issuer.token(GATEWAY, ROLES), id, from, text).await
    }

    /// A customer's message, as whoever has this token brings it.
    pub fn inbound_as(
        &self,
        token: &str,
        id: &str,
        from: &str,
        text: &str,
    ) -> impl Future<Output = (u16, Value)> + use<> {
        let url = format!("{}{}", self.internal_url(), internal(ports::INBOUND_PATH));
        answer(self.client.post(url).bearer_auth(token).json(&inbound(id, from, text)))
    }

    /// What it counts and measures.
    pub async fn metrics(&self) -> String {
        let url = format!("http://{}:{}/metrics", self.address, ports::ADMIN);
        self.client.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// What it says of itself.
    pub async fn status(&self) -> Value {
        answer(self.as_role(OPERATOR, Method::GET, &internal(ports::CHANNEL_STATUS_PATH))).await.1
    }
}

/// Copies the files of a folder into another one.
pub fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// A path of the role interface.
pub fn internal(pattern: &str) -> String {
    ports::of_channel(pattern, CHANNEL)
}

fn arguments(dir: &TempDir, address: IpAddr) -> Vec<String> {
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let options = [
        ("--address", address.to_string()),
        ("--config-dir", path("config")),
        ("--token-file", path("token")),
        ("--data-dir", path("data")),
        ("--bot-secrets-dir", path("bot-secrets")),
    ];
    let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
    std::iter::once("engine".to_owned()).chain(options).collect()
}

/// The body of an inbound message.
pub fn inbound(id: &str, from: &str, text: &str) -> Value {
    json!({ "providerMessageId": id, "to": NUMBER, "from": from, "text": text, "receivedAt": jiff::Timestamp::now() })
}

/// Status and JSON body of an answer; status 0 when there was none.
pub async fn answer(request: RequestBuilder) -> (u16, Value) {
    match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            (status, response.json().await.unwrap_or(Value::Null))
        }
        Err(error) => (0, json!(error.to_string())),
    }
}

/// A query with the `sqlite3` command.
pub fn sqlite(store: &std::path::Path, query: &str) -> Vec<Value> {
    let output = std::process::Command::new("sqlite3")
        .args(["-json", "-cmd", ".timeout 10000"])
        .arg(store)
        .arg(query)
        .output()
        .expect("the sqlite3 command is installed");
    assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
    if output.stdout.is_empty() { Vec::new() } else { serde_json::from_slice(&output.stdout).unwrap() }
}

/// Replaces a file at once; gives the hash of what is in it.
pub fn write(path: &std::path::Path, document: &Value) -> String {
    let text = document.to_string();
    let next = path.with_extension("next");
    fs::write(&next, &text).unwrap();
    fs::rename(next, path).unwrap();
    aldis::wire::config::ConfigHash::of(text.as_bytes()).to_string()
}

/// Trust in an issuer for an audience.
pub fn trust(issuer: &TestIssuer, audience: &str) -> Value {
    json!({ "issuer": issuer.url, "audience": audience, "userClaim": "sub", "userPrefix": "", "keys": issuer.keys() })
}

fn document(gateway: &str, issuer: &TestIssuer) -> Value {
    let member = |user: &str, position: u32| json!({ "user": user, "position": position, "penalty": 0, "receive": true, "initiate": true, "maxInteractions": 1000 });
    json!({
        "format": 1,
        "channel": { "namespace": NAMESPACE, "name": CHANNEL, "uid": "2b1ab0b5-5f0c-4e57-b1d3-55b1d5a0a001" },
        "enabled": true,
        "draining": false,
        "number": NUMBER,
        "gateway": { "url": gateway, "user": GATEWAY, "provider": "simulator", "account": "demo" },
        "campaign": { "name": "support", "enabled": true, "timeZone": "UTC", "members": [member("ana", 1), member("bo", 2)] },
        "strategy": "LeastRecent",
        "serviceLevel": { "targetSeconds": 60, "windowSeconds": 3600 },
        "maxQueued": 0,
        "blocklist": { "inbound": true, "outbound": true },
        "optOut": {
            "answeredBy": "Aldis",
            "stopKeywords": ["STOP"], "startKeywords": ["START"], "helpKeywords": ["HELP"],
            "stoppedMessage": "You will get no more messages.", "startedMessage": "You will get messages again.",
            "helpMessage": "Write STOP to get no more messages.",
        },
        "sessionIdleSeconds": 86400,
        "perNumberLimit": { "segments": 1000, "perSeconds": 1 },
        "retentionDays": 90,
        "store": {},
        "roleIssuers": [trust(issuer, ROLES)],
        "operatorUser": OPERATOR,
        "agentIssuers": [trust(issuer, DESK)],
    })
}
