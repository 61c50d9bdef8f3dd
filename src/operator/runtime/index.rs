//! Objects of one kind by key, and by what else they are looked for, so that nothing is found by looking through all of them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    object_key::ObjectKey,
    packed::{Codec, Held, Packing},
};

/// What an object is looked for by, beside its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Term {
    /// It refers to this connector.
    Connector(ObjectKey),
    /// It refers to this campaign.
    Campaign(ObjectKey),
    /// The bots that it names.
    Bot(ObjectKey),
    /// It holds for every campaign of this namespace.
    EveryCampaign(String),
    /// It asks for this number, whichever connector it refers to.
    Number(String),
    /// Its controller has this UID.
    Controller(String),
    /// A claim that this identity holds.
    Holder(String),
    /// Status of its condition `Ready`.
    Ready(&'static str),
}

/// Says by what an object is looked for.
pub(crate) type Terms<K> = fn(&K) -> Vec<Term>;

/// Objects of one kind.
pub(crate) struct Objects<K> {
    by_key: BTreeMap<ObjectKey, Entry<K>>,
    by_term: HashMap<Term, Keys>,
    terms: Terms<K>,
    packing: Packing<K>,
}

struct Entry<K> {
    uid: Box<str>,
    version: u64,
    object: Held<K>,
}

/// The keys of the objects with a term; most terms are of one object.
enum Keys {
    One(ObjectKey),
    Several(BTreeSet<ObjectKey>),
}

impl Keys {
    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Several(keys) => keys.len(),
        }
    }

    fn contains(&self, key: &ObjectKey) -> bool {
        match self {
            Self::One(one) => one == key,
            Self::Several(keys) => keys.contains(key),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &ObjectKey> {
        let (one, several) = match self {
            Self::One(key) => (Some(key), None),
            Self::Several(keys) => (None, Some(keys)),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }

    fn insert(&mut self, key: &ObjectKey) {
        match self {
            Self::One(one) if one == key => {}
            Self::One(one) => *self = Self::Several(BTreeSet::from([one.clone(), key.clone()])),
            Self::Several(keys) => {
                keys.insert(key.clone());
            }
        }
    }

    /// Takes a key out; false when it was the last one.
    fn remove(&mut self, key: &ObjectKey) -> bool {
        match self {
            Self::One(one) => one != key,
            Self::Several(keys) => {
                keys.remove(key);
                !keys.is_empty()
            }
        }
    }
}

impl<K> Objects<K> {
    /// None yet; each will be found by its `terms`.
    pub(crate) fn indexed_by(terms: Terms<K>) -> Self {
        Self { by_key: BTreeMap::new(), by_term: HashMap::new(), terms, packing: Packing::new(None) }
    }

    /// The same, which packs each object with this codec.
    pub(super) fn packed(mut self, codec: Codec<K>) -> Self {
        self.packing = Packing::new(Some(codec));
        self
    }

    /// The object of this key.
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.by_key.get(key).map(|entry| self.packing.unpack(&entry.object))
    }

    /// The UID of the object of this key.
    pub(crate) fn uid(&self, key: &ObjectKey) -> Option<&str> {
        self.by_key.get(key).map(|entry| &*entry.uid)
    }

    /// The version of the object of this key.
    pub(super) fn version(&self, key: &ObjectKey) -> Option<u64> {
        self.by_key.get(key).map(|entry| entry.version)
    }

    /// All keys, in order of namespace and name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.by_key.keys()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The keys of the objects of a namespace whose names begin so, by name.
    pub(crate) fn keys_beginning<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a ObjectKey> {
        let all = self.by_key.range(ObjectKey::new(namespace, name)..);
        all.map(|(key, _)| key).take_while(move |key| key.namespace() == namespace && key.name().starts_with(name))
    }

    /// The objects with this term, in order of namespace and name.
    pub(crate) fn with(&self, term: &Term) -> impl Iterator<Item = Arc<K>> {
        self.keys_with(term).filter_map(|key| self.get(key))
    }

    /// The keys of the objects with this term, in order of namespace and name.
    pub(crate) fn keys_with(&self, term: &Term) -> impl Iterator<Item = &ObjectKey> {
        self.by_term.get(term).into_iter().flat_map(Keys::iter)
    }

    /// Whether the object of this key has this term.
    pub(crate) fn has(&self, term: &Term, key: &ObjectKey) -> bool {
        self.by_term.get(term).is_some_and(|keys| keys.contains(key))
    }

    /// How many objects have this term.
    pub(crate) fn count(&self, term: &Term) -> usize {
        self.by_term.get(term).map_or(0, Keys::len)
    }

    /// Puts an object with this UID and version in; returns what had its key before.
    pub(crate) fn insert(&mut self, key: ObjectKey, uid: &str, version: u64, object: Arc<K>) -> Option<Arc<K>> {
        let terms = (self.terms)(&object);
        let entry = Entry { uid: uid.into(), version, object: self.packing.pack(object) };
        let old = self.by_key.insert(key.clone(), entry).map(|old| self.packing.unpack(&old.object));
        if let Some(old) = &old {
            self.forget(&key, old, &terms);
        }
        for term in terms {
            self.by_term.entry(term).and_modify(|keys| keys.insert(&key)).or_insert_with(|| Keys::One(key.clone()));
        }
        old
    }

    /// Takes an object out.
    pub(crate) fn remove(&mut self, key: &ObjectKey) -> Option<Arc<K>> {
        let old = self.by_key.remove(key)?;
        let old = self.packing.unpack(&old.object);
        self.forget(key, &old, &[]);
        Some(old)
    }

    /// Removes the terms of `old` but for those that stay.
    fn forget(&mut self, key: &ObjectKey, old: &K, stay: &[Term]) {
        for term in (self.terms)(old).into_iter().filter(|term| !stay.contains(term)) {
            if let Some(keys) = self.by_term.get_mut(&term)
                && !keys.remove(key)
            {
                self.by_term.remove(&term);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(&'static str);

    fn objects(things: &[(&str, &str, &'static str)]) -> Objects<Thing> {
        let mut objects = Objects::indexed_by(|thing: &Thing| vec![Term::Controller(thing.0.to_owned())]);
        for (namespace, name, owner) in things {
            objects.insert(ObjectKey::new(namespace, name), name, 1, Arc::new(Thing(owner)));
        }
        objects
    }

    fn term(owner: &str) -> Term {
        Term::Controller(owner.to_owned())
    }

    #[test]
    fn an_object_is_found_by_its_terms_of_now_only() {
        let mut objects = objects(&[("n", "a", "one"), ("n", "b", "one"), ("n", "c", "two")]);
        assert_eq!((objects.count(&term("one")), objects.with(&term("two")).count()), (2, 1));
        objects.insert(ObjectKey::new("n", "a"), "a", 2, Arc::new(Thing("two")));
        assert_eq!((objects.count(&term("one")), objects.count(&term("two"))), (1, 2));
        objects.remove(&ObjectKey::new("n", "b"));
        assert_eq!((objects.count(&term("one")), objects.by_term.len()), (0, 1), "nothing is left behind");
    }

    #[test]
    fn a_namespace_ends_where_the_next_begins() {
        let objects = objects(&[("a", "x", "1"), ("ab", "x", "2"), ("ab", "y", "3"), ("b", "x", "4")]);
        let found = |name: &'static str| objects.keys_beginning("ab", name).map(ObjectKey::name).collect::<Vec<_>>();
        assert_eq!((found(""), found("y")), (vec!["x", "y"], vec!["y"]));
    }
}
