//! What the runtime looks up before a command is decided, inside the transaction that will write the decision.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, Row};

use super::{
    Store, Transaction, codec,
    error::{CommitError, StoreError},
    load,
};
use crate::{
    engine::core::{
        command::KnownMessage,
        customer::Customer,
        delivery::ParkedReceipt,
        ids::{CustomerId, MessageId},
    },
    sms::Sender,
};

/// What goes to the gateway for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// To whom.
    pub to: Sender,
    /// What.
    pub text: Arc<str>,
    /// How many messages it takes on the air.
    pub segments: u32,
}

impl Transaction<'_> {
    /// The customer with an address, to be hydrated into the state before a command that names him.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn customer_by_address(&self, address: &Sender) -> Result<Option<Customer>, CommitError> {
        Ok(load::customer_by_address(&self.sql, address.as_str())?)
    }

    /// A customer, to be hydrated into the state before a command that concerns one of his messages.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn customer(&self, id: CustomerId) -> Result<Option<Customer>, CommitError> {
        Ok(load::customer(&self.sql, id)?)
    }

    /// The inbound message that a provider's id stands for already: the new one is a duplicate.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn seen(&self, provider_message_id: &str) -> Result<Option<MessageId>, CommitError> {
        if let Some(message) = self.recent.seen(provider_message_id) {
            return Ok(Some(message));
        }
        Ok(self
            .sql
            .prepare_cached("SELECT message FROM dedup WHERE provider_id = ?")?
            .query_row([provider_message_id], |row| row.get(0))
            .optional()?
            .map(|id| MessageId(codec::id(id))))
    }

    /// An outbound message, for a receipt whose token names it or for the gateway's answer.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn outbound(&self, message: MessageId) -> Result<Option<KnownMessage>, CommitError> {
        self.known(
            "SELECT id, customer, status, failure_class FROM message WHERE id = ? AND direction = 'Outbound'",
            codec::column(message.0),
        )
    }

    /// The outbound message that a provider's id stands for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn outbound_by_provider_id(&self, provider_message_id: &str) -> Result<Option<KnownMessage>, CommitError> {
        self.known(
            "SELECT m.id, m.customer, m.status, m.failure_class
             FROM provider_message p JOIN message m ON m.id = p.message WHERE p.provider_id = ?",
            provider_message_id,
        )
    }

    fn known(&self, query: &str, key: impl rusqlite::ToSql) -> Result<Option<KnownMessage>, CommitError> {
        let found = self.sql.prepare_cached(query)?.query_row([key], read_status).optional()?;
        let Some((message, customer, status, class)) = found else { return Ok(None) };
        let status = codec::status(&status, class.as_deref())?;
        Ok(Some(KnownMessage { message, customer, status }))
    }

    /// Receipts that were parked under one of these ids, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn parked(&self, provider_message_ids: &[String]) -> Result<Vec<ParkedReceipt>, CommitError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT id, state, failure_class FROM parked_receipt WHERE provider_id = ? ORDER BY id LIMIT 100",
        )?;
        let mut found = Vec::new();
        for provider_id in provider_message_ids {
            let mut rows = statement.query([provider_id])?;
            while let Some(row) = rows.next()? {
                let (name, class): (String, Option<String>) = (row.get(1)?, row.get(2)?);
                let state = codec::delivery(&name, class.as_deref())?;
                found.push((row.get::<_, i64>(0)?, ParkedReceipt { state }));
            }
        }
        found.sort_by_key(|(id, _)| *id);
        Ok(found.into_iter().map(|(_, receipt)| receipt).collect())
    }
}

impl Store {
    /// What goes to the gateway for a message, once its attempt is committed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn dispatch(&self, message: MessageId) -> Result<Option<Dispatch>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT c.address, m.text, m.segments FROM message m JOIN customer c ON c.id = m.customer
                 WHERE m.id = ? AND m.direction = 'Outbound'",
            )?
            .query_row([codec::column(message.0)], |row| {
                let to = Sender::from(row.get::<_, String>(0)?);
                Ok(Dispatch { to, text: row.get::<_, String>(1)?.into(), segments: row.get(2)? })
            })
            .optional()?)
    }
}

type StatusRow = (MessageId, CustomerId, String, Option<String>);

fn read_status(row: &Row<'_>) -> rusqlite::Result<StatusRow> {
    Ok((MessageId(codec::id(row.get(0)?)), CustomerId(codec::id(row.get(1)?)), row.get(2)?, row.get(3)?))
}
