//! The finalizer of channels and connectors: set before anything is made, taken away when nothing is under way any more.

use std::sync::Arc;

use kube::ResourceExt;

use crate::{
    api::names::FINALIZER_DRAIN,
    operator::{
        controllers::summary::Reported,
        observed::context::Context,
        runtime::{
            cache::{ObjectKey, Store},
            error::{Error, Transient},
        },
    },
};

/// Whether the object has it.
pub(crate) fn is_set<K: ResourceExt>(object: &K) -> bool {
    object.finalizers().iter().any(|known| known == FINALIZER_DRAIN)
}

/// Whether the operator itself is why a step towards the end was not made: another replica leads, or what it knew of an object is not the
/// newest. That passes, and nothing is said about it.
pub(crate) fn is_raced(error: &Error) -> bool {
    match error {
        Error::Transient(Transient::NotLeader) => true,
        Error::Transient(Transient::Api(kube::Error::Api(status))) => status.is_conflict(),
        Error::Transient(_) | Error::Stalled { .. } | Error::Waiting { .. } => false,
    }
}

/// The object with the finalizer.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn set<K: Reported>(context: &Context, store: &Store<K>, object: Arc<K>) -> Result<Arc<K>, Error> {
    if is_set(&*object) {
        return Ok(object);
    }
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(FINALIZER_DRAIN.to_owned());
    let written = context.writer.set_finalizers(K::KIND, K::MANAGER, &*object, &finalizers).await?;
    Ok(store.wrote(written))
}

/// Takes the finalizer away, which lets the API server delete the object.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn remove<K: Reported>(context: &Context, store: &Store<K>, object: &Arc<K>) -> Result<(), Error> {
    let key = ObjectKey::of(&**object);
    let left: Vec<String> = object.finalizers().iter().filter(|known| *known != FINALIZER_DRAIN).cloned().collect();
    // A status write may have changed the object since it was read.
    let current = store.get(&key).unwrap_or_else(|| object.clone());
    match context.writer.set_finalizers(K::KIND, K::MANAGER, &*current, &left).await {
        Ok(written) if written.finalizers().is_empty() => store.removed(&key, &object.uid().unwrap_or_default()),
        Ok(written) => {
            store.wrote(written);
        }
        Err(Error::Transient(Transient::Api(kube::Error::Api(status)))) if status.is_not_found() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
