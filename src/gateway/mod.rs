//! The gateway of one SmsConnector: takes what the provider brings to the engines, and what engines send to the provider.
//!
//! Its promise: what was acknowledged to the provider is on a disk, an engine's or its own.

mod credentials;
mod providers;
mod public_url;
mod settings;
mod spool;
