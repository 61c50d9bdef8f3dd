//! What must be true of any history, recomputed from the events alone and by other means than the state machine's own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    model_bots::ToldBot, model_offers::ToldOffer, model_outbox::Sent, model_parts::ToldParts,
    model_transfers::ToldTransfer,
};
use crate::engine::core::{
    bot_run::BotSlot,
    config::{AnsweredBy, ChannelConfig},
    delivery::MessageStatus,
    event::{
        AgentEvent, ClockEvent, CloseReason, CustomerEvent, EngineEvent, Event, Happened, InboundEvent, InboundOutcome,
        InteractionEvent, OptOutBy, OutboundEvent, Purpose, RequeueReason, SampleResult,
    },
    ids::{Attempt, CustomerId, Epoch, InteractionId, MessageId, UserId},
};

/// Nanoseconds offline after which an agent loses what they have.
pub(super) const AWAY_LIMIT: i128 = 300_000_000_000;

/// An interaction as the events tell of it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) customer: CustomerId,
    pub(super) arrived_at: Timestamp,
    pub(super) owner: Option<UserId>,
    pub(super) queued: bool,
    pub(super) requeued: bool,
    epoch: Epoch,
    /// When it first entered the queue, and whether that counts.
    pub(super) entered: Option<Timestamp>,
    pub(super) sampled: bool,
    /// Its last message, or when its owner got it, in the channel's own time.
    active_at: i128,
    pub(super) offers: u64,
    pub(super) offer: Option<ToldOffer>,
    /// Since when it waits, in the channel's own time, and whether it was said that this is too long.
    queued_at: i128,
    pub(super) timed_out: bool,
    pub(super) transfer: Option<ToldTransfer>,
    /// Who comes before others.
    pub(super) previous: Option<UserId>,
    /// The bot that runs; 0 to 9; the agent who had finished it when a bot ended.
    pub(super) bot: Option<ToldBot>,
    pub(super) priority: u8,
    pub(super) finished_by: Option<UserId>,
    /// A bot handed it off after an agent had finished it.
    came_back: bool,
    /// A bot talked to the customer before it entered the queue, or after the end.
    met_bot: bool,
    /// When those who were asked in vain may be asked again, in the channel's own time; and whether that was said.
    pub(super) in_vain: BTreeMap<UserId, (i128, bool)>,
}

/// A customer as the events tell of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) can_receive: bool,
    pub(super) opted_out: bool,
    open: Option<InteractionId>,
    pub(super) in_flight: BTreeSet<MessageId>,
    pub(super) last_attempted: Option<MessageId>,
    pub(super) notices: BTreeMap<&'static str, Timestamp>,
    pub(super) confirmations_owed: u32,
    /// Bots that they met before the queue: the first that counts, and how many since.
    pub(super) met_bots: Option<(Timestamp, u32)>,
    /// Who had their last interaction that an agent had, and when it ended, in the channel's own time.
    last_agent: Option<(UserId, i128)>,
}

/// Follows a history and panics where it breaks a promise.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    last: Option<Timestamp>,
    pub(super) disabled: bool,
    /// Nanoseconds for which the channel was enabled, up to the last switch, and when that was.
    enabled_for: i128,
    switched_at: Option<Timestamp>,
    /// Since when agents are offline, in the channel's own time.
    pub(super) offline_since: BTreeMap<UserId, i128>,
    pub(super) seen: BTreeSet<UserId>,
    pub(super) present: BTreeSet<UserId>,
    /// Offers that agents let pass in a row, and when the last of them ended, in the channel's own time.
    pub(super) missed: BTreeMap<UserId, (u32, i128)>,
    pub(super) interactions: BTreeMap<InteractionId, Told>,
    pub(super) customers: BTreeMap<CustomerId, Heard>,
    /// Customers whom an import has opted out, until its end.
    imported: u32,
    pub(super) messages: BTreeMap<MessageId, Sent>,
    pub(super) inbound: BTreeSet<MessageId>,
    used_interactions: BTreeSet<InteractionId>,
    pub(super) parts: ToldParts,
    pub(super) samples: Vec<(Timestamp, InteractionId, SampleResult, bool)>,
    pub(super) told_samples: Vec<(Timestamp, InteractionId, SampleResult, bool)>,
    /// Attempts that left the house or may have: when, and how many segments.
    pub(super) departures: BTreeMap<(MessageId, Attempt), (Timestamp, u32)>,
}

