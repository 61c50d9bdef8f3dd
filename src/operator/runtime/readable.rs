//! Objects of ours that this version cannot read as a whole: a newer version wrote them, or an older schema let them pass.
//!
//! What was in force stays in force: the last good form is kept, with the metadata and the status that the object has now. An operator that
//! has started since knows no good form; what is left of the object when the unreadable is taken out says then what it is and what it
//! refers to, and nothing is made from it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, core::object::HasSpec, runtime::watcher::Event};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use tracing::warn;

use super::{
    cache::{ObjectKey, Store, Unreadable},
    lenient::same_kind,
};

/// So much is taken out of one object, one by one; then whole lists, so many at most.
const CUTS: usize = 64;

/// An object of ours, as far as this version can read it.
#[derive(Clone, Debug)]
pub(crate) enum Readable<K> {
    /// All of it.
    Whole(K),
    /// What is left when the unreadable is taken out, and what cannot be read.
    Partly(K, String),
    /// Nothing but its metadata, and what cannot be read.
    Not(Box<ObjectMeta>, String),
}

impl<'de, K: Resource + DeserializeOwned> Deserialize<'de> for Readable<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<K: Resource + DeserializeOwned> Readable<K> {
    fn of(mut value: Value) -> Result<Self, serde_json::Error> {
        let mut fault = None;
        for attempt in 0..2 * CUTS {
            let error = match serde_path_to_error::deserialize::<_, K>(&value) {
                Ok(object) => {
                    return Ok(match fault {
                        None => Self::Whole(object),
                        Some(fault) => Self::Partly(object, fault),
                    });
                }
                Err(error) => error,
            };
            // The status is the operator's own, and is written anew.
            if !matches!(error.path().iter().next(), Some(Segment::Map { key }) if key == "status") {
                fault.get_or_insert_with(|| error.to_string());
            }
            let names: Vec<_> = if attempt < CUTS { one(error.path()).collect() } else { list(error.path()).collect() };
            if !cut(&mut value, &names) {
                break;
            }
        }
        let metadata = serde_json::from_value(value["metadata"].take()).map(Box::new)?;
        Ok(Self::Not(metadata, fault.unwrap_or_default()))
    }
}

fn one(path: &Path) -> impl Iterator<Item = &Segment> {
    path.iter().take_while(|segment| !matches!(segment, Segment::Enum { .. } | Segment::Unknown))
}

/// The outermost list in which that is, if it is in one.
fn list(path: &Path) -> impl Iterator<Item = &Segment> {
    one(path).take_while(|segment| !matches!(segment, Segment::Seq { .. }))
}

/// Takes out what is named. False: that is nothing that can be missed.
fn cut(value: &mut Value, names: &[&Segment]) -> bool {
    let Some((last, parents)) = names.split_last() else { return false };
    if parents.is_empty() && !matches!(last, Segment::Map { key } if key == "status") {
        return false;
    }
    let parent = parents.iter().try_fold(value, |value, segment| match segment {
        Segment::Map { key } => value.get_mut(key),
        Segment::Seq { index } => value.get_mut(index),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    match (parent, last) {
        (Some(Value::Object(map)), Segment::Map { key }) => map.remove(key).is_some(),
        (Some(Value::Array(list)), Segment::Seq { index }) if *index < list.len() => {
            list.remove(*index);
            true
        }
        _ => false,
    }
}

impl<K: Resource> Resource for Readable<K> {
    same_kind!();

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Whole(object) | Self::Partly(object, _) => object.meta(),
            Self::Not(metadata, _) => metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Whole(object) | Self::Partly(object, _) => object.meta_mut(),
            Self::Not(metadata, _) => metadata,
        }
    }
}

/// An event with the object in the form in which the store shall hold it; the store remembers what cannot be read. None: nothing of the
/// object is known.
pub(crate) fn in_known_form<K>(store: &Store<K>, event: Event<Readable<K>>) -> Option<Event<K>>
where
    K: Resource<DynamicType = ()> + Clone + HasSpec<Spec: Clone>,
{
    match event {
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
        Event::InitApply(object) => known_form(store, object).map(Event::InitApply),
        Event::Apply(object) => known_form(store, object).map(Event::Apply),
        Event::Delete(object) => last_form(store, object).map(Event::Delete),
    }
}

