//! How an event changes the state. Total: every event can be applied to every state, so that a replay never fails.

mod agents;
mod bots;
mod customers;
mod interactions;
mod offers;
mod parts;
mod today;
mod transfers;

use jiff::{SignedDuration, Timestamp};

use self::{
    agents::apply_to_agent,
    customers::{apply_to_customer, with_customer},
    interactions::apply_to_interaction,
};
use super::{
    agent::Connection,
    clock::{Leap, SetBack},
    customer::Customer,
    delivery::MessageStatus,
    event::{ClockEvent, EngineEvent, Event, Happened, InboundEvent, InboundOutcome, OutboundEvent, Purpose},
    ids::{AssemblyId, Attempt, CustomerId, InteractionId, MessageId, NoteId, UserId},
    outbox::Outbound,
    random::Seed,
    state::State,
};

/// Changes the state as the event says. What the event names and the state does not hold is left alone.
pub fn apply(state: &mut State, event: &Event) {
    let at = event.at.max(state.scalars.last);
    state.scalars.last = at;
    today::count(state, &event.what, at);
    match &event.what {
        Happened::Engine(event) => apply_to_engine(state, event),
        Happened::Clock(event) => apply_to_clock(state, event, at),
        Happened::Customer(event) => apply_to_customer(state, event),
        Happened::Inbound(event) => apply_inbound(state, event, at),
        Happened::Interaction(event) => apply_to_interaction(state, event, at),
        Happened::Outbound(event) => apply_to_outbox(state, event, at),
        Happened::Agent(event) => apply_to_agent(state, event, at),
    }
}

fn apply_to_engine(state: &mut State, event: &EngineEvent) {
    match event {
        EngineEvent::EngineStarted { ids_from } => engine_started(state, *ids_from),
        EngineEvent::ConfigApplied { paced_until, .. } => {
            state.scalars.paced_until = paced_until.unwrap_or(state.scalars.paced_until);
        }
        EngineEvent::StorageAccepted { next_customer, next_interaction, next_message, next_note } => {
            state.scalars.next_customer = *next_customer;
            state.scalars.next_interaction = *next_interaction;
            state.scalars.next_message = *next_message;
            state.scalars.next_note = *next_note;
        }
    }
}

fn apply_to_clock(state: &mut State, event: &ClockEvent, at: Timestamp) {
    match event {
        ClockEvent::ClockLeapt { millis } => {
            let by = SignedDuration::from_millis(i64::try_from(*millis).unwrap_or(i64::MAX));
            state.scalars.clock.skip(by);
            state.scalars.leap = Some(Leap::after(state.scalars.leap, by, at));
        }
        ClockEvent::ClockSet { to } => clock_set(state, *to, at),
        ClockEvent::Disabled => state.scalars.clock.stop(at),
        ClockEvent::DayBegan { on } => state.day_began(*on),
        ClockEvent::Enabled => state.scalars.clock.go_on(at),
    }
}

fn apply_inbound(state: &mut State, event: &InboundEvent, at: Timestamp) {
    match event {
        InboundEvent::InboundRecorded { message, interaction, outcome, parts, .. } => {
            message_added(state, *message);
            if let Some(assembly) = parts.as_ref().and_then(|parts| parts.assembly) {
                state.take_assembly(assembly);
            }
            touch(state, *interaction, at);
            // What does not join it is no answer: a call for help, or a text while the channel is disabled.
            let joined = interaction.filter(|_| *outcome == InboundOutcome::Joined);
            if let Some(id) = joined.filter(|id| state.interaction(*id).is_some_and(|it| it.bot().is_some())) {
                state.with_interaction(id, |interaction| {
                    if let Some(run) = interaction.bot_mut() {
                        run.answer(*message);
                    }
                });
            }
        }
        InboundEvent::PartKept { .. } => parts::kept(state, event, at),
        InboundEvent::PartsTimedOut { assembly } => parts::timed_out(state, *assembly),
        InboundEvent::InboundDuplicated { .. } | InboundEvent::PartRepeated { .. } => {}
    }
}

fn clock_set(state: &mut State, to: Timestamp, at: Timestamp) {
    state.scalars.leap = None;
    state.scalars.clock_settings += 1;
    if to < at {
        state.set_back(SetBack { to, by: at.duration_since(to) });
    }
    state.scalars.last = to;
}

