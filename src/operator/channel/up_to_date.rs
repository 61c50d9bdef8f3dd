//! Whether a channel's engine runs with what the objects say.

use std::sync::Arc;

use super::{Observed, plan, validate};
use crate::{
    api::{ConditionType, SmsChannel},
    operator::{child::Owner, context::Context, error::Error},
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
    let loaded = channel.status.as_ref().and_then(|status| status.engine.as_ref()?.config_hash.as_deref());
    // Without references there is nothing to load: the engine goes on with what it has.
    let Ok(references) = validate::references(&observed) else { return Ok(false) };
    let Ok(valid) = validate::validate(&observed, &references) else { return Ok(false) };
    let Ok(plan) = plan::plan(&Owner::channel(channel), &valid, &observed, &context.settings) else { return Ok(false) };
    Ok(loaded == Some(plan.hash.to_string().as_str()))
}

/// Whether the channel has its number, so that an engine runs or is to run.
pub fn is_claimed(channel: &SmsChannel) -> bool {
    let mut conditions = channel.status.iter().flat_map(|status| &status.conditions);
    let claimed = ConditionType::NumberClaimed.as_str();
    conditions.any(|condition| condition.type_ == claimed && condition.status == "True")
}
