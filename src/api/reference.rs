//! References to other objects. They never leave the namespace.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::pattern;

/// An object of the same namespace, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// Name of the object, in the same namespace. It may be created later: this object waits for it and goes on by itself.
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::OBJECT_NAME))]
    pub name: String,
}

impl LocalRef {
    /// A reference to the object of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// A Secret of the same namespace, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the Secret, in the same namespace. The operator never reads it: it is mounted into the pod that needs it, and a
    /// missing Secret or key shows as a condition.
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::OBJECT_NAME))]
    pub name: String,
}

/// One key of a Secret of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret, in the same namespace.
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::OBJECT_NAME))]
    pub name: String,
    /// Key inside the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = pattern::SECRET_KEY))]
    pub key: String,
}
