//! The operator: keeps gateways and engines as the objects declare them, and says in status how they are.
//!
//! For each kind: observe (read caches) → validate (into types that cannot be wrong) → plan (pure) → apply → summarize. Only
//! observing and applying touch the outside. One folder or file per kind; beside them what all share:
//!
//! - [`cache`], [`watch`], [`queue`], [`controller`]: from an event to a reconcile;
//! - [`child`], [`writer`], [`refusal`], [`document`], [`workload`]: from a plan to objects in the cluster;
//! - [`claim`]: one number, one channel;
//! - [`scrape`], [`samples`], [`pod`]: how gateways and engines are;
//! - [`summary`], [`events`]: what people see;
//! - [`leader`], [`run`]: the process.

mod allow_list;
mod backoff;
pub mod blocklist;
pub mod bot;
mod cache;
pub mod campaign;
mod channel;
pub mod child;
mod claim;
mod connector;
mod contenders;
mod context;
mod controller;
mod discovery;
mod document;
mod error;
mod events;
mod holds;
mod http;
mod issuers;
mod leader;
mod metrics;
mod nudge;
#[cfg(test)]
mod plan_tests;
mod pod;
mod queue;
mod rates;
mod refusal;
mod run;
mod samples;
mod scrape;
mod settings;
mod summary;
mod targets;
mod verdict;
mod watch;
mod workload;
mod writer;

pub use child::{policy, rbac};
pub use run::{RunError, run};
pub use settings::Settings;
