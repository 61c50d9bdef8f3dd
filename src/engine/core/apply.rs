//! How an event changes the state. Total: every event can be applied to every state, so that a replay never fails.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    agent::{Completed, Connection},
    clock::{Leap, SetBack},
    customer::{Customer, LastAgent},
    event::{
        AgentEvent, ClockEvent, CloseReason, CustomerEvent, EngineEvent, Event, Happened, InboundEvent,
        InteractionEvent, Origin, OutboundEvent, Purpose, TransferEndReason, WithdrawalReason,
    },
    ids::{Attempt, CustomerId, Epoch, InteractionId, MessageId, NoteId, OfferId, UserId},
    interaction::{Interaction, Phase, Place},
    offer::{AskedInVain, Offer, Rest},
    outbox::Outbound,
    random::Seed,
    ranking::Turn,
    state::{Sample, State},
    transfer::{Recipient, Transfer},
};

/// Changes the state as the event says. What the event names and the state does not hold is left alone.
pub fn apply(state: &mut State, event: &Event) {
    let at = event.at.max(state.scalars.last);
    state.scalars.last = at;
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
        ClockEvent::Enabled => state.scalars.clock.go_on(at),
    }
}

fn apply_to_customer(state: &mut State, event: &CustomerEvent) {
    match event {
        CustomerEvent::CustomerAdded { customer, can_receive } => {
            state.scalars.next_customer = state.scalars.next_customer.max(customer.next());
            state.customers.insert(*customer, Customer::new(*customer, *can_receive));
        }
        CustomerEvent::OptedOut { customer, .. } => {
            with_customer(state, *customer, |customer| customer.opted_out = true);
        }
        CustomerEvent::OptedIn { customer, .. } => {
            with_customer(state, *customer, |customer| customer.opted_out = false);
        }
    }
}

fn apply_inbound(state: &mut State, event: &InboundEvent, at: Timestamp) {
    match event {
        InboundEvent::InboundRecorded { message, interaction, .. } => {
            message_added(state, *message);
            touch(state, *interaction, at);
        }
        InboundEvent::InboundDuplicated { .. } => {}
    }
}

fn apply_to_interaction(state: &mut State, event: &InteractionEvent, at: Timestamp) {
    match event {
        InteractionEvent::InteractionOpened { interaction, customer, origin, .. } => {
            interaction_opened(state, *interaction, *customer, origin, at);
        }
        InteractionEvent::InteractionQueued { interaction, measured, previous_agent } => {
            let own_since = state.scalars.clock.at(at);
            state.with_interaction(*interaction, |interaction| {
                interaction.phase =
                    Phase::Queued { place: Place::Tail(interaction.arrived_at), since: at, own_since, offer: None };
                interaction.waiting_since = measured.then_some(at);
                interaction.previous_agent.clone_from(previous_agent);
            });
        }
        InteractionEvent::InteractionAssigned { interaction, user, epoch, position, offer, .. } => {
            chosen(state, user, *position);
            assigned(state, *interaction, user, *epoch, *offer, at);
        }
        InteractionEvent::InteractionOffered { .. }
        | InteractionEvent::OfferExtended { .. }
        | InteractionEvent::OfferDeclined { .. }
        | InteractionEvent::OfferWithdrawn { .. }
        | InteractionEvent::OfferRested { .. } => apply_to_offer(state, event, at),
        InteractionEvent::QueueTimedOut { interaction } => {
            state.with_interaction(*interaction, |interaction| interaction.queue_timed_out = true);
        }
        InteractionEvent::TransferStarted { .. } | InteractionEvent::TransferEnded { .. } => {
            apply_to_transfer(state, event, at);
        }
        InteractionEvent::InteractionRequeued { interaction, epoch, .. } => {
            let own_since = state.scalars.clock.at(at);
            state.with_interaction(*interaction, |interaction| {
                let place = Place::Head(interaction.arrived_at);
                interaction.phase = Phase::Queued { place, since: at, own_since, offer: None };
                interaction.epoch = *epoch;
            });
        }
        InteractionEvent::InteractionClosed { interaction, reason, completed_on, .. } => {
            interaction_closed(state, *interaction, *reason, *completed_on, at);
        }
        InteractionEvent::ServiceLevelSampled { interaction, result, in_target, .. } => {
            state.with_interaction(*interaction, |interaction| interaction.waiting_since = None);
            let (interaction, result, in_target) = (*interaction, *result, *in_target);
            state.samples.push_back(Sample { interaction, at, result, in_target });
        }
        InteractionEvent::NoteAdded { note, .. } => {
            state.scalars.next_note = state.scalars.next_note.max(note.next());
        }
    }
}

