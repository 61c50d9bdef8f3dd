//! Interactions begin, wait, are had and end.

use jiff::{Timestamp, civil::Date};

use super::{
    agents::{chosen, completed},
    bots::apply_to_bot,
    customers::with_customer,
    offers::apply_to_offer,
    transfers::apply_to_transfer,
};
use crate::engine::core::{
    customer::LastAgent,
    event::{CloseReason, InteractionEvent, Origin},
    ids::{CustomerId, Epoch, InteractionId, OfferId, UserId},
    interaction::{Interaction, Phase},
    offer::AskedInVain,
    state::{Sample, State},
};

pub(super) fn apply_to_interaction(state: &mut State, event: &InteractionEvent, at: Timestamp) {
    match event {
        InteractionEvent::InteractionOpened { interaction, customer, origin, .. } => {
            interaction_opened(state, *interaction, *customer, origin, at);
        }
        InteractionEvent::InteractionQueued { interaction, measured, previous_agent } => {
            let own_since = state.scalars.clock.at(at);
            state.with_interaction(*interaction, |interaction| {
                let place = interaction.tail();
                interaction.phase = Phase::Queued { place, since: at, own_since, offer: None, bot: None };
                interaction.waiting_since = measured.then_some(at);
                interaction.unreplied_since = measured.then_some(at);
                interaction.previous_agent.clone_from(previous_agent);
            });
        }
        InteractionEvent::InteractionAssigned { interaction, user, epoch, position, offer, .. } => {
            chosen(state, user, *position);
            assigned(state, *interaction, user, *epoch, *offer, at);
        }
        InteractionEvent::InteractionOffered { .. }
        | InteractionEvent::OfferExtended { .. }
        | InteractionEvent::OfferDeclined { .. }
        | InteractionEvent::OfferWithdrawn { .. }
        | InteractionEvent::OfferRested { .. } => apply_to_offer(state, event, at),
        InteractionEvent::QueueTimedOut { interaction } => {
            state.with_interaction(*interaction, |interaction| interaction.queue_timed_out = true);
        }
        InteractionEvent::BotStarted { .. }
        | InteractionEvent::BotStepped { .. }
        | InteractionEvent::BotTimedOut { .. }
        | InteractionEvent::BotEnded { .. } => apply_to_bot(state, event, at),
        InteractionEvent::TransferStarted { .. } | InteractionEvent::TransferEnded { .. } => {
            apply_to_transfer(state, event, at);
        }
        InteractionEvent::InteractionRequeued { interaction, epoch, .. } => {
            let own_since = state.scalars.clock.at(at);
            state.with_interaction(*interaction, |interaction| {
                let place = interaction.head();
                interaction.phase = Phase::Queued { place, since: at, own_since, offer: None, bot: None };
                interaction.epoch = *epoch;
                interaction.owned_since = None;
            });
        }
        InteractionEvent::InteractionClosed { interaction, reason, owner, completed_on, .. } => {
            interaction_closed(state, *interaction, *reason, owner.as_ref(), *completed_on, at);
        }
        InteractionEvent::ServiceLevelSampled { interaction, result, in_target, .. } => {
            state.with_interaction(*interaction, |interaction| interaction.waiting_since = None);
            let (interaction, result, in_target) = (*interaction, *result, *in_target);
            state.samples.push_back(Sample { interaction, at, result, in_target });
        }
        InteractionEvent::NoteAdded { note, .. } | InteractionEvent::BotNoted { note, .. } => {
            state.scalars.next_note = state.scalars.next_note.max(note.next());
        }
    }
}

fn interaction_opened(state: &mut State, id: InteractionId, customer: CustomerId, origin: &Origin, at: Timestamp) {
    state.scalars.next_interaction = state.scalars.next_interaction.max(id.next());
    with_customer(state, customer, |customer| customer.open = Some(id));
    let active_at = state.scalars.clock.at(at);
    state.put_interaction(Interaction {
        id,
        customer,
        origin: origin.clone(),
        arrived_at: at,
        phase: Phase::Opened,
        epoch: Epoch::default(),
        waiting_since: None,
        unreplied_since: None,
        owned_since: None,
        active_at,
        offers: 0,
        accepted: None,
        asked_in_vain: AskedInVain::default(),
        previous_agent: None,
        queue_timed_out: false,
        priority: 0,
    });
}

fn assigned(state: &mut State, id: InteractionId, user: &UserId, epoch: Epoch, offer: Option<OfferId>, at: Timestamp) {
    let active_at = state.scalars.clock.at(at);
    state.with_agent(user, |agent| {
        agent.last_assigned = Some(at);
        if offer.is_some() {
            agent.missed = None;
        }
    });
    state.with_interaction(id, |interaction| {
        interaction.phase = Phase::Active { owner: user.clone(), transfer: None };
        interaction.epoch = epoch;
        interaction.owned_since = Some(at);
        interaction.active_at = active_at;
        interaction.accepted = offer;
        interaction.asked_in_vain = AskedInVain::default();
        interaction.previous_agent = None;
    });
}

fn interaction_closed(
    state: &mut State,
    id: InteractionId,
    reason: CloseReason,
    owner: Option<&UserId>,
    completed_on: Option<Date>,
    at: Timestamp,
) {
    let Some(interaction) = state.remove_interaction(id) else { return };
    let had = interaction.owner().cloned();
    let ended_at = state.scalars.clock.at(at);
    with_customer(state, interaction.customer, |customer| {
        if customer.open == Some(id) {
            customer.open = None;
        }
        if let Some(user) = owner {
            customer.last_agent = Some(LastAgent { user: user.clone(), ended_at });
        }
    });
    // What a bot ends now was finished by its agent before.
    if let (CloseReason::Finished, Some(had)) = (reason, had) {
        completed(state, &had, completed_on, at);
    }
}
