//! What the operator's tests apply, and how they read what came of it.

use std::{pin::pin, sync::Arc};

use futures::StreamExt;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use parking_lot::Mutex;
use serde_json::Value;

use crate::support::{
    operator::{Flags, Operator},
    testbed::{Cluster, eventually},
};

/// One namespace with a connector, a campaign and a channel.
pub struct Desk<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The namespace.
    pub namespace: String,
    /// An administrator's client.
    pub client: Client,
}

impl Desk<'static> {
    /// An empty namespace on the shared API server, and an operator that looks after it.
    pub async fn with_operator() -> (Self, Operator) {
        let cluster = Cluster::apiserver();
        let desk = Self::new(cluster);
        let operator = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
        (desk, operator)
    }

    /// The same with connector, campaign and channel, once they are ready.
    pub async fn at_work() -> (Self, Operator) {
        let (desk, operator) = Self::with_operator().await;
        desk.apply(&desk.whole());
        desk.wait_ready("smschannel/support");
        (desk, operator)
    }
}

impl<'a> Desk<'a> {
    /// An empty namespace.
    pub fn new(cluster: &'a Cluster) -> Self {
        Self { cluster, namespace: cluster.namespace("desk"), client: wait_for(cluster.client()) }
    }

    /// A connector of the simulator, `sim`.
    pub fn connector(&self) -> String {
        let provider = r#"{simulator: {baseUrl: "http://simulator.test:8090", credentialsSecretRef: {name: sim}}}"#;
        self.connector_of(provider, "")
    }

    /// A connector of a provider, `sim`, with more in its spec.
    pub fn connector_of(&self, provider: &str, more: &str) -> String {
        let namespace = &self.namespace;
        format!(
            r#"
apiVersion: aldis.dev/v1alpha1
kind: SmsConnector
metadata: {{name: sim, namespace: {namespace}}}
spec: {{provider: {provider}, webhook: {{publicUrl: "http://smsc-sim:8080"}}{more}}}
---
"#
        )
    }

    /// A campaign, `support`.
    pub fn campaign(&self, members: &str) -> String {
        let namespace = &self.namespace;
        format!(
            r#"
apiVersion: aldis.dev/v1alpha1
kind: Campaign
metadata: {{name: support, namespace: {namespace}}}
spec: {{members: [{members}]}}
---
"#
        )
    }

