//! What happened since the day began in the campaign's time zone: counted event by event, for the channel and for each agent.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::{
    figures::{AgentCounts, ChannelCounts, ChannelDay},
    ids::UserId,
    service_level::ServiceLevel,
    state::State,
};

/// A day in numbers, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Today {
    /// The channel.
    pub channel: ChannelDay,
    /// The service level of the day's waits, and of those who wait now.
    pub service_level: ServiceLevel,
}

impl State {
    /// The day of an instant in the campaign's time zone, so far.
    pub fn today(&self, now: Timestamp) -> Today {
        let on = self.config.schedule.date(now);
        let channel = self.scalars.today.filter(|day| day.on == on);
        let channel = channel.unwrap_or(ChannelDay { on, counts: ChannelCounts::default() });
        Today { channel, service_level: self.service_level_of(channel.counts.samples, now) }
    }

    /// What an agent did on the day of an instant.
    pub fn agent_today(&self, user: &UserId, now: Timestamp) -> AgentCounts {
        self.agents_today(now).and_then(|agents| agents.get(user)).copied().unwrap_or_default()
    }

    /// Those who did something on the day of an instant; none when nobody did.
    pub fn agents_today(&self, now: Timestamp) -> Option<&BTreeMap<UserId, AgentCounts>> {
        let on = self.config.schedule.date(now);
        self.scalars.today.filter(|day| day.on == on).map(|_| &self.worked_today)
    }

    /// What an agent did on the day that is counted, for the store.
    pub fn counted(&self, user: &UserId) -> Option<&AgentCounts> {
        self.worked_today.get(user)
    }

    /// The date that begins now, if none of it is counted yet.
    pub(super) fn begins(&self, now: Timestamp) -> Option<Date> {
        let on = self.config.schedule.date(now);
        self.scalars.today.is_none_or(|day| day.on != on).then_some(on)
    }

    /// From now on another day is counted.
    pub(super) fn day_began(&mut self, on: Date) {
        self.scalars.today = Some(ChannelDay { on, counts: ChannelCounts::default() });
        self.worked_today.clear();
    }

    pub(super) fn count(&mut self, change: impl FnOnce(&mut ChannelCounts)) {
        if let Some(day) = &mut self.scalars.today {
            change(&mut day.counts);
        }
    }

    pub(super) fn count_of(&mut self, user: &UserId, change: impl FnOnce(&mut AgentCounts)) {
        if self.scalars.today.is_some() {
            change(self.worked_today.entry(user.clone()).or_default());
        }
    }
}
