//! Keeps a bot's status.

use std::sync::Arc;

use crate::{
    api::{Bot, BotStatus, Reason},
    bot::{compile, in_short, to_status},
    operator::{
        controllers::{
            summary::{self, summarize},
            worker::RequeueAfter,
        },
        observed::context::Context,
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
};

/// Brings one bot's status up to date.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn reconcile(context: Arc<Context>, key: ObjectKey) -> Result<RequeueAfter, Error> {
    let Some(bot) = summary::to_reconcile(&context, &context.cluster.bots, &key).await? else { return Ok(None) };
    summary::check_readable(&context, &context.cluster.bots, &*bot).await?;
    let mut conditions = summary::begin(&*bot, context.now());
    let allows = |origin: &str| context.allowed_bot_urls.check_listed(origin);
    let (ready, status) = compiled_status(&bot, &allows);
    summarize(&mut conditions, &ready);
    summary::report(&context, &context.cluster.bots, &*bot, status, conditions).await?;
    Ok(None)
}

fn compiled_status(bot: &Bot, allows: &dyn Fn(&str) -> Result<(), String>) -> (DesiredCondition, BotStatus) {
    let mut status = bot.status.clone().unwrap_or_default();
    match compile(&bot.spec, allows) {
        Ok(compiled) => {
            status.version = Some(compiled.version().to_owned());
            status.fault_count = Some(0);
            status.faults = Vec::new();
            (DesiredCondition::yes(Reason::Compiled, "the bot has no faults"), status)
        }
        Err(faults) => {
            // New conversations go on with the last version that had none.
            status.fault_count = i32::try_from(faults.len()).ok();
            status.faults = to_status(&faults);
            (DesiredCondition::no(Reason::FaultsFound, in_short(&faults)), status)
        }
    }
}
