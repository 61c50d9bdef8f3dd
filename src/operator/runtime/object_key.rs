//! The key of an object.

use std::{
    cmp::Ordering,
    fmt::{Debug, Display, Formatter, Result},
    sync::Arc,
};

use kube::Resource;

/// Namespace and name, in this order. Caches, indexes and queues hold several for each object, so that its clones share one text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ObjectKey {
    /// Namespace, slash, name.
    text: Arc<str>,
    /// Bytes of the namespace.
    namespace: usize,
}

impl ObjectKey {
    /// A key.
    pub(crate) fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        let (namespace, name) = (namespace.as_ref(), name.as_ref());
        Self { text: format!("{namespace}/{name}").into(), namespace: namespace.len() }
    }

    /// The key of an object.
    pub(crate) fn of<K: Resource>(object: &K) -> Self {
        let meta = object.meta();
        let name = meta.name.as_deref().or(meta.generate_name.as_deref());
        Self::new(meta.namespace.as_deref().unwrap_or_default(), name.unwrap_or_default())
    }

    /// Namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.text[..self.namespace]
    }

    /// Name.
    pub(crate) fn name(&self) -> &str {
        &self.text[self.namespace + 1..]
    }
}

impl Ord for ObjectKey {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.namespace(), self.name()).cmp(&(other.namespace(), other.name()))
    }
}

impl PartialOrd for ObjectKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Display for ObjectKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&self.text)
    }
}

impl Debug for ObjectKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_order_of_namespace_and_then_of_name() {
        let key = ObjectKey::new;
        let (one, other) = (key("a", "x"), key("a-b", "a"));
        assert!(one < other && one.to_string() > other.to_string(), "not in the order of their texts");
        assert!(key("", "b") < one && one < key("a", "x-y"));
        let key = key("shop", "support");
        assert_eq!((key.namespace(), key.name(), key.to_string().as_str()), ("shop", "support", "shop/support"));
    }
}
