//! Messages: one, a customer's newest, or what came after one that is known.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Page, Reader, page, page_length};
use crate::{
    engine::{
        core::{
            delivery::MessageStatus,
            event::{InboundOutcome, Parts, Purpose},
            ids::{InteractionId, MessageId},
        },
        store::{
            codec,
            error::StoreError,
            load::{all, instant, json},
        },
    },
    sms::{Encoding, Sender},
};

/// A message as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// The message's id.
    pub id: MessageId,
    /// The interaction that it belongs to.
    pub interaction: Option<InteractionId>,
    /// When it was committed.
    pub at: Timestamp,
    /// The text, as it was received or will be sent.
    pub text: String,
    /// The direction, with what only this direction has.
    pub kind: MessageKind,
}

/// Which way a message went, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// From the customer.
    Inbound {
        /// What the engine made of it.
        outcome: InboundOutcome,
        /// When the gateway got it, or the first of its parts.
        received_at: Timestamp,
        /// The parts that it was joined from.
        parts: Option<Parts>,
    },
    /// To the customer.
    Outbound {
        /// Why the engine sends it.
        purpose: Purpose,
        /// The character set that it is sent in.
        encoding: Encoding,
        /// How many messages it takes on the air.
        segments: u32,
        /// The state that the gateway's answer and receipts have brought it to.
        status: MessageStatus,
        /// The provider's own code.
        provider_code: Option<String>,
    },
}

pub(super) const MESSAGE: &str =
    "SELECT m.id, m.interaction, m.at, m.text, m.outcome, m.received_at, m.purpose, m.user, m.encoding, m.segments,
            m.status, m.failure_class, m.provider_code, m.parts";
/// The customer with an address: in the look-up, or one of the newest, who wait for it.
pub(super) const CUSTOMER: &str = "SELECT customer FROM customer_by_address WHERE address = ?1
    UNION ALL SELECT id FROM customer WHERE id > (SELECT indexed_customer FROM store WHERE one = 1) AND address = ?1 LIMIT 1";
pub(super) const RECENT: &str = "FROM message m
    WHERE m.id BETWEEN ?1 AND ?2 AND m.customer = ?3 AND (?4 IS NULL OR m.interaction = ?4)
    ORDER BY m.id DESC LIMIT ?5";
pub(super) const INDEXED: &str = "FROM message_of_customer k CROSS JOIN message m ON m.id = k.message
    WHERE k.customer = ?3 AND k.message BETWEEN ?1 AND ?2 AND (?4 IS NULL OR m.interaction = ?4)
    ORDER BY k.message DESC LIMIT ?5";
pub(super) const RECENT_OLDEST_FIRST: &str = "FROM message m
    WHERE m.id BETWEEN ?1 AND ?2 AND m.customer = ?3
    ORDER BY m.id LIMIT ?4";
pub(super) const INDEXED_OLDEST_FIRST: &str = "FROM message_of_customer k CROSS JOIN message m ON m.id = k.message
    WHERE k.customer = ?3 AND k.message BETWEEN ?1 AND ?2
    ORDER BY k.message LIMIT ?4";

