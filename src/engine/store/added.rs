//! New customers and their messages: a transaction keeps them until its end, and then writes each table with one statement.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rusqlite::{Connection, params};

use super::{
    codec,
    error::{CommitError, StoreError},
};
use crate::engine::core::{
    event::InboundOutcome,
    ids::{CustomerId, InteractionId, MessageId},
    state::State,
};

/// What a transaction adds.
#[derive(Debug, Default)]
pub(super) struct Added {
    by_address: HashMap<Arc<str>, CustomerId>,
    customers: BTreeMap<CustomerId, Arc<str>>,
    messages: Vec<InboundRow>,
}

/// A customer's message as it is stored.
#[derive(Debug)]
pub(super) struct InboundRow {
    pub(super) message: MessageId,
    pub(super) customer: CustomerId,
    pub(super) interaction: Option<InteractionId>,
    pub(super) outcome: InboundOutcome,
    pub(super) at: i64,
    /// In the channel's own time.
    pub(super) own_at: i64,
    pub(super) received_at: i64,
    pub(super) text: Arc<str>,
    pub(super) provider_id: Option<Arc<str>>,
    /// The parts that it was joined from, as JSON.
    pub(super) parts: Option<String>,
}

impl Added {
    pub(super) fn customer(&mut self, customer: CustomerId, address: Arc<str>) {
        self.by_address.insert(Arc::clone(&address), customer);
        self.customers.insert(customer, address);
    }

    pub(super) fn message(&mut self, row: InboundRow) {
        self.messages.push(row);
    }

    /// The customer with an address, if this transaction adds them.
    pub(super) fn with_address(&self, address: &str) -> Option<CustomerId> {
        self.by_address.get(address).copied()
    }

    /// The address of a customer, if this transaction adds them.
    pub(super) fn address(&self, customer: CustomerId) -> Option<&Arc<str>> {
        self.customers.get(&customer)
    }

    pub(super) fn has_customer(&self, customer: CustomerId) -> bool {
        self.customers.contains_key(&customer)
    }

    /// Writes customers as the state has them, and messages.
    pub(super) fn write(&self, sql: &Connection, state: &State) -> Result<(), CommitError> {
        self.write_customers(sql, state)?;
        self.write_messages(sql)
    }

    fn write_customers(&self, sql: &Connection, state: &State) -> Result<(), CommitError> {
        if self.customers.is_empty() {
            return Ok(());
        }
        let mut insert = sql.prepare_cached(
            "INSERT INTO customer (id, address, can_receive, opted_out, out_of_hours_text_at, queue_full_text_at, met_bots_since,
                                   met_bots)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        for (id, address) in &self.customers {
            // Nobody is evicted from the state before the commit.
            let customer = state
                .customer(*id)
                .ok_or_else(|| StoreError::Contents(format!("the state lacks the new customer {id}")))?;
            insert.execute(params![
                codec::column(id.0),
                &**address,
                customer.can_receive,
                customer.opted_out,
                customer.out_of_hours_text_at.map(codec::nanos),
                customer.queue_full_text_at.map(codec::nanos),
                customer.met_bots.map(|met| codec::nanos(met.since)),
                customer.met_bots.map_or(0, |met| met.count),
            ])?;
        }
        Ok(())
    }

    fn write_messages(&self, sql: &Connection) -> Result<(), CommitError> {
        if self.messages.is_empty() {
            return Ok(());
        }
        let mut insert = sql.prepare_cached(
            "INSERT INTO message (id, customer, interaction, direction, at, own_at, text, outcome, received_at, provider_id, parts)
             VALUES (?, ?, ?, 'Inbound', ?, ?, ?, ?, ?, ?, ?)",
        )?;
        for row in &self.messages {
            insert.execute(params![
                codec::column(row.message.0),
                codec::column(row.customer.0),
                row.interaction.map(|interaction| codec::column(interaction.0)),
                row.at,
                row.own_at,
                &*row.text,
                codec::inbound_outcome_name(row.outcome),
                row.received_at,
                row.provider_id.as_deref(),
                row.parts.as_deref(),
            ])?;
        }
        Ok(())
    }
}
