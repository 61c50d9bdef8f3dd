//! Agents accept and decline what they are offered; offers end by themselves.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    command::{Answer, Refusal},
    config::Strategy,
    draft::Draft,
    event::{AgentEvent, Happened, InteractionEvent, TransferEndReason, WithdrawalReason},
    ids::{InteractionId, OfferId, UserId},
    interaction::Interaction,
    queue, service_level,
    state::State,
    transferring,
};

/// So many offers in a row that an agent lets pass say that they are not at their desk.
const MISSED_LIMIT: u32 = 3;

/// The agent takes what they were offered. The first one does; repeating it changes nothing.
pub(super) fn accept(
    draft: &mut Draft<'_>,
    user: &UserId,
    id: InteractionId,
    offer: OfferId,
) -> Result<Answer, Refusal> {
    draft.member(user)?;
    let interaction = draft.state.interaction(id).ok_or(Refusal::NotOpen(id))?;
    if interaction.owner() == Some(user) && interaction.accepted == Some(offer) {
        return Ok(Answer::Accepted { epoch: interaction.epoch });
    }
    is_asked(interaction, user, offer)?;
    if !draft.config().enabled {
        return Err(Refusal::Disabled);
    }
    let epoch = interaction.epoch.next();
    let user = user.clone();
    draft.push(InteractionEvent::InteractionAssigned {
        interaction: id,
        user,
        epoch,
        position: None,
        offer: Some(offer),
        previous: false,
        from: interaction.owner().cloned(),
        by: None,
    });
    draft.push_all(service_level::accepted(draft.state, interaction, draft.now));
    Ok(Answer::Accepted { epoch })
}

/// The agent does not take what they were offered.
pub(super) fn decline(
    draft: &mut Draft<'_>,
    user: &UserId,
    id: InteractionId,
    offer: OfferId,
) -> Result<Answer, Refusal> {
    draft.member(user)?;
    let interaction = draft.state.interaction(id).ok_or(Refusal::NotOpen(id))?;
    is_asked(interaction, user, offer)?;
    let by_name = interaction.recipient().and_then(|_| transferring::ended(interaction, TransferEndReason::Declined));
    draft.push(by_name.unwrap_or_else(|| InteractionEvent::OfferDeclined {
        interaction: id,
        offer,
        user: user.clone(),
    }));
    Ok(Answer::Done)
}

/// Whether the offer is the one in force and this user may still accept it.
fn is_asked(interaction: &Interaction, user: &UserId, shown: OfferId) -> Result<(), Refusal> {
    let with_others = interaction.offer().is_some_and(|offer| offer.id == shown && offer.to.contains(user));
    let is_asked = with_others || interaction.recipient() == Some((user, shown));
    is_asked.then_some(()).ok_or(Refusal::OfferOver(shown))
}

/// Takes all offers from an agent, and ends what is handed over to them.
pub(super) fn withdraw(state: &State, user: &UserId, reason: WithdrawalReason) -> Vec<InteractionEvent> {
    withdraw_all(state, &[user], reason, None)
}

/// Takes all offers from these agents, but for one that ends by itself.
fn withdraw_all(
    state: &State,
    users: &[&UserId],
    reason: WithdrawalReason,
    but_for: Option<InteractionId>,
) -> Vec<InteractionEvent> {
    let mut of: BTreeMap<InteractionId, Vec<UserId>> = BTreeMap::new();
    for user in users {
        for id in state.agent(user).into_iter().flat_map(|agent| &agent.offers).filter(|id| Some(**id) != but_for) {
            of.entry(*id).or_default().push((*user).clone());
        }
    }
    let ended = of.into_iter().filter_map(|(id, users)| {
        let interaction = state.interaction(id)?;
        if interaction.recipient().is_some() {
            return transferring::ended(interaction, reason.into());
        }
        let offer = interaction.offer()?.id;
        Some(InteractionEvent::OfferWithdrawn { interaction: id, offer, users, reason })
    });
    ended.collect()
}

/// Nobody accepted an offer in time. Who has let too many pass in a row is not there, whatever they said.
pub(super) fn timed_out(state: &State, interaction: &Interaction, now: Timestamp) -> Option<Vec<Happened>> {
    let (offer, now) = (interaction.offer()?, state.scalars.clock.at(now));
    let mut events = vec![Happened::from(InteractionEvent::OfferWithdrawn {
        interaction: interaction.id,
        offer: offer.id,
        users: offer.to.iter().cloned().collect(),
        reason: WithdrawalReason::TimedOut,
    })];
    let mut gone = Vec::new();
    for user in &offer.to {
        let missed =
            state.agent(user).and_then(|agent| agent.missing(offer.made(), now)).map_or(0, |missed| missed.count);
        if missed >= MISSED_LIMIT {
            gone.push(user);
            events
                .push(AgentEvent::AgentPresenceSet { user: user.clone(), present: false, missed: Some(missed) }.into());
        }
    }
    let others = withdraw_all(state, &gone, WithdrawalReason::AgentNotPresent, Some(interaction.id));
    events.extend(others.into_iter().map(Happened::from));
    Some(events)
}

/// Who has become available, or may be asked again, since everybody was asked is asked too, if their penalty is no higher than that of those
/// who were.
pub(super) fn extend(state: &State) -> Option<InteractionEvent> {
    let config = &state.config;
    if state.arrived.is_empty() || config.strategy != Strategy::RingAll || !queue::may_offer(state) {
        return None;
    }
    let arrived = state.arrived.iter().filter_map(|user| Some((user, state.ranking.penalty(user)?)));
    let arrived: Vec<(&UserId, u32)> = arrived.collect();
    state.offered.iter().filter_map(|(_, id)| state.interaction(*id)).find_map(|interaction| {
        let offer = interaction.offer().filter(|offer| offer.to_all)?;
        let is_new = |user: &UserId| {
            let hands_over = interaction.owner() == Some(user);
            !offer.asked.contains(user) && !interaction.asked_in_vain.is_resting(user) && !hands_over
        };
        let mut new = arrived.iter().filter(|(user, _)| is_new(user)).peekable();
        new.peek()?;
        let members = offer.asked.iter().filter_map(|user| config.members.get(user));
        let highest = members.map(|member| member.penalty).max()?;
        let users: Vec<UserId> =
            new.filter(|(_, penalty)| *penalty <= highest).map(|(user, _)| (*user).clone()).collect();
        (!users.is_empty()).then_some(InteractionEvent::OfferExtended {
            interaction: interaction.id,
            offer: offer.id,
            users,
        })
    })
}
