//! What the model knows of bots.

use jiff::Timestamp;

use super::model::{Model, Told};
use crate::engine::core::{
    bot_run::{BotRef, BotSlot},
    config::ChannelConfig,
    event::{BotEndReason, BotWait, Event, FinishedBy, InteractionEvent},
    ids::{BotName, CustomerId, InteractionId},
};

/// A bot as the events tell of it.
#[derive(Clone, Debug)]
pub(super) struct ToldBot {
    slot: BotSlot,
    bot: BotName,
    turn: u32,
    /// When it waits for the customer no more, in the channel's own time.
    until: Option<i128>,
    finished: Option<FinishedBy>,
}

impl Told {
    /// Whether it is on its way to the queue.
    pub(super) fn is_before_queue(&self) -> bool {
        self.bot.as_ref().is_some_and(|bot| bot.slot == BotSlot::OnStart)
    }
}

impl Model {
    pub(super) fn follow_bot(&mut self, event: &Event, what: &InteractionEvent, config: &ChannelConfig) {
        let now = self.own_time(event.at);
        match what {
            InteractionEvent::BotStarted { interaction, slot, bot, version, finished, .. } => {
                let named = match slot {
                    BotSlot::OnStart => &config.bots.on_start,
                    BotSlot::OnQueueTimeout => &config.bots.on_queue_timeout,
                    BotSlot::OnEnd => &config.bots.on_end,
                };
                assert_eq!(named, &Some(BotRef { name: bot.clone(), version: version.clone() }), "{event:?}");
                self.may_be_answered(*interaction, event);
                let told = self.interaction(*interaction);
                assert!(told.bot.is_none() && told.offer.is_none() && told.transfer.is_none(), "{event:?}");
                match slot {
                    BotSlot::OnStart => assert!(told.owner.is_none() && !told.queued && told.entered.is_none()),
                    BotSlot::OnQueueTimeout => assert!(told.queued && told.timed_out, "{event:?}"),
                    BotSlot::OnEnd => {
                        let by = finished.as_ref().expect("somebody finished it");
                        assert_eq!(told.owner.take(), Some(by.owner.clone()), "{event:?}");
                    }
                }
                let (slot, bot, finished) = (*slot, bot.clone(), finished.clone());
                told.bot = Some(ToldBot { slot, bot, turn: 0, until: None, finished });
            }
            InteractionEvent::BotStepped { interaction, bot, turn, wait, .. } => {
                assert!(!self.disabled, "{event:?}");
                self.may_be_answered(*interaction, event);
                let running = self.bot(*interaction);
                assert_eq!((&running.bot, running.turn), (bot, *turn), "each turn once: {event:?}");
                running.turn += 1;
                running.until = match wait {
                    Some(BotWait::Answer { seconds, .. }) => Some(now + i128::from(*seconds) * 1_000_000_000),
                    Some(BotWait::Service { .. }) | None => None,
                };
            }
            InteractionEvent::BotTimedOut { interaction } => {
                let until = self.bot(*interaction).until.take();
                assert!(until.is_some_and(|until| until <= now), "{event:?}");
            }
            InteractionEvent::BotEnded { interaction, reason, priority, .. } => {
                let told = self.interaction(*interaction);
                let ended = told.bot.take().expect("a bot runs");
                assert!(*priority == 0 || *reason == BotEndReason::HandedOff);
                assert!(
                    ended.turn > 0
                        || matches!(reason, BotEndReason::OptedOut | BotEndReason::Assigned | BotEndReason::Closed)
                );
                told.priority = told.priority.max(*priority);
                told.finished_by = ended.finished.map(|by| by.owner);
            }
            _ => {}
        }
    }

    /// A customer meets a bot before the queue: no more than five within an hour from the first.
    pub(super) fn met_bot(&mut self, customer: CustomerId, at: Timestamp) {
        let heard = self.customer(customer);
        let lately = heard.met_bots.filter(|(first, _)| *first <= at && at.duration_since(*first).as_hours() < 1);
        let met = lately.map_or((at, 1), |(first, count)| (first, count + 1));
        assert!(met.1 <= 5, "two machines talk to each other");
        heard.met_bots = Some(met);
    }

    fn may_be_answered(&self, interaction: InteractionId, event: &Event) {
        let customer = &self.customers[&self.interactions[&interaction].customer];
        assert!(customer.can_receive && !customer.opted_out, "bots are silent then: {event:?}");
    }

    fn bot(&mut self, interaction: InteractionId) -> &mut ToldBot {
        self.interaction(interaction).bot.as_mut().expect("a bot runs")
    }

    /// A customer wrote in an interaction: the answer, if a bot waits for one.
    pub(super) fn wrote(&mut self, interaction: InteractionId) {
        if let Some(bot) = &mut self.interaction(interaction).bot {
            bot.until = None;
        }
    }

    /// No bot waits for too long.
    pub(super) fn check_bots(&self, now: Timestamp) {
        let own_time = self.own_time(now);
        for told in self.interactions.values() {
            let until = told.bot.as_ref().and_then(|bot| bot.until);
            assert!(until.is_none_or(|until| own_time < until), "waits for too long: {told:?}");
        }
    }
}
