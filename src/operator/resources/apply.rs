//! Brings an owner's children to what was planned: writes what differs, deletes what is not planned any more.

use std::sync::Arc;

use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use crate::{
    api::{Reason, names},
    operator::{
        resources::{
            child::{
                ANNOTATION_APPLIED, ANNOTATION_VERSION, Applied, Bond, Child, Children, Owner, Prepared, controller_uid,
            },
            child_stores::ChildStores,
            diff, foreign, kept,
            kinds::ChildKind,
            volume,
            writer::Writer,
        },
        runtime::{
            cache::{ObjectKey, Store},
            error::Error,
            index::Term,
        },
    },
};

/// Applies all children. One that is already as planned costs no request. One that lacks room or cannot grow does not keep the others
/// from being applied.
///
/// # Errors
/// [`Error::Stalled`] with `NameConflict` when an object of a needed name is not ours; faults of the API server.
pub(crate) async fn apply(
    writer: &Writer,
    stores: &ChildStores,
    owner: &Owner,
    children: Children<Prepared>,
) -> Result<Children<Applied>, Error> {
    let (mut repaired, mut refused) = (Vec::new(), None);
    for child in children.list() {
        match apply_one(writer, stores, owner, child).await {
            Ok(false) => {}
            Ok(true) => repaired.push(format!("{} {}", child.kind.row().kind, child.name)),
            Err(Error::Stalled { reason: Reason::VolumeCannotGrow, message }) => {
                let size = volume::size(stores, owner).unwrap_or_default();
                let message =
                    format!("{message}; set the size back to {size}, or have the storage class allow expansion");
                refused.get_or_insert(Error::stalled(Reason::VolumeCannotGrow, message));
            }
            Err(error @ Error::Stalled { reason: Reason::QuotaExceeded, .. }) => {
                refused.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(children.applied(repaired, refused))
}

/// Applies one child; says whether that put right what somebody else had changed.
async fn apply_one(writer: &Writer, stores: &ChildStores, owner: &Owner, child: &Child) -> Result<bool, Error> {
    let store = stores.of(child.kind);
    let key = ObjectKey::new(&owner.namespace, &child.name);
    let known = match store.get(&key) {
        Some(object) if kept::has_content(&object) => Some(object),
        // The caches hold objects with our label only, and nothing that is longer than ours: a foreign one of this name is seen by asking.
        Some(_) | None => writer.get_child(child.kind, &key).await?.map(|object| {
            if is_labelled(&object) {
                store.wrote(object.clone());
            }
            Arc::new(kept::compared(object))
        }),
    };
    let Some(live) = known else {
        let created = writer.apply_child(child.kind, owner.field_manager, &key, &child.manifest).await?;
        store.wrote(created);
        return Ok(false);
    };
    check_ownership(owner, child, &live)?;
    if live.metadata.deletion_timestamp.is_some() {
        return Err(being_deleted(child));
    }
    check_version(child, &live)?;
    let found = as_value(&live)?;
    if foreign::removals(&child.manifest, &found).is_none() && is_current(owner, child, &live, &found) {
        return Ok(false);
    }
    correct(writer, stores, owner, child, live).await
}

/// Writes what differs from the plan; says whether that put right what somebody else had changed.
async fn correct(
    writer: &Writer,
    stores: &ChildStores,
    owner: &Owner,
    child: &Child,
    mut live: Arc<DynamicObject>,
) -> Result<bool, Error> {
    let store = stores.of(child.kind);
    let by_others = live.annotations().get(ANNOTATION_APPLIED).map(String::as_str)
        == child.manifest["metadata"]["annotations"][ANNOTATION_APPLIED].as_str();
    if !by_others {
        // What an earlier plan of ours put in looks foreign too. An apply takes it out in one step with what is new: the policies allow
        // neither the former image nor a Secret that is the installation's no more.
        match overwrite(writer, store, owner, child, &live).await {
            Ok(written) if foreign::removals(&child.manifest, &as_value(&written)?).is_none() => return Ok(false),
            Ok(written) => live = written,
            // What is foreign indeed may have to go first.
            Err(Error::Stalled { reason: Reason::RefusedByPolicy, .. })
                if foreign::removals(&child.manifest, &as_value(&live)?).is_some() => {}
            Err(error) => return Err(error),
        }
    }
    if let Some(patch) = foreign::removals(&child.manifest, &as_value(&live)?) {
        live = match writer.json_patch_child(child.kind, owner.field_manager, &ObjectKey::of(&*live), patch).await {
            Ok(patched) => {
                store.wrote(patched.clone());
                Arc::new(kept::compared(patched))
            }
            // Without what is foreign it would not be valid: somebody renamed what is ours.
            Err(Error::Stalled { reason: Reason::InvalidSpec, .. }) => {
                return replace(writer, stores, owner, child, &live).await.map(|()| true);
            }
            Err(error) => return Err(error),
        };
        if is_current(owner, child, &live, &as_value(&live)?) {
            return Ok(true);
        }
    }
    overwrite(writer, store, owner, child, &live).await?;
    Ok(by_others)
}

/// Applies the plan over an object that is there.
async fn overwrite(
    writer: &Writer,
    store: &Store<DynamicObject>,
    owner: &Owner,
    child: &Child,
    live: &DynamicObject,
) -> Result<Arc<DynamicObject>, Error> {
    let mut manifest = child.manifest.clone();
    // If it was deleted and made anew by somebody meanwhile, this must fail rather than take over.
    manifest["metadata"]["uid"] = live.uid().unwrap_or_default().into();
    let applied = writer.apply_child(child.kind, owner.field_manager, &ObjectKey::of(live), &manifest).await?;
    store.wrote(applied.clone());
    Ok(Arc::new(kept::compared(applied)))
}

/// Deletes the object and makes it anew. What is foreign cannot be taken out before ours is in, since a template without containers is
/// not valid; and ours cannot be put in before, since the admission policies allow no container beside it.
async fn replace(
    writer: &Writer,
    stores: &ChildStores,
    owner: &Owner,
    child: &Child,
    live: &DynamicObject,
) -> Result<(), Error> {
    let (store, key) = (stores.of(child.kind), ObjectKey::of(live));
    writer.delete_child(child.kind, &key, &live.uid().unwrap_or_default(), store).await?;
    if store.get(&key).is_some() {
        return Err(being_deleted(child));
    }
    store.wrote(writer.apply_child(child.kind, owner.field_manager, &key, &child.manifest).await?);
    Ok(())
}

fn being_deleted(child: &Child) -> Error {
    Error::waiting(
        Reason::Progressing,
        format!("{} {} is being deleted; it is made again when it is gone", child.kind.row().kind, child.name),
        std::time::Duration::from_secs(5),
    )
}

/// Whether the object is as planned. Further owners that are no controllers do not matter.
fn is_current(owner: &Owner, child: &Child, live: &DynamicObject, found: &Value) -> bool {
    let mut wanted = kept::manifest(&child.manifest);
    if let Some(metadata) = wanted["metadata"].as_object_mut() {
        metadata.remove("ownerReferences");
    }
    // The elements of a list come without them.
    if let Some(object) = wanted.as_object_mut() {
        object.remove("apiVersion");
        object.remove("kind");
    }
    let bound = match child.bond {
        Bond::Controlled => owner.controls(live),
        Bond::Retained => controller_uid(live).is_none(),
    };
    bound && diff::holds(&wanted, found)
}

fn is_labelled(object: &DynamicObject) -> bool {
    object.labels().get(names::LABEL_MANAGED_BY).is_some_and(|value| value == names::MANAGED_BY)
}

fn as_value(object: &DynamicObject) -> Result<Value, Error> {
    Ok(serde_json::to_value(object)?)
}

fn check_ownership(owner: &Owner, child: &Child, live: &DynamicObject) -> Result<(), Error> {
    let controller = controller_uid(live);
    let labelled = is_labelled(live) && live.labels().get(owner.label) == Some(&owner.name);
    let ours = match child.bond {
        // Without a controller it is ours if we made it: a retained volume, or somebody took the owner away.
        Bond::Controlled => owner.owns(live),
        Bond::Retained => labelled && controller.is_none_or(|uid| uid == owner.uid),
    };
    if ours {
        return Ok(());
    }
    let kind = child.kind.row().kind;
    let message = match controller {
        // The former owner of this name is gone; the garbage collector removes what it left.
        Some(_) if labelled => {
            return Err(Error::waiting(
                Reason::Progressing,
                format!(
                    "{kind} {} of a deleted {} of this name is still there; waiting for it to go",
                    child.name, owner.kind
                ),
                std::time::Duration::from_secs(2),
            ));
        }
        Some(_) | None => format!(
            "{kind} {} exists and does not belong to this {}: rename or delete it, or choose another name",
            child.name, owner.kind
        ),
    };
    Err(Error::stalled(Reason::NameConflict, message))
}

fn check_version(child: &Child, live: &DynamicObject) -> Result<(), Error> {
    let ours = child.manifest["metadata"]["annotations"][ANNOTATION_VERSION].as_str().map(version);
    let theirs = live.annotations().get(ANNOTATION_VERSION).map(|text| version(text));
    if let (Some(ours), Some(theirs)) = (ours, theirs)
        && theirs > ours
    {
        return Err(Error::stalled(
            Reason::NewerVersion,
            format!("{} was made by a newer operator, which this one does not undo: upgrade the operator", child.name),
        ));
    }
    Ok(())
}

fn version(text: &str) -> Vec<u64> {
    text.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

/// Deletes children of this owner that are not planned any more.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn prune(
    writer: &Writer,
    stores: &ChildStores,
    owner: &Owner,
    keep: impl Fn(ChildKind, &str) -> bool,
) -> Result<(), Error> {
    for kind in ChildKind::ALL {
        let store = stores.of(kind);
        let mut known = store.keys_with(&Term::Controller(owner.uid.clone()));
        known.retain(|key| key.namespace() == owner.namespace);
        known.extend(stores.keys_named_after(kind, owner));
        known.retain(|key| !keep(kind, key.name()));
        for object in store.each(known) {
            if owner.controls(&*object) && object.metadata.deletion_timestamp.is_none() {
                let uid = object.uid().unwrap_or_default();
                writer.delete_child(kind, &ObjectKey::of(&*object), &uid, store).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(version("0.10.0") > version("0.9.3"));
        assert!(version("1.0.0") > version("0.99.99"));
        assert_eq!(version("0.1.0"), version("0.1.0-rc"));
    }
}