/// An object that is gone, and is remembered as unreadable no longer.
fn last_form<K>(store: &Store<K>, object: Readable<K>) -> Option<K>
where
    K: Resource<DynamicType = ()> + Clone + HasSpec<Spec: Clone>,
{
    let metadata = match object {
        Readable::Whole(object) | Readable::Partly(object, _) => return Some(object),
        Readable::Not(metadata, _) => metadata,
    };
    let key = key_of(&metadata);
    let Some(known) = store.get(&key) else {
        store.note_unreadable(&key, None);
        return None;
    };
    // The successor of the same name stays.
    let mut object = (known.meta().uid == metadata.uid).then(|| (*known).clone())?;
    *object.meta_mut() = *metadata;
    Some(object)
}

fn key_of(metadata: &ObjectMeta) -> ObjectKey {
    ObjectKey::new(metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

fn known_form<K>(store: &Store<K>, object: Readable<K>) -> Option<K>
where
    K: Resource<DynamicType = ()> + Clone + HasSpec<Spec: Clone>,
{
    let meta = object.meta();
    let key = key_of(meta);
    let known = store.get(&key).filter(|known| known.meta().uid == meta.uid);
    let good = known.filter(|_| store.unreadable(&key).is_none_or(|before| before.has_good_form));
    let has_good_form = good.is_some();
    let (form, fault) = match (object, good) {
        (Readable::Whole(object), _) => {
            store.note_unreadable(&key, None);
            return Some(object);
        }
        (Readable::Partly(mut object, fault), Some(good)) => {
            object.spec_mut().clone_from(good.spec());
            (Some(object), fault)
        }
        (Readable::Partly(object, fault), None) => (Some(object), fault),
        (Readable::Not(metadata, fault), Some(good)) => {
            let mut object = (*good).clone();
            *object.meta_mut() = *metadata;
            (Some(object), fault)
        }
        (Readable::Not(_, fault), None) => (None, fault),
    };
    warn!(kind = %K::kind(&()), object = %key, fault, has_good_form, "cannot be read; what is in force stays");
    store.note_unreadable(&key, Some(Unreadable { fault, has_good_form }));
    form
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{Blocklist, SmsChannel};
    use crate::operator::runtime::cache::Scope;

    fn channel(version: u64, strategy: &str) -> Value {
        json!({
            "apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel",
            "metadata": {"name": "a", "namespace": "n", "uid": "1", "resourceVersion": version.to_string(), "generation": version},
            "spec": {"campaignRef": {"name": "c"}, "connectorRef": {"name": "s"}, "number": "+15551230001",
                     "strategy": strategy, "maxQueued": version},
        })
    }

    fn read<K: Resource + DeserializeOwned>(value: Value) -> Readable<K> {
        serde_json::from_value(value).unwrap()
    }

    fn apply_event(store: &Store<SmsChannel>, event: Event<Value>) {
        let event = match event {
            Event::Init => Event::Init,
            Event::InitDone => Event::InitDone,
            Event::InitApply(value) => Event::InitApply(read(value)),
            Event::Apply(value) => Event::Apply(read(value)),
            Event::Delete(value) => Event::Delete(read(value)),
        };
        if let Some(event) = in_known_form(store, event) {
            store.apply_event(&Scope::Cluster, event);
        }
    }

    fn held(store: &Store<SmsChannel>) -> Option<(i32, bool)> {
        let key = ObjectKey::new("n", "a");
        let object = store.get(&key)?;
        assert_eq!(object.spec.number, "+15551230001");
        Some((object.spec.max_queued, store.unreadable(&key).is_some()))
    }

    #[test]
    fn the_last_good_form_stays_while_the_object_cannot_be_read() {
        let store = Store::default();
        apply_event(&store, Event::Apply(channel(1, "Random")));
        assert_eq!(held(&store), Some((1, false)));
        apply_event(&store, Event::Apply(channel(2, "OfANewerVersion")));
        assert_eq!(held(&store), Some((1, true)));
        let key = ObjectKey::new("n", "a");
        assert_eq!(store.get(&key).unwrap().metadata.generation, Some(2), "with the metadata that it has now");
        let unreadable = store.unreadable(&key).unwrap();
        assert!(unreadable.has_good_form && unreadable.fault.contains("spec.strategy"), "{unreadable:?}");
        // A list that holds it in this state does not say that it is gone.
        apply_event(&store, Event::Init);
        apply_event(&store, Event::InitApply(channel(2, "OfANewerVersion")));
        apply_event(&store, Event::InitDone);
        assert_eq!(held(&store), Some((1, true)));
        apply_event(&store, Event::Apply(channel(3, "Random")));
        assert_eq!(held(&store), Some((3, false)));
        apply_event(&store, Event::Apply(channel(4, "OfANewerVersion")));
        apply_event(&store, Event::Delete(channel(5, "OfANewerVersion")));
        assert_eq!(held(&store), None);
        assert_eq!(store.unreadable(&key), None);
    }

    #[test]
    fn after_a_start_what_is_left_of_it_is_known() {
        let store = Store::default();
        apply_event(&store, Event::Init);
        apply_event(&store, Event::InitApply(channel(2, "OfANewerVersion")));
        apply_event(&store, Event::InitDone);
        assert_eq!(held(&store), Some((2, true)));
        assert!(!store.unreadable(&ObjectKey::new("n", "a")).unwrap().has_good_form);
        // That is no good form when it comes again.
        apply_event(&store, Event::Apply(channel(3, "OfANewerVersion")));
        assert_eq!(held(&store), Some((3, true)));
    }

    #[test]
    fn what_cannot_be_read_is_taken_out_and_named() {
        let list = json!({
            "metadata": {"name": "a"},
            "spec": {"entries": [
                {"number": "+15551230001", "expiresAt": "2026-01-01T00:00:00+99:00"},
                {"number": "+15551230002", "direction": "Sideways"},
                {"number": "+15551230003"},
            ]},
        });
        let Readable::Partly(list, fault) = read::<Blocklist>(list) else { panic!("it can be read partly") };
        assert_eq!(list.spec.entries.len(), 3);
        assert!(fault.contains("spec.entries[0].expiresAt"), "{fault}");
    }

    #[test]
    fn a_list_of_too_many_faults_is_taken_out_as_a_whole() {
        let entry = |index: u32| json!({"number": format!("+1555123{index:04}"), "direction": "Sideways"});
        let entries: Vec<_> = (0..100).map(entry).collect();
        let list = json!({"metadata": {"name": "a"}, "spec": {"entries": entries, "campaigns": [{"name": "c"}]}});
        let Readable::Partly(list, fault) = read::<Blocklist>(list) else { panic!("it can be read partly") };
        assert_eq!((list.spec.entries.len(), list.spec.campaigns.len()), (0, 1));
        assert!(fault.contains("spec.entries[0].direction"), "{fault}");
    }

    #[test]
    fn an_object_that_is_gone_is_not_noted_as_unreadable() {
        let unreadable = |version: u64, uid: &str| {
            let mut value = channel(version, "Random");
            value["metadata"]["uid"] = uid.into();
            value["spec"]["number"] = 7.into();
            value
        };
        let store = Store::default();
        apply_event(&store, Event::Apply(unreadable(1, "1")));
        assert_eq!(store.count_unreadable(), 1);
        apply_event(&store, Event::Delete(unreadable(2, "1")));
        assert_eq!(store.count_unreadable(), 0);
        // Nor its successor when the news of its end comes late.
        apply_event(&store, Event::Apply(channel(4, "Random")));
        apply_event(&store, Event::Delete(unreadable(3, "0")));
        assert_eq!(held(&store), Some((4, false)));
    }

    #[test]
    fn a_status_that_cannot_be_read_is_written_anew() {
        let mut value = channel(1, "Random");
        value["status"] = json!({"conditions": "none"});
        assert!(matches!(read::<SmsChannel>(value), Readable::Whole(_)));
    }

    #[test]
    fn of_an_object_without_what_it_needs_the_metadata_are_known() {
        let mut value = channel(1, "Random");
        value["spec"]["number"] = 7.into();
        let found = read::<SmsChannel>(value);
        assert!(matches!(&found, Readable::Not(metadata, _) if metadata.name.as_deref() == Some("a")), "{found:?}");
    }
}
