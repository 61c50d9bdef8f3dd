//! Forgetting what is older than it may be, for good: SQLite overwrites what is deleted with zeros (`secure_delete`), and the
//! log that may still hold it is emptied.

use std::{collections::HashSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{
    Store, codec,
    error::{CommitError, StoreError},
    idempotency,
    open::BUSY_TIMEOUT,
    recent::Recent,
};
use crate::engine::core::ids::CustomerId;

/// The shortest time for which the provider's ids of inbound messages are kept: a message that the engine committed while its answer
/// was lost may come again from a gateway's spool, where it waits for up to 90 days.
pub const SHORTEST_DEDUP: SignedDuration = SignedDuration::from_hours(100 * 24);

/// Ids of inbound messages that a step of forgetting looks at, for each row that it may delete of others.
const IDS_FOR_EACH: u32 = 10;

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Closed interactions, messages, notes, events, samples and parked receipts.
    pub contents: SignedDuration,
    /// The provider's ids of inbound messages; at least [`SHORTEST_DEDUP`].
    pub dedup: SignedDuration,
}

impl Retention {
    /// Keeps contents for so many days.
    pub fn days(days: u32) -> Self {
        Self { contents: SignedDuration::from_hours(24 * i64::from(days)), dedup: SHORTEST_DEDUP }
    }
}

/// What one step of forgetting did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Rows that were deleted.
    pub rows: u64,
    /// More is too old: take another step.
    pub more: bool,
}

impl Store {
    /// Deletes at most about `batch` rows of each kind, oldest first, in one transaction.
    ///
    /// What is open stays, whatever its age: interactions that are not closed, and messages that are not sent; and so does what
    /// waits for the look-ups. Opt-outs stay for ever, with the customer's address. The last step empties the log, which makes the
    /// deletion final; when a query is running just then, the next call does.
    ///
    /// # Errors
    /// When the store cannot be written. The process must end, as after a failed commit.
    pub fn forget(&mut self, retention: Retention, now: Timestamp, batch: u32) -> Result<Forgotten, CommitError> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(CommitError::Failed);
        }
        let waiting = Waiting::of(&self.recent);
        let mut ids_from = self.ids_from.take();
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let contents = codec::nanos(earlier(now, retention.contents));
        let dedup = codec::nanos(earlier(now, retention.dedup.max(SHORTEST_DEDUP)));
        let answers = codec::nanos(earlier(now, idempotency::KEPT));
        let deleted = [
            forget_interactions(&sql, contents, batch, &waiting)?,
            forget_loose_messages(&sql, contents, batch, &waiting)?,
            forget_events(&sql, contents, batch)?,
            forget_rows(&sql, "sample", "id", contents, batch)?,
            forget_rows(&sql, "blocked_start", "id", contents, batch)?,
            forget_rows(&sql, "parked_receipt", "id", contents, batch)?,
            forget_ids(&sql, dedup, batch, &mut ids_from)?,
            forget_answers(&sql, answers, batch)?,
        ];
        let rows: u64 = deleted.iter().map(|(rows, _)| *rows as u64).sum();
        if rows > 0 {
            // The counter tells copies apart: this one holds less than the one before.
            sql.execute("UPDATE store SET commits = commits + 1", [])?;
        }
        sql.commit()?;
        self.ids_from = ids_from;
        self.commits += u64::from(rows > 0);
        self.log_holds_forgotten |= rows > 0;
        let more = deleted.iter().any(|(_, more)| *more);
        if self.log_holds_forgotten && !more {
            self.log_holds_forgotten = !self.empty_log()?;
        }
        self.failed = false;
        Ok(Forgotten { rows, more })
    }

    /// Moves the write-ahead log into the database and cuts it to nothing, so that no old page is left in it. False when
    /// a query was running: it does not wait, because customers would.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn empty_log(&self) -> Result<bool, StoreError> {
        self.connection.busy_timeout(Duration::ZERO)?;
        let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(busy? == 0)
    }
}

