//! `crds/`: one file for each kind. The chart has copies: tools that pack it, Flux among them, leave links out.

use serde_json::Value;

use super::{File, yaml};
use crate::api::crd;

/// A copy for `kubectl apply`, and one for the chart.
const FOLDERS: [&str; 2] = ["crds", "charts/aldis/generated/crds"];

pub(super) fn files() -> Vec<File> {
    FOLDERS.into_iter().flat_map(|folder| crd::all().iter().map(|crd| file(folder, crd)).collect::<Vec<_>>()).collect()
}

fn file(folder: &str, crd: &Value) -> File {
    let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let path = format!("{folder}/{}_{}.yaml", text("/spec/group"), text("/spec/names/plural"));
    File { path: path.into(), content: yaml::header("crds") + &yaml::document(crd) }
}
