//! What the admission policies say to the operator's account, beside an accepted control.

use serde_json::Value;

use crate::support::{
    operator::ACCOUNT,
    testbed::{Cluster, Output},
};

/// An object without what the API server added.
pub fn as_made(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
        metadata.remove(field);
    }
    object.as_object_mut().unwrap().remove("status");
    if object["kind"] == "Service" {
        for field in ["clusterIP", "clusterIPs"] {
            object["spec"].as_object_mut().unwrap().remove(field);
        }
    }
    object
}

/// What the API server says to the operator's account that makes this. Nothing is stored.
pub fn make(cluster: &Cluster, object: &Value) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), object.to_string()).unwrap();
    let file = file.path().to_str().unwrap();
    cluster.kubectl(&["create", "--dry-run=server", "--as", ACCOUNT, "-f", file])
}

/// The words of the policy that refused.
#[track_caller]
pub fn refusal(what: &str, output: Output) -> String {
    let said = output.refused();
    let words = said.split_once("denied request: ").unwrap_or_else(|| panic!("{what}: not by a policy: {said}")).1;
    words.trim().to_owned()
}

/// One thing that is different, and what the API server says to that.
pub struct Refused {
    what: &'static str,
    at: &'static str,
    is: Value,
    message: &'static str,
}

pub fn refused(what: &'static str, at: &'static str, is: Value, message: &'static str) -> Refused {
    Refused { what, at, is, message }
}

/// The object itself is accepted; each difference is refused.
pub fn differences_are_refused(cluster: &Cluster, control: &Value, cases: Vec<Refused>) {
    make(cluster, control).ok();
    for Refused { what, at, is, message } in cases {
        let said = refusal(what, make(cluster, &with(control, at, is)));
        assert_eq!(said, message, "{what}");
    }
}

/// A copy with another value at a JSON pointer; `-` is the end of a list.
pub fn with(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    match object.pointer_mut(parent).unwrap_or_else(|| panic!("no {pointer}")) {
        Value::Array(list) if field == "-" => list.push(value),
        Value::Array(list) => list[field.parse::<usize>().unwrap()] = value,
        parent => parent[field] = value,
    }
    object
}
