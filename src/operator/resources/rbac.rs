//! The operator's rights, from the table of children and the few other kinds that it touches.

use serde_json::{Value, json};

use crate::{
    api::GROUP,
    operator::{resources::kinds::ChildKind, runtime::leader},
};

/// Name of the roles and of the operator's ServiceAccount.
const NAME: &str = "aldis-operator";
/// Name of the role for the namespaces that the operator looks after.
const NAME_IN_NAMESPACES: &str = "aldis-operator-namespaces";
/// Namespace of the default installation; the chart puts its own in its place.
const NAMESPACE: &str = "aldis-system";

/// The operator's rights: a ClusterRole for what belongs to no namespace, one for what it does in each namespace that it looks after
/// (bound in the whole cluster or in these namespaces), and a Role for its own namespace.
pub fn rbac() -> Vec<Value> {
    vec![
        role("ClusterRole", NAME, None, cluster_rules()),
        role("ClusterRole", NAME_IN_NAMESPACES, None, namespace_rules()),
        role("Role", NAME, Some(NAMESPACE), own_rules()),
    ]
}

fn role(kind: &str, name: &str, namespace: Option<&str>, rules: Vec<Value>) -> Value {
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules})
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

fn cluster_rules() -> Vec<Value> {
    vec![
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], &["get"]),
        json!({
            "nonResourceURLs": ["/.well-known/openid-configuration", "/openid/v1/jwks"], "verbs": ["get"],
        }),
    ]
}

fn namespace_rules() -> Vec<Value> {
    let own = ["smsconnectors", "smschannels", "campaigns", "bots", "blocklists"];
    let of = |suffix: &str| own.map(|plural| format!("{plural}/{suffix}"));
    let (status, finalizers) = (of("status"), of("finalizers"));
    let names = |names: &[String]| names.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let split = |text: &str| text.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>();
    let mut rules = vec![
        rule(GROUP, &own, &["get", "list", "watch"]),
        // Finalizers, and an annotation that has done its work.
        rule(GROUP, &["smsconnectors", "smschannels"], &["patch"]),
        json!({"apiGroups": [GROUP], "resources": split(&names(&status)), "verbs": ["update"]}),
        // Owner references that block deletion need this.
        json!({"apiGroups": [GROUP], "resources": split(&names(&finalizers)), "verbs": ["update"]}),
    ];
    let mut groups: Vec<&str> = ChildKind::ALL.iter().map(|kind| kind.row().group).collect();
    groups.dedup();
    for group in groups {
        let of_group = ChildKind::ALL.into_iter().filter(|kind| kind.row().group == group);
        let plurals: Vec<_> = of_group.map(|kind| kind.row().plural).collect();
        // Server-side apply of an object that does not exist needs create beside patch.
        rules.push(rule(group, &plurals, &["get", "list", "watch", "create", "patch", "delete"]));
    }
    rules.push(rule("", &["pods"], &["get", "list", "watch", "patch"]));
    // A deletion waits for nothing in a namespace that goes itself.
    rules.push(rule("", &["namespaces"], &["get"]));
    rules.push(rule("events.k8s.io", &["events"], &["create", "patch"]));
    rules
}

fn own_rules() -> Vec<Value> {
    vec![
        // Claims have names that are not known before.
        rule("coordination.k8s.io", &["leases"], &["get", "list", "watch", "create", "delete"]),
        json!({
            "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["update"],
            "resourceNames": [leader::LEASE_NAME],
        }),
        json!({
            "apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"], "resourceNames": [NAME],
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_about_secrets_and_no_stars() {
        let text = serde_json::to_string(&rbac()).unwrap();
        assert!(!text.contains("secrets") && !text.contains('*'), "{text}");
    }

    #[test]
    fn every_child_kind_is_covered() {
        let text = serde_json::to_string(&rbac()).unwrap();
        for kind in ChildKind::ALL {
            assert!(text.contains(&format!("\"{}\"", kind.row().plural)), "{kind:?}");
        }
    }
}
