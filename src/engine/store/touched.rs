//! Copies of what the state holds open: customers, interactions and agents that a decision touched.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::{codec, error::CommitError};
use crate::engine::core::{
    event::Happened,
    ids::{CustomerId, InteractionId, UserId},
    state::{Agent, Customer, Interaction, Phase, Place, State},
};

/// What the events of a decision touched.
#[derive(Default)]
pub(super) struct Touched {
    customers: BTreeSet<CustomerId>,
    interactions: BTreeSet<InteractionId>,
    agents: BTreeSet<UserId>,
}

impl Touched {
    /// Adds what an event touches.
    pub(super) fn note(&mut self, what: &Happened) {
        match what {
            Happened::CustomerAdded { customer, .. }
            | Happened::OptedOut { customer, .. }
            | Happened::OptedIn { customer, .. } => {
                self.customers.insert(*customer);
            }
            Happened::InboundRecorded { interaction, .. } => self.interactions.extend(*interaction),
            Happened::OutboundCommitted { customer, interaction, .. } => {
                self.customers.insert(*customer);
                self.interactions.extend(*interaction);
            }
            Happened::InteractionOpened { interaction, .. }
            | Happened::InteractionQueued { interaction, .. }
            | Happened::ServiceLevelSampled { interaction, .. } => {
                self.interactions.insert(*interaction);
            }
            Happened::InteractionAssigned { interaction, user, .. }
            | Happened::InteractionRequeued { interaction, user, .. } => {
                self.interactions.insert(*interaction);
                self.agents.insert(user.clone());
            }
            Happened::InteractionClosed { owner, .. } => self.agents.extend(owner.clone()),
            Happened::AgentOnline { user }
            | Happened::AgentOffline { user }
            | Happened::AgentPresenceSet { user, .. } => {
                self.agents.insert(user.clone());
            }
            Happened::EngineStarted { .. }
            | Happened::ConfigApplied { .. }
            | Happened::ClockLeapt { .. }
            | Happened::ClockSet { .. }
            | Happened::Disabled
            | Happened::Enabled
            | Happened::StorageAccepted { .. }
            | Happened::InboundDuplicated { .. }
            | Happened::StartBlocked { .. }
            | Happened::AttemptStarted { .. }
            | Happened::AttemptNotSent { .. }
            | Happened::AttemptEnded { .. }
            | Happened::OutboundCanceled { .. }
            | Happened::ReceiptApplied { .. }
            | Happened::ReceiptParked
            | Happened::NoteAdded { .. } => {}
        }
    }

    /// Copies them. Interactions that are closed by now are no longer in the state; their last row was written by the event.
    pub(super) fn write(&self, sql: &Connection, state: &State) -> Result<(), CommitError> {
        for customer in self.customers.iter().filter_map(|id| state.customer(*id)) {
            write_customer(sql, customer)?;
        }
        for interaction in self.interactions.iter().filter_map(|id| state.interaction(*id)) {
            write_interaction(sql, interaction)?;
        }
        for agent in self.agents.iter().filter_map(|user| state.agent(user)) {
            write_agent(sql, agent)?;
        }
        Ok(())
    }
}

fn write_customer(sql: &Connection, customer: &Customer) -> Result<(), CommitError> {
    sql.prepare_cached(
        "UPDATE customer
         SET can_receive = ?, opted_out = ?, out_of_hours_text_at = ?, queue_full_text_at = ?, last_agent = ?
         WHERE id = ?",
    )?
    .execute(params![
        customer.can_receive,
        customer.opted_out,
        customer.out_of_hours_text_at.map(codec::nanos),
        customer.queue_full_text_at.map(codec::nanos),
        customer.last_agent.as_ref().map(UserId::as_str),
        codec::column(customer.id.0),
    ])?;
    Ok(())
}

fn write_interaction(sql: &Connection, interaction: &Interaction) -> Result<(), CommitError> {
    let (name, at_head, place_at) = match &interaction.phase {
        Phase::Opened => ("Opened", false, None),
        Phase::Queued { place: Place::Head(at), .. } => ("Queued", true, Some(*at)),
        Phase::Queued { place: Place::Tail(at), .. } => ("Queued", false, Some(*at)),
        Phase::Active { .. } => ("Active", false, None),
    };
    sql.prepare_cached(
        "UPDATE interaction
         SET state = ?, at_head = ?, place_at = ?, queued_at = ?, owner = ?, epoch = ?, waiting_since = ?, active_at = ?
         WHERE id = ?",
    )?
    .execute(params![
        name,
        at_head,
        place_at.map(codec::nanos),
        interaction.queued_since().map(codec::nanos),
        interaction.owner().map(UserId::as_str),
        interaction.epoch.0,
        interaction.waiting_since.map(codec::nanos),
        codec::nanos(interaction.active_at.timestamp()),
        codec::column(interaction.id.0),
    ])?;
    Ok(())
}

fn write_agent(sql: &Connection, agent: &Agent) -> Result<(), CommitError> {
    sql.prepare_cached("INSERT OR REPLACE INTO agent (user, present, last_finish, last_assigned) VALUES (?, ?, ?, ?)")?
        .execute(params![
            agent.user.as_str(),
            agent.present,
            agent.last_finish.map(codec::nanos),
            agent.last_assigned.map(codec::nanos),
        ])?;
    Ok(())
}
