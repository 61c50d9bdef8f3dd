//! What happened today in any history, counted once more from all events: slowly, and by other means than the state machine's own.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::engine::core::{
    config::ChannelConfig,
    event::{ClockEvent, CloseReason, Event, Happened, Origin, Purpose, SampleResult},
    event::{InboundEvent, InteractionEvent, OutboundEvent, TransferEndReason, WithdrawalReason},
    figures::{AgentCounts, ChannelCounts, Measured},
    ids::{InteractionId, UserId},
    state::State,
};

/// Who had what, and since when.
#[derive(Default)]
struct Had {
    owner: Option<(UserId, Timestamp)>,
    queued: Option<Timestamp>,
    started_by_agent: bool,
}

/// The figures of the last day that began.
#[derive(Default)]
struct Recount {
    had: BTreeMap<InteractionId, Had>,
    on: Option<Date>,
    channel: ChannelCounts,
    agents: BTreeMap<UserId, AgentCounts>,
}

fn add(to: &mut Measured, from: Timestamp, until: Timestamp) {
    to.count += 1;
    to.millis += u64::try_from(until.duration_since(from).max(SignedDuration::ZERO).as_millis()).unwrap();
}

impl Recount {
    fn agent(&mut self, user: &UserId) -> &mut AgentCounts {
        self.agents.entry(user.clone()).or_default()
    }

    fn had(&mut self, id: InteractionId) -> &mut Had {
        self.had.entry(id).or_default()
    }

    /// Whoever had it has it no more.
    fn lost(&mut self, id: InteractionId, at: Timestamp) -> Option<UserId> {
        let (user, since) = self.had(id).owner.take()?;
        add(&mut self.agent(&user).handled, since, at);
        Some(user)
    }

    fn follow(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            Happened::Clock(ClockEvent::DayBegan { on }) => {
                assert_ne!(self.on.replace(*on), Some(*on), "a day begins once");
                (self.channel, self.agents) = Default::default();
            }
            Happened::Inbound(InboundEvent::InboundRecorded { .. }) => self.channel.texts += 1,
            Happened::Outbound(OutboundEvent::OutboundCommitted {
                interaction: Some(id),
                purpose: Purpose::Reply { user },
                ..
            }) => {
                self.channel.replies += 1;
                self.agent(user).replies += 1;
                if let Some(queued) = self.had(*id).queued.take() {
                    add(&mut self.channel.first_replies, queued, at);
                    add(&mut self.agent(user).first_replies, queued, at);
                }
            }
            Happened::Interaction(what) => self.follow_interaction(what, at),
            _ => {}
        }
    }

    fn follow_interaction(&mut self, what: &InteractionEvent, at: Timestamp) {
        match what {
            InteractionEvent::InteractionOpened { interaction, origin, .. } => match origin {
                Origin::Customer => self.channel.opened += 1,
                Origin::Agent { user } => {
                    self.had(*interaction).started_by_agent = true;
                    self.channel.started += 1;
                    self.agent(user).started += 1;
                }
            },
            InteractionEvent::InteractionQueued { interaction, measured, .. } => {
                self.had(*interaction).queued = measured.then_some(at);
            }
            InteractionEvent::InteractionAssigned { interaction, user, from, by, .. } => {
                assert_eq!(self.lost(*interaction, at), *from);
                if let Some(from) = from.as_ref().filter(|_| by.is_none()) {
                    self.agent(from).transferred += 1;
                }
                let had = self.had(*interaction);
                had.owner = Some((user.clone(), at));
                if !std::mem::take(&mut had.started_by_agent) {
                    self.agent(user).taken += 1;
                }
            }
            InteractionEvent::InteractionRequeued { interaction, user, .. } => {
                assert_eq!(self.lost(*interaction, at).as_ref(), Some(user));
            }
            InteractionEvent::OfferDeclined { user, .. } => self.agent(user).declined += 1,
            InteractionEvent::OfferWithdrawn { users, reason: WithdrawalReason::TimedOut, .. } => {
                users.iter().for_each(|user| self.agent(user).missed += 1);
            }
            InteractionEvent::TransferEnded { to: Some(user), reason, .. } => match reason {
                TransferEndReason::Declined => self.agent(user).declined += 1,
                TransferEndReason::TimedOut => self.agent(user).missed += 1,
                _ => {}
            },
            InteractionEvent::BotStarted { interaction, finished: Some(by), .. } => {
                assert_eq!(self.lost(*interaction, at).as_ref(), Some(&by.owner));
                self.agent(&by.owner).finished += 1;
            }
            InteractionEvent::InteractionClosed { interaction, reason, .. } => {
                self.channel.closed += 1;
                if let Some(owner) = self.lost(*interaction, at).filter(|_| *reason == CloseReason::Finished) {
                    self.agent(&owner).finished += 1;
                }
            }
            InteractionEvent::ServiceLevelSampled { interaction, result, in_target, .. } => {
                let samples = &mut self.channel.samples;
                let in_target = u64::from(*in_target);
                match result {
                    SampleResult::Answered => {
                        samples.answered += 1;
                        samples.answered_in_target += in_target;
                        let (owner, _) = self.had(*interaction).owner.clone().expect("who answers has it");
                        self.agent(&owner).answered += 1;
                    }
                    SampleResult::Abandoned => {
                        samples.abandoned += 1;
                        samples.abandoned_in_target += in_target;
                    }
                    SampleResult::NoReply => {
                        samples.no_reply += 1;
                        samples.no_reply_in_target += in_target;
                    }
                    SampleResult::Unanswered => samples.unanswered += 1,
                }
            }
            _ => {}
        }
    }
}

/// The figures of the day of an instant are those that the events lead to.
pub(super) fn check(events: &[Event], state: &State, config: &ChannelConfig, now: Timestamp) {
    let mut recount = Recount::default();
    events.iter().for_each(|event| recount.follow(event));
    let on = config.schedule.date(now);
    let is_counted = recount.on == Some(on);
    let today = state.today(now);
    assert_eq!(today.channel.on, on);
    let expected = if is_counted { recount.channel } else { ChannelCounts::default() };
    assert_eq!(today.channel.counts, expected);
    let agents = if is_counted { recount.agents } else { BTreeMap::new() };
    assert_eq!(state.agents_today(now).cloned().unwrap_or_default(), agents);
    for (user, counts) in agents {
        assert_eq!(state.agent_today(&user, now), counts);
        assert_ne!(counts, AgentCounts::default(), "who did nothing is not kept");
    }
}
