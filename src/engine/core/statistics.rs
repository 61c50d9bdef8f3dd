//! The channel in numbers, now.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    ids::{BotName, BotVersion},
    interaction::Interaction,
    queue,
    service_level::ServiceLevel,
    state::State,
};

/// The channel in numbers, at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Interactions that wait for an agent.
    pub waiting: u64,
    /// How long the one that waits longest has waited since it entered the queue, or came back to it, in seconds.
    pub oldest_wait_seconds: u64,
    /// Interactions that a bot talks to before they wait for an agent.
    pub with_bot: u64,
    /// Interactions that an agent has.
    pub active: u64,
    /// Those of them that their agents hand over and nobody has taken yet.
    pub transferring: u64,
    /// Agents with an open stream.
    pub agents_online: u64,
    /// Agents who can be given an interaction.
    pub agents_available: u64,
    /// Long texts of which not all parts are there.
    pub parts_waiting: u64,
    /// Messages that wait to be sent.
    pub outbox_waiting: u64,
    /// Messages at the gateway.
    pub outbox_in_flight: u64,
    /// Whether the campaign is within its hours.
    pub in_hours: bool,
    /// The service level over its window.
    pub service_level: ServiceLevel,
}

impl State {
    /// How many conversations run with each version of each bot; none with those that are not here.
    pub fn conversations_with_bots(&self) -> BTreeMap<(BotName, BotVersion), u64> {
        let mut counts = BTreeMap::new();
        for run in self.interactions().filter_map(Interaction::bot) {
            *counts.entry((run.bot.clone(), run.version.clone())).or_default() += 1;
        }
        counts
    }

    /// The channel in numbers.
    pub fn statistics(&self, now: Timestamp) -> Statistics {
        let oldest = queue::waiting(self).filter_map(Interaction::queued_since).min();
        let in_flight = self.outbox.at_gateway().len() as u64;
        let online = self.config.members.iter().filter_map(|member| self.agents.get(&member.user));
        Statistics {
            waiting: self.queue_len() as u64,
            oldest_wait_seconds: oldest
                .and_then(|oldest| u64::try_from(now.duration_since(oldest).as_secs()).ok())
                .unwrap_or(0),
            with_bot: self.before_queue as u64,
            active: (self.interactions.len() - self.queue_len() - self.before_queue - self.after_end) as u64,
            transferring: self.interactions().filter(|interaction| interaction.transfer().is_some()).count() as u64,
            agents_online: online.filter(|agent| agent.is_online()).count() as u64,
            agents_available: self.ranking.len() as u64,
            parts_waiting: self.assemblies.len() as u64,
            outbox_waiting: self.outbox.len() as u64 - in_flight,
            outbox_in_flight: in_flight,
            in_hours: self.config.schedule.is_open(now),
            service_level: self.service_level(now),
        }
    }
}
