//! What the chart says of the operator's account: its rights, and the policies that bind it.

use serde_json::Value;

use super::{File, yaml};
use crate::operator;

pub(super) fn rbac() -> Vec<File> {
    vec![file("rbac", &operator::rbac())]
}

pub(super) fn policy() -> Vec<File> {
    vec![file("policy", &operator::policy())]
}

fn file(part: &str, objects: &[Value]) -> File {
    let documents: Vec<String> = objects.iter().map(yaml::document).collect();
    let content = yaml::header(part) + &documents.join("---\n");
    File { path: format!("charts/aldis/generated/{part}.yaml").into(), content }
}
