//! The table of child kinds: apply, prune, watches, the operator's rights and the admission policy come from it.

use kube::api::ApiResource;

/// A kind of child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChildKind {
    /// Identity of the pod.
    ServiceAccount,
    /// Configuration, whole or in parts.
    ConfigMap,
    /// Volume of an engine's store.
    PersistentVolumeClaim,
    /// Stable address of the pod.
    Service,
    /// The pod.
    StatefulSet,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// API group, empty for core.
    pub group: &'static str,
    /// API version within the group.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Plural, as URLs have it.
    pub plural: &'static str,
}

impl ChildKind {
    /// All kinds in the order in which they are applied: what a pod mounts comes before the pod.
    pub const ALL: [Self; 5] =
        [Self::ServiceAccount, Self::ConfigMap, Self::PersistentVolumeClaim, Self::Service, Self::StatefulSet];

    /// The row of the table.
    pub const fn row(self) -> Row {
        let (group, kind, plural) = match self {
            Self::ServiceAccount => ("", "ServiceAccount", "serviceaccounts"),
            Self::ConfigMap => ("", "ConfigMap", "configmaps"),
            Self::PersistentVolumeClaim => ("", "PersistentVolumeClaim", "persistentvolumeclaims"),
            Self::Service => ("", "Service", "services"),
            Self::StatefulSet => ("apps", "StatefulSet", "statefulsets"),
        };
        Row { group, version: "v1", kind, plural }
    }

    /// For requests.
    pub fn api_resource(self) -> ApiResource {
        let row = self.row();
        ApiResource {
            group: row.group.into(),
            version: row.version.into(),
            api_version: row.api_version(),
            kind: row.kind.into(),
            plural: row.plural.into(),
        }
    }
}

impl Row {
    /// `apiVersion` as objects carry it.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pod_mounts_is_applied_before_the_pod() {
        assert_eq!(ChildKind::ALL.last(), Some(&ChildKind::StatefulSet));
        assert!(ChildKind::ALL.is_sorted());
    }

    #[test]
    fn stateful_sets_are_of_the_apps_group() {
        let resource = ChildKind::StatefulSet.api_resource();
        assert_eq!((resource.api_version.as_str(), resource.plural.as_str()), ("apps/v1", "statefulsets"));
        assert_eq!(ChildKind::Service.api_resource().api_version, "v1");
    }
}
