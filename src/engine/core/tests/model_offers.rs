//! What must be true of offers in any history, recomputed from the events alone.

use std::{cmp::Reverse, collections::BTreeSet};

use super::model::{Model, Told};
use crate::engine::core::{
    config::{ChannelConfig, OfferMode, Strategy},
    event::{Event, InteractionEvent, WithdrawalReason},
    ids::{InteractionId, OfferId, UserId},
};

/// Nanoseconds offline after which an agent loses what they are offered.
pub(super) const OFFERS_AWAY_LIMIT: i128 = 30_000_000_000;

/// An offer as the events tell of it.
#[derive(Clone, Debug)]
pub(super) struct ToldOffer {
    id: OfferId,
    pub(super) to: BTreeSet<UserId>,
    asked: BTreeSet<UserId>,
    to_all: bool,
    /// In the channel's own time.
    until: i128,
    timeout: i128,
}

impl Model {
    pub(super) fn follow_offer(&mut self, event: &Event, what: &InteractionEvent, config: &ChannelConfig) {
        let now = self.own_time(event.at);
        match what {
            InteractionEvent::InteractionOffered { interaction, offer, users, timeout_seconds, position, previous } => {
                assert!(
                    matches!(config.offer, OfferMode::Ask { timeout_seconds: asked } if asked.get() == *timeout_seconds)
                );
                self.is_next(*interaction, users, *previous, config);
                let told = self.interaction(*interaction);
                assert_eq!(*offer, OfferId(told.offers + 1), "{event:?}");
                told.offers += 1;
                let to: BTreeSet<UserId> = users.iter().cloned().collect();
                assert!(!to.is_empty() && to.len() == users.len(), "{event:?}");
                let timeout = i128::from(*timeout_seconds) * 1_000_000_000;
                told.offer = Some(ToldOffer {
                    id: *offer,
                    asked: to.clone(),
                    to,
                    to_all: position.is_none() && !previous,
                    until: now + timeout,
                    timeout,
                });
                for user in users {
                    self.see(user, now);
                }
            }
            InteractionEvent::OfferExtended { interaction, offer, users } => {
                let available = self.available(config);
                let in_vain = self.interaction(*interaction).in_vain.clone();
                let running = self.running(*interaction, *offer);
                for user in users {
                    assert!(in_vain.get(user).is_none_or(|(_, is_over)| *is_over), "{event:?}");
                    assert!(available.contains(user) && running.asked.insert(user.clone()), "{event:?}");
                    running.to.insert(user.clone());
                }
            }
            InteractionEvent::OfferDeclined { interaction, offer, user } => {
                self.missed.remove(user);
                self.ended(*interaction, *offer, std::slice::from_ref(user), true, now);
            }
            InteractionEvent::OfferWithdrawn { interaction, offer, users, reason } => {
                for user in users {
                    match reason {
                        WithdrawalReason::TimedOut => {
                            assert!(self.running(*interaction, *offer).until <= now, "{event:?}")
                        }
                        WithdrawalReason::AgentOffline => {
                            assert!(self.away(user, event.at) >= OFFERS_AWAY_LIMIT, "{event:?}");
                        }
                        WithdrawalReason::AgentNotPresent => assert!(!self.present.contains(user), "{event:?}"),
                        WithdrawalReason::AgentRemoved => assert_eq!(config.members.get(user), None),
                    }
                }
                let could_accept = *reason == WithdrawalReason::TimedOut;
                let running = self.running(*interaction, *offer);
                let made = running.until - running.timeout;
                for user in users.iter().filter(|_| could_accept) {
                    self.let_pass(user, made, now);
                }
                self.ended(*interaction, *offer, users, could_accept, now);
            }
            InteractionEvent::OfferRested { interaction, users } => {
                assert!(!users.is_empty());
                for user in users {
                    let (until, is_over) = self.interaction(*interaction).in_vain.get_mut(user).unwrap();
                    assert!(*until <= now && !*is_over, "{event:?}");
                    *is_over = true;
                }
            }
            _ => {}
        }
    }

    /// An agent accepted an offer that ran and went to them.
    pub(super) fn accepted(&mut self, interaction: InteractionId, offer: OfferId, user: &UserId) {
        let told = self.interaction(interaction);
        let recipient = told.transfer.as_ref().and_then(|transfer| transfer.to.clone());
        if recipient != Some((user.clone(), offer)) {
            assert!(self.running(interaction, offer).to.contains(user), "{user} was not asked");
        }
        self.missed.remove(user);
    }

    /// An agent who was there let an offer pass.
    fn let_pass(&mut self, user: &UserId, made: i128, now: i128) {
        let last = self.missed.get(user).copied();
        let is_another = last.is_none_or(|(_, at)| at <= made);
        if is_another && !self.offline_since.contains_key(user) {
            self.missed.insert(user.clone(), (last.map_or(0, |(count, _)| count) + 1, now));
        }
    }

    /// An agent said whether they take interactions, or let too many offers pass.
    pub(super) fn presence_set(&mut self, user: &UserId, missed: Option<u32>) {
        let counted = self.missed.remove(user).map(|(count, _)| count);
        if missed.is_some() {
            assert!(missed == counted && missed >= Some(3), "{user} missed {counted:?}, not {missed:?}");
        }
    }

    fn running(&mut self, interaction: InteractionId, offer: OfferId) -> &mut ToldOffer {
        let running = self.interaction(interaction).offer.as_mut().expect("it is offered");
        assert_eq!(running.id, offer);
        running
    }

