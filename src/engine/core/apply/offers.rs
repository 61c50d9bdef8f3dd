//! Agents are asked, and answer or do not.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::agents::chosen;
use crate::engine::core::{
    event::{InteractionEvent, WithdrawalReason},
    ids::{InteractionId, UserId},
    interaction::Interaction,
    offer::{Offer, Rest},
    state::State,
};

pub(super) fn apply_to_offer(state: &mut State, event: &InteractionEvent, at: Timestamp) {
    match event {
        InteractionEvent::InteractionOffered { interaction, offer, users, timeout_seconds, position, previous } => {
            if let [user] = &users[..] {
                chosen(state, user, *position);
            }
            let until = state.scalars.clock.at(at).after(SignedDuration::from_secs((*timeout_seconds).into()));
            let to_all = position.is_none() && !previous;
            if let (true, Some(interaction)) = (to_all, state.interactions.get(interaction)) {
                // They may be asked too, after those who come before them.
                state.arrived.extend(interaction.asked_in_vain.0.keys().cloned());
            }
            let to: BTreeSet<UserId> = users.iter().cloned().collect();
            let (id, asked, timeout_seconds) = (*offer, to.clone(), *timeout_seconds);
            state.with_interaction(*interaction, |interaction| {
                interaction.offers = id.0;
                if let Some(offer) = interaction.offer_mut() {
                    *offer = Some(Offer { id, to, asked, to_all, until, timeout_seconds });
                }
            });
        }
        InteractionEvent::OfferExtended { interaction, users, .. } => {
            state.with_interaction(*interaction, |interaction| {
                if let Some(Some(offer)) = interaction.offer_mut() {
                    offer.to.extend(users.iter().cloned());
                    offer.asked.extend(users.iter().cloned());
                }
            });
        }
        InteractionEvent::OfferDeclined { interaction, user, .. } => {
            state.with_agent(user, |agent| agent.missed = None);
            offer_ended(state, *interaction, &BTreeSet::from([user]), true, at);
        }
        InteractionEvent::OfferWithdrawn { interaction, users, reason, .. } => {
            let is_missed = *reason == WithdrawalReason::TimedOut;
            let made = state.interaction(*interaction).and_then(Interaction::offer).map(Offer::made);
            if let (true, Some(made)) = (is_missed, made) {
                let now = state.scalars.clock.at(at);
                users.iter().for_each(|user| state.with_agent(user, |agent| agent.missed = agent.missing(made, now)));
            }
            offer_ended(state, *interaction, &users.iter().collect(), is_missed, at);
        }
        InteractionEvent::OfferRested { interaction, users } => {
            state.arrived.extend(users.iter().cloned());
            state.with_interaction(*interaction, |interaction| {
                for (_, rest) in interaction.asked_in_vain.0.iter_mut().filter(|(user, _)| users.contains(user)) {
                    rest.is_over = true;
                }
            });
        }
        _ => {}
    }
}

/// These are asked no more. When nobody is, the offer was in vain, and those rest who could have accepted it. Who went is asked again when
/// they are back.
fn offer_ended(
    state: &mut State,
    interaction: InteractionId,
    users: &BTreeSet<&UserId>,
    could_accept: bool,
    at: Timestamp,
) {
    let now = state.scalars.clock.at(at);
    state.with_interaction(interaction, |interaction| {
        let Some(offer) = interaction.offer_mut() else { return };
        if let Some(offer) = offer {
            offer.to.retain(|user| !users.contains(user));
            offer.asked.retain(|user| could_accept || !users.contains(user));
        }
        if let Some(offer) = offer.take_if(|offer| offer.to.is_empty()) {
            let until = now.after(SignedDuration::from_secs(offer.timeout_seconds.into()));
            let rests = offer.asked.into_iter().map(|user| (user, Rest { until, is_over: false }));
            interaction.asked_in_vain.0.extend(rests);
        }
    });
}
