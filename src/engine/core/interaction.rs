//! An open interaction: who has it, and its place in the queue.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    bot_run::BotRun,
    clock::ChannelTime,
    config::ChannelConfig,
    event::Origin,
    ids::{CustomerId, DispositionName, Epoch, InteractionId, OfferId, UserId},
    offer::{AskedInVain, Offer},
    timers::Timer,
    transfer::{Recipient, Transfer},
};

/// An open interaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interaction {
    /// The interaction's id.
    pub id: InteractionId,
    /// With whom.
    pub customer: CustomerId,
    /// The customer or the agent, whoever wrote first.
    pub origin: Origin,
    /// When it began. It keeps this place in time through everything.
    pub arrived_at: Timestamp,
    /// Whether it waits for an agent or is with one.
    pub phase: Phase,
    /// Counts its owners.
    pub epoch: Epoch,
    /// Since when the customer waits for the first reply; none once that is decided, or when it does not count.
    pub waiting_since: Option<Timestamp>,
    /// Since when its customer waits for the first reply, whatever ended the wait by the service level; none once there was one, or when the
    /// wait does not count.
    #[serde(default)]
    pub unreplied_since: Option<Timestamp>,
    /// Since when its owner has it; none while nobody has it, and for what an older version gave them.
    #[serde(default)]
    pub owned_since: Option<Timestamp>,
    /// Its last message, or when its owner got it if that was later.
    pub active_at: ChannelTime,
    /// How often it was offered.
    #[serde(default)]
    pub offers: u64,
    /// The offer with which its owner accepted it.
    #[serde(default)]
    pub accepted: Option<OfferId>,
    /// Whom it was offered to in vain.
    #[serde(default)]
    pub asked_in_vain: AskedInVain,
    /// Whom the customer had last, and who comes before others until somebody has it.
    #[serde(default)]
    pub previous_agent: Option<UserId>,
    /// It has waited in the queue for too long, and that was said.
    #[serde(default)]
    pub queue_timed_out: bool,
    /// 0 to 9, as a bot said; higher comes first in the queue.
    #[serde(default)]
    pub priority: u8,
}

impl Interaction {
    /// The agent who has it.
    pub const fn owner(&self) -> Option<&UserId> {
        match &self.phase {
            Phase::Active { owner, .. } => Some(owner),
            Phase::Opened | Phase::Bot { .. } | Phase::Queued { .. } => None,
        }
    }

    /// The bot that runs in it.
    pub const fn bot(&self) -> Option<&BotRun> {
        match &self.phase {
            Phase::Bot { run, .. } => Some(run),
            Phase::Queued { bot, .. } => bot.as_ref(),
            Phase::Opened | Phase::Active { .. } => None,
        }
    }

    /// The same, to change it.
    pub(super) const fn bot_mut(&mut self) -> Option<&mut BotRun> {
        match &mut self.phase {
            Phase::Bot { run, .. } => Some(run),
            Phase::Queued { bot, .. } => bot.as_mut(),
            Phase::Opened | Phase::Active { .. } => None,
        }
    }

    /// Who finished it, while a bot still talks to the customer.
    pub const fn finished(&self) -> Option<&Finished> {
        match &self.phase {
            Phase::Bot { finished, .. } => finished.as_ref(),
            Phase::Opened | Phase::Queued { .. } | Phase::Active { .. } => None,
        }
    }

