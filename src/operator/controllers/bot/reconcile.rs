//! Keeps a bot's status.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::sums::Sums;
use crate::{
    api::{Bot, BotStatus, ConditionType, Conditions, Reason, bot::BotChannels},
    bot::{compile, in_short, to_status},
    operator::{
        controllers::{
            summary::{self, summarize},
            worker::{RequeueAfter, sooner},
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
    let (ready, mut status) = compiled_status(&bot, &allows);
    let sums = sums(&context, &key, status.version.as_deref());
    let uid = bot.metadata.uid.clone().unwrap_or_default();
    // Also from when the bot was first seen: engines are asked before what another operator has written gives way.
    let left = context.figures.hold(&uid, context.settings.sample_interval());
    let due = take_sums(&mut status, &mut conditions, &sums, left, context.now());
    summarize(&mut conditions, &ready);
    let are_new = sums.stand_in(&status) && bot.status.as_ref().is_none_or(|before| !sums.stand_in(before));
    summary::report(&context, &context.cluster.bots, &*bot, status, conditions).await?;
    if are_new {
        context.figures.wrote(&uid);
    }
    Ok(due)
}

/// What engines say, those of the channels that name the bot and those in which it still runs.
fn sums(context: &Context, bot: &ObjectKey, version: Option<&str>) -> Sums {
    let reports = context.bot_reports.of(bot);
    let mut channels: BTreeSet<ObjectKey> = context.cluster.channels_of_bot(bot).into_iter().collect();
    channels.extend(reports.iter().map(|report| report.channel.clone()));
    let tells = |channel: &ObjectKey| {
        let uid = context.cluster.channels.uid(channel);
        uid.is_some_and(|uid| context.samples.tells_of_bots(&uid))
    };
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let silent = channels.iter().filter(|channel| !tells(channel)).count();
    Sums::of(BotChannels { total: count(channels.len()), silent: count(silent) }, &reports, version)
}

/// Takes the sums into status and conditions, unless there is a `left` to wait for; the first ones at once. Says when there is something to
/// write again.
fn take_sums(
    status: &mut BotStatus,
    conditions: &mut Conditions,
    sums: &Sums,
    left: Option<Duration>,
    now: Timestamp,
) -> RequeueAfter {
    let wanted = sums.steps_succeed(now);
    let stands = DesiredCondition::of(conditions, ConditionType::StepsSucceed);
    let forgiven = sums.forgiven_at(now).map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
    let is_new = !sums.stand_in(status) || stands.as_ref() != Some(&wanted);
    if let (Some(stands), true, Some(left)) = (&stands, is_new, left) {
        stands.set(conditions, ConditionType::StepsSucceed);
        return sooner(Some(left), forgiven);
    }
    if !sums.stand_in(status) {
        sums.clone().put(status);
    }
    wanted.set(conditions, ConditionType::StepsSucceed);
    forgiven
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
