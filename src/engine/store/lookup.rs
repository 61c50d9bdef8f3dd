//! What the runtime looks up before a command is decided, inside the transaction that will write the decision.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Statement};

use super::{
    Store, Transaction, codec,
    error::{CommitError, StoreError},
    load,
};
use crate::{
    engine::core::{
        command::{KnownMessage, SentMessage},
        customer::Customer,
        ids::{Attempt, CustomerId, InteractionId, MessageId},
        state::State,
    },
    sms::Sender,
};

/// How far a message is and, where it was sent, or is to be sent, once more, the last attempt before the newest. It is known by an attempt of which
/// nobody knew the end, and that is not the last one of all.
macro_rules! known {
    ($from:literal) => {
        concat!(
            "SELECT m.id, m.customer, m.status, m.failure_class,
                    (SELECT max(b.attempt) - (m.status <> 'Waiting') FROM attempt b WHERE b.message = m.id AND EXISTS (
                         SELECT 1 FROM attempt a WHERE a.message = m.id AND a.outcome = 'Unknown'
                         AND (m.status = 'Waiting' OR a.attempt < (SELECT max(c.attempt) FROM attempt c WHERE c.message = m.id))))
             FROM ",
            $from
        )
    };
}

/// What goes to the gateway for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// To whom.
    pub to: Sender,
    /// The text, as it is sent.
    pub text: Arc<str>,
    /// How many messages it takes on the air.
    pub segments: u32,
    /// When it was written.
    pub at: Timestamp,
}

/// A customer's text that will be decided in a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The address of the customer who wrote it.
    pub address: &'a Sender,
    /// The provider's id of it.
    pub provider_message_id: &'a str,
}

/// What the store had of a text before anything of its transaction was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextLookup {
    customer: Option<CustomerId>,
    message: Option<MessageId>,
}

impl Transaction<'_> {
    /// Looks up what decisions on these texts need, for all of them at once; customers whom the store knows are hydrated into the
    /// state. What is found is in the order of the texts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn prefetch(&self, texts: &[Text<'_>], state: &mut State) -> Result<Vec<TextLookup>, CommitError> {
        let addresses: Vec<&str> = texts.iter().map(|text| text.address.as_str()).collect();
        let customers = self.find_customers(&addresses, state)?;
        let mut found: Vec<TextLookup> =
            customers.into_iter().map(|customer| TextLookup { customer, message: None }).collect();
        let mut order: Vec<(&str, usize)> =
            texts.iter().zip(0..).map(|(text, place)| (text.provider_message_id, place)).collect();
        order.sort_unstable();
        let mut seen = self.sql.prepare_cached(SEEN)?;
        for (provider_message_id, place) in order {
            found[place].message = find_seen(&mut seen, provider_message_id)?;
        }
        Ok(found)
    }

    /// The customers with these addresses, of whom those whom the store has are hydrated into the state, in the order of the addresses.
    fn find_customers(&self, addresses: &[&str], state: &mut State) -> Result<Vec<Option<CustomerId>>, CommitError> {
        let mut found = vec![None; addresses.len()];
        // In the order of the keys each page is read once.
        let mut order: Vec<_> = addresses.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let mut customers = load::ByAddress::new(&self.sql, self.recent)?;
        let mut last: Option<(&str, Option<CustomerId>)> = None;
        for (address, place) in order {
            let customer = match last {
                Some((same, customer)) if same == address => customer,
                _ => {
                    let customer = customers.find(address)?;
                    let id = customer.as_ref().map(|customer| customer.id);
                    customer.into_iter().for_each(|customer| state.hydrate_customer(customer));
                    id
                }
            };
            last = Some((address, customer));
            found[place] = customer;
        }
        Ok(found)
    }

    /// The customers with these addresses, in their order: those whom the store has, who are hydrated into the state, and those whom an
    /// earlier decision of this transaction added.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn customers_by_address(
        &self,
        addresses: &[Sender],
        state: &mut State,
    ) -> Result<Vec<Option<CustomerId>>, CommitError> {
        let addresses: Vec<&str> = addresses.iter().map(Sender::as_str).collect();
        let mut found = self.find_customers(&addresses, state)?;
        for (customer, address) in found.iter_mut().zip(addresses) {
            *customer = self.added.with_address(address).or(*customer);
        }
        Ok(found)
    }

    /// The customer who wrote a text: known before, or added by an earlier decision of this transaction.
    pub fn writer_of(&self, text: Text<'_>, found: TextLookup) -> Option<CustomerId> {
        found.customer.or_else(|| self.added.with_address(text.address.as_str()))
    }

    /// The message that a text repeats: one that was known before, or of an earlier decision of this transaction.
    pub fn repeated_by(&self, text: Text<'_>, found: TextLookup) -> Option<MessageId> {
        found.message.or_else(|| self.recent.seen(text.provider_message_id))
    }

    /// The customer with an address, who is hydrated into the state.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn customer_by_address(&self, address: &Sender, state: &mut State) -> Result<Option<CustomerId>, CommitError> {
        if let Some(added) = self.added.with_address(address.as_str()) {
            return Ok(Some(added));
        }
        let customer = load::ByAddress::new(&self.sql, self.recent)?.find(address.as_str())?;
        let id = customer.as_ref().map(|customer| customer.id);
        customer.into_iter().for_each(|customer| state.hydrate_customer(customer));
        Ok(id)
    }

    /// A customer, to be hydrated into the state before a command that concerns one of their messages.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn customer(&self, id: CustomerId) -> Result<Option<Customer>, CommitError> {
        Ok(load::customer(&self.sql, id)?)
    }

    /// An outbound message, for a receipt whose token names it or for the gateway's answer.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn outbound(&self, message: MessageId) -> Result<Option<KnownMessage>, CommitError> {
        self.known(known!("message m WHERE m.id = ? AND m.direction = 'Outbound'"), codec::column(message.0))
    }

    /// The outbound message that a provider's id stands for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn outbound_by_provider_id(&self, provider_message_id: &str) -> Result<Option<KnownMessage>, CommitError> {
        self.known(
            known!("provider_message p JOIN message m ON m.id = p.message WHERE p.provider_id = ?"),
            provider_message_id,
        )
    }

    /// An outbound message with what sending it once more takes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sent(&self, message: MessageId) -> Result<Option<(CustomerId, SentMessage)>, CommitError> {
        let found = self
            .sql
            .prepare_cached(
                "SELECT customer, interaction, purpose, user, segments, status, failure_class,
                        (SELECT max(attempt) FROM attempt a WHERE a.message = message.id)
                 FROM message WHERE id = ? AND direction = 'Outbound'",
            )?
            .query_row([codec::column(message.0)], |row| Ok(self.read_sent(row)))
            .optional()?
            .transpose()?;
        Ok(found)
    }

    fn read_sent(&self, row: &Row<'_>) -> Result<(CustomerId, SentMessage), StoreError> {
        let (status, class): (String, Option<String>) = (row.get(5)?, row.get(6)?);
        let customer = CustomerId(codec::id(row.get(0)?));
        let sent = SentMessage {
            to: self.address(customer)?,
            interaction: row.get::<_, Option<i64>>(1)?.map(|id| InteractionId(codec::id(id))),
            purpose: codec::purpose(&row.get::<_, String>(2)?, row.get(3)?)?,
            segments: row.get(4)?,
            attempt: row.get::<_, Option<u32>>(7)?.map_or_else(Attempt::default, Attempt),
            status: codec::status(&status, class.as_deref())?,
        };
        Ok((customer, sent))
    }

    /// The address of a customer: known before, or added by an earlier decision of this transaction.
    fn address(&self, customer: CustomerId) -> Result<Sender, StoreError> {
        let address: String = match self.added.address(customer) {
            Some(added) => (**added).to_owned(),
            None => self
                .sql
                .prepare_cached("SELECT address FROM customer WHERE id = ?")?
                .query_row([codec::column(customer.0)], |row| row.get(0))?,
        };
        Ok(Sender::from(address))
    }

    fn known(&self, query: &str, key: impl rusqlite::ToSql) -> Result<Option<KnownMessage>, CommitError> {
        let found = self.sql.prepare_cached(query)?.query_row([key], read_status).optional()?;
        let Some((message, customer, status, class, resent_after)) = found else { return Ok(None) };
        let status = codec::status(&status, class.as_deref())?;
        Ok(Some(KnownMessage { message, customer, status, resent_after }))
    }
}

