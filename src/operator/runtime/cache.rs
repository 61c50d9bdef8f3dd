//! What the operator knows of the cluster: one store per kind, filled by a watch and by the answers to our own writes.
//!
//! An answer to a write goes into the store at once, so that the next reconcile sees it even when the watch lags. Nothing goes
//! backwards: an older resourceVersion never replaces a newer one, and nothing older than the moment at which an object went is
//! taken (a tombstone holds its UID and that resourceVersion). A newer one is: an object whose label was taken off leaves a watch
//! with a selector as if it were deleted, and comes back when the label does.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use kube::{Api, Client, Resource, ResourceExt, core::NamespaceResourceScope, runtime::watcher::Event};
use parking_lot::RwLock;
use tokio::sync::watch;

pub(crate) use super::object_key::ObjectKey;
use super::{
    index::{Objects, Term, Terms},
    packed::Codec,
};

/// What one watch sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All namespaces.
    Cluster,
    /// One namespace.
    Namespace(String),
}

impl Scope {
    /// What a watch of this scope, or a list, asks.
    pub fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self {
            Self::Cluster => Api::all(client.clone()),
            Self::Namespace(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }

    fn covers(&self, key: &ObjectKey) -> bool {
        match self {
            Self::Cluster => true,
            Self::Namespace(namespace) => namespace == key.namespace(),
        }
    }
}

/// Tombstones that are kept; a late answer or event about one of these UIDs is dropped.
const TOMBSTONES: usize = 4096;
/// The object does not exist any more, so nothing about its UID can be newer.
const FOR_EVER: u64 = u64::MAX;

/// What a store remembers of an object that cannot be read as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// What cannot be read: the path, and why.
    pub fault: String,
    /// Whether the store holds its last good form; else what is left of it.
    pub has_good_form: bool,
}

/// Objects of one kind.
pub(crate) struct Store<K> {
    state: RwLock<State<K>>,
    /// Those that cannot be read as a whole.
    unreadable: RwLock<HashMap<ObjectKey, Unreadable>>,
    kept: fn(K) -> K,
    /// The watches whose first list is complete.
    ready: watch::Sender<HashSet<Scope>>,
}

struct State<K> {
    objects: Objects<K>,
    /// The lists that have begun with the last `Init` of their watch.
    listed: HashMap<Scope, Listed>,
    /// By UID: the version at which the object went.
    tombstones: HashMap<String, u64>,
    tombstone_order: VecDeque<String>,
}

/// What a list held so far.
#[derive(Default)]
struct Listed {
    /// Keys in it, and those written by us meanwhile.
    keys: HashSet<ObjectKey>,
    /// The newest version in it: the list is at least as new.
    version: u64,
}

/// What an event changed.
#[derive(Debug)]
pub(crate) struct Change<K> {
    /// Before; none = new.
    pub old: Option<Arc<K>>,
    /// After; none = gone.
    pub new: Option<Arc<K>>,
    /// It is the echo of a write of ours that was known already.
    pub echo: bool,
}

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self::indexed_by(|_| Vec::new())
    }
}

impl<K> Store<K> {
    /// An empty store whose objects are found by these terms too.
    pub(crate) fn indexed_by(terms: Terms<K>) -> Self {
        Self {
            state: RwLock::new(State {
                objects: Objects::indexed_by(terms),
                listed: HashMap::new(),
                tombstones: HashMap::new(),
                tombstone_order: VecDeque::new(),
            }),
            unreadable: RwLock::default(),
            kept: |object| object,
            ready: watch::Sender::default(),
        }
    }

    /// The same store, which keeps so much of each object.
    pub(crate) fn keeping(mut self, kept: fn(K) -> K) -> Self {
        self.kept = kept;
        self
    }

    /// The same store, which packs what it keeps of each object: for those of which there are as many as channels.
    pub(crate) fn packed(self, codec: Codec<K>) -> Self {
        let mut state = self.state.into_inner();
        state.objects = state.objects.packed(codec);
        Self { state: RwLock::new(state), ..self }
    }
}

