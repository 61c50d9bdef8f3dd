//! The bots of a channel, as its engine is told of them.

use std::{collections::BTreeSet, sync::Arc};

use kube::ResourceExt as _;

use crate::{
    api::{Bot, Reason, reference::LocalRef, sms_channel::BotSlot},
    bot::{in_short, reserved_answers},
    operator::runtime::error::Error,
    wire::config::engine,
};

/// A bot that a channel names and that is there.
pub(crate) struct NamedBot {
    /// The bot.
    pub bot: Arc<Bot>,
    /// What is wrong with it, whichever channel names it.
    pub faults: Option<Arc<str>>,
}

/// What the engine is told.
///
/// # Errors
/// [`Error::Stalled`] when a bot has faults, here also: when an answer is a word by which the channel's customers opt out or ask for help; or when
/// it shows a Secret that the channel does not give it.
pub(super) fn for_engine(
    named: &[(BotSlot, &NamedBot)],
    opt_out: &engine::OptOut,
    secrets: &[LocalRef],
) -> Result<engine::Bots, Error> {
    let mut bots = engine::Bots::default();
    for (slot, named) in named {
        check(*slot, named, opt_out)?;
        check_secrets(*slot, named, secrets)?;
        let told = Some(engine::Bot { name: named.bot.name_any(), spec: named.bot.spec.clone() });
        match slot {
            BotSlot::OnStart => bots.on_start = told,
            BotSlot::OnEnd => bots.on_end = told,
            BotSlot::OnQueueTimeout => bots.on_queue_timeout = told,
        }
    }
    Ok(bots)
}

fn check(slot: BotSlot, named: &NamedBot, opt_out: &engine::OptOut) -> Result<(), Error> {
    let (field, name, spec) = (slot.field(), named.bot.name_any(), &named.bot.spec);
    let invalid = |faults: &str| {
        Error::stalled(Reason::BotInvalid, format!("spec.automations.{field}: bot {name} has faults: {faults}"))
    };
    if let Some(faults) = &named.faults {
        return Err(invalid(faults));
    }
    let words = opt_out.stop_keywords.iter().chain(&opt_out.help_keywords);
    let reserved = reserved_answers(spec, words.map(String::as_str));
    if !reserved.is_empty() {
        return Err(invalid(&in_short(&reserved)));
    }
    Ok(())
}

/// A bot could show them to a service, and read them back to a customer. The engine sees no credentials of a provider.
///
/// # Errors
/// [`Error::Stalled`] when the channel lists a Secret of a connector.
pub(super) fn check_listed(listed: &[LocalRef], credentials: &BTreeSet<String>) -> Result<(), Error> {
    let Some(index) = listed.iter().position(|secret| credentials.contains(&secret.name)) else { return Ok(()) };
    let message = format!(
        "spec.engine.botSecrets[{index}]: Secret {} holds the credentials of a connector, which bots cannot show: take it from the list, and give the bots a Secret of their own",
        listed[index].name
    );
    Err(Error::stalled(Reason::InvalidSpec, message))
}

/// Who may write a Bot does not choose by it which Secrets go out: the channel lists them.
fn check_secrets(slot: BotSlot, named: &NamedBot, secrets: &[LocalRef]) -> Result<(), Error> {
    let calls = named.bot.spec.steps.iter().filter_map(|step| step.http.as_ref());
    let mut shown = calls.flat_map(|http| &http.headers).filter_map(|header| header.secret_key_ref.as_ref());
    let is_listed = |name: &str| secrets.iter().any(|listed| listed.name == name);
    if let Some(secret) = shown.find(|secret| !is_listed(&secret.name)) {
        let message = format!(
            "spec.automations.{}: bot {} shows Secret {} to a service, and spec.engine.botSecrets does not list it: add it there, or take the header from the bot",
            slot.field(),
            named.bot.name_any(),
            secret.name
        );
        return Err(Error::stalled(Reason::InvalidSpec, message));
    }
    Ok(())
}
