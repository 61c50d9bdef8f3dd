//! When something happens by itself: one index of all timers, in the channel's own time.

use std::collections::BTreeSet;

use super::{
    clock::ChannelTime,
    ids::{AssemblyId, InteractionId, UserId},
};

/// What happens when its time comes. Of those with the same time the earlier kind comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// An agent has been offline for too long and loses what they are offered.
    OffersAway(UserId),
    /// An agent has been offline for too long and loses the interactions that they have.
    AgentAway(UserId),
    /// Nobody has accepted an offer in time.
    OfferTimedOut(InteractionId),
    /// Somebody who was asked in vain may be asked again.
    OfferRested(InteractionId),
    /// Nobody has taken what its owner hands over.
    TransferTimedOut(InteractionId),
    /// An interaction has waited in the queue for too long, and nobody is asked.
    QueueTimedOut(InteractionId),
    /// The customer has not answered a bot in time.
    BotTimedOut(InteractionId),
    /// Nobody has written for too long in an interaction that an agent has.
    InteractionIdle(InteractionId),
    /// The other parts of a text have not come in time.
    PartsTimedOut(AssemblyId),
}

/// The timers that run. Each follows from an agent, an interaction or a text that is not whole, so none is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timers(BTreeSet<(ChannelTime, Timer)>);

impl Timers {
    pub(super) fn start(&mut self, timers: impl IntoIterator<Item = (ChannelTime, Timer)>) {
        self.0.extend(timers);
    }

    pub(super) fn cancel(&mut self, timers: impl IntoIterator<Item = (ChannelTime, Timer)>) {
        for timer in timers {
            self.0.remove(&timer);
        }
    }

    /// The one that ends first.
    pub(super) fn first(&self) -> Option<&(ChannelTime, Timer)> {
        self.0.first()
    }
}

impl FromIterator<(ChannelTime, Timer)> for Timers {
    fn from_iter<I: IntoIterator<Item = (ChannelTime, Timer)>>(timers: I) -> Self {
        Self(timers.into_iter().collect())
    }
}