    fn ended(&mut self, interaction: InteractionId, offer: OfferId, users: &[UserId], could_accept: bool, now: i128) {
        let running = self.running(interaction, offer);
        for user in users {
            assert!(running.to.remove(user), "{user} was not asked");
            if !could_accept {
                running.asked.remove(user);
            }
        }
        if running.to.is_empty() {
            let (asked, until) = (running.asked.clone(), now + running.timeout);
            let told = self.interaction(interaction);
            told.offer = None;
            told.in_vain.extend(asked.into_iter().map(|user| (user, (until, false))));
        }
    }

    /// Who can be given an interaction.
    pub(super) fn available(&self, config: &ChannelConfig) -> BTreeSet<UserId> {
        let is_available = |user: &UserId| {
            let has = |told: &&Told| {
                let is_asked = told.offer.as_ref().is_some_and(|offer| offer.to.contains(user));
                told.owner.as_ref() == Some(user) || is_asked || told.goes_to(user)
            };
            let slots = self.interactions.values().filter(has).count();
            let online = self.seen.contains(user) && !self.offline_since.contains_key(user);
            let member = config.members.get(user).filter(|member| member.receive);
            online
                && self.present.contains(user)
                && member.is_some_and(|member| slots < member.max_interactions as usize)
        };
        self.seen.iter().filter(|user| is_available(user)).cloned().collect()
    }

    /// The agent whom the customer had last, if they may have the interaction now.
    fn previous<'t>(told: &'t Told, available: &BTreeSet<UserId>) -> Option<&'t UserId> {
        told.previous.as_ref().filter(|user| available.contains(user) && !told.in_vain.contains_key(user))
    }

    /// Those of these agents who may have an interaction now: the previous one; or who was not asked in vain; or else who has rested, longest ago first.
    pub(super) fn may_have(&self, told: &Told, available: &BTreeSet<UserId>) -> BTreeSet<UserId> {
        if let Some(previous) = Self::previous(told, available) {
            return BTreeSet::from([previous.clone()]);
        }
        // Who hands it over is none of them.
        let available = available.iter().filter(|user| told.owner.as_ref() != Some(user));
        let others: BTreeSet<UserId> =
            available.clone().filter(|user| !told.in_vain.contains_key(user)).cloned().collect();
        if !others.is_empty() {
            return others;
        }
        let rested = available.filter_map(|user| {
            let (until, is_over) = told.in_vain[user];
            is_over.then_some((until, user))
        });
        let first = rested.clone().map(|(until, _)| until).min();
        rested.filter(|(until, _)| Some(*until) == first).map(|(_, user)| user.clone()).collect()
    }

    /// These agents may have the interaction, and nobody may have one that comes before it.
    pub(super) fn is_next(&self, id: InteractionId, users: &[UserId], previous: bool, config: &ChannelConfig) {
        assert!(!self.disabled, "given while disabled");
        let available = self.available(config);
        let told = &self.interactions[&id];
        assert!(told.stands() && told.offer.is_none(), "{id} does not wait for anybody");
        let may_have = self.may_have(told, &available);
        assert_eq!(previous, Self::previous(told, &available).is_some(), "{told:?}");
        assert!(users.iter().all(|user| may_have.contains(user)), "{users:?} may not have {id}: {may_have:?}");
        let place = |id: &InteractionId, told: &Told| {
            let had_none = !(told.requeued || told.owner.is_some());
            (had_none, Reverse(told.priority), told.arrived_at, *id)
        };
        let before = self.interactions.iter().filter(|(other, other_told)| {
            other_told.stands() && other_told.offer.is_none() && place(other, other_told) < place(&id, told)
        });
        for (other, told) in before {
            assert!(self.may_have(told, &available).is_empty(), "{other} comes before {id}");
        }
    }

    /// No offer runs for too long, or goes to who is not there; and no interaction rests for too long.
    pub(super) fn check_offers(&self, config: &ChannelConfig, now: jiff::Timestamp) {
        let own_time = self.own_time(now);
        for told in self.interactions.values() {
            if let Some(offer) = &told.offer {
                assert!(own_time < offer.until, "asked for too long: {told:?}");
                for user in &offer.to {
                    assert!(self.away(user, now) < OFFERS_AWAY_LIMIT, "{user} is away for too long");
                    assert!(self.present.contains(user) && config.members.get(user).is_some(), "{user} cannot accept");
                }
            }
            let is_told = told.in_vain.values().all(|(until, is_over)| *is_over || own_time < *until);
            assert!(!told.stands() || is_told, "rests for too long: {told:?}");
        }
        self.check_extended(config);
    }

    /// Who could be asked too, with everybody, is.
    fn check_extended(&self, config: &ChannelConfig) {
        if self.disabled || config.strategy != Strategy::RingAll || config.offer == OfferMode::Assign {
            return;
        }
        let available = self.available(config);
        for told in self.interactions.values() {
            let Some(offer) = told.offer.as_ref().filter(|offer| offer.to_all) else { continue };
            let penalty = |user: &UserId| config.members.get(user).map(|member| member.penalty);
            let highest = offer.asked.iter().filter_map(penalty).max();
            let rests = |user: &UserId| told.in_vain.get(user).is_some_and(|(_, is_over)| !is_over);
            let may_join =
                |user: &&UserId| !rests(user) && penalty(user) <= highest && told.owner.as_ref() != Some(*user);
            let left = available.difference(&offer.asked).filter(may_join);
            assert_eq!(left.collect::<Vec<_>>(), Vec::<&UserId>::new(), "not asked: {told:?}");
        }
    }

    /// Nobody waits for whom somebody is available.
    pub(super) fn check_waiting(&self, config: &ChannelConfig) {
        let available = self.available(config);
        let waiting = self.interactions.values().filter(|told| told.stands() && told.offer.is_none());
        for told in waiting.filter(|_| !self.disabled) {
            assert!(self.may_have(told, &available).is_empty(), "waits in vain: {told:?}");
        }
    }
}
