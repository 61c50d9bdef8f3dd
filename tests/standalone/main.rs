//! Tests that need nothing but this machine.

mod arrows;
mod generated;
mod simulator;