fn earlier(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

/// What waits for the look-ups, by which everything that is to be forgotten is found.
struct Waiting {
    /// The first message.
    from: i64,
    customers: HashSet<CustomerId>,
}

impl Waiting {
    fn of(recent: &Recent) -> Self {
        let from = recent.first().map_or(i64::MAX, |message| codec::column(message.0));
        Self { from, customers: recent.customers() }
    }
}

/// Rows that were deleted, and whether there may be more.
type Deleted = (usize, bool);

/// Closed interactions with their messages and notes, except those with a message that is still to be sent.
fn forget_interactions(sql: &Connection, until: i64, batch: u32, waiting: &Waiting) -> rusqlite::Result<Deleted> {
    let mut found = sql.prepare_cached(
        "SELECT id, customer FROM interaction
         WHERE closed_at < ? AND last_message < ?
           AND NOT EXISTS (SELECT 1 FROM message_of_customer k CROSS JOIN outbox o ON o.message = k.message
                           WHERE k.customer = interaction.customer
                             AND k.message BETWEEN interaction.first_message AND interaction.last_message)
         ORDER BY closed_at LIMIT ?",
    )?;
    let found: Vec<(i64, i64)> = found
        .query_map(params![until, waiting.from, batch], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut rows = 0;
    for (interaction, customer) in &found {
        let mut messages = sql.prepare_cached(
            "SELECT m.id FROM interaction i
             CROSS JOIN message_of_customer k ON k.customer = i.customer AND k.message BETWEEN i.first_message AND i.last_message
             CROSS JOIN message m ON m.id = k.message AND m.interaction = i.id
             WHERE i.id = ?",
        )?;
        let messages: Vec<i64> = messages.query_map([interaction], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for message in messages {
            rows += forget_message(sql, *customer, message)?;
        }
        sql.prepare_cached("DELETE FROM note WHERE interaction = ?")?.execute([interaction])?;
        rows += sql.prepare_cached("DELETE FROM interaction WHERE id = ?")?.execute([interaction])?;
        rows += forget_customer(sql, *customer, waiting)?;
    }
    Ok((rows, found.len() >= batch as usize))
}

/// Messages that belong to no interaction: those of blocked senders, opt-out words and their answers.
fn forget_loose_messages(sql: &Connection, until: i64, batch: u32, waiting: &Waiting) -> rusqlite::Result<Deleted> {
    let mut found = sql.prepare_cached(
        "SELECT id, customer FROM message
         WHERE interaction IS NULL AND at < ? AND id < ?
           AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.message = message.id)
         ORDER BY at LIMIT ?",
    )?;
    let found: Vec<(i64, i64)> = found
        .query_map(params![until, waiting.from, batch], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut rows = 0;
    for (message, customer) in &found {
        rows += forget_message(sql, *customer, *message)?;
        rows += forget_customer(sql, *customer, waiting)?;
    }
    Ok((rows, found.len() >= batch as usize))
}

/// A customer of whom nothing is left, unless they opted out.
fn forget_customer(sql: &Connection, customer: i64, waiting: &Waiting) -> rusqlite::Result<usize> {
    if waiting.customers.contains(&CustomerId(codec::id(customer))) {
        return Ok(0);
    }
    let mut delete = sql.prepare_cached(
        "DELETE FROM customer WHERE id = ?1 AND opted_out = 0
           AND NOT EXISTS (SELECT 1 FROM message_of_customer WHERE customer = ?1)
           AND NOT EXISTS (SELECT 1 FROM interaction WHERE customer = ?1 AND closed_at IS NULL)
         RETURNING address",
    )?;
    let Some(address) = delete.query_row([customer], |row| row.get::<_, String>(0)).optional()? else { return Ok(0) };
    sql.prepare_cached("DELETE FROM customer_by_address WHERE address = ?")?.execute([address])?;
    Ok(1)
}

/// A message with all that is kept of it.
fn forget_message(sql: &Connection, customer: i64, message: i64) -> rusqlite::Result<usize> {
    sql.prepare_cached("DELETE FROM message_of_customer WHERE customer = ? AND message = ?")?
        .execute([customer, message])?;
    sql.prepare_cached("DELETE FROM attempt WHERE message = ?")?.execute([message])?;
    sql.prepare_cached("DELETE FROM provider_message WHERE message = ?")?.execute([message])?;
    sql.prepare_cached("DELETE FROM message WHERE id = ?")?.execute([message])
}

/// Events: those of a transaction are one row, and the oldest stand first. Where a clock was wrong some bear a later time, and wait.
fn forget_events(sql: &Connection, until: i64, batch: u32) -> rusqlite::Result<Deleted> {
    let rows = sql
        .prepare_cached(
            "DELETE FROM event WHERE last IN
                (SELECT last FROM (SELECT last, at FROM event ORDER BY last LIMIT ?2) WHERE at < ?1)",
        )?
        .execute(params![until, batch])?;
    Ok((rows, rows >= batch as usize))
}

fn forget_rows(sql: &Connection, table: &str, key: &str, until: i64, batch: u32) -> rusqlite::Result<Deleted> {
    let query =
        format!("DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE at < ? ORDER BY at LIMIT ?)");
    let rows = sql.prepare_cached(&query)?.execute(params![until, batch])?;
    Ok((rows, rows >= batch as usize))
}

/// The provider's ids of inbound messages. No index by age is kept, which would cost a row for each text: each step looks at the next
/// ids in their own order, `from` where the last one ended, and begins again after the last.
fn forget_ids(sql: &Connection, until: i64, batch: u32, from: &mut Option<String>) -> rusqlite::Result<Deleted> {
    let looked_at = batch.saturating_mul(IDS_FOR_EACH);
    let mut found = sql.prepare_cached(
        "SELECT max(provider_id), count(*) FROM (SELECT provider_id FROM dedup WHERE provider_id > ? ORDER BY provider_id LIMIT ?)",
    )?;
    let after = from.take().unwrap_or_default();
    let (last, count): (Option<String>, u32) =
        found.query_row(params![after, looked_at], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows = sql
        .prepare_cached("DELETE FROM dedup WHERE provider_id > ? AND provider_id <= ? AND at < ?")?
        .execute(params![after, last, until])?;
    *from = last.filter(|_| count >= looked_at);
    Ok((rows, rows >= batch as usize))
}

fn forget_answers(sql: &Connection, until: i64, batch: u32) -> rusqlite::Result<Deleted> {
    let rows = sql
        .prepare_cached(
            "DELETE FROM idempotency WHERE (user, key) IN
                (SELECT user, key FROM idempotency WHERE at < ? ORDER BY at LIMIT ?)",
        )?
        .execute(params![until, batch])?;
    Ok((rows, rows >= batch as usize))
}
