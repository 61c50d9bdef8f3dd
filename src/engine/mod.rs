//! The engine of one channel: durable queue, agents, outbox.

pub mod core;
pub mod store;