fn engine_started(state: &mut State, ids_from: u64) {
    let scalars = &mut state.scalars;
    scalars.next_customer = scalars.next_customer.max(CustomerId(ids_from));
    scalars.next_interaction = scalars.next_interaction.max(InteractionId(ids_from));
    scalars.next_message = scalars.next_message.max(MessageId(ids_from));
    scalars.next_note = scalars.next_note.max(NoteId(ids_from));
    scalars.next_assembly = scalars.next_assembly.max(AssemblyId(ids_from));
    scalars.seed = Seed::of(ids_from);
    let since = state.scalars.clock.at(state.scalars.last);
    let users: Vec<UserId> = state.agents.keys().cloned().collect();
    for user in users {
        state.with_agent(&user, |agent| agent.connection = Connection::Offline { since: Some(since) });
    }
    parts::wait_after_start(state, since);
}

fn message_added(state: &mut State, message: MessageId) {
    state.scalars.next_message = state.scalars.next_message.max(message.next());
}

/// A message belongs to the interaction: its idle time begins anew.
fn touch(state: &mut State, interaction: Option<InteractionId>, at: Timestamp) {
    let active_at = state.scalars.clock.at(at);
    if let Some(id) = interaction {
        state.touch(id, active_at);
    }
}

fn apply_to_outbox(state: &mut State, event: &OutboundEvent, at: Timestamp) {
    match event {
        OutboundEvent::OutboundCommitted { message, customer, interaction, purpose, segments, .. } => {
            message_added(state, *message);
            touch(state, *interaction, at);
            with_customer(state, *customer, |customer| notice_given(customer, purpose, at));
            if let (Purpose::Reply { .. }, Some(id)) = (purpose, interaction) {
                state.with_interaction(*id, |interaction| interaction.unreplied_since = None);
            }
            state.outbox.put(Outbound {
                message: *message,
                customer: *customer,
                interaction: *interaction,
                purpose: purpose.clone(),
                segments: *segments,
                attempt: Attempt::default(),
                sending_until: None,
                reached: None,
                resend: false,
            });
        }
        OutboundEvent::AttemptStarted { message, attempt, deadline, paced_until } => {
            state.scalars.paced_until = *paced_until;
            state.scalars.last_attempted = Some(*message);
            state.outbox.change(*message, |outbound| {
                outbound.attempt = *attempt;
                outbound.sending_until = Some(*deadline);
            });
        }
        OutboundEvent::AttemptNotSent { message, hold_until, paced_until, .. } => {
            state.scalars.hold_until = *hold_until;
            state.scalars.paced_until = *paced_until;
            state.scalars.last_attempted = None;
            state.outbox.change(*message, |outbound| outbound.sending_until = None);
        }
        OutboundEvent::ResendRequested { message, customer, interaction, purpose, segments, attempt, .. } => {
            state.outbox.put(Outbound {
                message: *message,
                customer: *customer,
                interaction: Some(*interaction),
                purpose: purpose.clone(),
                segments: *segments,
                attempt: *attempt,
                sending_until: None,
                reached: Some(MessageStatus::Unknown),
                resend: true,
            });
        }
        OutboundEvent::AttemptEnded { message, .. } | OutboundEvent::OutboundCanceled { message, .. } => {
            state.outbox.remove(*message);
        }
        OutboundEvent::ReceiptApplied { message, status } => {
            // A receipt for a message that is not at the gateway says that it was sent after all: it must not go again.
            if state.outbox.get(*message).is_some_and(Outbound::is_in_flight) {
                state.outbox.change(*message, |outbound| outbound.reached = Some(*status));
            } else {
                state.outbox.remove(*message);
            }
        }
        OutboundEvent::ReceiptParked => {}
    }
}

fn notice_given(customer: &mut Customer, purpose: &Purpose, at: Timestamp) {
    match purpose {
        Purpose::OutOfHours => customer.out_of_hours_text_at = Some(at),
        Purpose::QueueFull => customer.queue_full_text_at = Some(at),
        Purpose::Reply { .. }
        | Purpose::Start { .. }
        | Purpose::OptOutConfirmation
        | Purpose::OptInConfirmation
        | Purpose::Help
        | Purpose::Bot => {}
    }
}
