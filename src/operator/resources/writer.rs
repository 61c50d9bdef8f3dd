//! Every request of the operator that writes (but for the leader lease and tokens): counted, and only while this replica leads.

use std::fmt::Debug;

use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams, Preconditions},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::operator::{
    resources::{kinds::ChildKind, refusal::classify},
    runtime::{
        cache::{ObjectKey, Store},
        error::Error,
        leader::Leadership,
        metrics::Metrics,
    },
};

/// Writes to the API server.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
    leadership: Leadership,
    metrics: Metrics,
}

impl Writer {
    /// A writer that writes only while `leadership` holds.
    pub(crate) const fn new(client: Client, leadership: Leadership, metrics: Metrics) -> Self {
        Self { client, leadership, metrics }
    }

    fn children(&self, kind: ChildKind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind.api_resource())
    }

    /// Reads a child, past the cache.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn get_child(&self, kind: ChildKind, key: &ObjectKey) -> Result<Option<DynamicObject>, Error> {
        let found = self.children(kind, key.namespace()).get_opt(key.name()).await.map_err(classify)?;
        Ok(found.map(without_managed_fields))
    }

    /// Applies a child's manifest.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn apply_child(
        &self,
        kind: ChildKind,
        manager: &'static str,
        key: &ObjectKey,
        manifest: &Value,
    ) -> Result<DynamicObject, Error> {
        self.leadership.may_write()?;
        let params = PatchParams::apply(manager).force();
        let result = self.children(kind, key.namespace()).patch(key.name(), &params, &Patch::Apply(manifest)).await;
        self.metrics.wrote(kind.row().kind, "apply", &result);
        result.map(without_managed_fields).map_err(classify)
    }

    /// Changes a child by JSON Patch.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn json_patch_child(
        &self,
        kind: ChildKind,
        manager: &'static str,
        key: &ObjectKey,
        operations: Value,
    ) -> Result<DynamicObject, Error> {
        self.leadership.may_write()?;
        let params = PatchParams { field_manager: Some(manager.into()), ..PatchParams::default() };
        let patch = Patch::Json::<()>(serde_json::from_value(operations)?);
        let result = self.children(kind, key.namespace()).patch(key.name(), &params, &patch).await;
        self.metrics.wrote(kind.row().kind, "patch", &result);
        result.map(without_managed_fields).map_err(classify)
    }

    /// Deletes a child, if it still is the one with this UID.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn delete_child(
        &self,
        kind: ChildKind,
        key: &ObjectKey,
        uid: &str,
        store: &Store<DynamicObject>,
    ) -> Result<(), Error> {
        self.leadership.may_write()?;
        let result = self.children(kind, key.namespace()).delete(key.name(), &delete_params(uid)).await;
        self.metrics.wrote(kind.row().kind, "delete", &result);
        match result {
            Ok(answer) => {
                match answer.left() {
                    // It waits for a finalizer.
                    Some(object) if object.metadata.deletion_timestamp.is_some() => {
                        store.wrote(without_managed_fields(object));
                    }
                    Some(_) | None => store.removed(key, uid),
                }
                Ok(())
            }
            Err(error) if is_gone(&error) => {
                store.removed(key, uid);
                Ok(())
            }
            Err(error) => Err(classify(error)),
        }
    }

    /// Replaces the status of one of our objects; fails with a conflict if the object has changed meanwhile.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn replace_status<K>(
        &self,
        kind: &'static str,
        manager: &'static str,
        object: &K,
    ) -> Result<K, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
    {
        self.leadership.may_write()?;
        let resource = ApiResource::erase::<K>(&());
        let namespace = object.namespace().unwrap_or_default();
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &resource);
        let params = PostParams { field_manager: Some(manager.into()), ..PostParams::default() };
        let mut body = object.clone();
        body.meta_mut().managed_fields = None;
        let sent: DynamicObject = serde_json::from_value(serde_json::to_value(&body)?)?;
        let result = api.replace_status(&object.name_any(), &params, &sent).await;
        self.metrics.wrote(kind, "status", &result);
        let answer = result.map_err(classify)?;
        // The answer holds the spec that stands there, which may be one that we cannot read.
        let metadata = answer.metadata.clone();
        let written = serde_json::to_value(answer).and_then(serde_json::from_value);
        Ok(strip(written.unwrap_or_else(|_| with_metadata(body, metadata))))
    }

    /// Sets the finalizers of one of our objects; fails with a conflict if the object has changed meanwhile.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn set_finalizers<K>(
        &self,
        kind: &'static str,
        manager: &'static str,
        object: &K,
        finalizers: &[String],
    ) -> Result<K, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.leadership.may_write()?;
        let api: Api<K> = Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let params = PatchParams { field_manager: Some(manager.into()), ..PatchParams::default() };
        let patch = json!({"metadata": {
            "uid": object.uid(), "resourceVersion": object.resource_version(), "finalizers": finalizers,
        }});
        let result = api.patch_metadata(&object.name_any(), &params, &Patch::Merge(patch)).await;
        self.metrics.wrote(kind, "patch", &result);
        // Nothing else of it has changed since it was read, or there would be a conflict.
        result.map(|answer| strip(with_metadata(object.clone(), answer.metadata))).map_err(classify)
    }

    /// Takes an annotation away from one of our objects; fails with a conflict if the object has changed meanwhile.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn remove_annotation<K>(
        &self,
        kind: &'static str,
        manager: &'static str,
        object: &K,
        annotation: &str,
    ) -> Result<K, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.leadership.may_write()?;
        let api: Api<K> = Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let params = PatchParams { field_manager: Some(manager.into()), ..PatchParams::default() };
        let patch = json!({"metadata": {
            "uid": object.uid(), "resourceVersion": object.resource_version(), "annotations": {annotation: null},
        }});
        let result = api.patch_metadata(&object.name_any(), &params, &Patch::Merge(patch)).await;
        self.metrics.wrote(kind, "patch", &result);
        // Nothing else of it has changed since it was read, or there would be a conflict.
        result.map(|answer| strip(with_metadata(object.clone(), answer.metadata))).map_err(classify)
    }

    /// Sets one annotation of a pod; nothing else of a pod is ever written.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn annotate_pod(
        &self,
        key: &ObjectKey,
        uid: &str,
        annotation: &str,
        value: &str,
    ) -> Result<(), Error> {
        self.leadership.may_write()?;
        let api: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(self.client.clone(), key.namespace());
        let params = PatchParams { field_manager: Some("aldis/nudge".into()), ..PatchParams::default() };
        let patch = json!({"metadata": {"uid": uid, "annotations": {annotation: value}}});
        let result = api.patch_metadata(key.name(), &params, &Patch::Merge(patch)).await;
        self.metrics.wrote("Pod", "patch", &result);
        match result {
            Ok(_) => Ok(()),
            // Another pod has its place; it reads the configuration when it starts.
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(classify(error)),
        }
    }

    /// Creates an object of ours that is no child. `None` when one of this name exists.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn create<K>(
        &self,
        kind: &'static str,
        manager: &'static str,
        object: &K,
    ) -> Result<Option<K>, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
    {
        self.leadership.may_write()?;
        let api: Api<K> = Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let params = PostParams { field_manager: Some(manager.into()), ..PostParams::default() };
        let result = api.create(&params, object).await;
        self.metrics.wrote(kind, "create", &result);
        match result {
            Ok(created) => Ok(Some(strip(created))),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
            Err(error) => Err(classify(error)),
        }
    }

    /// Deletes an object of ours that is no child, if it still is the one with this UID.
    ///
    /// # Errors
    /// Faults of the API server.
    pub(crate) async fn delete<K>(&self, kind: &'static str, object: &K) -> Result<(), Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.leadership.may_write()?;
        let api: Api<K> = Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let params = delete_params(&object.uid().unwrap_or_default());
        let result = api.delete(&object.name_any(), &params).await;
        self.metrics.wrote(kind, "delete", &result);
        match result {
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(classify(error)),
        }
    }

    /// The client, for reading.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }
}

fn delete_params(uid: &str) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::background()
    }
}

/// The object is not there any more, or another one has its name.
fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found() || status.is_conflict())
}

fn without_managed_fields(mut object: DynamicObject) -> DynamicObject {
    object.metadata.managed_fields = None;
    object
}

fn with_metadata<K: Resource>(mut object: K, metadata: ObjectMeta) -> K {
    *object.meta_mut() = metadata;
    object
}

fn strip<K: Resource>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    object
}
