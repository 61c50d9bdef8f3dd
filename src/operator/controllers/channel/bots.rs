//! The bots of a channel, as its engine is told of them.

use kube::ResourceExt as _;

use crate::{
    api::{Bot, Reason},
    bot::{Surroundings, compile},
    operator::runtime::error::Error,
    wire::config::engine,
};

/// A bot that a channel names.
#[derive(Clone, Copy)]
pub(crate) struct NamedBot<'a> {
    /// The field of `spec.automations` that names it.
    pub field: &'static str,
    /// The bot.
    pub bot: &'a Bot,
}

/// What the engine is told.
///
/// # Errors
/// [`Error::Stalled`] when a bot has faults, here also: when an answer is a word by which the channel's customers opt out or ask for help; or when
/// it has a step that this version does not carry out.
pub(super) fn for_engine(named: &[NamedBot<'_>], opt_out: &engine::OptOut) -> Result<engine::Bots, Error> {
    let mut bots = engine::Bots::default();
    for NamedBot { field, bot } in named {
        let name = bot.name_any();
        let words = opt_out.stop_keywords.iter().chain(&opt_out.help_keywords);
        let surroundings = Surroundings::new(&|_| Ok(())).reserving(words.map(String::as_str));
        if let Err(faults) = compile(&bot.spec, &surroundings) {
            let first = faults.first().map(ToString::to_string).unwrap_or_default();
            let more = match faults.len().saturating_sub(1) {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            let message = format!("spec.automations.{field}: bot {name} has faults: {first}{more}");
            return Err(Error::stalled(Reason::BotInvalid, message));
        }
        if let Some(step) = bot.spec.steps.iter().find(|step| step.http.is_some()) {
            let message = format!(
                "spec.automations.{field}: this version does not carry out http yet, which step {} of bot {name} uses: remove the step, or the bot",
                step.name
            );
            return Err(Error::stalled(Reason::NotSupportedYet, message));
        }
        let told = Some(engine::Bot { name, spec: bot.spec.clone() });
        match *field {
            "onStart" => bots.on_start = told,
            "onEnd" => bots.on_end = told,
            _ => bots.on_queue_timeout = told,
        }
    }
    Ok(bots)
}
