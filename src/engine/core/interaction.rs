//! An open interaction: who has it, and its place in the queue.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    clock::ChannelTime,
    config::ChannelConfig,
    event::Origin,
    ids::{CustomerId, Epoch, InteractionId, OfferId, UserId},
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
}

impl Interaction {
    /// The agent who has it.
    pub const fn owner(&self) -> Option<&UserId> {
        match &self.phase {
            Phase::Active { owner, .. } => Some(owner),
            Phase::Opened | Phase::Queued { .. } => None,
        }
    }

    /// Since when it waits for an agent, if it does.
    pub const fn queued_since(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Queued { since, .. } => Some(since),
            Phase::Opened | Phase::Active { .. } => None,
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
            Phase::Opened | Phase::Queued { .. } => None,
        }
    }

    /// The offer that runs, while it stands in the queue.
    pub const fn offer(&self) -> Option<&Offer> {
        match &self.phase {
            Phase::Queued { offer, .. }
            | Phase::Active { transfer: Some(Transfer { to: Recipient::Queue { offer }, .. }), .. } => offer.as_ref(),
            Phase::Opened | Phase::Active { .. } => None,
        }
    }

    /// Where the offer is kept, while it stands in the queue.
    pub(super) const fn offer_mut(&mut self) -> Option<&mut Option<Offer>> {
        match &mut self.phase {
            Phase::Queued { offer, .. }
            | Phase::Active { transfer: Some(Transfer { to: Recipient::Queue { offer }, .. }), .. } => Some(offer),
            Phase::Opened | Phase::Active { .. } => None,
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
            Phase::Active { transfer: Some(Transfer { to: Recipient::Queue { .. }, .. }), .. } => {
                Some(Place::Head(self.arrived_at))
            }
            Phase::Opened | Phase::Active { .. } => None,
        }
    }

    /// Those that run for it. While an agent has it: until it has been silent, or handed over, for too long. While it waits and nobody is
    /// asked: until it has waited for too long. While it stands in the queue: until the offer ends, and until somebody who was asked in vain
    /// has rested.
    pub(super) fn timers(&self, config: &ChannelConfig) -> impl Iterator<Item = (ChannelTime, Timer)> + use<> {
        let id = self.id;
        let own = match &self.phase {
            Phase::Opened => [None, None],
            Phase::Active { transfer, .. } => [
                Some((self.active_at.after(config.session_idle), Timer::InteractionIdle(id))),
                transfer.as_ref().and_then(|transfer| Some((transfer.until?, Timer::TransferTimedOut(id)))),
            ],
            Phase::Queued { own_since, offer, .. } => {
                let limit = config.max_queue.filter(|_| offer.is_none() && !self.queue_timed_out);
                [limit.map(|limit| (own_since.after(limit), Timer::QueueTimedOut(id))), None]
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

/// A place in the queue. Those at the head come first; among equals the earlier arrival does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// Had an agent before.
    Head(Timestamp),
    /// Has arrived at this instant and not had an agent yet.
    Tail(Timestamp),
}
