//! Which agent gets the next interaction.

use jiff::Timestamp;

use super::{
    agent::Agent,
    config::{Member, Strategy},
    ids::UserId,
    state::State,
};

/// The available agents, in no order that matters.
pub(super) fn available(state: &State) -> impl Iterator<Item = (&Member, &Agent)> {
    state.available.iter().filter_map(|user| state.config.members.get(user).zip(state.agents.get(user)))
}

/// The agent who gets the next interaction; none when nobody is available.
pub(super) fn choose(state: &State) -> Option<&UserId> {
    let strategy = state.config.strategy;
    available(state).min_by_key(|(member, agent)| rank(strategy, member, agent)).map(|(member, _)| &member.user)
}

/// Lower is chosen. Who never finished an interaction comes before all who did, and then who was not given one for the longest
/// time, so that several newcomers take turns.
fn rank<'a>(strategy: Strategy, member: &'a Member, agent: &Agent) -> impl Ord + use<'a> {
    let (finished, assigned): (Option<Timestamp>, Option<Timestamp>) = match strategy {
        Strategy::LeastRecent => (agent.last_finish, agent.last_assigned),
        Strategy::Linear => (None, None),
    };
    (member.penalty, finished, assigned, member.position, &member.user)
}