impl Model {
    /// Follows the next event; `config` and `accepted` are those in force.
    pub(super) fn follow(&mut self, event: &Event, config: &ChannelConfig, accepted: bool) {
        assert!(self.last.is_none_or(|last| last <= event.at), "time ran backwards at {event:?}");
        self.last = Some(event.at);
        let own_time = self.own_time(event.at);
        match &event.what {
            Happened::Clock(what @ (ClockEvent::Disabled | ClockEvent::Enabled)) => {
                self.disabled = *what == ClockEvent::Disabled;
                (self.enabled_for, self.switched_at) = (own_time, Some(event.at));
            }
            Happened::Engine(EngineEvent::EngineStarted { .. }) => {
                self.started_at(own_time);
                self.offline_since = self.seen.iter().map(|user| (user.clone(), own_time)).collect();
            }
            Happened::Agent(AgentEvent::AgentOnline { user }) => {
                self.seen.insert(user.clone());
                self.offline_since.remove(user);
            }
            Happened::Agent(AgentEvent::AgentOffline { user }) => {
                self.offline_since.insert(user.clone(), own_time);
            }
            Happened::Agent(AgentEvent::AgentPresenceSet { user, present, missed }) => {
                self.presence_set(user, *missed);
                self.see(user, own_time);
                if *present {
                    self.present.insert(user.clone())
                } else {
                    self.present.remove(user)
                };
            }
            Happened::Customer(CustomerEvent::CustomerAdded { customer, can_receive }) => {
                let heard = Heard { can_receive: *can_receive, ..Heard::default() };
                assert!(self.customers.insert(*customer, heard).is_none(), "made twice: {event:?}");
            }
            Happened::Inbound(InboundEvent::InboundRecorded { message, customer, outcome, interaction, parts }) => {
                if let Some(parts) = parts {
                    self.joined(event, *customer, parts);
                }
                self.inbound(*message, *customer, *outcome, *interaction);
                self.touch(*interaction, own_time);
                if let (Some(interaction), InboundOutcome::Joined) = (interaction, outcome) {
                    self.wrote(*interaction);
                }
            }
            Happened::Inbound(InboundEvent::InboundDuplicated { message }) => {
                assert!(self.inbound.contains(message), "{event:?}")
            }
            Happened::Inbound(
                what @ (InboundEvent::PartKept { .. }
                | InboundEvent::PartRepeated { .. }
                | InboundEvent::PartsTimedOut { .. }),
            ) => self.follow_part(event, what),
            Happened::Customer(CustomerEvent::OptedOut { customer, by, .. }) => {
                self.opted_out(*customer, by, event.at, config)
            }
            Happened::Agent(AgentEvent::OptOutsImported { user, listed, opted_out }) => {
                assert!(config.supervisors.contains(user) && opted_out <= listed, "{event:?}");
                assert_eq!(std::mem::take(&mut self.imported), *opted_out, "each is counted, and nobody else");
            }
            Happened::Customer(CustomerEvent::OptedIn { customer, .. }) => {
                let heard = self.customer(*customer);
                assert!(heard.opted_out, "{event:?}");
                heard.opted_out = false;
            }
            Happened::Outbound(OutboundEvent::OutboundCommitted {
                message,
                customer,
                interaction,
                purpose,
                segments,
                ..
            }) => {
                self.committed(*message, *customer, purpose, *segments, event.at);
                self.touch(*interaction, own_time);
                if let (Purpose::Reply { user }, Some(id)) = (purpose, interaction) {
                    self.replied(*id, user, event.at, config);
                }
            }
            Happened::Outbound(OutboundEvent::AttemptStarted { message, attempt, .. }) => {
                assert!(accepted, "sent from storage that is not accepted: {event:?}");
                self.attempted(*message, *attempt, event.at);
            }
            Happened::Outbound(OutboundEvent::AttemptNotSent { message, attempt, .. }) => {
                self.departures.remove(&(*message, *attempt));
                self.answered(*message, *attempt, false);
            }
            Happened::Outbound(OutboundEvent::AttemptEnded { message, attempt, status }) => {
                self.answered(*message, *attempt, true);
                let sent = self.messages.get_mut(message).unwrap();
                sent.unknown = *status == MessageStatus::Unknown;
                assert!(!sent.resent || !matches!(status, MessageStatus::Failed(_)), "it may have arrived: {event:?}");
            }
            Happened::Outbound(OutboundEvent::ResendRequested { .. }) => self.resent(event, config),
            Happened::Outbound(OutboundEvent::OutboundCanceled { message, resend }) => {
                let sent = self.messages.get_mut(message).unwrap();
                assert!(!sent.in_flight && !sent.over && sent.resent == *resend, "{event:?}");
                (sent.over, sent.unknown) = (true, *resend);
                assert!(self.customers[&self.messages[message].customer].opted_out, "given up for nothing: {event:?}");
            }
            Happened::Outbound(OutboundEvent::ReceiptApplied { message, status }) => {
                let sent = self.messages.get_mut(message).unwrap();
                // Sent after all: it must not go again, unless it was sent twice and one of both failed.
                (sent.over, sent.unknown) = (sent.over || !sent.in_flight, *status == MessageStatus::Unknown);
                assert!(!sent.unknown || sent.resent && sent.over, "{event:?}");
            }
            Happened::Interaction(what) => self.follow_interaction(event, what, config),
            Happened::Engine(EngineEvent::ConfigApplied { .. } | EngineEvent::StorageAccepted { .. })
            | Happened::Clock(
                ClockEvent::ClockLeapt { .. } | ClockEvent::ClockSet { .. } | ClockEvent::DayBegan { .. },
            )
            | Happened::Outbound(OutboundEvent::ReceiptParked)
            | Happened::Agent(AgentEvent::StartBlocked { .. }) => {}
        }
    }

