//! What a channel's status says, and when it is written.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    api::{
        Campaign, ConditionStatus, ConditionType, Conditions, Reason, SmsChannel, SmsChannelStatus,
        sms_channel::EngineStatus as EngineReport,
    },
    operator::{
        controllers::{
            channel::{Findings, clock, observe::Observed, planned::Planned, sampled, storage},
            summary::{self, first_obstacle, is_others_change, summarize},
            worker::{RequeueAfter, sooner},
        },
        observed::{changes, context::Context, pod, samples::Sampled},
        runtime::{desired_condition::DesiredCondition, error::Error},
    },
    wire::{config::ConfigHash, status::EngineStatus},
};

/// What must hold for `Ready`, in the order in which a person would look.
const READY: [ConditionType; 6] = [
    ConditionType::ReferencesResolved,
    ConditionType::NumberValid,
    ConditionType::NumberClaimed,
    ConditionType::EngineAvailable,
    ConditionType::ConfigApplied,
    ConditionType::StorageIntact,
];

/// What became of a status.
pub(super) struct Report {
    /// When a figure or condition that waits is due.
    pub due: RequeueAfter,
    /// The channel as it stands now.
    pub stands: Arc<SmsChannel>,
}

/// Writes status and conditions.
///
/// # Errors
/// Faults of the API server.
pub(super) async fn report(
    context: &Context,
    observed: &Observed,
    findings: &Findings,
    error: Option<&Error>,
) -> Result<Report, Error> {
    let now = context.now();
    let channel = &*observed.channel;
    let mut conditions = summary::begin(channel, now);
    let mut status = channel.status.clone().unwrap_or_default();
    set_found(&mut conditions, findings);
    set_engine(&mut conditions, &mut status, observed, findings);
    status.volume_size.clone_from(&observed.volume_size);
    let held = set_sampled(context, &mut conditions, observed, now);
    set_missing_unknown(&mut conditions);
    let ready = ready_condition(&conditions, observed, error);
    summarize(&mut conditions, &ready);
    if let Some(left) = on_its_way(context, channel, &ready) {
        return Ok(Report { due: sooner(held, Some(left)), stands: observed.channel.clone() });
    }
    let due = take_figures(context, &mut status, &conditions, observed, now);
    let written = summary::report(context, &context.cluster.channels, channel, status, conditions).await?;
    if let Some(written) = &written {
        changes::depends_on_channel(context, Some(channel), Some(written));
    }
    Ok(Report { due: sooner(held, due), stands: written.unwrap_or_else(|| observed.channel.clone()) })
}

/// What passes within seconds is not written; how long it may still pass, none when it is to be written. A channel on its way to
/// `Ready` would otherwise be written at every step of it.
fn on_its_way(context: &Context, channel: &SmsChannel, ready: &DesiredCondition) -> RequeueAfter {
    let passes = match ready.reason {
        Reason::Starting | Reason::Applying | Reason::Progressing | Reason::NotCheckedYet => true,
        // A scheduler that has not heard of a claim that was made just now says so, and tries again.
        Reason::VolumePending | Reason::Unschedulable => true,
        _ => false,
    };
    let uid = channel.metadata.uid.as_deref().unwrap_or_default();
    let stands = DesiredCondition::of(&summary::begin(channel, context.now()), ConditionType::Ready);
    let is_new = channel.status.as_ref().is_none_or(|status| status.observed_generation != channel.metadata.generation);
    // One that was ready is written at once when it is not any more, but for its own new spec on its way to the pod.
    let may_wait = is_new || stands.is_none_or(|stands| stands.status != ConditionStatus::True);
    if !passes || !may_wait {
        context.progress.forget(uid);
        return None;
    }
    context.progress.hold(uid, Duration::from_secs(context.settings.progress_hold_seconds))
}

fn set_found(conditions: &mut Conditions, findings: &Findings) {
    let found = [
        (ConditionType::ReferencesResolved, &findings.references),
        (ConditionType::NumberValid, &findings.number),
        (ConditionType::NumberClaimed, &findings.claimed),
    ];
    for (type_, desired) in found {
        if let Some(desired) = desired {
            desired.set(conditions, type_);
        }
    }
}

fn has_engine(findings: &Findings, conditions: &Conditions) -> bool {
    match &findings.claimed {
        Some(desired) => desired.status == ConditionStatus::True || desired.reason == Reason::ClaimLost,
        None => conditions.is_true(ConditionType::NumberClaimed),
    }
}

