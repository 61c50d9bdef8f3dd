//! Queries for people: pages of interactions and messages, events for the stream.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};

use super::{
    codec,
    error::StoreError,
    load::{all, instant, user},
};
use crate::{
    engine::core::{
        delivery::MessageStatus,
        event::{CloseReason, Event, InboundOutcome, Purpose},
        ids::{CustomerId, Epoch, InteractionId, MessageId, NoteId, UserId},
    },
    sms::{Encoding, Sender},
};

/// Rows of a page at most.
pub const LONGEST_PAGE: u32 = 200;
/// Messages, and notes, that come with an interaction at most: the newest. Older messages are found with their customer.
pub const WITH_INTERACTION: u32 = 500;

/// Queries the store. Clones share one connection: queries are small, and one at a time leaves the processor to the writer.
///
/// It blocks; call it where that is allowed. A query sees what was committed before it began.
#[derive(Clone)]
pub struct Reader {
    connection: Arc<Mutex<Connection>>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader(..)")
    }
}

/// Some rows, and where the next ones begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The rows.
    pub items: Vec<T>,
    /// Asks for what follows; none when that was all.
    pub next: Option<C>,
}

/// Where an interaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InteractionState {
    /// It waits for an agent.
    Queued,
    /// An agent has it.
    Active,
    /// It ended.
    Closed,
}

/// Which interactions are asked for, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InteractionFilter {
    /// In this state; none = any.
    pub state: Option<InteractionState>,
    /// Of this owner (the last one, for closed ones); none = any.
    pub owner: Option<UserId>,
    /// Newest first, instead of oldest first.
    pub newest_first: bool,
}

/// An interaction as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractionRow {
    /// Which.
    pub id: InteractionId,
    /// With whom.
    pub customer: CustomerId,
    /// His address.
    pub address: Sender,
    /// Whether he has opted out by now.
    pub opted_out: bool,
    /// Where it is.
    pub state: InteractionState,
    /// The agent who wrote first; none = the customer did.
    pub started_by: Option<UserId>,
    /// When it began.
    pub arrived_at: Timestamp,
    /// Who has it, or had it when it was closed.
    pub owner: Option<UserId>,
    /// Counts its owners.
    pub epoch: Epoch,
    /// Since when the customer waits for the first reply.
    pub waiting_since: Option<Timestamp>,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// Why it ended.
    pub close_reason: Option<CloseReason>,
}

/// An interaction with what was said in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractionDetail {
    /// The interaction.
    pub interaction: InteractionRow,
    /// Its newest messages, oldest first.
    pub messages: Vec<MessageRow>,
    /// Its newest notes, oldest first.
    pub notes: Vec<NoteRow>,
}

/// A message as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// Which.
    pub id: MessageId,
    /// The interaction that it belongs to.
    pub interaction: Option<InteractionId>,
    /// When it was committed.
    pub at: Timestamp,
    /// Its text.
    pub text: String,
    /// Which way it went.
    pub kind: MessageKind,
}

/// Which way a message went, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// From the customer.
    Inbound {
        /// What became of it.
        outcome: InboundOutcome,
        /// When the gateway got it.
        received_at: Timestamp,
    },
    /// To the customer.
    Outbound {
        /// What it is.
        purpose: Purpose,
        /// How it is written.
        encoding: Encoding,
        /// How many messages it takes on the air.
        segments: u32,
        /// How far it came.
        status: MessageStatus,
        /// The provider's own code.
        provider_code: Option<String>,
    },
}

/// A note as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRow {
    /// Which.
    pub id: NoteId,
    /// Who wrote it.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// An agent's start of an interaction that a blocklist stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedStartRow {
    /// Its place in the list.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who tried.
    pub user: UserId,
    /// The number.
    pub number: String,
}

/// An event with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberedEvent {
    /// Its place: rises by one from event to event, and leaps where a start of the engine begins.
    pub sequence: u64,
    /// The event.
    pub event: Event,
}

const INTERACTION: &str =
    "SELECT i.id, i.customer, c.address, c.opted_out, i.state, i.started_by, i.arrived_at, i.owner,
           i.epoch, i.waiting_since, i.closed_at, i.close_reason
    FROM interaction i";
const WITH_CUSTOMER: &str = "CROSS JOIN customer c ON c.id = i.customer";

const MESSAGE: &str =
    "SELECT m.id, m.interaction, m.at, m.text, m.outcome, m.received_at, m.purpose, m.user, m.encoding, m.segments,
            m.status, m.failure_class, m.provider_code";