impl Reader {
    /// A message.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn message(&self, id: MessageId) -> Result<Option<MessageRow>, StoreError> {
        let query = format!("{MESSAGE} FROM message m WHERE m.id = ?");
        Ok(all(&self.connection.lock(), &query, [codec::column(id.0)], read_message)?.pop())
    }

    /// A page of a customer's messages, newest first, before the one that the last page ended with. None for an unknown customer.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn customer_messages(
        &self,
        address: &Sender,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Option<Page<MessageRow, MessageId>>, StoreError> {
        let mut connection = self.connection.lock();
        let sql = connection.transaction()?;
        let Some(customer) = customer(&sql, address)? else { return Ok(None) };
        let limit = page_length(limit);
        let last = before.map_or(i64::MAX, |before| codec::column(before.0) - 1);
        let rows = newest_messages(&sql, &Wanted { customer, interaction: None, first: 0, last, limit: limit + 1 })?;
        Ok(Some(page(rows, limit, |row| row.id)))
    }

    /// At most `limit` messages of a customer that are newer than a message of anybody, oldest first. None for an unknown customer.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn customer_messages_after(
        &self,
        address: &Sender,
        after: MessageId,
        limit: u32,
    ) -> Result<Option<Vec<MessageRow>>, StoreError> {
        let mut connection = self.connection.lock();
        let sql = connection.transaction()?;
        let Some(customer) = customer(&sql, address)? else { return Ok(None) };
        // No id is so large.
        let first = i64::try_from(after.0).unwrap_or(i64::MAX).saturating_add(1);
        let limit = page_length(limit);
        // What is being written into the look-up is newer than what stands in it.
        let indexed = indexed(&sql)?;
        let query = format!("{MESSAGE} {INDEXED_OLDEST_FIRST}");
        let mut messages = all(&sql, &query, params![first, indexed, customer, limit], read_message)?;
        let left = limit - u32::try_from(messages.len()).unwrap_or(limit);
        if left > 0 {
            let query = format!("{MESSAGE} {RECENT_OLDEST_FIRST}");
            let from = first.max(indexed.saturating_add(1));
            messages.extend(all(&sql, &query, params![from, i64::MAX, customer, left], read_message)?);
        }
        Ok(Some(messages))
    }

    /// Outbound messages of which nobody knows whether they were sent.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn unknown_messages(&self) -> Result<u64, StoreError> {
        let count: i64 =
            self.connection
                .lock()
                .query_row("SELECT count(*) FROM message WHERE status = 'Unknown'", [], |row| row.get(0))?;
        Ok(codec::id(count))
    }
}

/// The customer with an address.
pub(super) fn customer(sql: &Connection, address: &Sender) -> rusqlite::Result<Option<i64>> {
    sql.prepare_cached(CUSTOMER)?.query_row([address.as_str()], |row| row.get(0)).optional()
}

/// The newest message in the look-up.
pub(super) fn indexed(sql: &Connection) -> rusqlite::Result<i64> {
    sql.query_row("SELECT indexed FROM store", [], |row| row.get(0))
}

/// Which messages are wanted.
pub(super) struct Wanted {
    pub(super) customer: i64,
    pub(super) interaction: Option<i64>,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) limit: u32,
}

/// The newest messages of a customer, newest first: those that wait for the look-up, and then those that stand in it.
pub(super) fn newest_messages(sql: &Connection, wanted: &Wanted) -> Result<Vec<MessageRow>, StoreError> {
    let indexed = indexed(sql)?;
    let from = wanted.first.max(indexed.saturating_add(1));
    let query = format!("{MESSAGE} {RECENT}");
    let bounds = params![from, wanted.last, wanted.customer, wanted.interaction, wanted.limit];
    let mut messages = all(sql, &query, bounds, read_message)?;
    let limit = wanted.limit - u32::try_from(messages.len()).unwrap_or(wanted.limit);
    if limit > 0 {
        let query = format!("{MESSAGE} {INDEXED}");
        // What is being written into it has newer ones already.
        let last = wanted.last.min(indexed);
        let bounds = params![wanted.first, last, wanted.customer, wanted.interaction, limit];
        messages.extend(all(sql, &query, bounds, read_message)?);
    }
    Ok(messages)
}

fn read_message(row: &Row<'_>) -> Result<MessageRow, StoreError> {
    let at = codec::timestamp(row.get(2)?)?;
    let kind = match row.get::<_, Option<String>>(4)? {
        Some(outcome) => MessageKind::Inbound {
            outcome: codec::inbound_outcome(&outcome)?,
            received_at: instant(row, 5)?.unwrap_or(at),
            parts: json(row, 13)?,
        },
        None => MessageKind::Outbound {
            purpose: codec::purpose(&row.get::<_, String>(6)?, row.get(7)?)?,
            encoding: codec::encoding(&row.get::<_, String>(8)?)?,
            segments: row.get(9)?,
            status: codec::status(&row.get::<_, String>(10)?, row.get::<_, Option<String>>(11)?.as_deref())?,
            provider_code: row.get(12)?,
        },
    };
    Ok(MessageRow {
        id: MessageId(codec::id(row.get(0)?)),
        interaction: row.get::<_, Option<i64>>(1)?.map(|id| InteractionId(codec::id(id))),
        at,
        text: row.get(3)?,
        kind,
    })
}
