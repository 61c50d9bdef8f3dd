//! What the caches keep of an object: what is compared, shown or looked for, and no more. Whoever may make objects in a namespace can
//! give them our labels, and may give them a megabyte each.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{ContainerStatus, Pod, PodSpec, PodStatus},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Resource, api::DynamicObject};
use serde_json::{Map, Value};

use crate::{
    api::names,
    operator::resources::child::{
        ANNOTATION_ACCOUNT, ANNOTATION_APPLIED, ANNOTATION_DRAINING, ANNOTATION_NUMBER, ANNOTATION_VERSION,
    },
    wire::config::ConfigHash,
};

/// Longest content of a child that is kept, in bytes of JSON. Ours have 4 kB at most, configurations apart, of which digests are kept.
const LONGEST: usize = 16 << 10;
/// Longest message of a pod's condition or container that is kept, in bytes.
const LONGEST_MESSAGE: usize = 1 << 10;
/// Longest name and the like that is kept, in bytes: no name of an object in Kubernetes is longer.
const LONGEST_NAME: usize = 253;

const LABELS: [&str; 6] = [
    names::LABEL_MANAGED_BY,
    names::LABEL_NAME,
    names::LABEL_INSTANCE,
    names::LABEL_COMPONENT,
    names::LABEL_CHANNEL,
    names::LABEL_CONNECTOR,
];
const ANNOTATIONS: [&str; 6] = [
    ANNOTATION_APPLIED,
    ANNOTATION_VERSION,
    ANNOTATION_NUMBER,
    ANNOTATION_ACCOUNT,
    ANNOTATION_DRAINING,
    names::ANNOTATION_CONFIG_NUDGE,
];
/// What our manifests say beside metadata.
const CONTENT: [&str; 3] = ["spec", "data", "automountServiceAccountToken"];
/// `kubectl apply` leaves the whole object in it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A child as the cache keeps it: without its content where that is longer than any of ours, or its name is none that we give. It is read
/// again where it is compared.
pub(crate) fn child(object: DynamicObject) -> DynamicObject {
    let mut kept = compared(object);
    if !has_name_of_ours(&kept.metadata) || kept.data.to_string().len() > LONGEST {
        kept.data = Value::Null;
    }
    kept
}

/// What is compared of a child with its plan, however long: digests of documents, and nothing that the server adds.
pub(crate) fn compared(mut object: DynamicObject) -> DynamicObject {
    object.metadata = metadata(object.metadata);
    object.data = Value::Object(content(object.data.as_object_mut().map(std::mem::take).unwrap_or_default()));
    object
}

/// Whether the cache keeps the content of a child.
pub(crate) fn has_content(object: &DynamicObject) -> bool {
    !object.data.is_null()
}

/// A manifest in the form in which it is compared with what is kept.
pub(crate) fn manifest(manifest: &Value) -> Value {
    let mut manifest = manifest.clone();
    if let Some(documents) = manifest.get_mut("data").and_then(Value::as_object_mut) {
        digest(documents);
    }
    manifest
}

fn content(mut data: Map<String, Value>) -> Map<String, Value> {
    data.retain(|key, _| CONTENT.contains(&key.as_str()));
    if let Some(documents) = data.get_mut("data").and_then(Value::as_object_mut) {
        digest(documents);
    }
    data
}

/// The digest of a document is the hash that a pod reports when it has loaded it.
fn digest(documents: &mut Map<String, Value>) {
    for (_, document) in documents {
        *document = ConfigHash::of(document.as_str().unwrap_or_default().as_bytes()).to_string().into();
    }
}

