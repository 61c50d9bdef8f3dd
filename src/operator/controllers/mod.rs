//! The controllers, one folder per kind, each in the same steps: observe (read caches) → validate (into types that cannot be
//! wrong) → plan (pure) → apply → status. Only observing and applying touch the outside.
//!
//! Beside them: [`worker`] works through a queue, [`summary`] writes status, [`account`] says which account a connector may use, [`claim`]
//! keeps one number with one channel, [`finalizer`] holds what is under way, [`rollout`] replaces pods when their turn has come.

pub(super) mod account;
pub(super) mod blocklist;
pub(super) mod bot;
pub(super) mod campaign;
pub(super) mod channel;
pub(super) mod claim;
pub(super) mod connector;
pub(super) mod finalizer;
#[cfg(test)]
mod plan_tests;
pub(super) mod rollout;
#[cfg(test)]
mod scenarios;
pub(super) mod summary;
pub(super) mod worker;
