//! What the operator writes: the children of connectors and channels, and how they reach the cluster.
//!
//! - [`kinds`]: one table of child kinds, from which [`apply`], [`watch`](super::observed::watch), [`rbac`] and [`policy`] come;
//! - [`claim`]: which channel holds a number, as a Lease;
//! - [`child`], [`workload`], [`configuration`]: children as they shall be;
//! - [`apply`], [`diff`], [`foreign`]: what must change to get there;
//! - [`kept`], [`child_stores`]: what the caches keep of each object, and how children are found in them;
//! - [`volume`]: a volume as it stands;
//! - [`writer`], [`refusal`]: every request that writes, and what a refusal means;
//! - [`volume_refresh`]: makes the kubelet refresh a pod's projected volume.

pub(super) mod apply;
pub(super) mod child;
pub(super) mod child_stores;
pub(super) mod claim;
pub(super) mod configuration;
mod diff;
mod foreign;
pub(super) mod kept;
pub(super) mod kinds;
pub(super) mod policy;
pub(super) mod rate_limit;
pub(super) mod rbac;
pub(super) mod refusal;
pub(super) mod volume;
pub(super) mod volume_refresh;
pub(super) mod workload;
pub(super) mod writer;
