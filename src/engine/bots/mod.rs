//! What bots need beyond the state machine: texts and variables for each turn, and the answers of services; and what the operator is told of
//! them.

mod calls;
mod in_use;
mod service;
mod status;
mod turns;

pub(super) use in_use::steps_in_use;
pub(super) use service::BotServices;
pub(super) use status::status;
pub(super) use turns::BotTurns;