impl<K: Resource + Clone> Store<K> {
    /// The object, if it is there.
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.state.read().objects.get(key)
    }

    /// Whether the object is there.
    pub(crate) fn contains(&self, key: &ObjectKey) -> bool {
        self.state.read().objects.uid(key).is_some()
    }

    /// The UID of the object.
    pub(crate) fn uid(&self, key: &ObjectKey) -> Option<String> {
        self.state.read().objects.uid(key).map(ToOwned::to_owned)
    }

    /// All objects with this term, in order of namespace and name.
    pub(crate) fn with(&self, term: &Term) -> Vec<Arc<K>> {
        self.state.read().objects.with(term).collect()
    }

    /// The keys of all objects with this term, in order of namespace and name.
    pub(crate) fn keys_with(&self, term: &Term) -> Vec<ObjectKey> {
        self.state.read().objects.keys_with(term).cloned().collect()
    }

    /// Whether the object of this key has this term.
    pub(crate) fn has(&self, term: &Term, key: &ObjectKey) -> bool {
        self.state.read().objects.has(term, key)
    }

    /// How many objects have this term.
    pub(crate) fn count(&self, term: &Term) -> usize {
        self.state.read().objects.count(term)
    }

    /// The keys of all objects of a namespace whose names begin so, by name.
    pub(crate) fn keys_beginning(&self, namespace: &str, name: &str) -> Vec<ObjectKey> {
        self.state.read().objects.keys_beginning(namespace, name).cloned().collect()
    }

    /// The objects of these keys that are there, one after the other: all at once may take much more room than they do in the store.
    pub(crate) fn each(&self, keys: Vec<ObjectKey>) -> impl Iterator<Item = Arc<K>> {
        keys.into_iter().filter_map(|key| self.get(&key))
    }

    /// All keys.
    pub(crate) fn keys(&self) -> Vec<ObjectKey> {
        self.state.read().objects.keys().cloned().collect()
    }

    /// Objects in the store.
    pub(crate) fn len(&self) -> usize {
        self.state.read().objects.len()
    }

    /// What of the object cannot be read; none = it can.
    pub(crate) fn unreadable(&self, key: &ObjectKey) -> Option<Unreadable> {
        self.unreadable.read().get(key).cloned()
    }

    /// Objects that cannot be read as a whole.
    pub(crate) fn count_unreadable(&self) -> usize {
        self.unreadable.read().len()
    }

    /// Remembers what of the object cannot be read.
    pub(super) fn note_unreadable(&self, key: &ObjectKey, unreadable: Option<Unreadable>) {
        match unreadable {
            Some(unreadable) => drop(self.unreadable.write().insert(key.clone(), unreadable)),
            None => drop(self.unreadable.write().remove(key)),
        }
    }

    /// Returns when the first list of so many watches is complete.
    pub(crate) async fn synced(&self, watches: usize) {
        // The sender lives as long as the store, so waiting cannot fail.
        let _ = self.ready.subscribe().wait_for(|ready| ready.len() >= watches).await;
    }

    /// Takes the answer to a write of ours; returns what is kept of it.
    pub(crate) fn wrote(&self, object: K) -> Arc<K> {
        let object = Arc::new((self.kept)(object));
        let mut state = self.state.write();
        let key = ObjectKey::of(&*object);
        for (_, listed) in state.listed.iter_mut().filter(|(scope, _)| scope.covers(&key)) {
            listed.keys.insert(key.clone());
        }
        state.put(key, object.clone());
        object
    }

    /// Takes the news that the object with this UID is gone.
    pub(crate) fn removed(&self, key: &ObjectKey, uid: &str) {
        let mut state = self.state.write();
        state.bury(uid, FOR_EVER);
        if state.objects.uid(key) == Some(uid) {
            state.objects.remove(key);
        }
    }

    /// Applies an event of the watch of this scope; says what changed.
    pub(crate) fn apply_event(&self, scope: &Scope, event: Event<K>) -> Vec<Change<K>> {
        let changes = self.change(scope, event);
        for gone in changes.iter().filter(|change| change.new.is_none()).filter_map(|change| change.old.as_ref()) {
            let key = ObjectKey::of(&**gone);
            if !self.contains(&key) {
                self.note_unreadable(&key, None);
            }
        }
        changes
    }

    fn change(&self, scope: &Scope, event: Event<K>) -> Vec<Change<K>> {
        let event = match event {
            Event::InitApply(object) => Event::InitApply((self.kept)(object)),
            Event::Apply(object) => Event::Apply((self.kept)(object)),
            Event::Delete(object) => Event::Delete((self.kept)(object)),
            Event::Init | Event::InitDone => event,
        };
        let mut state = self.state.write();
        match event {
            Event::Init => {
                state.listed.insert(scope.clone(), Listed::default());
                Vec::new()
            }
            Event::InitApply(object) => {
                let key = ObjectKey::of(&object);
                if let Some(listed) = state.listed.get_mut(scope) {
                    listed.keys.insert(key.clone());
                    listed.version = listed.version.max(version(&object));
                }
                state.put(key, Arc::new(object)).into_iter().collect()
            }
            Event::InitDone => {
                let listed = state.listed.remove(scope).unwrap_or_default();
                let known = state.objects.keys().filter(|key| scope.covers(key));
                let missing: Vec<_> = known.filter(|key| !listed.keys.contains(*key)).cloned().collect();
                let changes = missing.into_iter().filter_map(|key| state.drop_key(&key, listed.version)).collect();
                drop(state);
                self.ready.send_modify(|ready| {
                    ready.insert(scope.clone());
                });
                changes
            }
            Event::Apply(object) => {
                let key = ObjectKey::of(&object);
                state.put(key, Arc::new(object)).into_iter().collect()
            }
            Event::Delete(object) => {
                let key = ObjectKey::of(&object);
                let uid = object.uid().unwrap_or_default();
                // The version of the event, which is the one at which the object went.
                state.bury(&uid, version(&object));
                let same = state.objects.uid(&key) == Some(uid.as_str());
                if same {
                    state.objects.remove(&key);
                }
                // Even when our own write had removed it already, those who wait for its end want to know.
                vec![Change { old: Some(Arc::new(object)), new: None, echo: false }]
            }
        }
    }
}

