//! Which agents have streams open.

use std::collections::HashMap;

use super::core::{agent::Agent, command::Command, ids::UserId, state::State};

/// How many streams each agent has open: they are online while it is one or more.
#[derive(Debug, Default)]
pub(super) struct OpenStreams(HashMap<UserId, usize>);

impl OpenStreams {
    /// The command that follows, if it is the agent's first.
    pub(super) fn opened(&mut self, user: UserId) -> Option<Command> {
        let count = self.0.entry(user.clone()).or_default();
        *count += 1;
        (*count == 1).then_some(Command::AgentOnline { user })
    }

    /// The command that follows, if it was the agent's last.
    pub(super) fn closed(&mut self, user: UserId) -> Option<Command> {
        let count = self.0.get_mut(&user)?;
        *count -= 1;
        if *count > 0 {
            return None;
        }
        self.0.remove(&user);
        Some(Command::AgentOffline { user })
    }

    /// The commands that make the state know who is online.
    pub(super) fn differences(&self, state: &State) -> Vec<Command> {
        let came = self.0.keys().filter(|user| !state.agent(user).is_some_and(Agent::is_online));
        let came = came.map(|user| Command::AgentOnline { user: user.clone() });
        let gone = state.agents_online().filter(|user| !self.0.contains_key(user));
        let gone = gone.map(|user| Command::AgentOffline { user: user.clone() });
        came.chain(gone).collect()
    }
}
