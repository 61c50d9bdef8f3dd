//! The state machine of one channel: no clock, no I/O, no randomness. The same commands at the same instants give the same events.
//!
//! - [`decide`](decide::decide) says what follows from a command, [`due`](due::due) what follows from time;
//!   [`apply`](apply::apply) changes the state as an event says. [`State::execute`](state::State::execute) does all three.
//! - Events and rows hold ids. Texts and numbers travel beside them ([`Content`](command::Content)), from and to the store.
//! - The [`State`](state::State) holds open things only. The shell looks up what a command needs beyond them, inside the transaction
//!   in which it writes the decision: the sender's customer, duplicates, the message of a receipt.

pub mod agent;
pub mod apply;
mod assembling;
pub mod assembly;
pub mod blocklist;
mod bot_lifecycle;
pub mod bot_run;
mod bot_turn;
pub mod clock;
mod closing;
pub mod command;
pub mod config;
mod consent;
pub mod customer;
pub mod decide;
pub mod delivery;
mod draft;
pub mod due;
pub mod event;
mod execute;
pub mod figures;
pub mod ids;
mod importing;
mod inbound;
mod index;
pub mod interaction;
pub mod lifecycle;
pub mod offer;
mod offering;
pub mod opt_out;
pub mod outbox;
mod ownership;
mod presence;
mod queue;
mod random;
mod ranking;
mod receipt;
mod receiving;
pub mod refusal;
mod reply;
mod resend;
pub mod schedule;
pub mod sending;
pub mod service_level;
mod start;
pub mod state;
pub mod statistics;
mod strategy;
mod supervising;
mod timers;
pub mod today;
pub mod transfer;
mod transferring;

#[cfg(test)]
pub(super) mod tests;
