//! examples/quickstart in a namespace of its own, and how to talk to what becomes of it.

use std::{path::PathBuf, sync::Arc};

use serde_json::{Value, json};

use super::installed::{Installed, installed};
pub(crate) use crate::support::quickstart::FILES;
use crate::support::{
    carrier::Carrier,
    desk::Desk,
    process::eventually,
    quickstart,
    testbed::{Cluster, Forward, Output},
};

/// The service's number.
pub(crate) const NUMBER: &str = "+15551230001";
/// The quickstart in a namespace.
pub(crate) struct Quickstart {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) namespace: String,
    installed: Arc<Installed>,
    documents: Vec<(&'static str, Vec<Value>)>,
}

/// A quickstart that is Ready, and relays to it.
pub(crate) struct Running {
    /// The simulator.
    pub(crate) carrier: Carrier,
    /// Ana.
    pub(crate) ana: Desk,
    /// The gateway's port for the provider.
    pub(crate) hooks: Forward,
    engine: Forward,
    _simulator: Forward,
}

impl Quickstart {
    /// The quickstart's documents, rewritten for a new namespace of the shared cluster. Nothing is applied yet.
    pub(crate) fn new() -> Self {
        Self::on(&installed())
    }

    /// The same on another cluster.
    pub(crate) fn on(installed: &Arc<Installed>) -> Self {
        let namespace = installed.namespace();
        let rewritten = |file| (file, quickstart::documents(file, &namespace, &installed.image));
        let documents = FILES.map(rewritten).to_vec();
        Self { cluster: Arc::clone(&installed.cluster), installed: Arc::clone(installed), documents, namespace }
    }

    /// Changes the last document of a file.
    pub(crate) fn change(&mut self, file: &str, change: impl FnOnce(&mut Value)) {
        let (_, documents) = self.documents.iter_mut().find(|(name, _)| *name == file).expect("a file");
        change(documents.last_mut().expect("a document"));
    }

    /// `kubectl apply` of a file.
    pub(crate) fn apply_file(&self, file: &str) {
        self.try_apply_file(file).ok();
    }

    /// The same, which may be refused.
    pub(crate) fn try_apply_file(&self, file: &str) -> Output {
        let (_, documents) = self.documents.iter().find(|(name, _)| *name == file).expect("a file");
        self.try_apply(documents)
    }

    /// `kubectl apply` of documents.
    pub(crate) fn apply(&self, documents: &[Value]) {
        self.try_apply(documents).ok();
    }

    fn try_apply(&self, documents: &[Value]) -> Output {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": documents});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), list.to_string()).unwrap();
        let path = file.path().to_str().unwrap();
        self.cluster.kubectl(&["apply", "-n", &self.namespace, "--validate=strict", "-f", path])
    }

    /// `kubectl delete` of an object, if it is there.
    pub(crate) fn delete(&self, object: &str) {
        self.cluster.kubectl(&["delete", "-n", &self.namespace, object, "--ignore-not-found"]).ok();
    }

    /// Applies all files in the usual order.
    pub(crate) fn apply_all(&self) {
        for file in FILES {
            self.apply_file(file);
        }
    }

    /// Waits until objects are Ready.
    pub(crate) fn wait_until_ready(&self, objects: &[&str]) {
        self.installed.wait_until_ready(&self.namespace, objects);
    }

    /// Waits until connector and channel are Ready and gives the ways to them, with Ana's token from `kubectl create token`.
    pub(crate) async fn running(&self) -> Running {
        let objects = ["smsconnector/simulator", "campaign/support", "smschannel/support"];
        self.wait_until_ready(&objects);
        let simulator = self.cluster.forward(&self.namespace, "aldis-simulator", 8090);
        let engine = self.cluster.forward(&self.namespace, "sms-support", 8080);
        let hooks = self.cluster.forward(&self.namespace, "smsc-simulator", 8080);
        let carrier = Carrier::new(&simulator.url());
        carrier.ready().await;
        let ana = Desk::new(&engine.url(), "support", &self.token("ana"));
        Running { carrier, ana, hooks, engine, _simulator: simulator }
    }

    /// Has something applied, and waits until the channel's status says that the engine has loaded what comes of it: another configuration than
    /// before, of the newest generation.
    pub(crate) async fn put_in_force(&self, apply: impl FnOnce(&Self)) {
        let channel = || {
            let said = self.cluster.kubectl(&["get", "-n", &self.namespace, "smschannel/support", "-o", "json"]).ok();
            serde_json::from_str::<Value>(&said).expect("a channel")
        };
        let before = channel();
        apply(self);
        eventually("the engine has loaded what was applied", || async {
            let now = channel();
            let generation = &now["metadata"]["generation"];
            let conditions = now["status"]["conditions"].as_array().into_iter().flatten();
            let is_loaded = |condition: &&Value| {
                condition["type"] == "ConfigApplied"
                    && condition["status"] == "True"
                    && condition["observedGeneration"] == *generation
            };
            let is_another = now["status"]["engine"]["configHash"] != before["status"]["engine"]["configHash"];
            if is_another
                && now["status"]["observedGeneration"] == *generation
                && conditions.clone().any(|it| is_loaded(&it))
            {
                Ok(())
            } else {
                Err(now["status"].clone())
            }
        })
        .await;
    }

    /// A token with which a ServiceAccount sits at this namespace's desks.
    pub(crate) fn token(&self, account: &str) -> String {
        let audience = format!("aldis-desk:{}", self.namespace);
        let token = self.cluster.kubectl(&["create", "token", account, "-n", &self.namespace, "--audience", &audience]);
        token.ok().trim().to_owned()
    }

    /// A field of an object by kubectl's jsonpath.
    pub(crate) fn field(&self, object: &str, path: &str) -> String {
        let path = format!("jsonpath={{{path}}}");
        self.cluster.kubectl(&["get", "-n", &self.namespace, object, "-o", &path]).ok()
    }

    /// Status, reason and message of a condition.
    pub(crate) fn condition(&self, object: &str, type_: &str) -> [String; 3] {
        let conditions = self.field(object, ".status.conditions");
        let conditions: Value = serde_json::from_str(&conditions).unwrap_or_default();
        let found = conditions.as_array().into_iter().flatten().find(|condition| condition["type"] == type_);
        ["status", "reason", "message"]
            .map(|field| found.and_then(|found| found[field].as_str()).unwrap_or_default().to_owned())
    }

    /// The store of the channel's engine, on the host.
    pub(crate) fn store(&self) -> PathBuf {
        self.cluster.volume_folder(&self.namespace, "sms-support").join("engine.db")
    }

    /// UID and restarts of a pod.
    pub(crate) fn incarnation(&self, pod: &str) -> (String, u64) {
        let restarts = self.field(&format!("pod/{pod}"), ".status.containerStatuses[0].restartCount");
        (self.field(&format!("pod/{pod}"), ".metadata.uid"), restarts.parse().expect("a count"))
    }
}

impl Running {
    /// Another agent, who has a ServiceAccount.
    pub(crate) fn agent(&self, quickstart: &Quickstart, account: &str) -> Desk {
        Desk::new(&self.engine.url(), "support", &quickstart.token(account))
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        // A failed test leaves it, to be looked at while the cluster lives.
        if !std::thread::panicking() {
            drop(self.cluster.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]));
        }
    }
}
