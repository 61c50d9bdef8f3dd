//! Who waits, and for how long.

use jiff::Timestamp;

use super::{
    event::InteractionEvent, ids::InteractionId, interaction::Interaction, ranking::Turn, state::State, strategy,
};

/// Whether no new interaction may enter. Those that go back to the queue may always.
pub(super) fn is_full(state: &State) -> bool {
    state.config.max_queued.is_some_and(|maximum| state.queue.len() as u64 >= u64::from(maximum.get()))
}

/// Gives the first interaction that waits to the agent whom the strategy names, if one is available.
pub(super) fn assign_next(state: &State, now: Timestamp) -> Option<InteractionEvent> {
    if !state.config.enabled {
        return None;
    }
    let (_, first) = state.queue.first()?;
    let interaction = state.interaction(*first)?;
    let Turn { position, user } = strategy::choose(state, now)?;
    let epoch = interaction.epoch.next();
    Some(InteractionEvent::InteractionAssigned { interaction: *first, user, epoch, position: Some(position) })
}

/// The interactions that wait, first in line first.
pub(super) fn waiting(state: &State) -> impl Iterator<Item = &Interaction> {
    state.queue.iter().filter_map(|(_, id): &(_, InteractionId)| state.interaction(*id))
}
