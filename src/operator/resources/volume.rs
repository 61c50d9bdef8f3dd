//! The volume of a gateway or an engine as it stands: how large it is, and whose content it holds.

use kube::ResourceExt;
use serde_json::Value;

use crate::operator::{
    resources::{child::Owner, child_stores::ChildStores, kinds::ChildKind},
    runtime::cache::ObjectKey,
};

/// To whom the content of a volume belongs: an annotation of its claim, and the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content<'a> {
    /// The annotation.
    pub annotation: &'static str,
    /// A number, or an account.
    pub value: &'a str,
}

/// The size that the volume was asked for last and that the API server took; none = there is no volume.
pub(crate) fn size(stores: &ChildStores, owner: &Owner) -> Option<String> {
    let claim = stores.of(ChildKind::PersistentVolumeClaim).get(&key(owner))?;
    let size = claim.data.pointer("/spec/resources/requests/storage").and_then(Value::as_str)?;
    Some(size.to_owned())
}

/// Whose content the volume of the owner's name holds, if it is somebody else's. A retained volume is adopted by an owner of the same
/// name and content only.
pub(crate) fn foreign_content(stores: &ChildStores, owner: &Owner, content: Content<'_>) -> Option<String> {
    let claim = stores.of(ChildKind::PersistentVolumeClaim).get(&key(owner))?;
    claim.annotations().get(content.annotation).filter(|known| *known != content.value).cloned()
}

fn key(owner: &Owner) -> ObjectKey {
    ObjectKey::new(&owner.namespace, &owner.child_name)
}
