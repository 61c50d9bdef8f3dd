//! What the operator's tests apply, and how they read what came of it.

use serde_json::Value;

use crate::support::testbed::{Cluster, eventually};

/// One namespace with a connector, a campaign and a channel.
pub struct Desk<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The namespace.
    pub namespace: String,
}

impl<'a> Desk<'a> {
    /// An empty namespace.
    pub fn new(cluster: &'a Cluster) -> Self {
        Self { cluster, namespace: cluster.namespace("desk") }
    }

    /// A connector of the simulator, `sim`.
    pub fn connector(&self) -> String {
        let namespace = &self.namespace;
        format!(
            r#"
apiVersion: aldis.dev/v1alpha1
kind: SmsConnector
metadata: {{name: sim, namespace: {namespace}}}
spec:
  provider: {{simulator: {{baseUrl: "http://simulator.test:8090", credentialsSecretRef: {{name: sim}}}}}}
  webhook: {{publicUrl: "http://smsc-sim:8080"}}
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

    /// Connector, campaign and channel `support` with number +15551230001.
    pub fn whole(&self) -> String {
        self.connector() + &self.campaign("{user: ana}") + &self.channel("support", "+15551230001", "")
    }

    /// Applies.
    pub fn apply(&self, yaml: &str) {
        self.cluster.apply(yaml).ok();
    }

    /// Runs kubectl in the namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["-n", &self.namespace];
        all.extend(arguments);
        self.cluster.kubectl(&all).ok()
    }

    /// An object as JSON, if it is there.
    pub fn get(&self, what: &str) -> Option<Value> {
        let output = self.cluster.kubectl(&["-n", &self.namespace, "get", what, "-o", "json"]);
        output.success.then(|| serde_json::from_str(&output.stdout).unwrap())
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

    /// The configuration that an engine or gateway is given.
    pub fn config(&self, map: &str) -> Value {
        let map = self.get(&format!("configmap/{map}")).unwrap();
        serde_json::from_str(map["data"]["config.json"].as_str().unwrap()).unwrap()
    }
}
