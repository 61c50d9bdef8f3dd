//! The gateway of one SmsConnector: takes what the provider brings to the engines, and what engines send to the provider.
//!
//! Its promise: what was acknowledged to the provider is on a disk, an engine's or its own.

mod checking;
mod credentials;
mod current;
mod deliver;
mod ingress;
mod internal_api;
mod metrics;
mod providers;
mod public_url;
mod run;
mod sending;
mod settings;
mod spool;
mod status;
mod traffic;
mod under_way;

pub use run::{Args, RunError, run};
