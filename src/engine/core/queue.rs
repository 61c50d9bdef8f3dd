//! Who waits, and for how long.

use jiff::Timestamp;

use super::{
    config::OfferMode,
    event::{Happened, InteractionEvent},
    ids::OfferId,
    interaction::Interaction,
    service_level,
    state::State,
    strategy::{self, Chosen},
};

/// Whether no new interaction may enter: those that a bot talks to on their way there count, so that there is room for them. Those that go back to the queue
/// may always.
pub(super) fn is_full(state: &State) -> bool {
    state
        .config
        .max_queued
        .is_some_and(|maximum| (state.queue_len() + state.before_queue) as u64 >= u64::from(maximum.get()))
}

/// Whether agents may be asked now. On a full volume offers that nobody answers would take the rest of it.
pub(super) fn may_offer(state: &State) -> bool {
    state.config.enabled && !state.volume_full && matches!(state.config.offer, OfferMode::Ask { .. })
}

/// Gives, or offers, the first interaction that somebody may have to whom the strategy names.
pub(super) fn give_next(state: &State, now: Timestamp) -> Option<Vec<Happened>> {
    let may_give = state.config.enabled && state.config.offer == OfferMode::Assign;
    if state.unoffered.is_empty() || state.ranking.is_empty() || !(may_give || may_offer(state)) {
        return None;
    }
    let waiting = state.unoffered.iter().filter_map(|(_, id)| state.interaction(*id));
    // Mostly the first one; those that nobody may have now hold up nobody.
    waiting.filter_map(|interaction| give(state, interaction, now)).next()
}

fn give(state: &State, interaction: &Interaction, now: Timestamp) -> Option<Vec<Happened>> {
    let Chosen { first, others, position, previous } = strategy::choose(state, interaction)?;
    let id = interaction.id;
    let given = match state.config.offer {
        OfferMode::Assign => InteractionEvent::InteractionAssigned {
            interaction: id,
            user: first,
            epoch: interaction.epoch.next(),
            position,
            offer: None,
            previous,
            from: interaction.owner().cloned(),
            by: None,
        },
        OfferMode::Ask { timeout_seconds } => InteractionEvent::InteractionOffered {
            interaction: id,
            offer: OfferId(interaction.offers + 1),
            users: std::iter::once(first).chain(others).collect(),
            timeout_seconds: timeout_seconds.get(),
            position,
            previous,
        },
    };
    let is_assigned = state.config.offer == OfferMode::Assign;
    let sample = is_assigned.then(|| service_level::accepted(state, interaction, now)).flatten();
    Some([given].into_iter().chain(sample).map(Happened::from).collect())
}

/// The interactions that wait, first in line first.
pub(super) fn waiting(state: &State) -> impl Iterator<Item = &Interaction> {
    state.queue().filter_map(|id| state.interaction(id))
}
