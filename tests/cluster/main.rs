//! Tests that need a real cluster with a kubelet.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../support/mod.rs"]
mod support;

mod backup;
mod bot_services;
mod bots;
mod chart;
mod claims;
mod conversation;
mod faults;
mod installed;
mod kills;
mod live;
mod live_changes;
mod load;
mod outside;
mod quickstart;
mod settings;
mod smoke;
mod tenancy;
mod testbed;
mod volumes;
