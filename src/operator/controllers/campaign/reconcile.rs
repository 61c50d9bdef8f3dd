//! Keeps a campaign's status.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Hours, Sums, sum, validate};
use crate::{
    api::{Campaign, CampaignStatus, ConditionType, Reason},
    operator::{
        controllers::{
            summary::{self, summarize},
            worker::{RequeueAfter, sooner},
        },
        observed::context::Context,
        runtime::{cache::ObjectKey, desired_condition::DesiredCondition, error::Error},
    },
};

/// Brings one campaign's status up to date.
///
/// # Errors
/// Faults of the API server.
pub(crate) async fn reconcile(context: Arc<Context>, key: ObjectKey) -> Result<RequeueAfter, Error> {
    let Some(campaign) = summary::to_reconcile(&context, &context.cluster.campaigns, &key).await? else {
        return Ok(None);
    };
    summary::check_readable(&context, &context.cluster.campaigns, &*campaign).await?;
    let now = context.now();
    let mut conditions = summary::begin(&*campaign, now);
    let mut status = campaign.status.clone().unwrap_or_default();
    let (ready, hours, change) = conditions_of(&campaign, now);
    hours.set(&mut conditions, ConditionType::InHours);
    let uid = campaign.metadata.uid.clone().unwrap_or_default();
    let sums = sum(context.cluster.channels.each(context.cluster.channels_of_campaign(&key)));
    let due = take_sums(&mut status, sums, context.figures.left(&uid, context.settings.sample_interval()));
    summarize(&mut conditions, &ready);
    let figures =
        |status: &CampaignStatus| (status.channels.clone(), status.queue.clone(), status.service_level.clone());
    let are_new = campaign.status.as_ref().map(figures) != Some(figures(&status));
    summary::report(&context, &context.cluster.campaigns, &*campaign, status, conditions).await?;
    if are_new {
        context.figures.wrote(&uid);
    }
    Ok(sooner(change, due))
}

/// `Ready`, `InHours`, and when the latter changes.
fn conditions_of(campaign: &Campaign, now: Timestamp) -> (DesiredCondition, DesiredCondition, RequeueAfter) {
    let unknown = || DesiredCondition::unknown(Reason::NotCheckedYet, "the campaign is not valid");
    match validate(&campaign.spec) {
        Err(faults) => (DesiredCondition::no(faults.reason(), faults.to_string()), unknown(), None),
        Ok(valid) => {
            let hours = valid.hours(now);
            let change = hours.until.map(|until| Duration::try_from(until.duration_since(now)).unwrap_or_default());
            let ready = if campaign.spec.enabled {
                DesiredCondition::yes(Reason::Valid, "the campaign is valid")
            } else {
                DesiredCondition::yes(Reason::Disabled, "spec.enabled is false: the campaign's channels rest")
            };
            (ready, in_hours(&hours), change.map(|change| change + Duration::from_millis(100)))
        }
    }
}

/// What `InHours` says, of a campaign and of its channels.
pub(super) fn in_hours(hours: &Hours) -> DesiredCondition {
    let message = match hours.reason {
        Reason::AlwaysOpen => "the campaign has no schedule and is always open",
        Reason::ClosedByException => "the campaign is closed now, by an exception for this day",
        _ if hours.open => "the campaign is open now",
        _ => "the campaign is closed now, by its weekly hours",
    };
    if hours.open { DesiredCondition::yes(hours.reason, message) } else { DesiredCondition::no(hours.reason, message) }
}

/// Takes the sums into the status: at once when the number of channels changes, else when `left` of the sample interval since they
/// were last written is none. Says when new ones are due.
fn take_sums(status: &mut CampaignStatus, sums: Sums, left: Option<Duration>) -> RequeueAfter {
    let counted = Some(sums.channels);
    if (&counted, &sums.queue, &sums.service_level) == (&status.channels, &status.queue, &status.service_level) {
        return None;
    }
    if counted == status.channels && left.is_some() {
        return left;
    }
    status.channels = counted;
    status.queue = sums.queue;
    status.service_level = sums.service_level;
    status.sampled_at = sums.sampled_at;
    None
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::sms_channel::QueueStatus;

    fn campaign(spec: Value) -> Campaign {
        Campaign::new("support", serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn the_example_of_the_reference_page_is_carried_out() {
        let example = include_str!("../../../../examples/reference/campaign.yaml");
        let campaign: Campaign = serde_saphyr::from_str(example).unwrap();
        assert!(validate(&campaign.spec).is_ok());
    }

    #[test]
    fn a_campaign_looks_again_when_its_hours_change() {
        let campaign = campaign(json!({"schedule": {"weekly": {"monday": ["09:00-13:00"]}}}));
        let (ready, hours, change) = conditions_of(&campaign, "2026-11-23T12:59:00Z".parse().unwrap());
        assert_eq!((ready.reason, hours.reason), (Reason::Valid, Reason::Open));
        assert_eq!(change.unwrap().as_secs(), 60);
    }

    #[test]
    fn sums_are_written_once_per_interval_however_old_the_channels_samples_are() {
        let sums = |waiting: i64| Sums {
            queue: Some(QueueStatus { waiting, ..QueueStatus::default() }),
            sampled_at: Some(Timestamp::UNIX_EPOCH),
            ..Sums::default()
        };
        let waiting = |status: &CampaignStatus| status.queue.as_ref().map(|queue| queue.waiting);
        let mut status = CampaignStatus::default();
        let left = Duration::from_secs(40);
        take_sums(&mut status, sums(1), None);
        assert_eq!((take_sums(&mut status, sums(2), Some(left)), waiting(&status)), (Some(left), Some(1)));
        assert_eq!((take_sums(&mut status, sums(2), None), waiting(&status)), (None, Some(2)));
        let mut more = sums(3);
        more.channels.total = 1;
        assert_eq!((take_sums(&mut status, more, Some(left)), waiting(&status)), (None, Some(3)), "a new channel");
    }
}
