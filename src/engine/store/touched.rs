//! What a transaction changes of the open things: each row is written once, at its end, as the state has it then.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::{
    codec,
    error::{CommitError, StoreError},
    parts,
};
use crate::engine::core::{
    agent::Agent,
    customer::Customer,
    event::{
        AgentEvent, CloseReason, CustomerEvent, EngineEvent, Happened, InboundEvent, InteractionEvent, Origin,
        OutboundEvent, Purpose,
    },
    ids::{AssemblyId, CustomerId, DispositionName, Epoch, InteractionId, MessageId, UserId},
    interaction::{Interaction, Phase, Place},
    offer::Offer,
    state::State,
};

/// What the events of a transaction touched.
#[derive(Debug, Default)]
pub(super) struct Touched {
    customers: BTreeSet<CustomerId>,
    interactions: BTreeMap<InteractionId, Change>,
    agents: BTreeSet<UserId>,
    /// Whose figures of the day may be others.
    counted: BTreeSet<UserId>,
    /// Texts of which not all parts are there, or were.
    assemblies: BTreeSet<AssemblyId>,
    /// A start may have moved the end of each.
    all_assemblies: bool,
}

/// What happened to an interaction.
#[derive(Debug, Default)]
struct Change {
    opened: Option<Opened>,
    /// More than that it has another message.
    moved: bool,
    /// It may have been the first reply.
    replied: bool,
    epoch: Option<Epoch>,
    closed: Option<Closed>,
}

/// How an interaction began.
#[derive(Debug)]
struct Opened {
    customer: CustomerId,
    started_by: Option<UserId>,
    opted_out: bool,
    at: Timestamp,
    first_message: MessageId,
}

/// How an interaction ended.
#[derive(Debug)]
struct Closed {
    reason: CloseReason,
    owner: Option<UserId>,
    disposition: Option<DispositionName>,
    at: Timestamp,
    last_message: MessageId,
}

impl Touched {
    /// Adds what an event touches. The ids of its decision's messages are from `before` to below `after`.
    pub(super) fn note(&mut self, what: &Happened, at: Timestamp, before: MessageId, after: MessageId) {
        match what {
            Happened::Customer(CustomerEvent::OptedOut { customer, .. } | CustomerEvent::OptedIn { customer, .. }) => {
                self.customers.insert(*customer);
            }
            Happened::Inbound(InboundEvent::InboundRecorded { interaction, parts, .. }) => {
                self.has_message(*interaction);
                self.assemblies.extend(parts.as_ref().and_then(|parts| parts.assembly));
            }
            Happened::Inbound(InboundEvent::PartKept { assembly, .. } | InboundEvent::PartsTimedOut { assembly }) => {
                self.assemblies.insert(*assembly);
            }
            Happened::Engine(EngineEvent::EngineStarted { .. }) => self.all_assemblies = true,
            Happened::Outbound(OutboundEvent::OutboundCommitted { customer, interaction, purpose, .. }) => {
                self.customers.insert(*customer);
                self.has_message(*interaction);
                if let Purpose::Reply { user } = purpose {
                    self.counted.insert(user.clone());
                    interaction.iter().for_each(|id| self.interactions.entry(*id).or_default().replied = true);
                }
            }
            Happened::Interaction(event) => self.note_interaction(event, at, before, after),
            Happened::Agent(
                AgentEvent::AgentOnline { user }
                | AgentEvent::AgentOffline { user }
                | AgentEvent::AgentPresenceSet { user, .. },
            ) => {
                self.agents.insert(user.clone());
            }
            Happened::Engine(EngineEvent::ConfigApplied { .. } | EngineEvent::StorageAccepted { .. })
            | Happened::Clock(_)
            | Happened::Customer(CustomerEvent::CustomerAdded { .. })
            | Happened::Inbound(InboundEvent::InboundDuplicated { .. } | InboundEvent::PartRepeated { .. })
            | Happened::Outbound(
                OutboundEvent::AttemptStarted { .. }
                | OutboundEvent::AttemptNotSent { .. }
                | OutboundEvent::AttemptEnded { .. }
                | OutboundEvent::ResendRequested { .. }
                | OutboundEvent::OutboundCanceled { .. }
                | OutboundEvent::ReceiptApplied { .. }
                | OutboundEvent::ReceiptParked,
            )
            | Happened::Agent(AgentEvent::OptOutsImported { .. } | AgentEvent::StartBlocked { .. }) => {}
        }
    }

