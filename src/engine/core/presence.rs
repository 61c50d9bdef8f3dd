//! Agents come and go.

use std::collections::BTreeSet;

use super::{
    agent::Agent,
    command::{Answer, Refusal},
    draft::Draft,
    event::{AgentEvent, InteractionEvent, RequeueReason, WithdrawalReason},
    ids::{InteractionId, UserId},
    offering,
    state::State,
    transferring,
};

/// The agent's first stream opened.
pub(super) fn online(draft: &mut Draft<'_>, user: &UserId) -> Result<Answer, Refusal> {
    draft.serving(user)?;
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
    let agent = draft.state.agent(user);
    let is_news = agent.is_some_and(|agent| agent.present) != present;
    if is_news || agent.is_some_and(|agent| agent.missed.is_some()) {
        draft.push(AgentEvent::AgentPresenceSet { user: user.clone(), present, missed: None });
    }
    if !present {
        for what in offering::withdraw(draft.state, user, WithdrawalReason::AgentNotPresent) {
            draft.push(what);
        }
    }
    Ok(Answer::Done)
}

/// Takes all interactions from an agent and puts them at the head of the queue.
pub(super) fn release(state: &State, user: &UserId, reason: RequeueReason) -> Vec<InteractionEvent> {
    let open = state.agent(user).into_iter().flat_map(|agent| &agent.open);
    let released = open.filter_map(|id| state.interaction(*id)).flat_map(|interaction| {
        let requeued = InteractionEvent::InteractionRequeued {
            interaction: interaction.id,
            user: user.clone(),
            epoch: interaction.epoch.next(),
            reason,
        };
        transferring::ended(interaction, reason.into()).into_iter().chain([requeued])
    });
    released.collect()
}

/// Takes their interactions and offers from agents who are no members any more: they could neither see nor finish them. Supervisors keep
/// what they have.
pub(super) fn release_removed(draft: &mut Draft<'_>) {
    let state = draft.state;
    let removed: Vec<&UserId> = state.agents.keys().filter(|user| draft.config().members.get(user).is_none()).collect();
    let gone = removed.iter().filter(|user| !draft.config().serves(user));
    let mut ended: BTreeSet<InteractionId> = BTreeSet::new();
    let released: Vec<InteractionEvent> =
        gone.flat_map(|user| release(state, user, RequeueReason::OwnerRemoved)).collect();
    let offers = removed.iter().flat_map(|user| offering::withdraw(state, user, WithdrawalReason::AgentRemoved));
    for what in released.into_iter().chain(offers) {
        // Both the one who hands over and those who are asked may be removed: nobody is asked any more then.
        let is_over = match what {
            InteractionEvent::TransferEnded { interaction, .. } => !ended.insert(interaction),
            InteractionEvent::OfferWithdrawn { interaction, .. } => ended.contains(&interaction),
            _ => false,
        };
        if !is_over {
            draft.push(what);
        }
    }
}
