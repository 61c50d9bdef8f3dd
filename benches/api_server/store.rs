//! All objects, and who watches them.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

use axum::body::Bytes;
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use super::{
    object::{Form, Key, Object},
    query::Filter,
};

/// Changes of a kind that a watch may begin after.
const REMEMBERED: usize = 4000;

/// All kinds.
#[derive(Default)]
pub struct Store {
    pub version: u64,
    pub shelves: BTreeMap<String, Shelf>,
}

/// All objects of a kind.
#[derive(Default)]
pub struct Shelf {
    pub objects: BTreeMap<Key, Arc<Object>>,
    changes: VecDeque<Change>,
    /// The version of the newest change that is forgotten.
    forgotten: u64,
    watches: Vec<Watch>,
}

/// What became of an object.
#[derive(Clone)]
pub struct Change {
    pub version: u64,
    pub old: Option<Arc<Object>>,
    pub new: Option<Arc<Object>>,
}

/// Somebody who watches a kind.
pub struct Watch {
    pub filter: Filter,
    pub form: Form,
    pub to: UnboundedSender<Bytes>,
}

/// A page of a list.
pub struct Page {
    pub objects: Vec<Arc<Object>>,
    /// Where the next one begins.
    pub next: Option<Key>,
}

impl Store {
    pub fn shelf(&mut self, kind: &str) -> &mut Shelf {
        self.shelves.entry(kind.to_owned()).or_default()
    }

    pub fn get(&self, kind: &str, key: &Key) -> Option<&Arc<Object>> {
        self.shelves.get(kind)?.objects.get(key)
    }

    /// The version of the next change.
    pub fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }
}

impl Shelf {
    /// Takes a new version, or takes the object away, and tells everybody.
    pub fn change(&mut self, key: &Key, version: u64, new: Option<Arc<Object>>) {
        let old = match &new {
            Some(object) => self.objects.insert(key.clone(), object.clone()),
            None => self.objects.remove(key),
        };
        let change = Change { version, old, new };
        self.watches.retain(|watch| match change.seen_by(&watch.filter, watch.form) {
            Some(event) => watch.to.send(event).is_ok(),
            None => !watch.to.is_closed(),
        });
        self.changes.push_back(change);
        if self.changes.len() > REMEMBERED
            && let Some(forgotten) = self.changes.pop_front()
        {
            self.forgotten = forgotten.version;
        }
    }

    /// Sends what has changed since, and whatever changes from now on. False when that is not remembered any more.
    pub fn watch(&mut self, watch: Watch, since: u64) -> bool {
        if since < self.forgotten {
            return false;
        }
        for change in self.changes.iter().filter(|change| change.version > since) {
            if let Some(event) = change.seen_by(&watch.filter, watch.form) {
                drop(watch.to.send(event));
            }
        }
        self.watches.push(watch);
        true
    }

    /// Sends all that is there, and whatever changes from now on.
    pub fn watch_from_the_start(&mut self, watch: Watch, version: u64) {
        for object in self.objects.values().filter(|object| watch.filter.holds(object)) {
            drop(watch.to.send(event("ADDED", object, watch.form)));
        }
        drop(watch.to.send(bookmark(version, true)));
        self.watches.push(watch);
    }

    pub fn page(&self, filter: &Filter, after: Option<Key>, limit: usize) -> Page {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = self
            .objects
            .range((from, Bound::Unbounded))
            .map(|(_, object)| object)
            .filter(|object| filter.holds(object));
        let objects: Vec<_> = found.by_ref().take(limit).cloned().collect();
        let next = found.next().and_then(|_| objects.last()).map(|last| last.key.clone());
        Page { objects, next }
    }
}

impl Change {
    /// The event that it is to one who watches.
    fn seen_by(&self, filter: &Filter, form: Form) -> Option<Bytes> {
        let was = self.old.as_ref().is_some_and(|old| filter.holds(old));
        let new = self.new.as_ref().filter(|new| filter.holds(new));
        match (was, new) {
            (false, None) => None,
            (false, Some(new)) => Some(event("ADDED", new, form)),
            (true, Some(new)) => Some(event("MODIFIED", new, form)),
            (true, None) => self.new.as_ref().or(self.old.as_ref()).map(|last| event("DELETED", last, form)),
        }
    }
}

fn event(what: &str, object: &Object, form: Form) -> Bytes {
    let mut text = format!(r#"{{"type":"{what}","object":"#).into_bytes();
    object.append(&mut text, form);
    text.extend_from_slice(b"}\n");
    text.into()
}

/// Says how far a watch has come.
pub fn bookmark(version: u64, is_end_of_start: bool) -> Bytes {
    let annotations = if is_end_of_start { json!({"k8s.io/initial-events-end": "true"}) } else { json!({}) };
    let metadata = json!({"resourceVersion": version.to_string(), "annotations": annotations});
    format!("{}\n", json!({"type": "BOOKMARK", "object": {"kind": "", "apiVersion": "v1", "metadata": metadata}}))
        .into()
}