impl<K: Resource> State<K> {
    fn put(&mut self, key: ObjectKey, object: Arc<K>) -> Option<Change<K>> {
        let went = object.meta().uid.as_ref().and_then(|uid| self.tombstones.get(uid));
        if went.is_some_and(|went| version(&*object) < *went) {
            return None;
        }
        let version = version(&*object);
        match self.objects.version(&key).map(|known| known.cmp(&version)) {
            Some(Ordering::Greater) => return None,
            // The echo of our own write: no news.
            Some(Ordering::Equal) => return Some(Change { old: Some(object.clone()), new: Some(object), echo: true }),
            Some(Ordering::Less) | None => {}
        }
        let uid = object.meta().uid.clone().unwrap_or_default();
        let old = self.objects.insert(key, &uid, version, object.clone());
        if let Some(old_uid) = old.as_ref().and_then(|old| old.meta().uid.clone())
            && object.meta().uid.as_ref() != Some(&old_uid)
        {
            self.bury(&old_uid, FOR_EVER);
        }
        Some(Change { old, new: Some(object), echo: false })
    }

    fn drop_key(&mut self, key: &ObjectKey, listed: u64) -> Option<Change<K>> {
        let old = self.objects.remove(key)?;
        if let Some(uid) = &old.meta().uid {
            self.bury(uid, listed.max(version(&*old)));
        }
        Some(Change { old: Some(old), new: None, echo: false })
    }

    fn bury(&mut self, uid: &str, went: u64) {
        if uid.is_empty() {
            return;
        }
        if let Some(known) = self.tombstones.get_mut(uid) {
            *known = went.max(*known);
            return;
        }
        self.tombstones.insert(uid.to_owned(), went);
        self.tombstone_order.push_back(uid.to_owned());
        if self.tombstone_order.len() > TOMBSTONES
            && let Some(oldest) = self.tombstone_order.pop_front()
        {
            self.tombstones.remove(&oldest);
        }
    }
}

