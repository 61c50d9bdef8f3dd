//! Tests that need nothing but this machine.

mod arrows;
mod compat;
mod generated;
mod simulator;
