//! What the roles say to each other: documents, messages, and the tokens they show.
//!
//! - [`config`]: the documents that the operator writes and a gateway or engine loads;
//! - [`mount`]: how a gateway or engine comes by them;
//! - [`inbound`], [`receipt`], [`delivery`]: gateway to engine, port 8081 of the engine;
//! - [`outbound`]: engine to gateway, port 8081 of the gateway;
//! - [`status`], [`bot_status`]: what a gateway or engine tells the operator about itself, and an engine about its bots;
//! - [`store_id`]: ids of stores and of their copies;
//! - [`simulator`]: the protocol of the provider that `aldis simulator` plays;
//! - [`tokens`]: who calls, and how a role says who it is;
//! - [`problem`]: errors of every HTTP interface, RFC 9457.
//!
//! JSON everywhere, camelCase, unknown fields tolerated, times in RFC 3339 UTC.

pub mod bot_status;
pub mod config;
pub mod delivery;
pub mod inbound;
pub mod mount;
pub mod outbound;
pub mod ports;
pub mod problem;
pub mod receipt;
pub mod simulator;
pub mod status;
pub mod store_id;
pub mod tokens;