/// Whether an object with these labels may have this name.
fn has_name_of_ours(metadata: &ObjectMeta) -> bool {
    let name = metadata.name.as_deref().unwrap_or_default();
    let label = |label: &str| metadata.labels.as_ref().and_then(|labels| labels.get(label));
    let owners = [
        label(names::LABEL_CHANNEL).map(|channel| names::channel_child(channel)),
        label(names::LABEL_CONNECTOR).map(|connector| names::connector_child(connector)),
    ];
    owners.into_iter().flatten().any(|child| {
        // Parts of a configuration have a number of one digit behind the name of their kind.
        let part = |rest: &str| rest.is_empty() || (rest.starts_with('.') && rest.len() <= ".blocklist-0".len());
        name.strip_prefix(&child).is_some_and(part)
    })
}

fn metadata(full: ObjectMeta) -> ObjectMeta {
    let pick = |map: Option<BTreeMap<String, String>>, keys: &[&str]| {
        let mut map = map.unwrap_or_default();
        map.retain(|key, value| keys.contains(&key.as_str()) && value.len() <= LONGEST_MESSAGE);
        (!map.is_empty()).then_some(map)
    };
    let controller = full.owner_references.into_iter().flatten().find(|owner| owner.controller == Some(true));
    // The API server bounds none of these. What is longer than any name is the controller of nothing of ours, cut or not.
    let controller = controller.map(|owner| OwnerReference {
        api_version: name(owner.api_version),
        kind: name(owner.kind),
        name: name(owner.name),
        uid: name(owner.uid),
        ..owner
    });
    ObjectMeta {
        name: full.name,
        namespace: full.namespace,
        uid: full.uid,
        resource_version: full.resource_version,
        deletion_timestamp: full.deletion_timestamp,
        labels: pick(full.labels, &LABELS),
        annotations: pick(full.annotations, &ANNOTATIONS),
        owner_references: controller.map(|controller| vec![controller]),
        ..ObjectMeta::default()
    }
}

/// A pod as the cache keeps it: whose it is, where it runs, and how it is.
pub(crate) fn pod(pod: Pod) -> Pod {
    let status = pod.status.map(|status| PodStatus {
        pod_ip: status.pod_ip.filter(|ip| ip.len() <= LONGEST_NAME),
        reason: status.reason.map(name),
        conditions: status.conditions.map(|mut conditions| {
            conditions.retain(|condition| matches!(condition.type_.as_str(), "Ready" | "PodScheduled"));
            conditions.truncate(2);
            for condition in &mut conditions {
                condition.status = name(std::mem::take(&mut condition.status));
                condition.reason = condition.reason.take().map(name);
                condition.message = condition.message.take().map(message);
                condition.last_probe_time = None;
                condition.last_transition_time = None;
            }
            conditions
        }),
        container_statuses: status.container_statuses.map(|all| all.into_iter().take(4).map(container).collect()),
        ..PodStatus::default()
    });
    let spec = pod.spec.map(|spec| PodSpec { node_name: spec.node_name, ..PodSpec::default() });
    Pod { metadata: metadata(pod.metadata), spec, status }
}

fn container(full: ContainerStatus) -> ContainerStatus {
    let mut kept = ContainerStatus {
        name: name(full.name),
        image: message(full.image),
        ready: full.ready,
        state: full.state,
        last_state: full.last_state,
        ..ContainerStatus::default()
    };
    let states = [&mut kept.state, &mut kept.last_state];
    for state in states.into_iter().flatten() {
        state.running = None;
        if let Some(waiting) = &mut state.waiting {
            waiting.reason = waiting.reason.take().map(name);
            waiting.message = waiting.message.take().map(message);
        }
        if let Some(ended) = &mut state.terminated {
            ended.reason = ended.reason.take().map(name);
            ended.message = ended.message.take().map(message);
            (ended.started_at, ended.finished_at, ended.container_id) = (None, None, None);
        }
    }
    kept
}

/// As much of a name, or of what is as short as one, as is kept.
fn name(text: String) -> String {
    cut(text, LONGEST_NAME)
}

/// As much of a message as is kept.
fn message(text: String) -> String {
    cut(text, LONGEST_MESSAGE)
}

fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
        text.shrink_to_fit();
    }
    text
}

