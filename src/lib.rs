//! Aldis: an operator that runs SMS service desks on Kubernetes, and the gateway and engine that it keeps.
#![forbid(unsafe_code)]

pub mod admin;
pub mod api;
pub mod engine;
pub mod gateway;
pub mod generate;
pub mod hours;
pub mod operator;
pub mod process;
pub mod simulator;
pub mod sms;
pub mod wire;