    fn note_interaction(&mut self, event: &InteractionEvent, at: Timestamp, before: MessageId, after: MessageId) {
        match event {
            InteractionEvent::InteractionOpened { interaction, customer, origin, opted_out } => {
                let started_by = match origin {
                    Origin::Customer => None,
                    Origin::Agent { user } => Some(user.clone()),
                };
                self.counted.extend(started_by.clone());
                let (customer, opted_out) = (*customer, *opted_out);
                self.moved(*interaction).opened =
                    Some(Opened { customer, started_by, opted_out, at, first_message: before });
            }
            InteractionEvent::BotStarted { interaction, finished, .. } => {
                // The customer has met one more, who began the interaction just before.
                let customer = self.moved(*interaction).opened.as_ref().map(|opened| opened.customer);
                self.customers.extend(customer);
                let finished_by = finished.as_ref().map(|by| by.owner.clone());
                self.counted.extend(finished_by.clone());
                self.agents.extend(finished_by);
            }
            InteractionEvent::InteractionQueued { interaction, .. }
            | InteractionEvent::BotStepped { interaction, .. }
            | InteractionEvent::BotTimedOut { interaction }
            | InteractionEvent::BotEnded { interaction, .. }
            | InteractionEvent::QueueTimedOut { interaction }
            | InteractionEvent::ServiceLevelSampled { interaction, .. } => {
                self.moved(*interaction);
            }
            InteractionEvent::InteractionAssigned { interaction, user, epoch, from, .. } => {
                self.moved(*interaction).epoch = Some(*epoch);
                self.agents.insert(user.clone());
                self.counted.extend([user].into_iter().chain(from).cloned());
            }
            InteractionEvent::InteractionRequeued { interaction, user, epoch, .. } => {
                self.moved(*interaction).epoch = Some(*epoch);
                self.agents.insert(user.clone());
                self.counted.insert(user.clone());
            }
            InteractionEvent::InteractionOffered { interaction, .. }
            | InteractionEvent::OfferExtended { interaction, .. }
            | InteractionEvent::OfferRested { interaction, .. } => {
                self.moved(*interaction);
            }
            InteractionEvent::TransferStarted { interaction, to, .. }
            | InteractionEvent::TransferEnded { interaction, to, .. } => {
                self.moved(*interaction);
                self.counted.extend(to.clone());
                self.agents.extend(to.clone());
            }
            InteractionEvent::OfferDeclined { interaction, user, .. } => {
                self.moved(*interaction);
                self.counted.insert(user.clone());
                self.agents.insert(user.clone());
            }
            InteractionEvent::OfferWithdrawn { interaction, users, .. } => {
                self.moved(*interaction);
                self.counted.extend(users.iter().cloned());
                self.agents.extend(users.iter().cloned());
            }
            InteractionEvent::InteractionClosed { interaction, reason, owner, disposition, .. } => {
                let last_message = MessageId(after.0.saturating_sub(1));
                let (reason, owner, disposition) = (*reason, owner.clone(), disposition.clone());
                self.counted.extend(owner.clone());
                self.agents.extend(owner.clone());
                self.moved(*interaction).closed = Some(Closed { reason, owner, disposition, at, last_message });
            }
            InteractionEvent::NoteAdded { .. } | InteractionEvent::BotNoted { .. } => {}
        }
    }

    fn has_message(&mut self, interaction: Option<InteractionId>) {
        if let Some(interaction) = interaction {
            self.interactions.entry(interaction).or_default();
        }
    }

    fn moved(&mut self, interaction: InteractionId) -> &mut Change {
        let change = self.interactions.entry(interaction).or_default();
        change.moved = true;
        change
    }

    /// Writes them as the state has them. Customers who were added are written already.
    pub(super) fn write(
        mut self,
        sql: &Connection,
        state: &State,
        is_added: impl Fn(CustomerId) -> bool,
    ) -> Result<(), CommitError> {
        for customer in self.customers.iter().filter(|id| !is_added(**id)).filter_map(|id| state.customer(*id)) {
            write_customer(sql, customer)?;
        }
        for (id, change) in &self.interactions {
            match (change, state.interaction(*id)) {
                // A bot may have been answered.
                (Change { moved: false, replied, .. }, Some(interaction))
                    if *replied || interaction.bot().is_some() =>
                {
                    write_interaction(sql, interaction)?;
                }
                // Its last activity is read from its messages.
                (Change { moved: false, .. }, _) => {}
                (Change { opened: Some(opened), closed: None, .. }, Some(interaction)) => {
                    insert_open(sql, interaction, opened)?;
                }
                (Change { opened: None, closed: None, .. }, Some(interaction)) => write_interaction(sql, interaction)?,
                (Change { opened: Some(opened), closed: Some(closed), epoch, .. }, _) => {
                    insert_closed(sql, state, *id, opened, closed, epoch.unwrap_or_default())?;
                }
                (Change { opened: None, closed: Some(closed), epoch, .. }, _) => {
                    close(sql, state, *id, closed, *epoch)?;
                }
                // The state has all that is open.
                (Change { closed: None, .. }, None) => {}
            }
        }
        if self.all_assemblies {
            self.assemblies.extend(state.assemblies().map(|assembly| assembly.id));
        }
        for assembly in &self.assemblies {
            parts::write_assembly(sql, state, *assembly)?;
        }
        for agent in self.agents.iter().filter_map(|user| state.agent(user)) {
            write_agent(sql, agent)?;
        }
        for (user, counts) in self.counted.iter().filter_map(|user| Some((user, state.counted(user)?))) {
            sql.prepare_cached("INSERT OR REPLACE INTO agent_today (user, counts) VALUES (?, ?)")?
                .execute(params![user.as_str(), json(Some(counts))?])?;
        }
        Ok(())
    }
}

