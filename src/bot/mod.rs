//! Bots: compiled, or refused with every fault named; and how one runs, purely. The rules are in docs/bots.md.

mod compile;
mod compiled;
mod fault;
mod graph;
mod http;
mod request;
mod reserved;
mod run;
mod template;
mod values;
mod variables;

pub use compile::compile;
pub use compiled::{Action, CompiledBot, StepId};
pub use fault::{BotFault, in_short, to_status};
pub use request::{Request, RequestHeader, request};
pub use reserved::reserved_answers;
pub use run::{CallFailure, CallResult, Failure, Given, Input, Outcome, Position, Taken, Then, Turn, run};
pub use values::Values;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod run_tests;
#[cfg(test)]
mod tests;
