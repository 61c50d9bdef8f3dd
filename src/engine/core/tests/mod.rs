//! The promises of the state machine, checked from outside.

mod agents;
mod bots;
mod bots_of_histories;
mod clock;
mod customers;
mod desk;
mod desk_bots;
mod desk_parts;
mod disabled;
mod dispositions;
mod events;
mod importing;
mod model;
mod model_bots;
mod model_offers;
mod model_outbox;
mod model_parts;
mod model_service_level;
mod model_transfers;
mod offers;
mod opting;
mod outbox;
mod parts;
mod previous_agent;
mod properties;
mod queue_limits;
mod recount;
mod service_level;
mod strategies;
mod supervising;
mod today;
mod transfers;
mod transitions;

pub(crate) use self::desk::config;
