//! Which steps conversations can still come to: those of the versions that the configuration names, and of those that conversations keep to.

use crate::engine::{
    bot_metrics::StepsInUse,
    config::Settings,
    core::{bot_run::Bots, state::State},
    store::{Store, error::CommitError},
};

/// The steps to which conversations can still come.
///
/// # Errors
/// When the store cannot be read.
pub(in crate::engine) fn steps_in_use(
    state: &State,
    store: &Store,
    settings: &Settings,
) -> Result<StepsInUse, CommitError> {
    let Bots { on_start, on_queue_timeout, on_end } = &state.config().bots;
    let named = [on_start, on_queue_timeout, on_end].into_iter().flatten().map(|bot| (&bot.name, &bot.version));
    let running = state.conversations_with_bots();
    let mut in_use = StepsInUse::new();
    for (bot, version) in named.chain(running.keys().map(|(bot, version)| (bot, version))) {
        let kept;
        let spec = match settings.bots.get(version) {
            Some((spec, _)) => Some(spec),
            None => {
                kept = store.bot_version(version)?;
                kept.as_ref()
            }
        };
        let steps = spec.into_iter().flat_map(|spec| &spec.steps).map(|step| step.name.clone());
        in_use.entry(bot.as_str().to_owned()).or_default().extend(steps);
    }
    Ok(in_use)
}