    fn follow_interaction(&mut self, event: &Event, what: &InteractionEvent, config: &ChannelConfig) {
        let own_time = self.own_time(event.at);
        match what {
            InteractionEvent::InteractionOpened { interaction, customer, opted_out, .. } => {
                assert!(self.used_interactions.insert(*interaction), "an id was used twice: {event:?}");
                let heard = self.customer(*customer);
                assert_eq!((heard.open.replace(*interaction), heard.opted_out), (None, *opted_out), "{event:?}");
                self.interactions.insert(
                    *interaction,
                    Told {
                        customer: *customer,
                        arrived_at: event.at,
                        owner: None,
                        queued: false,
                        requeued: false,
                        epoch: Epoch::default(),
                        entered: None,
                        sampled: false,
                        active_at: own_time,
                        queued_at: 0,
                        timed_out: false,
                        previous: None,
                        bot: None,
                        priority: 0,
                        finished_by: None,
                        came_back: false,
                        met_bot: false,
                        transfer: None,
                        offers: 0,
                        offer: None,
                        in_vain: BTreeMap::new(),
                    },
                );
            }
            InteractionEvent::InteractionQueued { interaction, measured, previous_agent } => {
                let customer = self.interactions[interaction].customer;
                let counts = self.customers[&customer].can_receive && !self.customers[&customer].opted_out;
                let returns = self.returns_to(customer, own_time, config);
                let told = self.interaction(*interaction);
                assert!(!told.queued && told.owner.is_none() && told.bot.is_none(), "{event:?}");
                told.came_back = told.finished_by.take().is_some();
                if told.came_back {
                    assert!(!measured, "its wait was counted: {event:?}");
                } else {
                    assert_eq!(*measured, counts, "{event:?}");
                    assert!(told.entered.is_none(), "{event:?}");
                    told.entered = Some(event.at);
                    told.sampled = !measured;
                }
                // What a bot talked to before had its previous agent then.
                let expected = if told.met_bot { told.previous.clone() } else { returns };
                assert_eq!(*previous_agent, expected, "{event:?}");
                (told.queued, told.queued_at, told.previous) = (true, own_time, previous_agent.clone());
                if !told.met_bot {
                    self.check_maximum(event, config);
                }
            }
            InteractionEvent::QueueTimedOut { interaction } => {
                let limit = config.max_queue.expect("there is a limit").as_nanos();
                let told = self.interaction(*interaction);
                assert!(told.queued && told.offer.is_none() && own_time - told.queued_at >= limit, "{event:?}");
                assert!(!std::mem::replace(&mut told.timed_out, true), "said twice: {event:?}");
            }
            InteractionEvent::InteractionOffered { .. }
            | InteractionEvent::OfferExtended { .. }
            | InteractionEvent::OfferDeclined { .. }
            | InteractionEvent::OfferWithdrawn { .. }
            | InteractionEvent::OfferRested { .. } => self.follow_offer(event, what, config),
            InteractionEvent::BotStarted { interaction, slot, previous_agent, .. } => {
                if *slot == BotSlot::OnStart {
                    self.met_bot(self.interactions[interaction].customer, event.at);
                    let customer = self.interactions[interaction].customer;
                    assert_eq!(*previous_agent, self.returns_to(customer, own_time, config), "{event:?}");
                }
                if *slot == BotSlot::OnEnd {
                    self.sample(*interaction, SampleResult::NoReply, event.at, config);
                }
                self.follow_bot(event, what, config);
                if *slot != BotSlot::OnQueueTimeout {
                    let told = self.interaction(*interaction);
                    (told.previous, told.met_bot) = (previous_agent.clone(), true);
                }
                if *slot == BotSlot::OnStart {
                    self.check_maximum(event, config);
                }
            }
            InteractionEvent::BotStepped { .. }
            | InteractionEvent::BotTimedOut { .. }
            | InteractionEvent::BotEnded { .. } => self.follow_bot(event, what, config),
            InteractionEvent::BotNoted { interaction, .. } => {
                assert!(self.interaction(*interaction).bot.is_some(), "{event:?}");
            }
            InteractionEvent::TransferStarted { .. } | InteractionEvent::TransferEnded { .. } => {
                self.follow_transfer(event, what, config);
            }
            InteractionEvent::InteractionAssigned { interaction, user, epoch, offer, previous, from, by, .. } => {
                match offer {
                    Some(offer) => self.accepted(*interaction, *offer, user),
                    None if by.is_some() => {
                        let by = by.as_ref().unwrap();
                        let online = self.seen.contains(user) && !self.offline_since.contains_key(user);
                        assert!(config.supervisors.contains(by) && online, "{event:?}");
                        assert!(user == by || (self.present.contains(user) && config.members.get(user).is_some()));
                        assert_ne!(from.as_ref(), Some(user));
                    }
                    None if self.interactions[interaction].stands() => {
                        self.is_next(*interaction, std::slice::from_ref(user), *previous, config);
                    }
                    // The agent wrote first.
                    None => {}
                }
                let was_asked = offer.is_some();
                self.taken(*interaction, from.as_ref(), by.is_some());
                if config.service_level.answered_by == AnsweredBy::Accept {
                    self.sample(*interaction, SampleResult::Answered, event.at, config);
                }
                self.assigned(*interaction, user, *epoch, was_asked || by.is_some(), config);
                self.see(user, own_time);
                self.touch(Some(*interaction), own_time);
            }
            InteractionEvent::InteractionRequeued { interaction, user, epoch, reason } => {
                match reason {
                    RequeueReason::OwnerOffline => assert!(self.away(user, event.at) >= AWAY_LIMIT, "{event:?}"),
                    RequeueReason::OwnerRemoved => assert!(!config.serves(user)),
                }
                let told = self.interaction(*interaction);
                assert_eq!((told.owner.take().as_ref(), told.epoch.next()), (Some(user), *epoch), "{event:?}");
                assert!(told.transfer.is_none() && told.in_vain.is_empty() && told.offer.is_none());
                (told.queued, told.requeued, told.epoch, told.queued_at) = (true, true, *epoch, own_time);
            }
            InteractionEvent::InteractionClosed { interaction, reason, owner, .. } => {
                self.closed(*interaction, *reason, owner.as_ref(), event.at, config);
            }
            InteractionEvent::NoteAdded { interaction, .. } => {
                self.interaction(*interaction);
            }
            InteractionEvent::ServiceLevelSampled { interaction, result, in_target, .. } => {
                self.told_samples.push((event.at, *interaction, *result, *in_target));
            }
        }
    }

