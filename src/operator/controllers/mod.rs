//! The controllers, one folder per kind, each in the same steps: observe (read caches) → validate (into types that cannot be
//! wrong) → plan (pure) → apply → status. Only observing and applying touch the outside.
//!
//! Beside them: [`worker`] works through a queue, [`summary`] writes status, [`claim`] keeps one number with one channel, [`finalizer`]
//! holds what is under way.

pub mod blocklist;
pub mod bot;
pub mod campaign;
pub mod channel;
pub mod claim;
pub mod connector;
pub mod finalizer;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod scenarios;
pub mod summary;
pub mod worker;