fn write_customer(sql: &Connection, customer: &Customer) -> Result<(), CommitError> {
    sql.prepare_cached(
        "UPDATE customer
         SET can_receive = ?, opted_out = ?, out_of_hours_text_at = ?, queue_full_text_at = ?, last_agent = ?, last_ended_at = ?,
             met_bots_since = ?, met_bots = ?
         WHERE id = ?",
    )?
    .execute(params![
        customer.can_receive,
        customer.opted_out,
        customer.out_of_hours_text_at.map(codec::nanos),
        customer.queue_full_text_at.map(codec::nanos),
        customer.last_agent.as_ref().map(|last| last.user.as_str()),
        customer.last_agent.as_ref().map_or(0, |last| codec::nanos(last.ended_at.timestamp())),
        customer.met_bots.map(|met| codec::nanos(met.since)),
        customer.met_bots.map_or(0, |met| met.count),
        codec::column(customer.id.0),
    ])?;
    Ok(())
}

/// Name, whether it is at the head, and the place in the queue.
fn phase_columns(phase: &Phase) -> (&'static str, bool, Option<i64>) {
    match phase {
        Phase::Opened => ("Opened", false, None),
        Phase::Bot { .. } => ("Bot", false, None),
        Phase::Queued { place: Place::Head(_, at), .. } => ("Queued", true, Some(codec::nanos(*at))),
        Phase::Queued { place: Place::Tail(_, at), .. } => ("Queued", false, Some(codec::nanos(*at))),
        Phase::Active { .. } => ("Active", false, None),
    }
}

fn insert_open(sql: &Connection, interaction: &Interaction, opened: &Opened) -> Result<(), CommitError> {
    let (name, at_head, place_at) = phase_columns(&interaction.phase);
    sql.prepare_cached(
        "INSERT INTO interaction (id, customer, state, started_by, opted_out, arrived_at, at_head, place_at, queued_at, owner,
                                  epoch, waiting_since, active_at, first_message, offers, offer, accepted, asked_in_vain,
                                  previous_agent, queued_own_at, queue_timed_out, transfer, bot, finished, priority,
                                  unreplied_since, owned_since)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        codec::column(interaction.id.0),
        codec::column(opened.customer.0),
        name,
        opened.started_by.as_ref().map(UserId::as_str),
        opened.opted_out,
        codec::nanos(interaction.arrived_at),
        at_head,
        place_at,
        interaction.queued_since().map(codec::nanos),
        interaction.owner().map(UserId::as_str),
        interaction.epoch.0,
        interaction.waiting_since.map(codec::nanos),
        codec::nanos(interaction.active_at.timestamp()),
        codec::column(opened.first_message.0),
        codec::column(interaction.offers),
        json(queued_offer(interaction))?,
        interaction.accepted.map(|offer| codec::column(offer.0)),
        json(Some(&interaction.asked_in_vain).filter(|in_vain| !in_vain.0.is_empty()))?,
        interaction.previous_agent.as_ref().map(UserId::as_str),
        queued_own_at(interaction),
        interaction.queue_timed_out,
        json(interaction.transfer())?,
        json(interaction.bot())?,
        json(interaction.finished())?,
        interaction.priority,
        interaction.unreplied_since.map(codec::nanos),
        interaction.owned_since.map(codec::nanos),
    ])?;
    Ok(())
}

/// That of a transfer is stored with the transfer.
const fn queued_offer(interaction: &Interaction) -> Option<&Offer> {
    match &interaction.phase {
        Phase::Queued { offer, .. } => offer.as_ref(),
        Phase::Opened | Phase::Bot { .. } | Phase::Active { .. } => None,
    }
}

fn queued_own_at(interaction: &Interaction) -> Option<i64> {
    match &interaction.phase {
        Phase::Queued { own_since, .. } => Some(codec::nanos(own_since.timestamp())),
        Phase::Opened | Phase::Bot { .. } | Phase::Active { .. } => None,
    }
}

/// A value as a column has it.
fn json<T: Serialize>(value: Option<&T>) -> Result<Option<String>, CommitError> {
    let text = value.map(serde_json::to_string).transpose();
    text.map_err(|error| CommitError::Store(StoreError::Contents(error.to_string())))
}

