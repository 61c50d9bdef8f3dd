//! Objects in less room: as compressed text, from which they are read again when somebody looks at them.
//!
//! As Rust types an object takes ten times the room of its text: each map of a few entries takes a node for eleven. And texts of one
//! kind are much alike, so each is compressed with the first one as dictionary.

use std::sync::Arc;

use kube::api::{DynamicObject, ObjectMeta, TypeMeta};
use lz4_flex::block::{compress_with_dict, decompress_with_dict};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Shortest text that becomes the dictionary, in bytes: a short one, which may be anybody's, has nothing of what the others are made of.
const SHORTEST_DICTIONARY: usize = 200;
/// Longest dictionary, in bytes: LZ4 looks no further back than 64 KiB, and objects of ours are shorter.
const LONGEST_DICTIONARY: usize = 8 << 10;

/// How an object is written as text and read again.
pub(crate) struct Codec<K> {
    write: fn(&K) -> serde_json::Result<Vec<u8>>,
    read: fn(&[u8]) -> serde_json::Result<K>,
}

impl<K> Clone for Codec<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Codec<K> {}

impl<K: Serialize + DeserializeOwned> Codec<K> {
    /// As JSON.
    pub(crate) const fn json() -> Self {
        Self { write: |object| serde_json::to_vec(object), read: |text| serde_json::from_slice(text) }
    }
}

impl Codec<DynamicObject> {
    /// As JSON in parts: what is flattened takes twice the time to read.
    pub(crate) const fn dynamic() -> Self {
        Self {
            write: |object| serde_json::to_vec(&(&object.types, &object.metadata, &object.data)),
            read: |text| {
                let (types, metadata, data): (Option<TypeMeta>, ObjectMeta, Value) = serde_json::from_slice(text)?;
                Ok(DynamicObject { types, metadata, data })
            },
        }
    }
}

/// An object as it is held.
pub(super) enum Held<K> {
    /// As it is.
    Whole(Arc<K>),
    /// Packed; its text has so many bytes.
    Packed(Box<[u8]>, usize),
}

/// Packs the objects of one store.
pub(super) struct Packing<K> {
    /// None: objects are held whole.
    codec: Option<Codec<K>>,
    dictionary: Option<Box<[u8]>>,
}

impl<K> Packing<K> {
    /// Packs with this codec; without one it holds objects whole.
    pub(super) const fn new(codec: Option<Codec<K>>) -> Self {
        Self { codec, dictionary: None }
    }

    /// Packs an object.
    pub(super) fn pack(&mut self, object: Arc<K>) -> Held<K> {
        let Some(Ok(text)) = self.codec.map(|codec| (codec.write)(&object)) else { return Held::Whole(object) };
        if self.dictionary.is_none() && text.len() < SHORTEST_DICTIONARY {
            return Held::Whole(object);
        }
        let dictionary =
            self.dictionary.get_or_insert_with(|| text[..text.len().min(LONGEST_DICTIONARY)].to_vec().into());
        Held::Packed(compress_with_dict(&text, dictionary).into(), text.len())
    }

    /// The object.
    pub(super) fn unpack(&self, held: &Held<K>) -> Arc<K> {
        match held {
            Held::Whole(object) => object.clone(),
            Held::Packed(packed, length) =>
            {
                #[expect(clippy::expect_used, reason = "`pack` wrote it, and never changes the dictionary")]
                Arc::new(self.read(packed, *length).expect("what was packed can be unpacked"))
            }
        }
    }

    fn read(&self, packed: &[u8], length: usize) -> Option<K> {
        let text = decompress_with_dict(packed, length, self.dictionary.as_deref()?).ok()?;
        (self.codec?.read)(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;

    fn child(name: &str) -> Arc<DynamicObject> {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "shop", "labels": {"aldis.dev/channel": name}, "resourceVersion": "7"},
            "spec": {"replicas": 1, "template": {"containers": [{"name": "engine", "ports": [{"containerPort": 8080}]}]}},
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn size<K>(held: &Held<K>) -> usize {
        match held {
            Held::Whole(_) => usize::MAX,
            Held::Packed(packed, _) => packed.len(),
        }
    }

    #[test]
    fn an_object_comes_out_as_it_went_in() {
        let mut packing = Packing::new(Some(Codec::dynamic()));
        let objects = [child("a"), child("another"), child("")];
        let held: Vec<_> = objects.iter().map(|object| packing.pack(object.clone())).collect();
        for (object, held) in objects.iter().zip(&held) {
            assert_eq!(packing.unpack(held), *object);
        }
        let pod = json!({"metadata": {"name": "a-0"}, "spec": {"nodeName": "n", "containers": []}, "status": {"podIP": "10.0.0.1"}});
        let pod: Arc<Pod> = Arc::new(serde_json::from_value(pod).unwrap());
        let mut packing = Packing::new(Some(Codec::json()));
        let held = packing.pack(pod.clone());
        assert_eq!(packing.unpack(&held), pod);
    }

    #[test]
    fn objects_of_one_kind_take_a_fraction_of_the_first() {
        let mut packing = Packing::new(Some(Codec::dynamic()));
        packing.pack(child("support"));
        let held = packing.pack(child("sales"));
        assert!(size(&held) < 100, "{}", size(&held));
    }

    #[test]
    fn a_short_object_of_anybodys_does_not_become_the_dictionary() {
        let mut packing = Packing::new(Some(Codec::json()));
        let held = packing.pack(Arc::new("x".to_owned()));
        assert_eq!(*packing.unpack(&held), "x");
        assert!(matches!(held, Held::Whole(_)));
    }

    #[test]
    fn an_object_longer_than_the_dictionary_is_packed_too() {
        let mut packing = Packing::new(Some(Codec::json()));
        let long = Arc::new((0..LONGEST_DICTIONARY).map(|nth| nth.to_string()).collect::<Vec<_>>());
        let held = [packing.pack(long.clone()), packing.pack(Arc::new(Vec::new())), packing.pack(long.clone())];
        assert_eq!(packing.unpack(&held[0]), long);
        assert_eq!(*packing.unpack(&held[1]), Vec::<String>::new());
        assert_eq!(packing.unpack(&held[2]), long);
    }
}