const RECENT: &str = "FROM message m
    WHERE m.id BETWEEN ?1 AND ?2 AND m.customer = ?3 AND (?4 IS NULL OR m.interaction = ?4)
    ORDER BY m.id DESC LIMIT ?5";
const INDEXED: &str = "FROM message_of_customer k CROSS JOIN message m ON m.id = k.message
    WHERE k.customer = ?3 AND k.message BETWEEN ?1 AND ?2 AND (?4 IS NULL OR m.interaction = ?4)
    ORDER BY k.message DESC LIMIT ?5";

impl Reader {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)) }
    }

    /// A page of interactions, after the one that the last page ended with.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn interactions(
        &self,
        filter: &InteractionFilter,
        after: Option<InteractionId>,
        limit: u32,
    ) -> Result<Page<InteractionRow, InteractionId>, StoreError> {
        let limit = page_length(limit);
        let (query, values) = list(filter, after, limit + 1);
        let rows = all(&self.connection.lock(), &query, rusqlite::params_from_iter(values), read_interaction)?;
        Ok(page(rows, limit, |row| row.id))
    }

    /// An interaction with its messages and notes, all of one instant.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn interaction(&self, id: InteractionId) -> Result<Option<InteractionDetail>, StoreError> {
        let mut connection = self.connection.lock();
        let sql = connection.transaction()?;
        let interaction = sql
            .prepare_cached(&format!("{INTERACTION} {WITH_CUSTOMER} WHERE i.id = ?"))?
            .query_row([codec::column(id.0)], |row| Ok(read_interaction(row)))
            .optional()?
            .transpose()?;
        let Some(interaction) = interaction else { return Ok(None) };
        let (first, last): (i64, Option<i64>) = sql
            .prepare_cached("SELECT first_message, last_message FROM interaction WHERE id = ?")?
            .query_row([codec::column(id.0)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let wanted = Wanted {
            customer: codec::column(interaction.customer.0),
            interaction: Some(codec::column(id.0)),
            first,
            last: last.unwrap_or(i64::MAX),
            limit: WITH_INTERACTION,
        };
        let mut messages = newest_messages(&sql, &wanted)?;
        messages.reverse();
        let newest = "SELECT id, user, at, text FROM note WHERE interaction = ? ORDER BY id DESC LIMIT ?";
        let mut notes = all(&sql, newest, params![codec::column(id.0), WITH_INTERACTION], |row| {
            Ok(NoteRow {
                id: NoteId(codec::id(row.get(0)?)),
                user: UserId::from(row.get::<_, String>(1)?),
                at: codec::timestamp(row.get(2)?)?,
                text: row.get(3)?,
            })
        })?;
        notes.reverse();
        Ok(Some(InteractionDetail { interaction, messages, notes }))
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
        let customer: Option<i64> = sql
            .prepare_cached("SELECT id FROM customer WHERE address = ?")?
            .query_row([address.as_str()], |row| row.get(0))
            .optional()?;
        let Some(customer) = customer else { return Ok(None) };
        let limit = page_length(limit);
        let last = before.map_or(i64::MAX, |before| codec::column(before.0) - 1);
        let rows = newest_messages(&sql, &Wanted { customer, interaction: None, first: 0, last, limit: limit + 1 })?;
        Ok(Some(page(rows, limit, |row| row.id)))
    }

    /// A page of the starts that a blocklist stopped, newest first, before the one that the last page ended with.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn blocked_starts(&self, before: Option<u64>, limit: u32) -> Result<Page<BlockedStartRow, u64>, StoreError> {
        let limit = page_length(limit);
        let before = before.map_or(i64::MAX, codec::column);
        let query = "SELECT id, at, user, address FROM blocked_start WHERE id < ? ORDER BY id DESC LIMIT ?";
        let rows = all(&self.connection.lock(), query, params![before, limit + 1], |row| {
            Ok(BlockedStartRow {
                id: codec::id(row.get(0)?),
                at: codec::timestamp(row.get(1)?)?,
                user: UserId::from(row.get::<_, String>(2)?),
                number: row.get(3)?,
            })
        })?;
        Ok(page(rows, limit, |row| row.id))
    }

    /// At most `limit` events after the one with the number `after`, in order.
    ///
    /// # Errors
    /// When the store cannot be read, or an event in it makes no sense.
    pub fn events_after(&self, after: u64, limit: u32) -> Result<Vec<NumberedEvent>, StoreError> {
        let connection = self.connection.lock();
        let mut transactions =
            connection.prepare_cached("SELECT first, body FROM event WHERE last > ? ORDER BY last")?;
        let mut rows = transactions.query([codec::column(after)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let unreadable = |sequence: u64, error: String| StoreError::Contents(format!("event {sequence}: {error}"));
            let first = codec::id(row.get(0)?);
            let events: Vec<serde_json::Value> = serde_json::from_str(&row.get::<_, String>(1)?)
                .map_err(|error| unreadable(first, error.to_string()))?;
            for (sequence, body) in (first..).zip(events).filter(|(sequence, _)| *sequence > after) {
                if found.len() >= limit as usize {
                    return Ok(found);
                }
                let event = Event::from_json(body).map_err(|error| unreadable(sequence, error.to_string()))?;
                found.push(NumberedEvent { sequence, event });
            }
        }
        Ok(found)
    }

    /// Whether the event with this number is here: neither forgotten nor of a life of the store that a restore undid.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn has_event(&self, sequence: u64) -> Result<bool, StoreError> {
        let connection = self.connection.lock();
        let mut query = connection.prepare_cached("SELECT first FROM event WHERE last >= ? ORDER BY last LIMIT 1")?;
        let first: Option<i64> = query.query_row([codec::column(sequence)], |row| row.get(0)).optional()?;
        Ok(first.is_some_and(|first| codec::id(first) <= sequence))
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

/// The query of a list, and its values.
fn list(filter: &InteractionFilter, after: Option<InteractionId>, limit: u32) -> (String, Vec<Box<dyn ToSql>>) {
    let (compare, order) = if filter.newest_first { ("<", "DESC") } else { (">", "ASC") };
    let mut query = format!("{INTERACTION} {} {WITH_CUSTOMER} WHERE 1", index(filter));
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(state) = filter.state {
        query += match state {
            InteractionState::Queued | InteractionState::Active => " AND i.closed_at IS NULL AND i.state = ?",
            InteractionState::Closed => " AND i.state = ?",
        };
        values.push(Box::new(state_name(state)));
    }
    if let Some(owner) = &filter.owner {
        query += " AND i.owner = ?";
        values.push(Box::new(owner.as_str().to_owned()));
    }
    if let Some(after) = after {
        query += &format!(" AND i.id {compare} ?");
        values.push(Box::new(codec::column(after.0)));
    }
    query += &format!(" ORDER BY i.id {order} LIMIT ?");
    values.push(Box::new(limit));
    (query, values)
}

/// The index that a list is read from, in its order: as long as the list, however much is stored.
const fn index(filter: &InteractionFilter) -> &'static str {
    match (filter.owner.is_some(), filter.state) {
        (true, Some(InteractionState::Queued | InteractionState::Active)) => "INDEXED BY interaction_open_by_owner",
        (true, Some(InteractionState::Closed) | None) => "INDEXED BY interaction_by_owner",
        (false, Some(InteractionState::Queued | InteractionState::Active)) => "INDEXED BY interaction_open_by_state",
        (false, Some(InteractionState::Closed) | None) => "NOT INDEXED",
    }
}

