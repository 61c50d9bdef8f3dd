//! The promises of the state machine, checked from outside.

mod agents;
mod customers;
mod desk;
mod disabled;
mod opting;
mod outbox;
mod service_level;
