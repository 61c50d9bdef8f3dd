//! Tests that need a real API server.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod chart;
mod desk;
mod heal;
mod kinds;
mod operator_claims;
mod operator_conditions;
mod operator_deletion;
mod operator_issuers;
mod operator_kills;
mod operator_leader;
mod operator_reconcile;
mod operator_writes;
mod orders;
mod policy;
mod smoke;
mod tenants;
mod watched_namespaces;
