//! Whether a channel's engine runs with what the objects say.

use std::sync::Arc;

use super::{Observed, plan, validate};
use crate::{
    api::{ConditionType, SmsChannel},
    operator::{
        controllers::{blocklist, summary},
        observed::context::Context,
        resources::child::Owner,
        runtime::{cache::ObjectKey, error::Error},
    },
};

/// Whether the engine has loaded the configuration that all objects together make at this moment. True also where no engine is to
/// run.
///
/// The condition `ConfigApplied` would not do: it tells of the objects that the channel's last reconcile saw, and one that was
/// changed since is not among them.
///
/// # Errors
/// As [`Observed::of`].
pub fn is_up_to_date(context: &Context, channel: &Arc<SmsChannel>) -> Result<bool, Error> {
    if !is_claimed(channel) {
        return Ok(true);
    }
    let observed = Observed::of(context, Arc::clone(channel))?;
    // Without references there is nothing to load: the engine goes on with what it has.
    let Ok(references) = validate::references(&observed) else { return Ok(false) };
    let Ok(valid) = validate::validate(&observed, &references) else { return Ok(false) };
    let Ok(plan) = plan::plan(&Owner::channel(channel), &valid, &observed, &context.settings) else { return Ok(false) };
    Ok(loaded(channel) == Some(plan.hash.to_string().as_str()))
}

/// Whether the channel has its number, so that an engine runs or is to run.
fn is_claimed(channel: &SmsChannel) -> bool {
    summary::was_true(channel, ConditionType::NumberClaimed)
}

fn loaded(channel: &SmsChannel) -> Option<&str> {
    channel.status.as_ref()?.engine.as_ref()?.config_hash.as_deref()
}

/// Has the blocklists that bind a channel looked at again when its status says another thing of its engine than `before`: they say
/// whether it has loaded them. Its own writes come back as no news, so nothing else tells.
pub fn tell_blocklists(context: &Context, before: &SmsChannel) {
    let key = ObjectKey::of(before);
    let Some(now) = context.cluster.channels.get(&key) else { return };
    if (loaded(&now), is_claimed(&now)) != (loaded(before), is_claimed(before)) {
        for list in context.cluster.blocklists.select(|list| blocklist::concerns(list, &now)) {
            context.queues.blocklists.add(ObjectKey::of(&*list));
        }
    }
}
