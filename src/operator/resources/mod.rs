//! What the operator writes: the children of connectors and channels, and how they reach the cluster.
//!
//! - [`kinds`]: one table of child kinds, from which [`apply`], [`watch`](super::observed::watch), [`rbac`] and [`policy`] come;
//! - [`claim`]: which channel holds a number, as a Lease;
//! - [`child`], [`workload`], [`configuration`]: children as they shall be;
//! - [`apply`], [`diff`], [`foreign`]: what must change to get there;
//! - [`kept`]: what the caches keep of each object;
//! - [`volume`]: a volume as it stands;
//! - [`writer`], [`refusal`]: every request that writes, and what a refusal means;
//! - [`volume_refresh`]: makes the kubelet refresh a pod's projected volume.

pub mod apply;
pub mod child;
pub mod claim;
pub mod configuration;
mod diff;
mod foreign;
pub mod kept;
pub mod kinds;
pub mod policy;
pub mod rate_limit;
pub mod rbac;
pub mod refusal;
pub mod volume;
pub mod volume_refresh;
pub mod workload;
pub mod writer;
