//! What bots need beyond the state machine: texts and variables for each turn, and the answers of services.

mod calls;
mod service;
mod turns;

pub(super) use service::BotServices;
pub(super) use turns::BotTurns;
