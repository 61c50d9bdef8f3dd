//! What others put into our pod templates. Applying again keeps it, so it is taken out by name first.

use serde_json::{Value, json};

use crate::operator::resources::diff::key;

/// Fields of a pod template that give it power over the node or another identity, and that we never set.
const POD_FIELDS: [&str; 11] = [
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostUsers",
    "hostAliases",
    "shareProcessNamespace",
    "nodeName",
    "runtimeClassName",
    "initContainers",
    "ephemeralContainers",
    "activeDeadlineSeconds",
];
/// Fields of a container that we never set.
const CONTAINER_FIELDS: [&str; 6] = ["env", "envFrom", "command", "lifecycle", "volumeDevices", "workingDir"];
/// Fields of a security context that we never set.
const SECURITY_FIELDS: [&str; 4] = ["privileged", "procMount", "seLinuxOptions", "windowsOptions"];

const POD: &str = "/spec/template/spec";

/// The removals that take foreign content out of `live`, as JSON Patch operations, guarded by its resourceVersion. None when
/// there is no foreign content.
pub(super) fn removals(desired: &Value, live: &Value) -> Option<Value> {
    let mut paths = Vec::new();
    if let (Some(ours), Some(theirs)) = (desired.pointer(POD), live.pointer(POD)) {
        fields(ours, theirs, POD, &POD_FIELDS, &mut paths);
        for list in ["containers", "volumes", "tolerations", "imagePullSecrets"] {
            elements(ours, theirs, POD, list, &mut paths);
        }
        containers(ours, theirs, &mut paths);
    }
    if paths.is_empty() {
        return None;
    }
    // From the end of each list to its start, so that indices stay right.
    paths.sort_by_key(|path| std::cmp::Reverse(natural(path)));
    let version = live.pointer("/metadata/resourceVersion").cloned().unwrap_or(Value::Null);
    let mut operations = vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": version})];
    operations.extend(paths.into_iter().map(|path| json!({"op": "remove", "path": path})));
    Some(Value::Array(operations))
}

fn containers(ours: &Value, theirs: &Value, paths: &mut Vec<String>) {
    let empty = Vec::new();
    let list = |pod: &Value| pod.get("containers").and_then(Value::as_array).cloned().unwrap_or_default();
    let own = list(ours);
    for (index, found) in theirs.get("containers").and_then(Value::as_array).unwrap_or(&empty).iter().enumerate() {
        let Some(wanted) = own.iter().find(|candidate| key(candidate) == key(found)) else { continue };
        let path = format!("{POD}/containers/{index}");
        fields(wanted, found, &path, &CONTAINER_FIELDS, paths);
        for list in ["volumeMounts", "ports"] {
            elements(wanted, found, &path, list, paths);
        }
        if let (Some(ours), Some(theirs)) = (wanted.get("securityContext"), found.get("securityContext")) {
            fields(ours, theirs, &format!("{path}/securityContext"), &SECURITY_FIELDS, paths);
        }
    }
}

fn fields(ours: &Value, theirs: &Value, path: &str, names: &[&str], paths: &mut Vec<String>) {
    for name in names {
        if ours.get(name).is_none() && theirs.get(name).is_some() {
            paths.push(format!("{path}/{name}"));
        }
    }
}

fn elements(ours: &Value, theirs: &Value, path: &str, list: &str, paths: &mut Vec<String>) {
    let Some(found) = theirs.get(list).and_then(Value::as_array) else { return };
    let empty = Vec::new();
    let wanted = ours.get(list).and_then(Value::as_array).unwrap_or(&empty);
    for (index, element) in found.iter().enumerate() {
        let known = wanted.iter().any(|candidate| match key(element) {
            Some(name) => key(candidate) == Some(name),
            None => crate::operator::resources::diff::holds(candidate, element),
        });
        if !known {
            paths.push(format!("{path}/{list}/{index}"));
        }
    }
}

/// Sorts `…/10` after `…/9`.
fn natural(path: &str) -> Vec<(usize, String)> {
    path.split('/').map(|part| (part.parse().unwrap_or(0), part.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(pod: Value) -> Value {
        json!({"metadata": {"resourceVersion": "7"}, "spec": {"template": {"spec": pod}}})
    }

    #[test]
    fn foreign_containers_volumes_and_mounts_are_named() {
        let ours = template(json!({
            "containers": [{"name": "engine", "volumeMounts": [{"mountPath": "/a", "name": "a"}]}],
            "volumes": [{"name": "a"}],
        }));
        let theirs = template(json!({
            "containers": [
                {"name": "spy"},
                {"name": "engine", "env": [{"name": "X"}], "volumeMounts": [
                    {"mountPath": "/a", "name": "a"}, {"mountPath": "/b", "name": "b"}]},
                {"name": "miner"},
            ],
            "volumes": [{"name": "a"}, {"name": "b"}],
            "hostNetwork": true,
            "dnsPolicy": "ClusterFirst",
        }));
        let patch = removals(&ours, &theirs).unwrap();
        let removed: Vec<_> =
            patch.as_array().unwrap().iter().skip(1).map(|op| op["path"].as_str().unwrap().replace(POD, "")).collect();
        let at = |path: &str| {
            removed.iter().position(|removed| removed == path).unwrap_or_else(|| panic!("{path}: {removed:?}"))
        };
        assert!(at("/containers/2") < at("/containers/1/env"));
        assert!(at("/containers/1/env") < at("/containers/0"));
        at("/containers/1/volumeMounts/1");
        at("/volumes/1");
        at("/hostNetwork");
        assert_eq!(removed.len(), 6);
        assert_eq!(patch[0], json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}));
    }

    #[test]
    fn secrets_for_pulling_that_are_not_ours_are_named() {
        let secrets = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Value>();
        let pod = |names: &[&str]| template(json!({"containers": [], "imagePullSecrets": secrets(names)}));
        let removed = |ours: &Value, theirs: &Value| removals(ours, theirs).map(|patch| patch[1]["path"].clone());
        assert_eq!(removed(&pod(&["mirror", "registry"]), &pod(&["registry", "mirror"])), None, "in any order");
        let foreign = pod(&["registry", "theirs"]);
        let path = json!("/spec/template/spec/imagePullSecrets/1");
        assert_eq!(removed(&pod(&["registry"]), &foreign), Some(path));
        let none = template(json!({"containers": []}));
        assert_eq!(removals(&none, &foreign).unwrap().as_array().unwrap().len(), 3, "both where none is ours");
    }

    #[test]
    fn our_own_template_with_defaults_has_nothing_foreign() {
        let ours = template(json!({"containers": [{"name": "engine", "securityContext": {"runAsNonRoot": true}}]}));
        let theirs = template(json!({
            "containers": [{"name": "engine", "securityContext": {"runAsNonRoot": true}, "terminationMessagePath": "/dev/x"}],
            "restartPolicy": "Always", "schedulerName": "default-scheduler",
        }));
        assert_eq!(removals(&ours, &theirs), None);
    }
}