fn set_engine(conditions: &mut Conditions, status: &mut SmsChannelStatus, observed: &Observed, findings: &Findings) {
    if !has_engine(findings, conditions) {
        let desired = DesiredCondition::unknown(Reason::NotCheckedYet, "the engine starts when the number is claimed");
        desired.set(conditions, ConditionType::EngineAvailable);
        desired.set(conditions, ConditionType::ConfigApplied);
        return;
    }
    let available = || pod::availability(observed.pod.as_deref(), &observed.seen);
    if let Some(desired) = observed.place_taken.clone().or_else(available) {
        desired.set(conditions, ConditionType::EngineAvailable);
    }
    let mut store_is_told = true;
    if let Some(said) = observed.seen.answered() {
        let account = observed.connector.as_ref().and_then(|connector| connector.spec.provider.member());
        let checked = storage::check_store(&observed.channel, account.map(|member| member.account()), said);
        checked.desired.set(conditions, ConditionType::StorageIntact);
        let before = status.engine.clone().unwrap_or_default();
        store_is_told = observed.store_expectation().id == checked.id;
        status.engine = Some(EngineReport {
            config_hash: in_force(findings, said).map(|hash| hash.to_string()),
            version: Some(said.version.clone()),
            // Commits are a figure: they are written with the others, but for the first time and after a change of store.
            store_commits: if before.store_id == checked.id && checked.commits >= before.store_commits {
                before.store_commits
            } else {
                checked.commits
            },
            store_id: checked.id,
        });
    }
    if let Some(planned) = &findings.configuration {
        // What is remembered of the store from now on goes into the configuration: this one is not the last word.
        let desired = if store_is_told { applied(observed, planned) } else { applying() };
        desired.set(conditions, ConditionType::ConfigApplied);
    }
}

/// Hash of the configuration that the engine has.
fn in_force(findings: &Findings, said: &EngineStatus) -> Option<ConfigHash> {
    findings.configuration.as_ref().map_or(said.config.hash, |planned| planned.in_force(said))
}

fn applying() -> DesiredCondition {
    DesiredCondition::no(Reason::Applying, "the engine has not loaded the newest configuration yet")
}

fn applied(observed: &Observed, planned: &Planned) -> DesiredCondition {
    let wanted = &planned.hash;
    let well = DesiredCondition::yes(Reason::Applied, "the engine has loaded the present configuration");
    match observed.seen.answered() {
        Some(said) if planned.in_force(said).as_ref() == Some(wanted) => well,
        Some(said) => match &said.config.rejected {
            Some(rejected) if rejected.hash == *wanted => DesiredCondition::no(
                Reason::ConfigRejected,
                format!("the engine cannot load the configuration and goes on with the old one: {}", rejected.message),
            ),
            Some(_) | None => applying(),
        },
        None => {
            let reported = observed.channel.status.as_ref().and_then(|status| status.engine.as_ref());
            let same = reported.and_then(|engine| engine.config_hash.clone()) == Some(wanted.to_string());
            if same { well } else { applying() }
        }
    }
}

/// Sets the conditions made of samples; says when one that waits is due.
fn set_sampled(context: &Context, conditions: &mut Conditions, observed: &Observed, now: Timestamp) -> RequeueAfter {
    let said = match &observed.seen {
        Sampled::Answered(said) => said,
        Sampled::Unreachable { .. } => {
            let desired = DesiredCondition::unknown(Reason::MetricsUnavailable, "the engine cannot be asked");
            desired.set(conditions, ConditionType::ServiceLevelMet);
            desired.set(conditions, ConditionType::QueueHealthy);
            desired.set(conditions, ConditionType::ClockInSync);
            return None;
        }
        Sampled::Never => return None,
    };
    in_hours(observed.campaign.as_deref(), said, now).set(conditions, ConditionType::InHours);
    let clock = said.clock.as_ref().map_or_else(
        || DesiredCondition::unknown(Reason::NotCheckedYet, "this version of the engine does not tell its time"),
        clock::desired,
    );
    clock.set(conditions, ConditionType::ClockInSync);
    let spec = &observed.channel.spec;
    let level = DesiredCondition::of(conditions, ConditionType::ServiceLevelMet);
    let queue = DesiredCondition::of(conditions, ConditionType::QueueHealthy);
    let wanted = [
        (ConditionType::ServiceLevelMet, sampled::service_level(&spec.service_level, said, level.as_ref()), level),
        (ConditionType::QueueHealthy, sampled::queue(spec, said, queue.as_ref()), queue),
    ];
    let hold = Duration::from_secs(context.settings.condition_hold_seconds);
    let uid = observed.channel.metadata.uid.clone().unwrap_or_default();
    let mut again: RequeueAfter = None;
    for (type_, desired, current) in wanted {
        match context.debounce.allows(&uid, type_, current.as_ref(), &desired, hold) {
            Ok(()) => desired.set(conditions, type_),
            Err(wait) => again = Some(again.map_or(wait, |known| known.min(wait))),
        }
    }
    again
}