    /// Whom a customer had so short a time ago that they come first.
    fn returns_to(&self, customer: CustomerId, own_time: i128, config: &ChannelConfig) -> Option<UserId> {
        let (user, ended) = self.customers[&customer].last_agent.as_ref()?;
        let returns = config.session_reopen.is_some_and(|within| own_time - ended <= within.as_nanos());
        returns.then(|| user.clone())
    }

    /// One more comes: no more wait, or are on their way to the queue, than may.
    fn check_maximum(&self, event: &Event, config: &ChannelConfig) {
        let counts = |told: &&Told| (told.queued && !told.requeued && !told.came_back) || told.is_before_queue();
        let waiting = self.interactions.values().filter(counts).count();
        let maximum = config.max_queued.map_or(usize::MAX, |maximum| maximum.get() as usize);
        assert!(waiting <= maximum, "more than may wait: {event:?}");
    }

    /// Nanoseconds for which the channel was enabled: the time that its timers measure.
    pub(super) fn own_time(&self, now: Timestamp) -> i128 {
        let since = self.switched_at.map_or(0, Timestamp::as_nanosecond);
        self.enabled_for + if self.disabled { 0 } else { now.as_nanosecond() - since }
    }

    /// An agent who was never online is offline from when they are first heard of.
    pub(super) fn see(&mut self, user: &UserId, own_time: i128) {
        if self.seen.insert(user.clone()) {
            self.offline_since.insert(user.clone(), own_time);
        }
    }

