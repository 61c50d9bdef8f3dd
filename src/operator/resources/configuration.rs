//! Configuration documents as ConfigMaps: one main document, and parts that it lists by hash.

use serde::Serialize;
use serde_json::json;

use crate::{
    api::{Reason, names},
    operator::{
        resources::{
            child::{ANNOTATION_DRAINING, Bond, Child, Owner},
            kinds::ChildKind,
        },
        runtime::error::Error,
    },
    wire::config::{ConfigHash, MAIN_DOCUMENT, MAX_PARTS, Parts},
};

/// Largest document: a ConfigMap holds 1 MiB of data, its metadata included when it is applied.
const LARGEST: usize = 900_000;

/// The kind of parts that a main document has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    /// Of a gateway.
    Routes,
    /// Of an engine.
    Blocklist,
}

impl PartKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Routes => "routes",
            Self::Blocklist => "blocklist",
        }
    }

    /// Name of the ConfigMap of one part.
    pub(crate) fn config_map(self, owner: &Owner, index: usize) -> String {
        names::part(&owner.child_name, self.name(), index)
    }

    /// Key in the ConfigMap, and name of the file, of one part.
    pub(crate) fn file(self, index: usize) -> String {
        format!("{}-{index}.json", self.name())
    }
}

/// The ConfigMaps of one owner.
#[derive(Debug)]
pub(crate) struct Documents {
    /// Hash of the main document, which covers the parts.
    pub hash: ConfigHash,
    /// Hashes of the parts, as the main document lists them.
    pub parts: Parts,
    /// The ConfigMaps.
    pub children: Vec<Child>,
}

/// Writes the documents.
///
/// # Errors
/// [`Error::Stalled`] with `ConfigTooLarge` when they do not fit.
pub(crate) fn write<P: Serialize, M: Serialize>(
    owner: &Owner,
    kind: PartKind,
    parts: &[P],
    main: impl FnOnce(Parts) -> M,
) -> Result<Documents, Error> {
    if parts.len() > MAX_PARTS {
        return Err(too_large(format!(
            "{} {} parts are needed and {MAX_PARTS} are possible",
            parts.len(),
            kind.name()
        )));
    }
    let mut hashes = Parts::new();
    let mut children = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let text = bounded(&kind.file(index), part)?;
        hashes.insert(kind.file(index), ConfigHash::of(text.as_bytes()));
        children.push(config_map(owner, kind.config_map(owner, index), &kind.file(index), text));
    }
    let text = bounded(MAIN_DOCUMENT, &main(hashes.clone()))?;
    let hash = ConfigHash::of(text.as_bytes());
    children.push(config_map(owner, owner.child_name.clone(), MAIN_DOCUMENT, text));
    Ok(Documents { hash, parts: hashes, children })
}

/// The ConfigMap of a main document with which a channel drains.
pub(crate) fn draining_document(owner: &Owner, text: String) -> Child {
    let body = json!({"metadata": {"annotations": {ANNOTATION_DRAINING: "true"}}, "data": {MAIN_DOCUMENT: text}});
    Child::new(owner, ChildKind::ConfigMap, owner.child_name.clone(), Bond::Controlled, body)
}

fn bounded<T: Serialize>(name: &str, document: &T) -> Result<String, Error> {
    let text = serde_json::to_string(document)?;
    if text.len() > LARGEST {
        return Err(too_large(format!("{name} would have {} bytes, and {LARGEST} are possible", text.len())));
    }
    Ok(text)
}

fn too_large(what: String) -> Error {
    let hint = "use fewer numbers, members, dispositions, canned replies or blocklist entries, or shorter texts";
    Error::stalled(
        Reason::ConfigTooLarge,
        format!("the configuration does not fit into a pod's volume: {what}; {hint}"),
    )
}

fn config_map(owner: &Owner, name: String, file: &str, text: String) -> Child {
    Child::new(owner, ChildKind::ConfigMap, name, Bond::Controlled, json!({"data": {file: text}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            kind: "SmsConnector",
            namespace: "n".into(),
            name: "c".into(),
            uid: "u".into(),
            field_manager: "m",
            label: "l",
            component: "gateway",
            child_name: "smsc-c".into(),
        }
    }

    #[test]
    fn the_hash_of_the_main_document_covers_the_parts() {
        let hash = |part: &str| write(&owner(), PartKind::Routes, &[part], |parts| parts).unwrap().hash;
        assert_eq!(hash("a"), hash("a"));
        assert_ne!(hash("a"), hash("b"));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_hint() {
        let long = "x".repeat(LARGEST);
        for error in [
            write(&owner(), PartKind::Routes, &[&long], |parts| parts).unwrap_err(),
            write(&owner(), PartKind::Routes, &["a"; MAX_PARTS + 1], |parts| parts).unwrap_err(),
            write(&owner(), PartKind::Routes, &[""; 0], |_| &long).unwrap_err(),
        ] {
            let Error::Stalled { reason: Reason::ConfigTooLarge, message } = error else { panic!("{error}") };
            assert!(message.contains("fewer numbers"), "{message}");
        }
    }
}
