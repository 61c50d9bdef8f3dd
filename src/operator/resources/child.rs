//! What the operator makes for connectors and channels, as it shall be and as it stands.

use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use super::kinds::ChildKind;
use crate::{
    api::names,
    operator::runtime::{cache::ObjectKey, error::Error},
};

/// Hash of what was last applied, on each child: tells a change of ours from one by somebody else.
pub(crate) const ANNOTATION_APPLIED: &str = "aldis.dev/applied";
/// Version of the operator that last applied a StatefulSet; an older operator leaves it alone.
pub(crate) const ANNOTATION_VERSION: &str = "aldis.dev/version";
/// Number that a volume's conversations belong to.
pub(crate) const ANNOTATION_NUMBER: &str = "aldis.dev/number";
/// Account that a spool's messages belong to: kind of provider, a slash, and the account.
pub(crate) const ANNOTATION_ACCOUNT: &str = "aldis.dev/account";
/// On a configuration with which a channel drains: `true`.
pub(crate) const ANNOTATION_DRAINING: &str = "aldis.dev/draining";

/// Whom children are made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// `SmsConnector` or `SmsChannel`.
    pub kind: &'static str,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Field manager of everything applied for it.
    pub field_manager: &'static str,
    /// Label on each child whose value is the owner's name.
    pub label: &'static str,
    /// Component label of each child.
    pub component: &'static str,
    /// Name of the main children.
    pub child_name: String,
}

impl Owner {
    /// The owner of what a connector needs.
    pub(crate) fn connector(connector: &crate::api::SmsConnector) -> Self {
        Self {
            kind: "SmsConnector",
            namespace: connector.namespace().unwrap_or_default(),
            name: connector.name_any(),
            uid: connector.uid().unwrap_or_default(),
            field_manager: names::FIELD_MANAGER_CONNECTOR,
            label: names::LABEL_CONNECTOR,
            component: names::COMPONENT_GATEWAY,
            child_name: connector.child_name(),
        }
    }

    /// The owner of what a channel needs.
    pub(crate) fn channel(channel: &crate::api::SmsChannel) -> Self {
        Self {
            kind: "SmsChannel",
            namespace: channel.namespace().unwrap_or_default(),
            name: channel.name_any(),
            uid: channel.uid().unwrap_or_default(),
            field_manager: names::FIELD_MANAGER_CHANNEL,
            label: names::LABEL_CHANNEL,
            component: names::COMPONENT_ENGINE,
            child_name: channel.child_name(),
        }
    }

    /// The labels by which Services and StatefulSets select the pod. They never change.
    pub(crate) fn selector(&self) -> Value {
        json!({
            names::LABEL_NAME: "aldis",
            names::LABEL_INSTANCE: self.child_name,
            names::LABEL_COMPONENT: self.component,
        })
    }

    /// The labels of every child.
    pub(crate) fn labels(&self) -> Value {
        let mut labels = self.selector();
        labels[names::LABEL_MANAGED_BY] = names::MANAGED_BY.into();
        labels[self.label] = self.name.clone().into();
        labels
    }

    fn reference(&self) -> Value {
        json!([{
            "apiVersion": format!("{}/{}", crate::api::GROUP, crate::api::VERSION),
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": true,
            "blockOwnerDeletion": true,
        }])
    }

    /// Whether the object is this owner's: its controller says so, or it has none and we made it for an owner of this name. With
    /// `kubectl delete --cascade=orphan` the garbage collector takes the owner references away.
    pub(crate) fn owns(&self, object: &DynamicObject) -> bool {
        match controller_uid(object) {
            Some(uid) => uid == self.uid,
            None => {
                let labels = object.labels();
                labels.get(self.label) == Some(&self.name)
                    && labels.get(names::LABEL_MANAGED_BY).is_some_and(|value| value == names::MANAGED_BY)
                    && object.annotations().contains_key(ANNOTATION_APPLIED)
            }
        }
    }

