//! `crds/`: one file for each kind.

use serde_json::Value;

use super::{File, yaml};
use crate::api::crd;

pub(super) fn files() -> Vec<File> {
    crd::all().iter().map(file).collect()
}

fn file(crd: &Value) -> File {
    let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let path = format!("crds/{}_{}.yaml", text("/spec/group"), text("/spec/names/plural"));
    File { path: path.into(), content: yaml::header("crds") + &yaml::document(crd) }
}
