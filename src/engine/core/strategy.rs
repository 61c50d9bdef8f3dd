//! Which agents get the next interaction, or are asked about it.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;

use super::{
    config::Strategy,
    interaction::Interaction,
    ranking::{Order, Rank, Ranking, Turn},
    state::State,
};

/// The agent who gets an interaction, or all who are asked about it; none when nobody may have it now.
///
/// Those who were asked in vain come after all others, who was asked longest ago first, and not before they have rested.
pub(super) fn choose(state: &State, interaction: &Interaction, now: Timestamp) -> Vec<Turn> {
    let ranking = ranking(state, now);
    let in_vain = &interaction.asked_in_vain.0;
    if in_vain.is_empty() {
        return among(state, ranking.order());
    }
    let rest_of = |rank: &Arc<Rank>| in_vain.get(&rank.turn.user);
    let others = those(ranking.order(), |rank| rest_of(rank).is_none());
    if !others.is_empty() {
        return among(state, Order(&others));
    }
    let over = |rank: &Arc<Rank>| rest_of(rank).filter(|rest| rest.is_over).map(|rest| rest.until);
    let longest_ago = ranking.order().0.iter().filter_map(over).min();
    among(state, Order(&those(ranking.order(), |rank| longest_ago.is_some() && over(rank) == longest_ago)))
}

/// The ranking of the day.
fn ranking(state: &State, now: Timestamp) -> Cow<'_, Ranking> {
    if state.config.strategy != Strategy::FewestInteractions || state.ranking.is_of_day(now) {
        Cow::Borrowed(&state.ranking)
    } else {
        // The first choice of a day; the event that follows from it begins the day.
        Cow::Owned(Ranking::new(&state.config, state.agents.values(), now))
    }
}

fn those(order: Order<'_>, are: impl Fn(&Arc<Rank>) -> bool) -> Vec<Arc<Rank>> {
    order.0.iter().filter(|rank| are(rank)).cloned().collect()
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
