//! Aldis: an operator that runs SMS service desks on Kubernetes, and the gateway and engine that it keeps.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

pub(crate) mod admin;
pub mod api;
pub mod bot;
pub mod carrier;
pub mod engine;
pub mod gateway;
pub mod generate;
pub(crate) mod hours;
pub mod operator;
pub mod process;
pub mod simulator;
pub mod sms;
pub mod wire;
