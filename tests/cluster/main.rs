//! Tests that need a real cluster with a kubelet.

#[path = "../support/mod.rs"]
mod support;

mod smoke;
mod testbed;
