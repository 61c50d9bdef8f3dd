//! The volume of a gateway or an engine as it stands: how large it is, and whose content it holds.

use serde_json::Value;

use crate::operator::{
    resources::{
        child::Owner,
        kinds::{ChildKind, ChildStores},
    },
    runtime::cache::ObjectKey,
};

/// The size that the volume was asked for last and that the API server took; none = there is no volume.
pub fn size(stores: &ChildStores, owner: &Owner) -> Option<String> {
    let claim = stores.of(ChildKind::PersistentVolumeClaim).get(&key(owner))?;
    let size = claim.data.pointer("/spec/resources/requests/storage").and_then(Value::as_str)?;
    Some(size.to_owned())
}

fn key(owner: &Owner) -> ObjectKey {
    ObjectKey::new(&owner.namespace, &owner.child_name)
}
