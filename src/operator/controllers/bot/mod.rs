//! Bots: compiled, or refused with every fault named.

mod compile;
mod compiled;
mod fault;
mod graph;
mod http;
mod reconcile;
mod template;
mod variables;

pub(crate) use compile::{Surroundings, compile};
pub(crate) use fault::{BotFault, to_status};
pub(crate) use reconcile::reconcile;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