    /// A channel of `sim` and `support`, with more in its spec.
    pub fn channel(&self, name: &str, number: &str, more: &str) -> String {
        let namespace = &self.namespace;
        format!(
            r#"
apiVersion: aldis.dev/v1alpha1
kind: SmsChannel
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{campaignRef: {{name: support}}, connectorRef: {{name: sim}}, number: "{number}"{more}}}
---
"#
        )
    }

    /// A blocklist of one number for all channels, `spam`.
    pub fn blocklist(&self) -> String {
        let namespace = &self.namespace;
        format!(
            r#"
apiVersion: aldis.dev/v1alpha1
kind: Blocklist
metadata: {{name: spam, namespace: {namespace}}}
spec: {{entries: [{{number: "+15559990001"}}]}}
---
"#
        )
    }

    /// Connector, campaign and channel `support` with number +15551230001.
    pub fn whole(&self) -> String {
        self.connector() + &self.campaign("{user: ana}") + &self.channel("support", "+15551230001", "")
    }

    /// Applies documents, each ended by `---`.
    pub fn apply(&self, yaml: &str) {
        for document in yaml.split("\n---\n").filter(|document| !document.trim().is_empty()) {
            let object: Value = serde_saphyr::from_str(document).expect("YAML");
            let (kind, name) = (object["kind"].as_str().expect("a kind"), object["metadata"]["name"].as_str());
            let applied = PatchParams::apply("test").force();
            let api = self.api(&kind.to_lowercase());
            wait_for(api.patch(name.expect("a name"), &applied, &Patch::Apply(&object))).expect("accepted");
        }
    }

    /// Runs kubectl in the namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["-n", &self.namespace];
        all.extend(arguments);
        self.cluster.kubectl(&all).ok()
    }

    /// An object (`pod/sms-support-0`) as JSON, if it is there.
    pub fn get(&self, what: &str) -> Option<Value> {
        let (kind, name) = what.split_once('/').expect("KIND/NAME");
        let found = wait_for(self.api(kind).get_opt(name)).expect("an answer of the API server");
        found.map(|object| serde_json::to_value(object).expect("JSON"))
    }

    /// All objects of a kind as JSON.
    pub fn list(&self, kind: &str) -> Vec<Value> {
        let found = wait_for(self.api(kind).list(&Default::default())).expect("an answer of the API server");
        found.into_iter().map(|object| serde_json::to_value(object).expect("JSON")).collect()
    }

    /// A client of the objects of a kind.
    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        let (group, version, kind, plural) = match kind {
            "smschannel" => ("aldis.dev", "v1alpha1", "SmsChannel", "smschannels"),
            "smsconnector" => ("aldis.dev", "v1alpha1", "SmsConnector", "smsconnectors"),
            "campaign" => ("aldis.dev", "v1alpha1", "Campaign", "campaigns"),
            "bot" => ("aldis.dev", "v1alpha1", "Bot", "bots"),
            "blocklist" => ("aldis.dev", "v1alpha1", "Blocklist", "blocklists"),
            "statefulset" => ("apps", "v1", "StatefulSet", "statefulsets"),
            "configmap" => ("", "v1", "ConfigMap", "configmaps"),
            "service" => ("", "v1", "Service", "services"),
            "serviceaccount" => ("", "v1", "ServiceAccount", "serviceaccounts"),
            "pvc" | "persistentvolumeclaim" => ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
            "pod" => ("", "v1", "Pod", "pods"),
            "secret" => ("", "v1", "Secret", "secrets"),
            other => panic!("no kind {other}"),
        };
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let resource = ApiResource {
            group: group.into(),
            version: version.into(),
            api_version,
            kind: kind.into(),
            plural: plural.into(),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// The status of `Ready` of a kind's objects at each change from now on.
    pub fn follow_ready(&self, kind: &str) -> Arc<Mutex<Vec<String>>> {
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let (api, statuses) = (self.api(kind), Arc::clone(&seen));
        tokio::spawn(async move {
            let mut objects = pin!(watcher(api, Default::default()).applied_objects());
            while let Some(object) = objects.next().await {
                let object = object.expect("a watch");
                let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
                let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
                statuses.lock().extend(ready.and_then(|ready| ready["status"].as_str()).map(str::to_owned));
            }
        });
        seen
    }

    /// A condition of an object, of its present generation: (status, reason, message).
    pub fn condition(&self, what: &str, type_: &str) -> Option<(String, String, String)> {
        let object = self.get(what)?;
        let conditions = object["status"]["conditions"].as_array()?.clone();
        let found = conditions.into_iter().find(|condition| condition["type"] == type_)?;
        let fresh = found["observedGeneration"] == object["metadata"]["generation"];
        let text = |field: &str| found[field].as_str().unwrap().to_owned();
        fresh.then(|| (text("status"), text("reason"), text("message")))
    }

    /// Waits until a condition has this status and reason; returns its message.
    #[track_caller]
    pub fn until(&self, what: &str, type_: &str, status: &str, reason: &str) -> String {
        let mut last = None;
        eventually(&format!("{what}: {type_}={status}, {reason}"), || {
            last = self.condition(what, type_);
            last.clone().filter(|(is, why, _)| is == status && why == reason).map(|(_, _, message)| message)
        })
    }

    /// `kubectl wait --for=condition=Ready`
    pub fn wait_ready(&self, what: &str) {
        self.kubectl(&["wait", "--for=condition=Ready", "--timeout=120s", what]);
    }

    /// Waits until an object is gone.
    #[track_caller]
    pub fn until_gone(&self, what: &str) {
        eventually(&format!("{what} is gone"), || self.get(what).is_none().then_some(()));
    }

    /// The configuration that an engine or gateway is given, as soon as there is one.
    #[track_caller]
    pub fn config(&self, map: &str) -> Value {
        let name = format!("configmap/{map}");
        let map = eventually(&format!("{name} is there"), || self.get(&name));
        serde_json::from_str(map["data"]["config.json"].as_str().unwrap()).unwrap()
    }
}

/// Waits within a test of several threads.
fn wait_for<T>(what: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(what))
}