fn apply_to_agent(state: &mut State, event: &AgentEvent, at: Timestamp) {
    match event {
        AgentEvent::AgentOnline { user } => state.with_agent(user, |agent| agent.connection = Connection::Online),
        AgentEvent::AgentOffline { user } => {
            let since = state.scalars.clock.at(at);
            state.with_agent(user, |agent| agent.connection = Connection::Offline { since: Some(since) });
        }
        AgentEvent::AgentPresenceSet { user, present, .. } => state.with_agent(user, |agent| {
            agent.present = *present;
            agent.missed = None;
        }),
        AgentEvent::StartBlocked { .. } => {}
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
    scalars.seed = Seed::of(ids_from);
    let since = state.scalars.clock.at(state.scalars.last);
    let users: Vec<UserId> = state.agents.keys().cloned().collect();
    for user in users {
        state.with_agent(&user, |agent| agent.connection = Connection::Offline { since: Some(since) });
    }
}

fn with_customer(state: &mut State, id: CustomerId, change: impl FnOnce(&mut Customer)) {
    if let Some(customer) = state.customers.get_mut(&id) {
        change(customer);
    }
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

fn interaction_opened(state: &mut State, id: InteractionId, customer: CustomerId, origin: &Origin, at: Timestamp) {
    state.scalars.next_interaction = state.scalars.next_interaction.max(id.next());
    with_customer(state, customer, |customer| customer.open = Some(id));
    let active_at = state.scalars.clock.at(at);
    state.put_interaction(Interaction {
        id,
        customer,
        origin: origin.clone(),
        arrived_at: at,
        phase: Phase::Opened,
        epoch: Epoch::default(),
        waiting_since: None,
        active_at,
        offers: 0,
        accepted: None,
        asked_in_vain: AskedInVain::default(),
        previous_agent: None,
        queue_timed_out: false,
    });
}

fn apply_to_offer(state: &mut State, event: &InteractionEvent, at: Timestamp) {
    match event {
        InteractionEvent::InteractionOffered { interaction, offer, users, timeout_seconds, position, previous } => {
            if let [user] = &users[..] {
                chosen(state, user, *position);
            }
            let until = state.scalars.clock.at(at).after(SignedDuration::from_secs((*timeout_seconds).into()));
            let to_all = position.is_none() && !previous;
            if let (true, Some(interaction)) = (to_all, state.interactions.get(interaction)) {
                // They may be asked too, after those who come before them.
                state.arrived.extend(interaction.asked_in_vain.0.keys().cloned());
            }
            let to: BTreeSet<UserId> = users.iter().cloned().collect();
            let (id, asked, timeout_seconds) = (*offer, to.clone(), *timeout_seconds);
            state.with_interaction(*interaction, |interaction| {
                interaction.offers = id.0;
                if let Some(offer) = interaction.offer_mut() {
                    *offer = Some(Offer { id, to, asked, to_all, until, timeout_seconds });
                }
            });
        }
        InteractionEvent::OfferExtended { interaction, users, .. } => {
            state.with_interaction(*interaction, |interaction| {
                if let Some(Some(offer)) = interaction.offer_mut() {
                    offer.to.extend(users.iter().cloned());
                    offer.asked.extend(users.iter().cloned());
                }
            });
        }
        InteractionEvent::OfferDeclined { interaction, user, .. } => {
            state.with_agent(user, |agent| agent.missed = None);
            offer_ended(state, *interaction, &BTreeSet::from([user]), true, at);
        }
        InteractionEvent::OfferWithdrawn { interaction, users, reason, .. } => {
            let is_missed = *reason == WithdrawalReason::TimedOut;
            let made = state.interaction(*interaction).and_then(Interaction::offer).map(Offer::made);
            if let (true, Some(made)) = (is_missed, made) {
                let now = state.scalars.clock.at(at);
                users.iter().for_each(|user| state.with_agent(user, |agent| agent.missed = agent.missing(made, now)));
            }
            offer_ended(state, *interaction, &users.iter().collect(), is_missed, at);
        }
        InteractionEvent::OfferRested { interaction, users } => {
            state.arrived.extend(users.iter().cloned());
            state.with_interaction(*interaction, |interaction| {
                for (_, rest) in interaction.asked_in_vain.0.iter_mut().filter(|(user, _)| users.contains(user)) {
                    rest.is_over = true;
                }
            });
        }
        _ => {}
    }
}

fn apply_to_transfer(state: &mut State, event: &InteractionEvent, at: Timestamp) {
    match event {
        InteractionEvent::TransferStarted { interaction, to, offer, timeout_seconds, .. } => {
            let now = state.scalars.clock.at(at);
            let until = timeout_seconds.map(|seconds| now.after(SignedDuration::from_secs(seconds.into())));
            let to = match (to, offer) {
                (Some(user), Some(offer)) => Recipient::Agent { user: user.clone(), offer: *offer },
                _ => Recipient::Queue { offer: None },
            };
            state.with_interaction(*interaction, |interaction| {
                if let Recipient::Agent { offer, .. } = &to {
                    interaction.offers = offer.0;
                }
                if let Phase::Active { transfer, .. } = &mut interaction.phase {
                    *transfer = Some(Transfer { to, until });
                }
            });
        }
        InteractionEvent::TransferEnded { interaction, to, reason } => {
            if let (TransferEndReason::Declined, Some(user)) = (reason, to) {
                state.with_agent(user, |agent| agent.missed = None);
            }
            state.with_interaction(*interaction, |interaction| {
                if let Phase::Active { transfer, .. } = &mut interaction.phase {
                    *transfer = None;
                    interaction.asked_in_vain = AskedInVain::default();
                }
            });
        }
        _ => {}
    }
}

/// These are asked no more. When nobody is, the offer was in vain, and those rest who could have accepted it. Who went is asked again when
/// they are back.
fn offer_ended(
    state: &mut State,
    interaction: InteractionId,
    users: &BTreeSet<&UserId>,
    could_accept: bool,
    at: Timestamp,
) {
    let now = state.scalars.clock.at(at);
    state.with_interaction(interaction, |interaction| {
        let Some(offer) = interaction.offer_mut() else { return };
        if let Some(offer) = offer {
            offer.to.retain(|user| !users.contains(user));
            offer.asked.retain(|user| could_accept || !users.contains(user));
        }
        if let Some(offer) = offer.take_if(|offer| offer.to.is_empty()) {
            let until = now.after(SignedDuration::from_secs(offer.timeout_seconds.into()));
            let rests = offer.asked.into_iter().map(|user| (user, Rest { until, is_over: false }));
            interaction.asked_in_vain.0.extend(rests);
        }
    });
}

/// A strategy chose this agent.
fn chosen(state: &mut State, user: &UserId, position: Option<u32>) {
    if let Some(position) = position {
        state.scalars.turn = Some(Turn { position, user: user.clone() });
        state.scalars.seed = state.scalars.seed.next();
    }
}

fn assigned(state: &mut State, id: InteractionId, user: &UserId, epoch: Epoch, offer: Option<OfferId>, at: Timestamp) {
    let active_at = state.scalars.clock.at(at);
    state.with_agent(user, |agent| {
        agent.last_assigned = Some(at);
        if offer.is_some() {
            agent.missed = None;
        }
    });
    state.with_interaction(id, |interaction| {
        interaction.phase = Phase::Active { owner: user.clone(), transfer: None };
        interaction.epoch = epoch;
        interaction.active_at = active_at;
        interaction.accepted = offer;
        interaction.asked_in_vain = AskedInVain::default();
        interaction.previous_agent = None;
    });
}

fn interaction_closed(
    state: &mut State,
    id: InteractionId,
    reason: CloseReason,
    completed_on: Option<Date>,
    at: Timestamp,
) {
    let Some(interaction) = state.remove_interaction(id) else { return };
    let owner = interaction.owner().cloned();
    let ended_at = state.scalars.clock.at(at);
    with_customer(state, interaction.customer, |customer| {
        if customer.open == Some(id) {
            customer.open = None;
        }
        if let Some(user) = &owner {
            customer.last_agent = Some(LastAgent { user: user.clone(), ended_at });
        }
    });
    if let (CloseReason::Finished, Some(owner)) = (reason, owner) {
        state.with_agent(&owner, |agent| {
            agent.last_finish = Some(at);
            if let Some(on) = completed_on {
                agent.completed = Some(Completed { on, count: agent.completed_on(on).saturating_add(1) });
            }
        });
    }
}

fn apply_to_outbox(state: &mut State, event: &OutboundEvent, at: Timestamp) {
    match event {
        OutboundEvent::OutboundCommitted { message, customer, interaction, purpose, segments, .. } => {
            message_added(state, *message);
            touch(state, *interaction, at);
            with_customer(state, *customer, |customer| notice_given(customer, purpose, at));
            state.outbox.put(Outbound {
                message: *message,
                customer: *customer,
                interaction: *interaction,
                purpose: purpose.clone(),
                segments: *segments,
                attempt: Attempt::default(),
                sending_until: None,
                receipt: None,
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
        OutboundEvent::AttemptEnded { message, .. } | OutboundEvent::OutboundCanceled { message } => {
            state.outbox.remove(*message);
        }
        OutboundEvent::ReceiptApplied { message, status } => {
            // A receipt for a message that is not at the gateway says that it was sent after all: it must not go again.
            if state.outbox.get(*message).is_some_and(Outbound::is_in_flight) {
                state.outbox.change(*message, |outbound| outbound.receipt = Some(*status));
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
        | Purpose::Help => {}
    }
}
