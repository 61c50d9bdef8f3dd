//! What the engine tells the operator about itself.

use super::{config::Settings, handle::Seen};
use crate::wire::status::{
    AgentsStatus, ConfigStatus, EngineStatus, OutboxStatus, QueueStatus, ServiceLevelStatus, StoreStatus,
};

/// The engine's status.
pub(super) fn status(
    seen: &Seen<'_>,
    settings: &Settings,
    config: ConfigStatus,
    store_id: String,
    unknown: u64,
) -> EngineStatus {
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
            accepted: seen.state.storage_accepted(),
        },
        in_hours: statistics.in_hours,
        hours_change_at: settings.channel.schedule.next_change(seen.now),
        queue: QueueStatus {
            waiting: statistics.waiting,
            oldest_wait_seconds: statistics.oldest_wait_seconds,
            with_bot: 0,
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
            percent: level.percent,
            percent_with_abandoned: level.percent_with_abandoned,
        },
        outbox: OutboxStatus { waiting: statistics.outbox_waiting, in_flight: statistics.outbox_in_flight, unknown },
        sampled_at: seen.now,
    }
}