    /// Since when it waits for an agent, if it does.
    pub const fn queued_since(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Queued { since, .. } => Some(since),
            Phase::Opened | Phase::Bot { .. } | Phase::Active { .. } => None,
        }
    }

    /// Whether it waits for an agent.
    pub const fn is_queued(&self) -> bool {
        matches!(self.phase, Phase::Queued { .. })
    }

    /// Its owner hands it over.
    pub const fn transfer(&self) -> Option<&Transfer> {
        match &self.phase {
            Phase::Active { transfer, .. } => transfer.as_ref(),
            Phase::Opened | Phase::Bot { .. } | Phase::Queued { .. } => None,
        }
    }

    /// The offer that runs, while it stands in the queue.
    pub const fn offer(&self) -> Option<&Offer> {
        match &self.phase {
            Phase::Queued { offer, .. }
            | Phase::Active { transfer: Some(Transfer { to: Recipient::Queue { offer }, .. }), .. } => offer.as_ref(),
            Phase::Opened | Phase::Bot { .. } | Phase::Active { .. } => None,
        }
    }

    /// Where the offer is kept, while it stands in the queue.
    pub(super) const fn offer_mut(&mut self) -> Option<&mut Option<Offer>> {
        match &mut self.phase {
            Phase::Queued { offer, .. }
            | Phase::Active { transfer: Some(Transfer { to: Recipient::Queue { offer }, .. }), .. } => Some(offer),
            Phase::Opened | Phase::Bot { .. } | Phase::Active { .. } => None,
        }
    }

    /// The one agent to whom its owner hands it over, and what they are asked.
    pub const fn recipient(&self) -> Option<(&UserId, OfferId)> {
        match self.transfer() {
            Some(Transfer { to: Recipient::Agent { user, offer }, .. }) => Some((user, *offer)),
            Some(Transfer { to: Recipient::Queue { .. }, .. }) | None => None,
        }
    }

    /// Its place in the queue, while it stands there: because nobody has it, or because its owner hands it over.
    pub(super) const fn place(&self) -> Option<Place> {
        match &self.phase {
            Phase::Queued { place, .. } => Some(*place),
            Phase::Active { transfer: Some(Transfer { to: Recipient::Queue { .. }, .. }), .. } => Some(self.head()),
            Phase::Opened | Phase::Bot { .. } | Phase::Active { .. } => None,
        }
    }

    /// Its place among those that had an agent before.
    pub(super) const fn head(&self) -> Place {
        Place::Head(Reverse(self.priority), self.arrived_at)
    }

    /// Its place among those that had no agent yet.
    pub(super) const fn tail(&self) -> Place {
        Place::Tail(Reverse(self.priority), self.arrived_at)
    }

    /// Those that run for it. While a bot asks the customer: until it is too late for an answer. While an agent has it: until it has been silent, or handed over, for too long. While it waits and nobody is
    /// asked: until it has waited for too long. While it stands in the queue: until the offer ends, and until somebody who was asked in vain
    /// has rested.
    pub(super) fn timers(&self, config: &ChannelConfig) -> impl Iterator<Item = (ChannelTime, Timer)> + use<> {
        let id = self.id;
        let own = match &self.phase {
            Phase::Opened => [None, None],
            Phase::Bot { run, .. } => [run.until().map(|until| (until, Timer::BotTimedOut(id))), None],
            Phase::Active { transfer, .. } => [
                Some((self.active_at.after(config.session_idle), Timer::InteractionIdle(id))),
                transfer.as_ref().and_then(|transfer| Some((transfer.until?, Timer::TransferTimedOut(id)))),
            ],
            Phase::Queued { own_since, offer, bot, .. } => {
                let limit = config.max_queue.filter(|_| offer.is_none() && !self.queue_timed_out);
                let until = bot.as_ref().and_then(BotRun::until);
                [
                    limit.map(|limit| (own_since.after(limit), Timer::QueueTimedOut(id))),
                    until.map(|until| (until, Timer::BotTimedOut(id))),
                ]
            }
        };
        let offer = self.offer().map(|offer| (offer.until, Timer::OfferTimedOut(id)));
        let rest = self.asked_in_vain.next().map(|at| (at, Timer::OfferRested(id)));
        let in_queue = [offer, rest].into_iter().flatten().filter({
            let stands = self.place().is_some();
            move |_| stands
        });
        own.into_iter().flatten().chain(in_queue)
    }
}

/// Who has an interaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all_fields = "camelCase")]
pub enum Phase {
    /// Just begun; the next event of the same decision says where it goes.
    Opened,
    /// A bot talks to the customer, before it enters the queue or after its agent has finished it.
    Bot {
        /// The bot.
        run: BotRun,
        /// Its agent has finished it; none = it had none yet.
        #[serde(default)]
        finished: Option<Finished>,
    },
    /// It waits for an agent.
    Queued {
        /// The order among those that wait.
        place: Place,
        /// Since when.
        since: Timestamp,
        /// The same in the channel's own time.
        own_since: ChannelTime,
        /// The agents who are asked.
        #[serde(default)]
        offer: Option<Offer>,
        /// The bot that talks to the customer meanwhile. It is offered to nobody then.
        #[serde(default)]
        bot: Option<BotRun>,
    },
    /// An agent has it.
    Active {
        /// The agent who has it.
        owner: UserId,
        /// They hand it over.
        #[serde(default)]
        transfer: Option<Transfer>,
    },
}

/// An agent has finished an interaction, and a bot still talks to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finished {
    /// The agent.
    pub owner: UserId,
    /// Its outcome, as they said.
    #[serde(default)]
    pub disposition: Option<DispositionName>,
}

/// A place in the queue. Those at the head come first; then those with the higher priority; among equals the earlier arrival does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// Had an agent before.
    Head(Reverse<u8>, Timestamp),
    /// Has arrived at this instant and not had an agent yet.
    Tail(Reverse<u8>, Timestamp),
}
