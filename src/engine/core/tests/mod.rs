//! The promises of the state machine, checked from outside.

mod agents;
mod clock;
mod customers;
mod desk;
mod disabled;
mod dispositions;
mod events;
mod model;
mod model_offers;
mod model_service_level;
mod model_transfers;
mod offers;
mod opting;
mod outbox;
mod previous_agent;
mod properties;
mod queue_limits;
mod service_level;
mod strategies;
mod supervising;
mod transfers;

pub(crate) use self::desk::config;
