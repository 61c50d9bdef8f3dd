//! What a write makes of an object. As far as the operator writes: no schemas, no defaults, no lists merged by key.

use serde_json::{Map, Value, json};

/// A write that was refused: HTTP status, reason and message.
#[derive(Debug)]
pub struct Refused(pub u16, pub &'static str, pub String);

/// Fields of metadata that the API server sets.
const GIVEN: [&str; 6] =
    ["uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields"];
/// Fields of `spec` that controllers set.
const GIVEN_IN_SPEC: [&str; 3] = ["clusterIP", "clusterIPs", "volumeName"];

/// Whether a write may touch the object that stands: a UID and a version that it names must be the ones that stand.
///
/// # Errors
/// A conflict.
pub fn check(named: &Value, standing: Option<&Value>) -> Result<(), Refused> {
    for field in ["uid", "resourceVersion"] {
        let Some(wanted) = named[field].as_str().filter(|wanted| !wanted.is_empty()) else { continue };
        let found = standing.map(|standing| &standing["metadata"][field]);
        if found.is_none_or(|found| found != wanted) {
            return Err(Refused(409, "Conflict", format!("the {field} is not {wanted}")));
        }
    }
    Ok(())
}

/// Server-side apply over the object that stands, or nothing.
pub fn applied(standing: Option<Value>, manifest: &Value) -> Value {
    let Some(mut object) = standing else { return manifest.clone() };
    for (name, value) in manifest.as_object().into_iter().flatten() {
        match name.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => apply_metadata(&mut object["metadata"], value),
            "spec" => {
                let mut spec = value.clone();
                for field in GIVEN_IN_SPEC {
                    if let (Some(given), None) = (object["spec"].get(field), spec.get(field)) {
                        spec[field] = given.clone();
                    }
                }
                object["spec"] = spec;
            }
            _ => object[name.as_str()] = value.clone(),
        }
    }
    object
}

fn apply_metadata(standing: &mut Value, wanted: &Value) {
    for (name, value) in wanted.as_object().into_iter().flatten() {
        match name.as_str() {
            "labels" | "annotations" => merge(&mut standing[name.as_str()], value),
            "ownerReferences" | "finalizers" => standing[name.as_str()] = value.clone(),
            _ => {}
        }
    }
}

/// Applies to `status` alone.
pub fn status_applied(mut standing: Value, manifest: &Value) -> Value {
    standing["status"] = manifest["status"].clone();
    standing
}

/// Another object in place of the one that stands, which keeps what the API server has set, and its status.
pub fn replaced(standing: &Value, mut object: Value) -> Value {
    keep_given(standing, &mut object);
    match standing.get("status") {
        Some(status) => object["status"] = status.clone(),
        None => drop(object.as_object_mut().map(|object| object.remove("status"))),
    }
    object
}

/// A JSON merge patch.
pub fn merged(mut standing: Value, patch: &Value) -> Value {
    let before = standing.clone();
    merge(&mut standing, patch);
    keep_given(&before, &mut standing);
    standing
}

fn keep_given(standing: &Value, object: &mut Value) {
    for field in GIVEN {
        match standing["metadata"].get(field) {
            Some(given) => object["metadata"][field] = given.clone(),
            None => drop(object["metadata"].as_object_mut().map(|metadata| metadata.remove(field))),
        }
    }
}

fn merge(to: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *to = patch.clone();
        return;
    };
    if !to.is_object() {
        *to = Value::Object(Map::new());
    }
    let Some(fields) = to.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// A JSON patch of the operations `test`, `remove`, `add` and `replace`.
///
/// # Errors
/// When a test fails or a place is not there.
pub fn patched(mut standing: Value, operations: &Value) -> Result<Value, Refused> {
    let before = standing.clone();
    for operation in operations.as_array().into_iter().flatten() {
        let path = operation["path"].as_str().unwrap_or_default();
        operate(&mut standing, operation["op"].as_str().unwrap_or_default(), path, &operation["value"])
            .ok_or_else(|| Refused(422, "Invalid", format!("the operation {operation} cannot be carried out")))?;
    }
    keep_given(&before, &mut standing);
    Ok(standing)
}

fn operate(object: &mut Value, operation: &str, path: &str, value: &Value) -> Option<()> {
    if operation == "test" {
        return (object.pointer(path)? == value).then_some(());
    }
    let (parent, last) = path.rsplit_once('/')?;
    let last = last.replace("~1", "/").replace("~0", "~");
    match (object.pointer_mut(parent)?, operation) {
        (Value::Object(fields), "remove") => fields.remove(&last).map(drop),
        (Value::Object(fields), "add" | "replace") => {
            fields.insert(last, value.clone());
            Some(())
        }
        (Value::Array(elements), "remove") => {
            let at = last.parse::<usize>().ok().filter(|at| *at < elements.len())?;
            elements.remove(at);
            Some(())
        }
        (Value::Array(elements), "add") => {
            let at = if last == "-" { elements.len() } else { last.parse().ok()? };
            (at <= elements.len()).then(|| elements.insert(at, value.clone()))
        }
        (Value::Array(elements), "replace") => {
            *elements.get_mut(last.parse::<usize>().ok()?)? = value.clone();
            Some(())
        }
        _ => None,
    }
}

/// Whether two versions of an object differ in what makes a new generation.
pub fn is_new_generation(old: &Value, new: &Value) -> bool {
    let wanted = |object: &Value| {
        let mut wanted = object.clone();
        if let Some(fields) = wanted.as_object_mut() {
            fields.remove("metadata");
            fields.remove("status");
        }
        wanted
    };
    wanted(old) != wanted(new) || old["metadata"].get("deletionTimestamp") != new["metadata"].get("deletionTimestamp")
}

/// An error, as the API server says it.
pub fn status(Refused(code, reason, message): &Refused) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code,
    })
}
