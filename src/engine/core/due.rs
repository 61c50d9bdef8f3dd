//! What follows from time and from what is open, one thing after the other.

use jiff::Timestamp;

use super::{
    bot_lifecycle,
    bot_run::BotSlot,
    closing,
    event::{
        ClockEvent, CloseReason, Event, Happened, InboundEvent, InteractionEvent, RequeueReason, SampleResult,
        TransferEndReason, WithdrawalReason,
    },
    ids::InteractionId,
    interaction::Interaction,
    offering,
    outbox::Outbound,
    presence, queue, sending, service_level,
    state::State,
    timers::Timer,
    transferring,
};

/// The next thing that is due: the events of one step, empty when nothing is. Apply them and ask again.
pub fn due(state: &State, now: Timestamp) -> Vec<Event> {
    let now = now.max(state.scalars.last);
    switched(state)
        .or_else(|| ended(state, now))
        .or_else(|| offering::extend(state).map(|what| vec![what.into()]))
        .or_else(|| queue::give_next(state, now))
        .or_else(|| sending::attempt_next(state, now).map(|what| vec![what.into()]))
        .unwrap_or_default()
        .into_iter()
        .map(|what| Event { at: now, what })
        .collect()
}

/// The channel was disabled or enabled: its time stops or goes on.
fn switched(state: &State) -> Option<Vec<Happened>> {
    match (state.config.enabled, state.scalars.clock.is_stopped()) {
        (true, true) => Some(vec![ClockEvent::Enabled.into()]),
        (false, false) => Some(vec![ClockEvent::Disabled.into()]),
        (true, false) | (false, true) => None,
    }
}

/// The first timer has ended.
fn ended(state: &State, now: Timestamp) -> Option<Vec<Happened>> {
    let (_, timer) = state.timers.first().filter(|(at, _)| *at <= state.scalars.clock.at(now))?;
    match timer {
        Timer::OffersAway(user) => {
            let withdrawn = offering::withdraw(state, user, WithdrawalReason::AgentOffline);
            Some(withdrawn.into_iter().map(Happened::from).collect())
        }
        Timer::AgentAway(user) => {
            let released = presence::release(state, user, RequeueReason::OwnerOffline);
            Some(released.into_iter().map(Happened::from).collect())
        }
        Timer::OfferTimedOut(id) => offering::timed_out(state, state.interaction(*id)?, now),
        Timer::OfferRested(id) => {
            let users = state.interaction(*id)?.asked_in_vain.rested(state.scalars.clock.at(now));
            Some(vec![InteractionEvent::OfferRested { interaction: *id, users }.into()])
        }
        Timer::TransferTimedOut(id) => {
            Some(vec![transferring::ended(state.interaction(*id)?, TransferEndReason::TimedOut)?.into()])
        }
        Timer::QueueTimedOut(id) => Some(queue_timed_out(state, state.interaction(*id)?)),
        Timer::BotTimedOut(id) => Some(vec![InteractionEvent::BotTimedOut { interaction: *id }.into()]),
        Timer::InteractionIdle(id) => idle(state, *id, now),
        Timer::PartsTimedOut(assembly) => Some(vec![InboundEvent::PartsTimedOut { assembly: *assembly }.into()]),
    }
}

/// An interaction has waited for too long; the channel may have a bot for that.
fn queue_timed_out(state: &State, interaction: &Interaction) -> Vec<Happened> {
    let timed_out = InteractionEvent::QueueTimedOut { interaction: interaction.id };
    let may_meet =
        state.customer(interaction.customer).is_some_and(|customer| bot_lifecycle::may_meet(state, customer));
    let bot = state.config.bots.on_queue_timeout.as_ref().filter(|_| may_meet);
    let started = bot.map(|bot| bot_lifecycle::started(interaction.id, BotSlot::OnQueueTimeout, bot, None, None));
    [timed_out].into_iter().chain(started).map(Happened::from).collect()
}

/// An interaction that an agent has was silent for too long. What nobody has is never closed for it.
fn idle(state: &State, id: InteractionId, now: Timestamp) -> Option<Vec<Happened>> {
    let interaction = state.interaction(id)?;
    let sample = service_level::sampled(state, interaction, SampleResult::Unanswered, now);
    // No bot runs in what an agent has.
    let transfer = transferring::ended(interaction, TransferEndReason::Closed);
    let closed = closing::closed(interaction, CloseReason::Idle);
    Some(sample.into_iter().chain(transfer).chain([closed]).map(Happened::from).collect())
}

impl State {
    /// The messages that are at the gateway, or should be: each is handed over with its attempt, once, and after a restart once
    /// more with the same attempt, which the gateway recognizes. Empty while the storage is not accepted.
    pub fn in_flight(&self) -> impl Iterator<Item = &Outbound> {
        self.outbox.at_gateway().filter(|_| self.storage_accepted)
    }

    /// When something is due next, if nothing comes before. Not after a change of the hours, which makes nothing due.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let timer = self.timers.first().and_then(|(at, _)| self.scalars.clock.when(*at));
        [timer, sending::next_attempt_at(self)].into_iter().flatten().min()
    }
}