    /// The owner's own key.
    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey::new(&self.namespace, &self.name)
    }

    /// Whether the object's controller is this owner.
    pub(crate) fn controls(&self, object: &impl Resource) -> bool {
        controller_uid(object) == Some(self.uid.as_str())
    }
}

/// The object's controller.
pub(super) fn controller(object: &impl Resource) -> Option<&OwnerReference> {
    let references = object.meta().owner_references.as_deref().unwrap_or_default();
    references.iter().find(|reference| reference.controller == Some(true))
}

/// UID of the object's controller.
pub(crate) fn controller_uid(object: &impl Resource) -> Option<&str> {
    controller(object).map(|controller| controller.uid.as_str())
}

/// How a child is bound to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bond {
    /// The owner is its controller; it goes with the owner.
    Controlled,
    /// It has no owner and stays behind; known by its labels. A successor of the same name may adopt it.
    Retained,
}

/// One child as it shall be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Child {
    /// Kind.
    pub kind: ChildKind,
    /// Name.
    pub name: String,
    /// The whole manifest that is applied.
    pub manifest: Value,
    /// How it is bound to its owner.
    pub bond: Bond,
}

impl Child {
    /// A child whose manifest is `body` with metadata put before it. `body` may bring `metadata.annotations`.
    pub(crate) fn new(owner: &Owner, kind: ChildKind, name: impl Into<String>, bond: Bond, body: Value) -> Self {
        let name = name.into();
        let row = kind.row();
        let mut manifest = body;
        let annotations = manifest["metadata"]["annotations"].take();
        let mut metadata = json!({"name": name, "namespace": owner.namespace, "labels": owner.labels()});
        if bond == Bond::Controlled {
            metadata["ownerReferences"] = owner.reference();
        }
        metadata["annotations"] = if annotations.is_object() { annotations } else { json!({}) };
        manifest["apiVersion"] = row.api_version().into();
        manifest["kind"] = row.kind.into();
        manifest["metadata"] = metadata;
        let hash = crate::wire::config::ConfigHash::of(manifest.to_string().as_bytes()).short();
        manifest["metadata"]["annotations"][ANNOTATION_APPLIED] = hash.into();
        Self { kind, name, manifest, bond }
    }
}

/// Children that are planned.
#[derive(Debug)]
pub(crate) enum Prepared {}
/// Children that stand in the cluster as planned.
#[derive(Debug)]
pub(crate) enum Applied {}

/// The children of one owner. Status is computed from applied ones only.
#[derive(Debug)]
pub(crate) struct Children<State> {
    planned: Vec<Child>,
    repaired: Vec<String>,
    refused: Option<Error>,
    state: PhantomData<State>,
}

impl Children<Prepared> {
    /// Children to be applied.
    pub(crate) fn planned(mut planned: Vec<Child>) -> Self {
        planned.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        Self { planned, repaired: Vec::new(), refused: None, state: PhantomData }
    }

    /// The children, in the order in which they are applied.
    pub(crate) fn list(&self) -> &[Child] {
        &self.planned
    }

    /// All but those of a kind.
    pub(crate) fn without(mut self, kind: ChildKind) -> Self {
        self.planned.retain(|child| child.kind != kind);
        self
    }

    /// They stand in the cluster now, but for one that was `refused` and that the others do not depend on; `repaired` names those
    /// that somebody else had changed or deleted.
    pub(crate) fn applied(self, repaired: Vec<String>, refused: Option<Error>) -> Children<Applied> {
        Children { planned: self.planned, repaired, refused, state: PhantomData }
    }
}

impl Children<Applied> {
    /// What somebody else had changed or deleted and was put right.
    pub(crate) fn repaired(&self) -> &[String] {
        &self.repaired
    }

    /// What is said once everything else is in force.
    ///
    /// # Errors
    /// The refusal of the one that does not stand as planned.
    pub(crate) fn complete(self) -> Result<(), Error> {
        self.refused.map_or(Ok(()), Err)
    }
}