fn write_interaction(sql: &Connection, interaction: &Interaction) -> Result<(), CommitError> {
    let (name, at_head, place_at) = phase_columns(&interaction.phase);
    sql.prepare_cached(
        "UPDATE interaction
         SET state = ?, at_head = ?, place_at = ?, queued_at = ?, owner = ?, epoch = ?, waiting_since = ?, active_at = ?,
             offers = ?, offer = ?, accepted = ?, asked_in_vain = ?, previous_agent = ?, queued_own_at = ?, queue_timed_out = ?,
             transfer = ?, bot = ?, finished = ?, priority = ?, unreplied_since = ?, owned_since = ?
         WHERE id = ?",
    )?
    .execute(params![
        name,
        at_head,
        place_at,
        interaction.queued_since().map(codec::nanos),
        interaction.owner().map(UserId::as_str),
        interaction.epoch.0,
        interaction.waiting_since.map(codec::nanos),
        codec::nanos(interaction.active_at.timestamp()),
        codec::column(interaction.offers),
        json(queued_offer(interaction))?,
        interaction.accepted.map(|offer| codec::column(offer.0)),
        json(Some(&interaction.asked_in_vain).filter(|in_vain| !in_vain.0.is_empty()))?,
        interaction.previous_agent.as_ref().map(UserId::as_str),
        queued_own_at(interaction),
        interaction.queue_timed_out,
        json(interaction.transfer())?,
        json(interaction.bot())?,
        json(interaction.finished())?,
        interaction.priority,
        interaction.unreplied_since.map(codec::nanos),
        interaction.owned_since.map(codec::nanos),
        codec::column(interaction.id.0),
    ])?;
    Ok(())
}

/// One that began and ended in the same transaction.
fn insert_closed(
    sql: &Connection,
    state: &State,
    id: InteractionId,
    opened: &Opened,
    closed: &Closed,
    epoch: Epoch,
) -> Result<(), CommitError> {
    sql.prepare_cached(
        "INSERT INTO interaction (id, customer, state, started_by, opted_out, arrived_at, at_head, epoch, active_at,
                                  first_message)
         VALUES (?1, ?2, 'Opened', ?3, ?4, ?5, 0, 0, ?5, ?6)",
    )?
    .execute(params![
        codec::column(id.0),
        codec::column(opened.customer.0),
        opened.started_by.as_ref().map(UserId::as_str),
        opened.opted_out,
        codec::nanos(opened.at),
        codec::column(opened.first_message.0),
    ])?;
    close(sql, state, id, closed, Some(epoch))
}

fn close(
    sql: &Connection,
    state: &State,
    id: InteractionId,
    closed: &Closed,
    epoch: Option<Epoch>,
) -> Result<(), CommitError> {
    let owner = closed.owner.as_ref().map(UserId::as_str);
    sql.prepare_cached(
        "UPDATE interaction
         SET state = 'Closed', owner = ?, epoch = coalesce(?, epoch), place_at = NULL, queued_at = NULL, waiting_since = NULL,
             offer = NULL, asked_in_vain = NULL, previous_agent = NULL, queued_own_at = NULL, transfer = NULL, bot = NULL, finished = NULL,
             closed_at = ?, close_reason = ?, disposition = ?, last_message = ?
         WHERE id = ?",
    )?
    .execute(params![
        owner,
        epoch.map(|epoch| epoch.0),
        codec::nanos(closed.at),
        codec::close_reason_name(closed.reason),
        closed.disposition.as_ref().map(DispositionName::as_str),
        codec::column(closed.last_message.0),
        codec::column(id.0),
    ])?;
    if owner.is_none() {
        return Ok(());
    }
    // Their last agent. Nobody is evicted from the state before the commit.
    let mut of = sql.prepare_cached("SELECT customer FROM interaction WHERE id = ?")?;
    let customer = CustomerId(codec::id(of.query_row([codec::column(id.0)], |row| row.get(0))?));
    state.customer(customer).map_or(Ok(()), |customer| write_customer(sql, customer))
}

fn write_agent(sql: &Connection, agent: &Agent) -> Result<(), CommitError> {
    sql.prepare_cached(
        "INSERT OR REPLACE INTO agent (user, present, last_finish, last_assigned, completed_on, completed, missed, missed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        agent.user.as_str(),
        agent.present,
        agent.last_finish.map(codec::nanos),
        agent.last_assigned.map(codec::nanos),
        agent.completed.map(|completed| completed.on.to_string()),
        agent.completed.map_or(0, |completed| completed.count),
        agent.missed.map_or(0, |missed| missed.count),
        agent.missed.map(|missed| codec::nanos(missed.at.timestamp())),
    ])?;
    Ok(())
}