    fn touch(&mut self, interaction: Option<InteractionId>, own_time: i128) {
        if let Some(told) = interaction.and_then(|id| self.interactions.get_mut(&id)) {
            told.active_at = own_time;
        }
    }

    pub(super) fn away(&self, user: &UserId, now: Timestamp) -> i128 {
        self.offline_since.get(user).map_or(0, |since| self.own_time(now) - since)
    }

    /// Nobody keeps an interaction who was away for 300 s, and none is kept that was silent for too long.
    pub(super) fn check_timers(&self, config: &ChannelConfig, now: Timestamp) {
        for told in self.interactions.values() {
            let limit = config.max_queue.filter(|_| told.queued && told.offer.is_none() && !told.timed_out);
            let waits = self.own_time(now) - told.queued_at;
            assert!(limit.is_none_or(|limit| waits < limit.as_nanos()), "waits for too long: {told:?}");
            let Some(owner) = &told.owner else { continue };
            let silent = self.own_time(now) - told.active_at;
            assert!(silent < config.session_idle.as_nanos(), "silent for too long: {told:?}");
            assert!(self.away(owner, now) < AWAY_LIMIT, "{owner} is away for too long");
        }
        self.check_offers(config, now);
        self.check_transfers(config, now);
        self.check_bots(now);
        self.check_parts(now);
        self.check_waiting(config);
    }

    pub(super) fn customer(&mut self, id: CustomerId) -> &mut Heard {
        self.customers.get_mut(&id).expect("the customer was added")
    }

    pub(super) fn interaction(&mut self, id: InteractionId) -> &mut Told {
        self.interactions.get_mut(&id).expect("the interaction is open")
    }

    fn inbound(
        &mut self,
        message: MessageId,
        customer: CustomerId,
        outcome: InboundOutcome,
        interaction: Option<InteractionId>,
    ) {
        assert!(self.inbound.insert(message) && !self.messages.contains_key(&message), "an id was used twice");
        let open = self.customer(customer).open;
        // Exactly one place: the open interaction, a new one (opened just before), or none when it is rejected.
        match outcome {
            InboundOutcome::Blocked | InboundOutcome::QueueFull => assert_eq!(interaction, None),
            InboundOutcome::Joined | InboundOutcome::Queued | InboundOutcome::Bot | InboundOutcome::OutOfHours => {
                assert!(
                    interaction.is_some() && interaction == open,
                    "{outcome:?} in {interaction:?}, open is {open:?}"
                );
            }
            InboundOutcome::OptedOut | InboundOutcome::OptedIn | InboundOutcome::Help | InboundOutcome::Disabled => {
                assert_eq!(interaction, open);
            }
        }
        let rejected =
            matches!(outcome, InboundOutcome::Blocked | InboundOutcome::QueueFull | InboundOutcome::OutOfHours);
        assert!(
            !(self.disabled
                && matches!(outcome, InboundOutcome::Queued | InboundOutcome::Bot | InboundOutcome::Joined))
        );
        assert!(!(rejected && outcome == InboundOutcome::QueueFull && open.is_some()));
    }

