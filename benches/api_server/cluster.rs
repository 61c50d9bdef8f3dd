//! The objects of a cluster: writes with all that follows from them, also what its controllers and kubelets would do.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    object::{Key, Object, note_writer},
    store::Store,
    write::{self, Refused},
};
use crate::pods::Pods;

/// Lists of them are small, and nothing of them is looked at: they are counted and not kept.
const EVENTS: &str = "events.k8s.io/v1/events";
/// Our kinds and StatefulSets.
const WITH_GENERATION: [&str; 2] = ["aldis.dev/", "apps/"];

/// All objects.
pub struct Cluster {
    pub store: Store,
    /// Conditions of our kinds as they stand, by kind and key.
    conditions: BTreeMap<String, BTreeMap<Key, BTreeMap<String, Condition>>>,
    pods: Pods,
    now: (Instant, String),
    uids: u64,
}

/// A condition of an object's status.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub status: String,
    pub generation: i64,
    /// When it came to have this status.
    pub since: Instant,
}

/// Who writes, and how it is called in `managedFields`.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    pub manager: &'a str,
    pub operation: &'static str,
}

impl Cluster {
    /// A cluster without objects.
    pub fn new(pods: Pods) -> Self {
        Self { store: Store::default(), conditions: BTreeMap::new(), pods, now: (Instant::now(), timestamp()), uids: 0 }
    }

    /// How many objects of a kind have this condition as True, of their present generation.
    pub fn count_true(&self, kind: &str, condition: &str) -> usize {
        let objects = self.conditions.get(kind).into_iter().flatten();
        objects.filter(|(_, conditions)| conditions.get(condition).is_some_and(|found| found.status == "True")).count()
    }

    /// A condition of an object.
    pub fn condition(&self, kind: &str, key: &Key, condition: &str) -> Option<&Condition> {
        self.conditions.get(kind)?.get(key)?.get(condition)
    }

