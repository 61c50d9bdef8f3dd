//! Agents come and go.

use jiff::SignedDuration;

use super::{
    agent::Agent,
    clock::ChannelTime,
    command::{Answer, Refusal},
    draft::Draft,
    event::{AgentEvent, InteractionEvent, RequeueReason},
    ids::UserId,
    state::State,
};

/// An agent who is offline for so long, in the engine's own up-time, loses the interactions that they have. (Offers, which mode Ask
/// will bring, are lost after 30 s.)
pub(super) const AWAY_LIMIT: SignedDuration = SignedDuration::from_secs(300);

/// The agent's first stream opened.
pub(super) fn online(draft: &mut Draft<'_>, user: &UserId) -> Result<Answer, Refusal> {
    draft.member(user)?;
    if !draft.state.agent(user).is_some_and(Agent::is_online) {
        draft.push(AgentEvent::AgentOnline { user: user.clone() });
    }
    Ok(Answer::Done)
}

/// The agent's last stream closed.
pub(super) fn offline(draft: &mut Draft<'_>, user: &UserId) {
    if draft.state.agent(user).is_some_and(Agent::is_online) {
        draft.push(AgentEvent::AgentOffline { user: user.clone() });
    }
}

/// The agent says whether they take interactions.
pub(super) fn set_presence(draft: &mut Draft<'_>, user: &UserId, present: bool) -> Result<Answer, Refusal> {
    draft.member(user)?;
    if draft.state.agent(user).is_some_and(|agent| agent.present) != present {
        draft.push(AgentEvent::AgentPresenceSet { user: user.clone(), present });
    }
    Ok(Answer::Done)
}

/// Who has been away for too long, with interactions.
pub(super) fn gone(state: &State, now: ChannelTime) -> Option<&UserId> {
    state.away.first().filter(|(since, _)| since.after(AWAY_LIMIT) <= now).map(|(_, user)| user)
}

/// Takes all interactions from an agent and puts them at the head of the queue.
pub(super) fn release(state: &State, user: &UserId, reason: RequeueReason) -> Vec<InteractionEvent> {
    let open = state.agent(user).into_iter().flat_map(|agent| &agent.open);
    open.filter_map(|id| state.interaction(*id))
        .map(|interaction| InteractionEvent::InteractionRequeued {
            interaction: interaction.id,
            user: user.clone(),
            epoch: interaction.epoch.next(),
            reason,
        })
        .collect()
}

/// Takes their interactions from agents who are no members any more: they could neither see nor finish them.
pub(super) fn release_removed(draft: &mut Draft<'_>) {
    let state = draft.state;
    let removed = state.agents.keys().filter(|user| draft.config().members.get(user).is_none());
    let released: Vec<InteractionEvent> =
        removed.flat_map(|user| release(state, user, RequeueReason::OwnerRemoved)).collect();
    for what in released {
        draft.push(what);
    }
}
