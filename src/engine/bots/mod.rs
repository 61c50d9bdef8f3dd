//! What bots need beyond the state machine: texts and variables for each turn, and the answers of services.

mod calls;
mod in_use;
mod service;
mod turns;

pub(super) use in_use::steps_in_use;
pub(super) use service::BotServices;
pub(super) use turns::BotTurns;
