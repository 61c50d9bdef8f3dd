//! Tests that need nothing but this machine.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod agents_api;
mod arrows;
mod backup;
mod bot_examples;
mod bots;
mod build_folder;
mod comments;
mod compat;
mod contributors;
mod dependencies;
mod engine;
mod engine_batches;
mod engine_look_ups;
mod engine_opt_outs;
mod engine_replay;
mod engine_retention;
mod engine_store;
mod engine_strategies;
mod gateway_checks;
mod gateway_clocks;
mod gateway_full;
mod gateway_hostile;
mod gateway_inbound;
mod gateway_kills;
mod gateway_ledger;
mod gateway_logs;
mod gateway_prism;
mod gateway_providers;
mod gateway_receipts;
mod gateway_sdk_verdicts;
mod gateway_sending;
mod gateway_signatures;
mod gateway_simulator;
mod generated;
mod hostile_bodies;
mod hostile_within;
mod kills;
mod open_files;
mod parts;
mod progress;
mod reasons;
mod segments;
mod service_level;
mod settings;
mod simulator;
mod sources;

#[path = "../support/mod.rs"]
mod support;
