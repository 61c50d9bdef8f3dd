//! What must be true of transfers in any history, recomputed from the events alone.

use super::{
    model::{AWAY_LIMIT, Model, Told},
    model_offers::OFFERS_AWAY_LIMIT,
};
use crate::engine::core::{
    config::ChannelConfig,
    event::{Event, InteractionEvent, TransferEndReason},
    ids::{InteractionId, OfferId, UserId},
};

/// A transfer as the events tell of it.
#[derive(Clone, Debug)]
pub(super) struct ToldTransfer {
    /// Who is asked; none = it stands in the queue.
    pub(super) to: Option<(UserId, OfferId)>,
    /// In the channel's own time.
    until: Option<i128>,
}

impl Told {
    /// Whether it stands in the queue: it waits, or is handed over to whom the strategy names.
    pub(super) fn stands(&self) -> bool {
        (self.queued && self.bot.is_none()) || self.transfer.as_ref().is_some_and(|transfer| transfer.to.is_none())
    }

    /// Whether it is handed over to this agent.
    pub(super) fn goes_to(&self, user: &UserId) -> bool {
        self.transfer.as_ref().and_then(|transfer| transfer.to.as_ref()).is_some_and(|(to, _)| to == user)
    }
}

impl Model {
    pub(super) fn follow_transfer(&mut self, event: &Event, what: &InteractionEvent, config: &ChannelConfig) {
        let now = self.own_time(event.at);
        match what {
            InteractionEvent::TransferStarted { interaction, user, to, offer, timeout_seconds } => {
                assert!(!self.disabled, "{event:?}");
                let limit = config.max_transfer.map(|limit| limit.as_secs());
                assert_eq!(timeout_seconds.map(i64::from), limit, "{event:?}");
                if let Some(to) = to {
                    let member = config.members.get(to).expect("a member");
                    let is_there = self.seen.contains(to) && !self.offline_since.contains_key(to);
                    assert!(is_there && self.present.contains(to) && member.receive && to != user, "{event:?}");
                }
                let told = self.interaction(*interaction);
                assert!(told.owner.as_ref() == Some(user) && told.transfer.is_none(), "{event:?}");
                assert_eq!(to.is_some(), offer.is_some(), "{event:?}");
                if let Some(offer) = offer {
                    told.offers += 1;
                    assert_eq!(*offer, OfferId(told.offers), "{event:?}");
                }
                let until = timeout_seconds.map(|seconds| now + i128::from(seconds) * 1_000_000_000);
                told.transfer = Some(ToldTransfer { to: to.clone().zip(*offer), until });
            }
            InteractionEvent::TransferEnded { interaction, to, reason } => {
                let told = self.interaction(*interaction);
                let transfer = told.transfer.take().expect("it is handed over");
                let owner = told.owner.clone().expect("somebody hands it over");
                (told.offer, told.in_vain) = (None, Default::default());
                assert_eq!(transfer.to.as_ref().map(|(user, _)| user), to.as_ref(), "{event:?}");
                let is_so = |model: &Self, holds: fn(&Self, &UserId, i128) -> bool| {
                    to.as_ref().is_some_and(|user| holds(model, user, now))
                };
                assert!(
                    match reason {
                        TransferEndReason::Canceled => true,
                        TransferEndReason::TimedOut => transfer.until.is_some_and(|until| until <= now),
                        TransferEndReason::Declined => is_so(self, |_, _, _| true),
                        TransferEndReason::AgentOffline => is_so(self, |model, user, now| {
                            model.offline_since.get(user).is_some_and(|since| now - since >= OFFERS_AWAY_LIMIT)
                        }),
                        TransferEndReason::AgentNotPresent =>
                            is_so(self, |model, user, _| !model.present.contains(user)),
                        TransferEndReason::AgentRemoved =>
                            to.as_ref().is_some_and(|user| config.members.get(user).is_none()),
                        TransferEndReason::OwnerOffline => self.away(&owner, event.at) >= AWAY_LIMIT,
                        TransferEndReason::OwnerRemoved => !config.serves(&owner),
                        TransferEndReason::Assigned | TransferEndReason::Closed => true,
                    },
                    "{event:?}"
                );
                if let (TransferEndReason::Declined, Some(user)) = (reason, to) {
                    self.missed.remove(user);
                }
            }
            _ => {}
        }
    }

    /// Somebody has what was handed over, if it was, or what a supervisor gave them: it came from this agent.
    pub(super) fn taken(&mut self, id: InteractionId, from: Option<&UserId>, by_supervisor: bool) {
        let told = self.interaction(id);
        assert_eq!(told.owner.as_ref(), from);
        let is_handed_over = told.transfer.take().is_some();
        let may_be = if by_supervisor { !is_handed_over } else { is_handed_over };
        assert!(told.owner.is_none() || may_be, "an owner keeps it until they hand it over");
        told.owner = None;
    }

    /// Nothing is handed over for too long, or to who is not there.
    pub(super) fn check_transfers(&self, config: &ChannelConfig, now: jiff::Timestamp) {
        let own_time = self.own_time(now);
        for told in self.interactions.values() {
            let Some(transfer) = &told.transfer else { continue };
            assert!(told.owner.is_some() && transfer.until.is_none_or(|until| own_time < until), "too long: {told:?}");
            if let Some((user, _)) = &transfer.to {
                assert!(self.away(user, now) < OFFERS_AWAY_LIMIT && self.present.contains(user), "{told:?}");
                assert!(config.members.get(user).is_some(), "{told:?}");
            }
        }
    }
}
