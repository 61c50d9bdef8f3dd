//! Agents accept and decline what they are offered; offers end by themselves.

use super::{
    command::{Answer, Refusal},
    config::{OfferMode, Strategy},
    draft::Draft,
    event::{InteractionEvent, WithdrawalReason},
    ids::{InteractionId, OfferId, UserId},
    interaction::Interaction,
    offer::Offer,
    state::State,
};

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
    offered(interaction, user, offer)?;
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
    });
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
    offered(draft.state.interaction(id).ok_or(Refusal::NotOpen(id))?, user, offer)?;
    draft.push(InteractionEvent::OfferDeclined { interaction: id, offer, user: user.clone() });
    Ok(Answer::Done)
}

/// The offer, if it is the one in force and this user may still accept it.
fn offered<'i>(interaction: &'i Interaction, user: &UserId, shown: OfferId) -> Result<&'i Offer, Refusal> {
    let offer = interaction.offer().filter(|offer| offer.id == shown && offer.to.contains(user));
    offer.ok_or(Refusal::OfferOver(shown))
}

/// Takes all offers from an agent.
pub(super) fn withdraw(state: &State, user: &UserId, reason: WithdrawalReason) -> Vec<InteractionEvent> {
    let offers = state.agent(user).into_iter().flat_map(|agent| &agent.offers);
    let offered =
        offers.filter_map(|id| state.interaction(*id)).filter_map(|found| Some((found.id, found.offer()?.id)));
    offered
        .map(|(interaction, offer)| {
            let users = vec![user.clone()];
            InteractionEvent::OfferWithdrawn { interaction, offer, users, reason }
        })
        .collect()
}

/// Nobody accepted an offer in time.
pub(super) fn timed_out(interaction: &Interaction) -> Option<InteractionEvent> {
    let offer = interaction.offer()?;
    Some(InteractionEvent::OfferWithdrawn {
        interaction: interaction.id,
        offer: offer.id,
        users: offer.to.iter().cloned().collect(),
        reason: WithdrawalReason::TimedOut,
    })
}

/// Who has become available since everybody was asked is asked too, if their penalty is no higher than that of those who were.
pub(super) fn extend(state: &State) -> Option<InteractionEvent> {
    let config = &state.config;
    if !config.enabled || config.strategy != Strategy::RingAll || !matches!(config.offer, OfferMode::Ask { .. }) {
        return None;
    }
    state.offered.iter().filter_map(|id| state.interaction(*id)).find_map(|interaction| {
        let offer = interaction.offer().filter(|offer| offer.to_all)?;
        let highest = offer.asked.iter().filter_map(|user| config.members.get(user)).map(|member| member.penalty).max();
        let more = state.ranking.order().up_to_penalty(highest?);
        let is_new = |user: &&UserId| !offer.asked.contains(*user) && !interaction.asked_in_vain.is_resting(user);
        let users: Vec<UserId> = more.map(|turn| &turn.user).filter(is_new).cloned().collect();
        (!users.is_empty()).then_some(InteractionEvent::OfferExtended {
            interaction: interaction.id,
            offer: offer.id,
            users,
        })
    })
}