    /// Makes an object.
    ///
    /// # Errors
    /// When it is there.
    pub fn create(
        &mut self,
        kind: &str,
        namespace: &str,
        mut object: Value,
        writer: Writer<'_>,
    ) -> Result<Arc<Object>, Refused> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = (namespace.to_owned(), name);
        if self.store.get(kind, &key).is_some() {
            return Err(Refused(409, "AlreadyExists", format!("{kind} {} already exists", key.1)));
        }
        let written = object.clone();
        object["metadata"]["namespace"] = namespace.into();
        self.give(kind, &mut object);
        Ok(self.save(kind, &key, None, object, &written, writer))
    }

    /// Puts `new` in the place of `old`. A write that changes nothing is none.
    pub fn update(
        &mut self,
        kind: &str,
        key: &Key,
        old: Value,
        mut new: Value,
        written: &Value,
        writer: Writer<'_>,
    ) -> Arc<Object> {
        if old == new
            && let Some(object) = self.store.get(kind, key)
        {
            return object.clone();
        }
        if has_generation(kind) && write::is_new_generation(&old, &new) {
            new["metadata"]["generation"] = (old["metadata"]["generation"].as_i64().unwrap_or(0) + 1).into();
        }
        let meta = &new["metadata"];
        let is_unbound = meta["finalizers"].as_array().is_none_or(Vec::is_empty);
        if is_unbound && meta.get("deletionTimestamp").is_some() {
            let last = Object::new(&new);
            self.remove(kind, key);
            return last;
        }
        self.save(kind, key, Some(old), new, written, writer)
    }

    /// Deletes an object, or marks it when it has finalizers.
    pub fn delete(&mut self, kind: &str, key: &Key, old: Value) -> Option<Arc<Object>> {
        if old["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) {
            self.remove(kind, key);
            return None;
        }
        let mut new = old.clone();
        if new["metadata"].get("deletionTimestamp").is_none() {
            new["metadata"]["deletionTimestamp"] = self.time().into();
        }
        Some(self.update(kind, key, old, new, &json!({}), Writer { manager: "api-server", operation: "Update" }))
    }

    fn give(&mut self, kind: &str, object: &mut Value) {
        self.uids += 1;
        let time = self.time();
        let meta = &mut object["metadata"];
        meta["uid"] = format!("00000000-0000-4000-8000-{:012x}", self.uids).into();
        meta["creationTimestamp"] = time.into();
        if has_generation(kind) {
            meta["generation"] = 1.into();
        }
        match kind {
            "v1/services" => {
                object["spec"]["clusterIP"] =
                    format!("10.{}.{}.{}", 96 + (self.uids >> 16), (self.uids >> 8) & 255, self.uids & 255).into()
            }
            "v1/persistentvolumeclaims" => object["spec"]["volumeName"] = format!("pvc-{}", self.uids).into(),
            _ => {}
        }
    }

    fn save(
        &mut self,
        kind: &str,
        key: &Key,
        old: Option<Value>,
        mut new: Value,
        written: &Value,
        writer: Writer<'_>,
    ) -> Arc<Object> {
        let version = self.store.next_version();
        let time = self.time();
        if let Some(meta) = new["metadata"].as_object_mut() {
            meta.insert("resourceVersion".to_owned(), version.to_string().into());
            note_writer(meta, written, writer.manager, writer.operation, &time);
        }
        let object = Object::new(&new);
        if kind != EVENTS {
            self.store.shelf(kind).change(key, version, Some(object.clone()));
        }
        if kind.starts_with("aldis.dev/") {
            self.note_conditions(kind, key, &new);
        }
        self.follow(kind, key, old.as_ref(), &new);
        object
    }

    fn remove(&mut self, kind: &str, key: &Key) {
        let Some(object) = self.store.get(kind, key).cloned() else { return };
        let version = self.store.next_version();
        self.store.shelf(kind).change(key, version, None);
        if let Some(conditions) = self.conditions.get_mut(kind) {
            conditions.remove(key);
        }
        // The garbage collector.
        let mark = format!(r#""uid":"{}""#, object.uid);
        let kinds: Vec<String> = self.store.shelves.keys().cloned().collect();
        for kind in kinds {
            let owned = self.store.shelf(&kind).objects.values().filter(|object| object.key.0 == key.0);
            let owned: Vec<Key> =
                owned.filter(|object| object.is_owned_by(&mark)).map(|object| object.key.clone()).collect();
            for key in owned {
                let value = self.store.get(&kind, &key).map(|object| object.value());
                drop(value.and_then(|value| self.delete(&kind, &key, value)));
            }
        }
    }

    /// What controllers and kubelets do about a write.
    fn follow(&mut self, kind: &str, key: &Key, old: Option<&Value>, new: &Value) {
        match kind {
            "apps/v1/statefulsets" if old.is_none_or(|old| old["spec"]["template"] != new["spec"]["template"]) => {
                self.run_pod(key, new);
            }
            "v1/persistentvolumeclaims" if old.is_none() => {
                let status = json!({"phase": "Bound", "accessModes": new["spec"]["accessModes"],
                                    "capacity": new["spec"]["resources"]["requests"]});
                self.set_status(kind, key, status, "kube-controller-manager");
            }
            "v1/pods" => {
                let nudge = |pod: &Value| pod["metadata"]["annotations"].clone();
                if old.is_none_or(|old| nudge(old) != nudge(new)) {
                    self.load(key);
                }
            }
            _ => {}
        }
    }

    /// The StatefulSet has one pod, which runs at once.
    fn run_pod(&mut self, key: &Key, set: &Value) {
        let pod_key = (key.0.clone(), format!("{}-0", key.1));
        self.remove("v1/pods", &pod_key);
        let revision = format!("{}-{}", key.1, set["metadata"]["generation"]);
        let template = &set["spec"]["template"];
        let mut labels = template["metadata"]["labels"].clone();
        labels["controller-revision-hash"] = revision.clone().into();
        labels["statefulset.kubernetes.io/pod-name"] = pod_key.1.clone().into();
        labels["apps.kubernetes.io/pod-index"] = "0".into();
        let mut spec = template["spec"].clone();
        spec["nodeName"] = "simulated".into();
        let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": key.1, "uid": set["metadata"]["uid"],
                            "controller": true, "blockOwnerDeletion": true}]);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": spec,
                         "metadata": {"name": pod_key.1, "labels": labels, "ownerReferences": owner}});
        let writer = Writer { manager: "kube-controller-manager", operation: "Update" };
        drop(self.create("v1/pods", &key.0, pod, writer));
        let container = &template["spec"]["containers"][0];
        let condition = |name: &str| json!({"type": name, "status": "True", "lastTransitionTime": self.now.1});
        let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
        let status = json!({
            "phase": "Running", "podIP": "10.0.0.1", "hostIP": "10.0.0.2", "startTime": self.now.1,
            "conditions": conditions,
            "containerStatuses": [{"name": container["name"], "image": container["image"], "imageID": "", "ready": true, "started": true,
                                   "restartCount": 0, "state": {"running": {"startedAt": self.now.1}}}],
        });
        self.set_status("v1/pods", &pod_key, status, "kubelet");
        let status = json!({
            "observedGeneration": set["metadata"]["generation"], "replicas": 1, "readyReplicas": 1, "availableReplicas": 1,
            "currentReplicas": 1, "updatedReplicas": 1, "currentRevision": revision, "updateRevision": revision, "collisionCount": 0,
        });
        self.set_status("apps/v1/statefulsets", key, status, "kube-controller-manager");
    }

    fn set_status(&mut self, kind: &str, key: &Key, status: Value, manager: &str) {
        let Some(old) = self.store.get(kind, key).map(|object| object.value()) else { return };
        let mut new = old.clone();
        new["status"] = status;
        let written = json!({"apiVersion": new["apiVersion"], "status": new["status"]});
        self.update(kind, key, old, new, &written, Writer { manager, operation: "Update" });
    }

    /// The kubelet refreshes the pod's files, and the pod looks at them: both at once here.
    fn load(&self, pod: &Key) {
        let service = pod.1.strip_suffix("-0").unwrap_or(&pod.1);
        let map = self.store.get("v1/configmaps", &(pod.0.clone(), service.to_owned()));
        if let Some(map) = map.map(|map| map.value()) {
            self.pods.load(&format!("{service}.{}", pod.0), &map["data"]);
        }
    }

    fn note_conditions(&mut self, kind: &str, key: &Key, object: &Value) {
        let now = Instant::now();
        let known = self.conditions.entry(kind.to_owned()).or_default().entry(key.clone()).or_default();
        let mut found = BTreeMap::new();
        for condition in object["status"]["conditions"].as_array().into_iter().flatten() {
            let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
            let before = known.get(&text("type")).filter(|before| before.status == text("status"));
            let since = before.map_or(now, |before| before.since);
            let generation = condition["observedGeneration"].as_i64().unwrap_or(-1);
            found.insert(text("type"), Condition { status: text("status"), generation, since });
        }
        *known = found;
    }

    /// The time of the day, to the second.
    fn time(&mut self) -> String {
        if self.now.0.elapsed() >= Duration::from_secs(1) {
            self.now = (Instant::now(), timestamp());
        }
        self.now.1.clone()
    }
}

fn has_generation(kind: &str) -> bool {
    WITH_GENERATION.iter().any(|group| kind.starts_with(group))
}

fn timestamp() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