/// An object of our own kinds as the cache keeps it: the schema bounds its content.
pub(crate) fn own<K: Resource>(mut object: K) -> K {
    let metadata = object.meta_mut();
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config_map(name: &str, bytes: usize) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": name, "namespace": "shop", "uid": "u", "resourceVersion": "7",
                "labels": {"app.kubernetes.io/managed-by": "aldis", "aldis.dev/channel": "support", "theirs": "x"},
                "annotations": {"aldis.dev/applied": "h", "theirs": "x".repeat(bytes)},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "o"},
                                    {"apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel", "name": "support", "uid": "c",
                                     "controller": true}],
                "managedFields": [{"manager": "x".repeat(bytes)}],
            },
            "data": {"main.json": "x".repeat(bytes)}, "binaryData": {"b": "x".repeat(bytes)},
        }))
        .unwrap()
    }

    fn size(object: &impl serde::Serialize) -> usize {
        serde_json::to_string(object).unwrap().len()
    }

    #[test]
    fn a_megabyte_with_our_label_takes_some_hundred_bytes() {
        for name in ["sms-support", "sms-support.blocklist-7", "theirs", "sms-support.blocklist-70"] {
            let kept = child(config_map(name, 1 << 20));
            assert!(size(&kept) < 1_000, "{name}: {}", size(&kept));
            assert_eq!(kept.metadata.owner_references.as_ref().map(Vec::len), Some(1), "its controller is known");
            assert_eq!(has_content(&kept), !name.contains("theirs") && !name.ends_with("70"), "{name}");
        }
        let mut set = config_map("sms-support", 10);
        set.data = json!({"spec": {"x": "x".repeat(LONGEST)}});
        assert!(size(&child(set)) < 1_000);
        let mut owned = config_map("theirs", 10);
        let long = "x".repeat(1 << 20);
        let controller = json!([{"apiVersion": long, "kind": long, "name": long, "uid": long, "controller": true}]);
        owned.metadata.owner_references = serde_json::from_value(controller).unwrap();
        let kept = child(owned);
        assert!(size(&kept) < 2_000, "{}", size(&kept));
        assert!(kept.metadata.owner_references.is_some(), "somebody else's controls it");
    }

    #[test]
    fn a_document_is_compared_by_its_digest() {
        let found = child(config_map("sms-support", 10));
        let planned = |text: &str| manifest(&json!({"data": {"main.json": text}}))["data"].clone();
        assert_eq!(found.data["data"], planned(&"x".repeat(10)));
        assert_ne!(found.data["data"], planned("another"));
    }

    #[test]
    fn a_pod_is_kept_as_far_as_it_is_looked_at() {
        let long = "x".repeat(1 << 20);
        let full: Pod = serde_json::from_value(json!({
            "metadata": {"name": "sms-a-0", "labels": {"aldis.dev/channel": "a"}, "annotations": {"theirs": long}},
            "spec": {"nodeName": "n", "containers": [{"name": "engine", "env": [{"name": "A", "value": long}]}]},
            "status": {
                "podIP": "10.244.0.7",
                "reason": long,
                "conditions": [
                    {"type": "Ready", "status": "False", "message": long, "reason": long},
                    {"type": long, "status": "True"},
                ],
                "containerStatuses": [{
                    "name": long, "image": long, "imageID": "i", "ready": false, "restartCount": 3,
                    "state": {"waiting": {"reason": long, "message": long}},
                    "lastState": {"terminated": {"exitCode": 2, "message": long, "reason": long}},
                }],
            },
        }))
        .unwrap();
        let kept = pod(full);
        assert!(size(&kept) < 6 * LONGEST_MESSAGE, "{}", size(&kept));
        let status = kept.status.unwrap();
        assert_eq!(status.pod_ip.as_deref(), Some("10.244.0.7"));
        let last = status.container_statuses.unwrap().remove(0).last_state.unwrap();
        assert_eq!(last.terminated.unwrap().exit_code, 2);
    }
}
