//! The operator: keeps gateways and engines as the objects declare them, and says in status how they are.

pub mod blocklist;
pub mod bot;
pub mod campaign;
