//! Who waits, and for how long.

use super::{
    config::{OfferMode, Strategy},
    event::InteractionEvent,
    ids::OfferId,
    interaction::Interaction,
    ranking::Turn,
    state::State,
    strategy,
};

/// Whether no new interaction may enter. Those that go back to the queue may always.
pub(super) fn is_full(state: &State) -> bool {
    state.config.max_queued.is_some_and(|maximum| state.queue_len() as u64 >= u64::from(maximum.get()))
}

/// Whether agents may be asked now. On a full volume offers that nobody answers would take the rest of it.
pub(super) fn may_offer(state: &State) -> bool {
    state.config.enabled && !state.volume_full && matches!(state.config.offer, OfferMode::Ask { .. })
}

/// Gives, or offers, the first interaction that somebody may have to whom the strategy names.
pub(super) fn give_next(state: &State) -> Option<InteractionEvent> {
    let may_give = state.config.enabled && state.config.offer == OfferMode::Assign;
    if state.unoffered.is_empty() || state.ranking.is_empty() || !(may_give || may_offer(state)) {
        return None;
    }
    let waiting = state.unoffered.iter().filter_map(|(_, id)| state.interaction(*id));
    // Mostly the first one; those that nobody may have now hold up nobody.
    waiting.filter_map(|interaction| give(state, interaction)).next()
}

fn give(state: &State, interaction: &Interaction) -> Option<InteractionEvent> {
    let chosen = strategy::choose(state, interaction);
    let first = chosen.first()?;
    let id = interaction.id;
    // Everybody who is asked is nobody's turn.
    let position = (state.config.strategy != Strategy::RingAll).then_some(first.position);
    Some(match state.config.offer {
        OfferMode::Assign => InteractionEvent::InteractionAssigned {
            interaction: id,
            user: first.user.clone(),
            epoch: interaction.epoch.next(),
            position,
            offer: None,
        },
        OfferMode::Ask { timeout_seconds } => InteractionEvent::InteractionOffered {
            interaction: id,
            offer: OfferId(interaction.offers + 1),
            users: chosen.into_iter().map(|Turn { user, .. }| user).collect(),
            timeout_seconds: timeout_seconds.get(),
            position,
        },
    })
}

/// The interactions that wait, first in line first.
pub(super) fn waiting(state: &State) -> impl Iterator<Item = &Interaction> {
    state.queue().filter_map(|id| state.interaction(id))
}
