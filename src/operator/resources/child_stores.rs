//! The caches of children: one store for each kind, and how a child is found in it.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::DynamicObject;

use super::{
    child::{Owner, controller, controller_uid},
    kept,
    kinds::ChildKind,
};
use crate::{
    api::names,
    operator::runtime::{
        cache::{ObjectKey, Store},
        index::{Term, Terms},
        packed::Codec,
    },
};

/// Between the name of the main children and what tells a part of a configuration.
const PART: char = '.';

/// One store for each kind of child.
pub(crate) struct ChildStores(BTreeMap<ChildKind, Arc<Store<DynamicObject>>>);

impl Default for ChildStores {
    fn default() -> Self {
        let store = |kind| Store::indexed_by(terms(kind)).keeping(kept::child).packed(Codec::dynamic());
        Self(ChildKind::ALL.into_iter().map(|kind| (kind, Arc::new(store(kind)))).collect())
    }
}

/// By what children of a kind are looked for. Those that are named after their controller are found by their names; the controller of a
/// StatefulSet is asked for each time its pod is looked at.
fn terms(kind: ChildKind) -> Terms<DynamicObject> {
    let by_controller: Terms<_> =
        |child| controller_uid(child).map(|uid| Term::Controller(uid.to_owned())).into_iter().collect();
    match kind {
        ChildKind::StatefulSet => by_controller,
        ChildKind::ServiceAccount | ChildKind::ConfigMap | ChildKind::PersistentVolumeClaim | ChildKind::Service => {
            |child| {
                let controller = controller(child).filter(|controller| !is_named_after(child, controller));
                controller.map(|controller| Term::Controller(controller.uid.clone())).into_iter().collect()
            }
        }
    }
}

/// Whether the child has a name that we give to children of this owner.
fn is_named_after(child: &DynamicObject, owner: &OwnerReference) -> bool {
    let main = match owner.kind.as_str() {
        "SmsChannel" => names::channel_child(&owner.name),
        "SmsConnector" => names::connector_child(&owner.name),
        _ => return false,
    };
    let name = child.metadata.name.as_deref().unwrap_or_default();
    name.strip_prefix(&main).is_some_and(|rest| rest.is_empty() || rest.starts_with(PART))
}

impl ChildStores {
    /// The store of a kind.
    pub(crate) fn of(&self, kind: ChildKind) -> &Arc<Store<DynamicObject>> {
        // Every kind of the table is put in at the start.
        &self.0[&kind]
    }

    /// The children of a kind with the names that we give to this owner's, whoever made them.
    pub(crate) fn keys_named_after(&self, kind: ChildKind, owner: &Owner) -> Vec<ObjectKey> {
        let (store, main) = (self.of(kind), ObjectKey::new(&owner.namespace, &owner.child_name));
        let mut keys = store.keys_beginning(&owner.namespace, &format!("{}{PART}", owner.child_name));
        if store.contains(&main) {
            keys.push(main);
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn children_are_found_by_their_names_or_else_by_their_controller() {
        let stores = ChildStores::default();
        let store = stores.of(ChildKind::ConfigMap);
        let child = |name: &str, owner: &str| {
            serde_json::from_value::<DynamicObject>(json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": "7", "ownerReferences": [
                    {"apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel", "name": owner, "uid": owner, "controller": true}]},
            }))
            .unwrap()
        };
        for (name, owner) in [
            ("sms-a", "a"),
            ("sms-a.blocklist-0", "a"),
            ("sms-a-b", "a-b"),
            ("sms-ab", "ab"),
            ("of-an-older-version", "a"),
        ] {
            store.wrote(child(name, owner));
        }
        let channel: crate::api::SmsChannel = serde_json::from_value(json!({
            "metadata": {"namespace": "n", "name": "a", "uid": "a"},
            "spec": {"campaignRef": {"name": "c"}, "connectorRef": {"name": "c"}, "number": "+15551230001"},
        }))
        .unwrap();
        let owner = Owner::channel(&channel);
        let names = |keys: Vec<ObjectKey>| keys.iter().map(|key| key.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(stores.keys_named_after(ChildKind::ConfigMap, &owner)), ["sms-a.blocklist-0", "sms-a"]);
        assert_eq!(names(store.keys_with(&Term::Controller("a".into()))), ["of-an-older-version"]);
    }
}