/// Which messages are wanted.
struct Wanted {
    customer: i64,
    interaction: Option<i64>,
    first: i64,
    last: i64,
    limit: u32,
}

/// The newest messages of a customer, newest first: those that wait for the look-up, and then those that stand in it.
fn newest_messages(sql: &Connection, wanted: &Wanted) -> Result<Vec<MessageRow>, StoreError> {
    let indexed: i64 = sql.query_row("SELECT indexed FROM store", [], |row| row.get(0))?;
    let from = wanted.first.max(indexed.saturating_add(1));
    let query = format!("{MESSAGE} {RECENT}");
    let bounds = params![from, wanted.last, wanted.customer, wanted.interaction, wanted.limit];
    let mut messages = all(sql, &query, bounds, read_message)?;
    let limit = wanted.limit - u32::try_from(messages.len()).unwrap_or(wanted.limit);
    if limit > 0 {
        let query = format!("{MESSAGE} {INDEXED}");
        let bounds = params![wanted.first, wanted.last, wanted.customer, wanted.interaction, limit];
        messages.extend(all(sql, &query, bounds, read_message)?);
    }
    Ok(messages)
}

fn page_length(limit: u32) -> u32 {
    limit.clamp(1, LONGEST_PAGE)
}

/// Makes a page of one row more than it may have.
fn page<T, C>(mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> C) -> Page<T, C> {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(cursor) } else { None };
    Page { items: rows, next }
}

