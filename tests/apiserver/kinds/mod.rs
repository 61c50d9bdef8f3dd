//! The five kinds as a real API server sees them.

mod accepted;
mod columns;
mod rule_cases;
mod rules;

use aldis::api::crd;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::support::kinds;
use crate::support::testbed::Cluster;

/// A namespace of one test, with the definitions installed.
struct Desk {
    cluster: &'static Cluster,
    client: Client,
    namespace: String,
}

impl Desk {
    async fn new(prefix: &str) -> Self {
        let cluster = Cluster::apiserver();
        kinds::install(cluster);
        Self { cluster, client: cluster.client().await, namespace: cluster.namespace(prefix) }
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }
}

fn resource(kind: &str) -> ApiResource {
    let crd = crd::all().into_iter().find(|crd| crd["spec"]["names"]["kind"] == kind).unwrap();
    ApiResource {
        group: "aldis.dev".into(),
        version: "v1alpha1".into(),
        api_version: "aldis.dev/v1alpha1".into(),
        kind: kind.into(),
        plural: crd["spec"]["names"]["plural"].as_str().unwrap().into(),
    }
}

/// The smallest spec of each kind.
fn smallest_spec(kind: &str) -> Value {
    match kind {
        "SmsConnector" => json!({
            "provider": {"simulator": {"credentialsSecretRef": {"name": "simulator"}, "baseUrl": "http://simulator:8090"}},
            "webhook": {"publicUrl": "http://smsc-demo:8080"},
        }),
        "SmsChannel" => {
            json!({"campaignRef": {"name": "support"}, "connectorRef": {"name": "demo"}, "number": "+15551230001"})
        }
        "Bot" => json!({"steps": [{"name": "end", "finish": {}}]}),
        "Campaign" | "Blocklist" => json!({}),
        other => unreachable!("{other}"),
    }
}

fn object(kind: &str, name: &str, spec: &Value) -> DynamicObject {
    DynamicObject::new(name, &resource(kind)).data(json!({ "spec": spec }))
}

/// `json` as a merge patch (RFC 7386) applied to `target`.
fn merged(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut merged_object = target.as_object().cloned().unwrap_or_default();
    for (key, value) in patch {
        if value.is_null() {
            merged_object.remove(key);
        } else {
            let below = merged(merged_object.get(key).unwrap_or(&Value::Null), value);
            merged_object.insert(key.clone(), below);
        }
    }
    Value::Object(merged_object)
}