impl Store {
    /// What goes to the gateway for a message, once its attempt is committed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn dispatch(&self, message: MessageId) -> Result<Option<Dispatch>, StoreError> {
        let row = self
            .connection
            .prepare_cached(
                "SELECT c.address, m.text, m.segments, m.at FROM message m JOIN customer c ON c.id = m.customer
                 WHERE m.id = ? AND m.direction = 'Outbound'",
            )?
            .query_row([codec::column(message.0)], |row| {
                let to = Sender::from(row.get::<_, String>(0)?);
                Ok((to, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let dispatch = |(to, text, segments, at)| {
            Ok(Dispatch { to, text: String::into(text), segments, at: codec::timestamp(at)? })
        };
        row.map(dispatch).transpose()
    }
}

const SEEN: &str = "SELECT message FROM dedup WHERE provider_id = ?";

fn find_seen(seen: &mut Statement<'_>, provider_message_id: &str) -> Result<Option<MessageId>, CommitError> {
    Ok(seen.query_row([provider_message_id], |row| row.get(0)).optional()?.map(|id| MessageId(codec::id(id))))
}

/// The message that a provider's id stands for, as the look-up has it now.
pub(super) fn find_seen_now(sql: &Connection, provider_message_id: &str) -> Result<Option<MessageId>, CommitError> {
    find_seen(&mut *sql.prepare_cached(SEEN)?, provider_message_id)
}

type StatusRow = (MessageId, CustomerId, String, Option<String>, Option<Attempt>);

fn read_status(row: &Row<'_>) -> rusqlite::Result<StatusRow> {
    let (message, customer) = (MessageId(codec::id(row.get(0)?)), CustomerId(codec::id(row.get(1)?)));
    Ok((message, customer, row.get(2)?, row.get(3)?, row.get::<_, Option<u32>>(4)?.map(Attempt)))
}
