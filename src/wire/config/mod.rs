//! The documents that the operator writes and a gateway or engine loads from its mounted volume.
//!
//! A volume holds one main document (`config.json`) and parts (`routes-0.json`…, `blocklist-0.json`…). The main document lists the hash
//! of each part that belongs to it; a pod switches only when it sees all of them. `format` says how to read a document; fields that
//! a reader does not know are ignored.

pub mod engine;
pub mod gateway;
mod hash;
pub mod issuers;
mod origin;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use hash::{ConfigHash, InvalidConfigHash};
pub use origin::{InvalidOrigin, Origin};

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Key of the main document in its ConfigMap, and its file name in the mount.
pub const MAIN_DOCUMENT: &str = "config.json";

/// Parts of one kind at most (`routes-0` … `routes-7`).
pub const MAX_PARTS: usize = 8;

/// Hashes of the parts that belong to a main document, by file name (`routes-0.json`).
pub type Parts = BTreeMap<String, ConfigHash>;

/// An object that a document was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectIdentity {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
}

/// So many segments in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Segments, at least 1.
    pub segments: u32,
    /// Seconds, at least 1.
    pub per_seconds: u32,
}
