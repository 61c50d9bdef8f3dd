//! What the integration tests share.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on stops")]

pub mod carrier;
pub mod channel;
pub mod desk;
pub mod disk;
pub mod engine;
pub mod engine_fake;
pub mod gateway;
pub mod gateway_fake;
pub mod gateway_pod;
pub mod healthy;
pub mod hostile;
pub mod issuer;
pub mod judge;
pub mod kinds;
pub mod log;
pub mod operator;
pub mod peers;
pub mod process;
pub mod provider_fake;
pub mod quickstart;
pub mod service_fake;
pub mod stub;
pub mod testbed;
pub mod traffic;
pub mod twilio_fake;
pub mod volume;
pub mod wall_clock;