const fn state_name(state: InteractionState) -> &'static str {
    match state {
        InteractionState::Queued => "Queued",
        InteractionState::Active => "Active",
        InteractionState::Closed => "Closed",
    }
}

fn read_interaction(row: &Row<'_>) -> Result<InteractionRow, StoreError> {
    let state = match row.get::<_, String>(4)?.as_str() {
        "Queued" => InteractionState::Queued,
        "Active" => InteractionState::Active,
        "Closed" => InteractionState::Closed,
        other => return Err(StoreError::Contents(format!("an interaction is {other}"))),
    };
    let reason: Option<String> = row.get(11)?;
    Ok(InteractionRow {
        id: InteractionId(codec::id(row.get(0)?)),
        customer: CustomerId(codec::id(row.get(1)?)),
        address: Sender::from(row.get::<_, String>(2)?),
        opted_out: row.get(3)?,
        state,
        started_by: user(row, 5)?,
        arrived_at: codec::timestamp(row.get(6)?)?,
        owner: user(row, 7)?,
        epoch: Epoch(row.get(8)?),
        waiting_since: instant(row, 9)?,
        closed_at: instant(row, 10)?,
        close_reason: reason.map(|name| codec::close_reason(&name)).transpose()?,
    })
}

fn read_message(row: &Row<'_>) -> Result<MessageRow, StoreError> {
    let at = codec::timestamp(row.get(2)?)?;
    let kind = match row.get::<_, Option<String>>(4)? {
        Some(outcome) => MessageKind::Inbound {
            outcome: codec::inbound_outcome(&outcome)?,
            received_at: instant(row, 5)?.unwrap_or(at),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::store::schema;

    fn plan(sql: &Connection, query: &str) -> Vec<String> {
        let mut plan = sql.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let values = rusqlite::params_from_iter(vec![0; plan.parameter_count()]);
        let steps = plan.query_map(values, |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect()
    }

    /// A list of what is open is read from an index of what is open, one of everything in its own order; none is sorted.
    #[test]
    fn no_list_grows_with_what_is_closed() {
        let mut sql = Connection::open_in_memory().unwrap();
        let tx = sql.transaction().unwrap();
        schema::migrate(&tx).unwrap();
        tx.commit().unwrap();
        let ana = || Some(UserId::from("ana"));
        let open = Some(InteractionState::Active);
        let cases = [
            (None, Some(InteractionState::Queued), "SEARCH i USING INDEX interaction_open_by_state (state=?"),
            (None, open, "SEARCH i USING INDEX interaction_open_by_state (state=?"),
            (ana(), open, "SEARCH i USING INDEX interaction_open_by_owner (owner=?"),
            (ana(), Some(InteractionState::Closed), "SEARCH i USING INDEX interaction_by_owner (owner=?"),
            (ana(), None, "SEARCH i USING INDEX interaction_by_owner (owner=?"),
            (None, Some(InteractionState::Closed), "SEARCH i USING INTEGER PRIMARY KEY"),
            (None, None, "SEARCH i USING INTEGER PRIMARY KEY"),
        ];
        for (owner, state, expected) in cases {
            for newest_first in [false, true] {
                let filter = InteractionFilter { state, owner: owner.clone(), newest_first };
                let (query, _) = list(&filter, Some(InteractionId(1)), 50);
                let steps = plan(&sql, &query);
                assert!(steps[0].starts_with(expected), "{filter:?}: {steps:?}");
                assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{filter:?}: {steps:?}");
            }
        }
    }

    #[test]
    fn messages_are_found_by_their_customer_or_are_the_newest() {
        let mut sql = Connection::open_in_memory().unwrap();
        let tx = sql.transaction().unwrap();
        schema::migrate(&tx).unwrap();
        tx.commit().unwrap();
        let recent = plan(&sql, &format!("{MESSAGE} {RECENT}"));
        assert_eq!(recent, ["SEARCH m USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]);
        let indexed = plan(&sql, &format!("{MESSAGE} {INDEXED}"));
        assert_eq!(
            indexed,
            [
                "SEARCH k USING PRIMARY KEY (customer=? AND message>? AND message<?)",
                "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)",
            ]
        );
        let events = plan(&sql, "SELECT first, body FROM event WHERE last > ? ORDER BY last");
        assert_eq!(events, ["SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"]);
    }
}
