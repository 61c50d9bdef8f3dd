//! Objects of kinds that are not ours, read as far as they can be. Whoever may make objects in a namespace can give them our labels, and can
//! write into them what the API server takes and Rust's types do not, such as an instant after the year 9999 in `managedFields`. One
//! such object must not keep a whole list from being read.

use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{ConfigMap, Pod},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Resource, api::DynamicObject, runtime::watcher::Event};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};
use tracing::warn;

/// `Resource` for a wrapper of a kind `K`, but for its metadata.
macro_rules! same_kind {
    () => {
        type DynamicType = K::DynamicType;
        type Scope = K::Scope;

        fn kind(dynamic: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
            K::kind(dynamic)
        }

        fn group(dynamic: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
            K::group(dynamic)
        }

        fn version(dynamic: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
            K::version(dynamic)
        }

        fn plural(dynamic: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
            K::plural(dynamic)
        }
    };
}
pub(super) use same_kind;

/// What an object is known by: all that is kept of one that cannot be read.
const IDENTITY: [&str; 4] = ["name", "namespace", "uid", "resourceVersion"];

/// An object of which nothing but its identity is kept where it cannot be read. `managedFields` are not read at all.
#[derive(Clone, Debug)]
pub(crate) struct Lenient<K>(pub K);

/// Kinds that are read in this way.
pub(crate) trait FromParts: Resource + Sized {
    /// From the metadata, and the object with whatever else it has.
    fn from_parts(metadata: Value, rest: Value) -> serde_json::Result<Self>;
}

macro_rules! typed {
    ($($kind:ty),*) => {$(
        impl FromParts for $kind {
            fn from_parts(metadata: Value, mut rest: Value) -> serde_json::Result<Self> {
                rest["metadata"] = metadata;
                serde_json::from_value(rest)
            }
        }
    )*};
}

typed!(ConfigMap, Lease, Pod);

impl FromParts for DynamicObject {
    fn from_parts(metadata: Value, rest: Value) -> serde_json::Result<Self> {
        Ok(Self { types: None, metadata: serde_json::from_value(metadata)?, data: rest })
    }
}

impl<'de, K: FromParts> Deserialize<'de> for Lenient<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rest = Map::deserialize(deserializer)?;
        let Some(Value::Object(mut metadata)) = rest.remove("metadata") else {
            return Err(D::Error::custom("an object without metadata"));
        };
        metadata.remove("managedFields");
        let identity: Map<_, _> =
            IDENTITY.iter().filter_map(|key| Some(((*key).to_owned(), metadata.get(*key)?.clone()))).collect();
        let error = match K::from_parts(metadata.into(), rest.into()) {
            Ok(object) => return Ok(Self(object)),
            Err(error) => error,
        };
        let identity = Value::Object(identity);
        warn!(object = %identity, %error, "an object with our label cannot be read; it is passed over");
        K::from_parts(identity, Value::Object(Map::new())).map(Self).map_err(D::Error::custom)
    }
}

impl<K: Resource> Resource for Lenient<K> {
    same_kind!();

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

/// The event with the object itself.
pub(crate) fn unwrapped<K>(event: Event<Lenient<K>>) -> Event<K> {
    match event {
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
        Event::InitApply(Lenient(object)) => Event::InitApply(object),
        Event::Apply(Lenient(object)) => Event::Apply(object),
        Event::Delete(Lenient(object)) => Event::Delete(object),
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use serde_json::json;

    use super::*;

    const BEYOND: &str = "9999-12-31T23:59:59Z";

    /// A pod with another value at a JSON pointer.
    fn pod(name: &str, pointer: &str, value: &str) -> Value {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "n", "uid": "u", "resourceVersion": "7", "labels": {"l": "v"},
                         "managedFields": [{"time": "2026-01-01T00:00:00Z"}]},
            "status": {"podIP": "10.0.0.1", "startTime": "2026-01-01T00:00:00Z"},
        });
        if let Some(found) = pod.pointer_mut(pointer) {
            *found = value.into();
        } else {
            pod["metadata"]["deletionTimestamp"] = value.into();
        }
        pod
    }

    #[test]
    fn an_object_that_cannot_be_read_keeps_no_other_from_being_read() {
        let list = json!([
            pod("good", "/status/podIP", "10.0.0.1"),
            pod("managed", "/metadata/managedFields/0/time", BEYOND),
            pod("deleted", "/metadata/deletionTimestamp", BEYOND),
            pod("started", "/status/startTime", BEYOND),
        ]);
        assert!(serde_json::from_value::<Vec<Pod>>(list.clone()).is_err(), "which is why");
        let pods: Vec<Lenient<Pod>> = serde_json::from_value(list.clone()).unwrap();
        let known = |at: usize| {
            let pod = &pods[at].0;
            (pod.name_any(), pod.uid().unwrap(), pod.resource_version().unwrap(), pod.labels().len())
        };
        for (at, name, labels) in [(0, "good", 1), (1, "managed", 1), (2, "deleted", 0), (3, "started", 0)] {
            assert_eq!(known(at), (name.to_owned(), "u".to_owned(), "7".to_owned(), labels));
        }
        assert_eq!(pods[0].0.status.as_ref().unwrap().pod_ip.as_deref(), Some("10.0.0.1"));
        let children: Vec<Lenient<DynamicObject>> = serde_json::from_value(list).unwrap();
        assert_eq!(children[3].0.data["status"]["startTime"], BEYOND, "nobody reads that of a child");
        assert_eq!(children[2].0.data, json!({}));
    }
}
