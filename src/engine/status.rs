//! What the engine tells the operator about itself.

use jiff::SignedDuration;

use super::{bots, config::Settings, inbox::Inspection, store::read::BotFailureRow};
use crate::wire::status::{
    AgentsStatus, ClockStatus, ConfigStatus, EngineStatus, OutboxStatus, QueueStatus, ServiceLevelStatus, StoreStatus,
};

/// What the state does not know.
pub(super) struct Beside {
    /// The configuration in force.
    pub config: ConfigStatus,
    /// Id of the store.
    pub store_id: String,
    /// Messages of which nobody knows whether they were sent.
    pub unknown: u64,
    /// Which steps of bots failed.
    pub bot_failures: Vec<BotFailureRow>,
    /// Whether the volume is full.
    pub full: bool,
}

/// The engine's status.
pub(super) fn status(seen: &Inspection<'_>, settings: &Settings, beside: Beside) -> EngineStatus {
    let Beside { config, store_id, unknown, bot_failures, full } = beside;
    let statistics = seen.state.statistics(seen.now);
    let level = statistics.service_level;
    EngineStatus {
        version: env!("CARGO_PKG_VERSION").into(),
        config,
        store: StoreStatus {
            id: store_id,
            commits: seen.commits,
            number: settings.number.clone(),
            account: settings.gateway.account.clone(),
            full,
            accepted: seen.state.storage_accepted(),
        },
        clock: Some(clock(seen)),
        in_hours: statistics.in_hours,
        hours_change_at: settings.channel.schedule.next_change(seen.now),
        queue: QueueStatus {
            waiting: statistics.waiting,
            oldest_wait_seconds: statistics.oldest_wait_seconds,
            with_bot: statistics.with_bot,
            active: statistics.active,
            waiting_beyond_target: level.waiting_beyond_target,
            max_queued: settings.max_queued.into(),
        },
        agents: AgentsStatus { online: statistics.agents_online, available: statistics.agents_available },
        service_level: ServiceLevelStatus {
            answered: level.answered,
            answered_in_target: level.answered_in_target,
            abandoned: level.abandoned,
            abandoned_in_target: level.abandoned_in_target,
            unanswered: level.unanswered,
            no_reply: level.no_reply,
            no_reply_in_target: level.no_reply_in_target,
            percent: level.percent,
            percent_with_abandoned: level.percent_with_abandoned,
        },
        outbox: OutboxStatus { waiting: statistics.outbox_waiting, in_flight: statistics.outbox_in_flight, unknown },
        bots: Some(bots::status(seen.state, &bot_failures)),
        sampled_at: seen.now,
    }
}

fn clock(seen: &Inspection<'_>) -> ClockStatus {
    let leap = seen.state.open_leap(seen.now);
    let seconds = |duration: SignedDuration| u64::try_from(duration.as_secs()).unwrap_or(0);
    ClockStatus {
        // Rounded, so that it does not change with every look.
        ahead_seconds: seen.ahead.map_or(0, |ahead| (seconds(ahead) + 5) / 10 * 10),
        leapt_seconds: leap.map_or(0, |leap| seconds(leap.by)),
        leap_confirmed_at: leap.map(|leap| leap.until),
        ahead_of_asker_minutes: 0,
        accept_id: seen.state.scalars().clock_settings + 1,
    }
}
