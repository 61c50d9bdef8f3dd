//! Agents come and go, are chosen and finish.

use jiff::{Timestamp, civil::Date};

use crate::engine::core::{
    agent::{Completed, Connection},
    event::AgentEvent,
    ids::UserId,
    ranking::Turn,
    state::State,
};

pub(super) fn apply_to_agent(state: &mut State, event: &AgentEvent, at: Timestamp) {
    match event {
        AgentEvent::AgentOnline { user } => state.with_agent(user, |agent| agent.connection = Connection::Online),
        AgentEvent::AgentOffline { user } => {
            let since = state.scalars.clock.at(at);
            state.with_agent(user, |agent| agent.connection = Connection::Offline { since: Some(since) });
        }
        AgentEvent::AgentPresenceSet { user, present, .. } => state.with_agent(user, |agent| {
            agent.present = *present;
            agent.missed = None;
        }),
        AgentEvent::OptOutsImported { .. } | AgentEvent::StartBlocked { .. } => {}
    }
}

/// An agent has finished an interaction.
pub(super) fn completed(state: &mut State, owner: &UserId, on: Option<Date>, at: Timestamp) {
    state.with_agent(owner, |agent| {
        agent.last_finish = Some(at);
        if let Some(on) = on {
            agent.completed = Some(Completed { on, count: agent.completed_on(on).saturating_add(1) });
        }
    });
}

/// A strategy chose this agent.
pub(super) fn chosen(state: &mut State, user: &UserId, position: Option<u32>) {
    if let Some(position) = position {
        state.scalars.turn = Some(Turn { position, user: user.clone() });
        state.scalars.seed = state.scalars.seed.next();
    }
}
