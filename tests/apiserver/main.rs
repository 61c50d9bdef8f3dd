//! Tests that need a real API server.

#[path = "../support/mod.rs"]
mod support;

mod kinds;
mod smoke;