fn in_hours(campaign: Option<&Campaign>, said: &EngineStatus, now: Timestamp) -> DesiredCondition {
    let schedule = campaign.and_then(|campaign| campaign.spec.schedule.as_ref());
    if said.in_hours {
        return match schedule {
            Some(_) => DesiredCondition::yes(Reason::Open, "the campaign is open now"),
            None => DesiredCondition::yes(Reason::AlwaysOpen, "the campaign has no schedule and is always open"),
        };
    }
    let zone = campaign.and_then(|campaign| TimeZone::get(&campaign.spec.time_zone).ok()).unwrap_or(TimeZone::UTC);
    let today = now.to_zoned(zone).date().to_string();
    let exception =
        schedule.is_some_and(|schedule| schedule.exceptions.iter().any(|exception| exception.date == today));
    if exception {
        DesiredCondition::no(Reason::ClosedByException, "the campaign is closed now, by an exception for this day")
    } else {
        DesiredCondition::no(Reason::Closed, "the campaign is closed now, by its weekly hours")
    }
}

fn ready_condition(conditions: &Conditions, observed: &Observed, error: Option<&Error>) -> DesiredCondition {
    match error {
        Some(Error::Stalled { reason, message } | Error::Waiting { reason, message, .. }) => {
            return DesiredCondition::no(*reason, message.clone());
        }
        Some(Error::Transient(fault)) => return DesiredCondition::unknown(Reason::TransientError, fault.to_string()),
        None => {}
    }
    let connector_enabled = observed.connector.as_ref().is_none_or(|connector| connector.spec.enabled);
    let campaign_enabled = observed.campaign.as_ref().is_none_or(|campaign| campaign.spec.enabled);
    let well = if !observed.channel.spec.enabled {
        DesiredCondition::yes(Reason::Disabled, "spec.enabled is false, and that is in force")
    } else if !campaign_enabled {
        DesiredCondition::yes(Reason::Disabled, "the campaign is disabled, and that is in force")
    } else if !connector_enabled {
        let name = &observed.channel.spec.connector_ref.name;
        let message =
            format!("connector {name} is disabled, so nothing is sent: enable it, or disable this channel too");
        DesiredCondition::no(Reason::ConnectorDisabled, message)
    } else {
        DesiredCondition::yes(Reason::Available, "the engine runs with the present configuration")
    };
    let ready = first_obstacle(conditions, &READY, well);
    if !is_others_change(conditions, &ready) {
        return ready;
    }
    let others: Vec<_> = READY.into_iter().filter(|type_| *type_ != ConditionType::ConfigApplied).collect();
    first_obstacle(conditions, &others, DesiredCondition::of(conditions, ConditionType::Ready).unwrap_or(ready))
}

/// Takes new figures into the status: when it is written anyway, else at most once per sample interval. Says when they are due.
fn take_figures(
    context: &Context,
    status: &mut SmsChannelStatus,
    conditions: &Conditions,
    observed: &Observed,
    now: Timestamp,
) -> RequeueAfter {
    let said = observed.seen.answered()?;
    let mut fresh = status.clone();
    fresh.queue = Some(sampled::queue_figures(said));
    fresh.agents = Some(sampled::agents_figures(said));
    fresh.service_level = Some(sampled::service_level_figures(said));
    if let Some(engine) = &mut fresh.engine
        && engine.store_id.as_deref() == Some(said.store.id.as_str())
        && conditions.is_true(ConditionType::StorageIntact)
    {
        engine.store_commits = i64::try_from(said.store.commits).ok();
    }
    if fresh == *status {
        return None;
    }
    let old = observed.channel.status.clone().unwrap_or_default();
    let written_anyway = old.conditions != conditions.clone().into_list() || old.engine != status.engine;
    let interval = context.settings.sample_interval();
    let age = status.sampled_at.map(|at| Duration::try_from(now.duration_since(at)).unwrap_or_default());
    match age.and_then(|age| interval.checked_sub(age)).filter(|left| !left.is_zero()) {
        Some(left) if !written_anyway => Some(left),
        Some(_) | None => {
            fresh.sampled_at = Timestamp::from_second(said.sampled_at.as_second()).ok();
            *status = fresh;
            None
        }
    }
}

/// Every condition stands in status from the start, so that nothing waits for one that never comes.
fn set_missing_unknown(conditions: &mut Conditions) {
    let sampled = [
        ConditionType::ClockInSync,
        ConditionType::InHours,
        ConditionType::ServiceLevelMet,
        ConditionType::QueueHealthy,
    ];
    for type_ in READY.into_iter().chain(sampled) {
        if conditions.get(type_).is_none() {
            DesiredCondition::unknown(Reason::NotCheckedYet, "not known yet").set(conditions, type_);
        }
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
