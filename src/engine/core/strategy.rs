//! Which agents get the next interaction, or are asked about it.

use std::sync::Arc;

use super::{
    config::Strategy,
    ids::UserId,
    interaction::Interaction,
    ranking::{Order, Rank, Turn},
    state::State,
};

/// The agent who gets an interaction, or all who are asked about it; none when nobody may have it now.
///
/// Those who were asked in vain come after all others, who was asked longest ago first, and not before they have rested.
pub(super) fn choose(state: &State, interaction: &Interaction) -> Vec<Turn> {
    let (in_vain, order) = (&interaction.asked_in_vain, state.ranking.order());
    if in_vain.0.is_empty() {
        return among(state, order);
    }
    let others = those(order, |user| !in_vain.0.contains_key(user));
    if !others.is_empty() {
        return among(state, Order(&others));
    }
    let over = |user: &UserId| in_vain.0.get(user).filter(|rest| rest.is_over).map(|rest| rest.until);
    let longest_ago = order.0.iter().filter_map(|rank| over(&rank.turn.user)).min();
    among(state, Order(&those(order, |user| longest_ago.is_some() && over(user) == longest_ago)))
}

fn those(order: Order<'_>, are: impl Fn(&UserId) -> bool) -> Vec<Arc<Rank>> {
    order.0.iter().filter(|rank| are(&rank.turn.user)).cloned().collect()
}

fn among(state: &State, order: Order<'_>) -> Vec<Turn> {
    let scalars = &state.scalars;
    let one = match state.config.strategy {
        Strategy::LeastRecent | Strategy::FewestInteractions | Strategy::Linear => order.first(),
        Strategy::RoundRobin => order.after(scalars.turn.as_ref()),
        Strategy::Random => order.draw(scalars.seed.number()),
        Strategy::WeightedRandom => order.draw_weighted(scalars.seed.number()),
        Strategy::RingAll => return order.lowest_penalty().cloned().collect(),
    };
    one.cloned().into_iter().collect()
}
