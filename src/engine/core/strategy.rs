//! Which agent gets the next interaction.

use jiff::Timestamp;

use super::{
    config::Strategy,
    ranking::{Ranking, Turn},
    state::State,
};

/// The agent who gets the next interaction; none when nobody is available.
pub(super) fn choose(state: &State, now: Timestamp) -> Option<Turn> {
    let (ranking, scalars) = (&state.ranking, &state.scalars);
    let chosen = match state.config.strategy {
        Strategy::LeastRecent | Strategy::Linear => ranking.first(),
        Strategy::FewestInteractions if ranking.is_of_day(now) => ranking.first(),
        // The first choice of a day; the event that follows from it begins the day.
        Strategy::FewestInteractions => {
            return Ranking::new(&state.config, state.agents.values(), now).first().cloned();
        }
        Strategy::RoundRobin => ranking.after(scalars.turn.as_ref()),
        Strategy::Random => ranking.draw(scalars.seed.number()),
        Strategy::WeightedRandom => ranking.draw_weighted(scalars.seed.number()),
    };
    chosen.cloned()
}