/// Resource versions are numbers that grow (guaranteed since Kubernetes 1.35, true of etcd always).
fn version<K: Resource>(object: &K) -> u64 {
    object.meta().resource_version.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    fn object(uid: &str, version: u32) -> ConfigMap {
        serde_json::from_value(json!({
            "metadata": {"namespace": "n", "name": "a", "uid": uid, "resourceVersion": version.to_string()}
        }))
        .unwrap()
    }

    fn held(store: &Store<ConfigMap>) -> Option<(String, String)> {
        let object = store.get(&ObjectKey::new("n", "a"))?;
        Some((object.uid().unwrap(), object.resource_version().unwrap()))
    }

    fn expect(uid: &str, version: u32) -> Option<(String, String)> {
        Some((uid.to_owned(), version.to_string()))
    }

    #[test]
    fn an_older_event_does_not_undo_our_own_write() {
        let store = Store::default();
        store.wrote(object("1", 7));
        assert!(store.apply_event(&Scope::Cluster, Event::Apply(object("1", 5))).is_empty());
        assert_eq!(held(&store), expect("1", 7));
        assert!(
            store.apply_event(&Scope::Cluster, Event::Apply(object("1", 7))).iter().all(|change| change.echo),
            "our own write comes back"
        );
    }

    #[test]
    fn an_object_that_went_does_not_return() {
        let store = Store::default();
        store.apply_event(&Scope::Cluster, Event::Apply(object("1", 5)));
        store.apply_event(&Scope::Cluster, Event::Delete(object("1", 9)));
        store.wrote(object("1", 8));
        assert_eq!(held(&store), None);
        store.apply_event(&Scope::Cluster, Event::Apply(object("2", 12)));
        assert_eq!(held(&store), expect("2", 12));
    }

    #[test]
    fn an_object_that_lost_its_label_returns_with_it() {
        let store = Store::default();
        store.apply_event(&Scope::Cluster, Event::Apply(object("1", 5)));
        // The label was taken off: the same event as for a deletion, with the version of that write.
        store.apply_event(&Scope::Cluster, Event::Delete(object("1", 6)));
        store.wrote(object("1", 5));
        assert_eq!(held(&store), None, "nothing older than its going");
        store.wrote(object("1", 7));
        assert_eq!(held(&store), expect("1", 7), "our own repair");
        store.apply_event(&Scope::Cluster, Event::Delete(object("1", 8)));
        store.apply_event(&Scope::Cluster, Event::Apply(object("1", 9)));
        assert_eq!(held(&store), expect("1", 9), "or anybody else's");
        // The same between two watches: it is missing in a list, and comes back.
        store.apply_event(&Scope::Cluster, Event::Init);
        store.apply_event(&Scope::Cluster, Event::InitDone);
        assert_eq!(held(&store), None);
        store.apply_event(&Scope::Cluster, Event::Apply(object("1", 12)));
        assert_eq!(held(&store), expect("1", 12));
    }

    #[test]
    fn what_we_deleted_does_not_return_however_new_the_answer() {
        let store = Store::default();
        store.wrote(object("1", 5));
        store.removed(&ObjectKey::new("n", "a"), "1");
        store.apply_event(&Scope::Cluster, Event::Apply(object("1", 6)));
        assert_eq!(held(&store), None);
    }

    #[test]
    fn a_late_deletion_does_not_remove_the_successor() {
        let store = Store::default();
        store.wrote(object("1", 5));
        store.wrote(object("2", 12));
        store.apply_event(&Scope::Cluster, Event::Delete(object("1", 9)));
        assert_eq!(held(&store), expect("2", 12));
    }

    #[test]
    fn a_list_of_one_namespace_says_nothing_of_another() {
        let store = Store::<ConfigMap>::default();
        let here = |namespace: &str| {
            let mut object = object("1", 5);
            object.metadata.namespace = Some(namespace.into());
            object.metadata.uid = Some(namespace.into());
            object
        };
        let scope = |namespace: &str| Scope::Namespace(namespace.into());
        for namespace in ["a", "b"] {
            store.apply_event(&scope(namespace), Event::Init);
            store.apply_event(&scope(namespace), Event::InitApply(here(namespace)));
        }
        store.apply_event(&scope("a"), Event::InitDone);
        assert!(store.synced(2).now_or_never().is_none(), "the list of b is not complete");
        store.apply_event(&scope("b"), Event::InitDone);
        assert!(store.synced(2).now_or_never().is_some());
        store.apply_event(&scope("a"), Event::Init);
        let changes = store.apply_event(&scope("a"), Event::InitDone);
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert!(store.get(&ObjectKey::new("a", "a")).is_none() && store.get(&ObjectKey::new("b", "a")).is_some());
    }

    #[test]
    fn a_new_list_drops_what_is_not_in_it_but_keeps_what_we_wrote_meanwhile() {
        let store = Store::default();
        store.apply_event(&Scope::Cluster, Event::Apply(object("1", 5)));
        store.apply_event(&Scope::Cluster, Event::Init);
        assert_eq!(store.apply_event(&Scope::Cluster, Event::InitDone).len(), 1);
        assert_eq!(held(&store), None);
        store.apply_event(&Scope::Cluster, Event::Init);
        store.wrote(object("2", 6));
        store.apply_event(&Scope::Cluster, Event::InitDone);
        assert_eq!(held(&store), expect("2", 6));
    }
}
