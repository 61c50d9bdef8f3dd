//! Which agents get the next interaction, or are asked about it.

use std::sync::Arc;

use super::{
    config::Strategy,
    ids::UserId,
    interaction::Interaction,
    ranking::{Order, Rank, Turn},
    state::State,
};

/// The agent who gets an interaction, or all who are asked about it.
pub(super) struct Chosen {
    /// The one; of all who are asked, the first.
    pub(super) first: UserId,
    /// All others who are asked at the same time.
    pub(super) others: Vec<UserId>,
    /// The position of the one whose turn it was; none when all are asked, or the previous agent is.
    pub(super) position: Option<u32>,
    /// The customer had them last.
    pub(super) previous: bool,
}

/// Who gets an interaction, or is asked about it; none when nobody may have it now.
///
/// The previous agent comes first, unless they were asked in vain. The others are those whom the strategy names.
pub(super) fn choose(state: &State, interaction: &Interaction) -> Option<Chosen> {
    let in_vain = &interaction.asked_in_vain.0;
    let previous = interaction.previous_agent.as_ref();
    if let Some(user) = previous.filter(|user| state.ranking.has(user) && !in_vain.contains_key(*user)) {
        return Some(Chosen { first: user.clone(), others: Vec::new(), position: None, previous: true });
    }
    let mut turns = by_strategy(state, interaction).into_iter();
    let Turn { position, user } = turns.next()?;
    // Everybody who is asked is nobody's turn.
    let position = (state.config.strategy != Strategy::RingAll).then_some(position);
    Some(Chosen { first: user, others: turns.map(|turn| turn.user).collect(), position, previous: false })
}

/// Those who were asked in vain come after all others, who was asked longest ago first, and not before they have rested. Who hands it over is
/// not among them.
fn by_strategy(state: &State, interaction: &Interaction) -> Vec<Turn> {
    let (in_vain, order) = (&interaction.asked_in_vain, state.ranking.order());
    let owner = interaction.owner();
    if in_vain.0.is_empty() && owner.is_none() {
        return among(state, order);
    }
    let others = those(order, |user| !in_vain.0.contains_key(user) && owner != Some(user));
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