    fn assigned(&mut self, id: InteractionId, user: &UserId, epoch: Epoch, was_asked: bool, config: &ChannelConfig) {
        assert!(!self.disabled, "assigned while disabled");
        let told = self.interaction(id);
        assert_eq!((&told.owner, told.epoch.next()), (&None, epoch), "one owner");
        assert!(told.offer.take().is_none() || was_asked, "who is asked accepts");
        (told.owner, told.queued, told.epoch) = (Some(user.clone()), false, epoch);
        assert!(told.bot.is_none(), "a bot talks to the customer");
        told.in_vain.clear();
        (told.previous, told.finished_by) = (None, None);
        let has = |told: &&Told| {
            let is_asked = told.offer.as_ref().is_some_and(|offer| offer.to.contains(user));
            told.owner.as_ref() == Some(user) || is_asked || told.goes_to(user)
        };
        let slots = self.interactions.values().filter(has).count();
        assert!(config.serves(user), "only members and supervisors have interactions");
        // An offer keeps the slot that it took, also when the member's limit becomes less meanwhile.
        let most = config.members.get(user).map_or(0, |member| member.max_interactions as usize);
        assert!(was_asked || slots <= most, "{user} had {slots} before");
    }

    fn closed(
        &mut self,
        id: InteractionId,
        reason: CloseReason,
        owner: Option<&UserId>,
        at: Timestamp,
        config: &ChannelConfig,
    ) {
        if reason == CloseReason::Idle {
            assert!(!self.disabled, "timers stand still while disabled");
            let silent = self.own_time(at) - self.interactions[&id].active_at;
            assert!(silent >= config.session_idle.as_nanos(), "closed after {silent} ns");
            self.sample(id, SampleResult::Unanswered, at, config);
        }
        if matches!(reason, CloseReason::Finished | CloseReason::BySupervisor) {
            self.sample(id, SampleResult::NoReply, at, config);
        }
        if reason == CloseReason::QueueTimeout {
            self.sample(id, SampleResult::Unanswered, at, config);
        }
        let told = self.interactions.remove(&id).expect("it is open");
        assert!(told.bot.is_none() && told.transfer.is_none());
        assert_eq!(told.owner.as_ref().or(told.finished_by.as_ref()), owner);
        let ended_at = self.own_time(at);
        let heard = self.customer(told.customer);
        assert_eq!(heard.open.take(), Some(id));
        if let Some(owner) = owner {
            heard.last_agent = Some((owner.clone(), ended_at));
        }
        match reason {
            CloseReason::Finished | CloseReason::Idle => assert!(owner.is_some()),
            CloseReason::BySupervisor => {}
            CloseReason::OutOfHours => assert!(told.entered.is_none()),
            CloseReason::OptedOut => assert!(told.owner.is_none() && self.customers[&told.customer].opted_out),
            CloseReason::BotFinished => assert!(told.met_bot && told.entered.is_none()),
            CloseReason::QueueTimeout => assert!(told.queued && told.timed_out),
        }
    }

    fn opted_out(&mut self, id: CustomerId, by: &OptOutBy, at: Timestamp, config: &ChannelConfig) {
        let heard = self.customer(id);
        assert!(!heard.opted_out, "recorded twice");
        heard.opted_out = true;
        heard.confirmations_owed = u32::from(matches!(by, OptOutBy::Keyword { .. }));
        if let Some(open) = heard.open {
            self.sample(open, SampleResult::Abandoned, at, config);
        }
        match by {
            OptOutBy::Keyword { message } => assert!(self.inbound.contains(message), "{by:?}"),
            OptOutBy::Provider { message } => {
                assert!(self.inbound.contains(message) || self.messages.contains_key(message), "{by:?}");
            }
            OptOutBy::Import { user, since } => {
                assert!(config.supervisors.contains(user) && *since <= at, "{by:?} at {at}");
                self.imported += 1;
            }
        }
    }

    fn replied(&mut self, id: InteractionId, user: &UserId, at: Timestamp, config: &ChannelConfig) {
        assert_eq!(self.interaction(id).owner.as_ref(), Some(user), "only the owner replies");
        assert!(!self.disabled);
        self.sample(id, SampleResult::Answered, at, config);
    }

    /// Interactions that are open, and their owners.
    pub(super) fn owners(&self) -> BTreeMap<InteractionId, Option<UserId>> {
        self.interactions.iter().map(|(id, told)| (*id, told.owner.clone())).collect()
    }

    /// How many different messages of customers were recorded.
    pub(super) fn recorded(&self) -> usize {
        self.inbound.len()
    }
}
