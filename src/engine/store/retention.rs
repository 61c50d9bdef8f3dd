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
use crate::{engine::core::ids::CustomerId, process::held_room::HeldRoom};

/// The shortest time for which the provider's ids of inbound messages are kept: a message that the engine committed while its answer
/// was lost may come again from a gateway's spool. That keeps it for up to 90 days without a route, counted while the gateway runs, and for as
/// long as the engine is away with one: after longer than this the engine takes it for a new one.
pub const SHORTEST_DEDUP: SignedDuration = SignedDuration::from_hours(100 * 24);

/// Ids of inbound messages that a step of forgetting looks at, for each row that it may delete of others.
const IDS_FOR_EACH: u32 = 10;

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Closed interactions, messages, notes, events, samples, parked receipts and failures of bots.
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

/// What is forgotten, in the order in which a first step sees to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Interactions,
    LooseMessages,
    Events,
    Samples,
    BlockedStarts,
    OptOutImports,
    ParkedReceipts,
    BotFailures,
    Ids,
    Answers,
}

const KINDS: [Kind; 10] = [
    Kind::Interactions,
    Kind::LooseMessages,
    Kind::Events,
    Kind::Samples,
    Kind::BlockedStarts,
    Kind::OptOutImports,
    Kind::ParkedReceipts,
    Kind::BotFailures,
    Kind::Ids,
    Kind::Answers,
];

/// Where the next step goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// The place in [`KINDS`] of the first kind that is seen to.
    kind: usize,
    /// Behind which of the provider's ids; none = from the first.
    ids_from: Option<String>,
    events: EventPlaces,
}

/// Behind which event to go on; 0 = from the first.
#[derive(Clone, Copy, Debug, Default)]
struct EventPlaces {
    /// The last one that was found too old, apart from those that stand first.
    found: i64,
    /// Where the walk through all of them is.
    walked: i64,
}

/// Instants before which things are too old, as they stand in rows.
#[derive(Clone, Copy, Debug)]
struct Until {
    contents: i64,
    dedup: i64,
    answers: i64,
}

impl Until {
    fn of(retention: Retention, now: Timestamp) -> Self {
        let before = |age: SignedDuration| codec::nanos(now.saturating_sub(age).unwrap_or(Timestamp::MIN));
        Self {
            contents: before(retention.contents),
            dedup: before(retention.dedup.max(SHORTEST_DEDUP)),
            answers: before(idempotency::KEPT),
        }
    }
}

impl Store {
    /// Deletes at most about `batch` rows, oldest first, in one transaction. A kind of which more is too old than that leaves the next step to the others.
    ///
    /// What is open stays, whatever its age: interactions that are not closed, and messages that are not sent; and so does what
    /// waits for the look-ups. Opt-outs stay for ever, with the customer's address. The last step empties the log, which makes the
    /// deletion final; when a query is running just then, or the volume has no room for it, the next call does. A step for which the volume has no room
    /// deletes nothing, and the room that is held in reserve is given up for the next one.
    ///
    /// # Errors
    /// When the store cannot be written. The process must end, as after a failed commit.
    pub fn forget(&mut self, retention: Retention, now: Timestamp, batch: u32) -> Result<Forgotten, CommitError> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(CommitError::Failed);
        }
        let forgotten = match self.forget_step(Until::of(retention, now), batch) {
            Err(StoreError::Full(error)) => {
                if HeldRoom::of(&self.path).give_up() {
                    tracing::warn!(%error, "what is too old is deleted with the room that was held in reserve");
                } else {
                    tracing::debug!(%error, "the volume has no room to delete what is too old");
                }
                Forgotten { rows: 0, more: true }
            }
            step => step?,
        };
        if self.log_holds_forgotten && !forgotten.more {
            self.log_holds_forgotten = !self.make_room()?;
        }
        if !forgotten.more {
            // It may have been given up, and the volume have become larger since.
            self.hold_room();
        }
        self.failed = false;
        Ok(forgotten)
    }

    /// One step; when it fails the database is as it was.
    fn forget_step(&mut self, until: Until, batch: u32) -> Result<Forgotten, StoreError> {
        let waiting = Waiting::of(&self.recent);
        let mut progress = self.progress.clone();
        let sql = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut forgotten = Forgotten::default();
        let mut unused = batch;
        for place in progress.kind..progress.kind + KINDS.len() {
            let place = place % KINDS.len();
            if unused == 0 {
                (forgotten.more, progress.kind) = (true, place);
                break;
            }
            let (rows, more) = forget_kind(&sql, KINDS[place], until, unused, &waiting, &mut progress)?;
            forgotten.rows += rows as u64;
            forgotten.more |= more;
            unused = left(unused, rows);
        }
        if forgotten.rows > 0 {
            // The counter tells copies apart: this one holds less than the one before.
            sql.execute("UPDATE store SET commits = commits + 1", [])?;
        }
        sql.commit()?;
        self.progress = progress;
        self.commits += u64::from(forgotten.rows > 0);
        self.log_holds_forgotten |= forgotten.rows > 0;
        Ok(forgotten)
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

/// What is left of a budget when so many rows were deleted.
fn left(budget: u32, rows: usize) -> u32 {
    budget.saturating_sub(u32::try_from(rows).unwrap_or(u32::MAX))
}

/// Rows of one kind, `at_most` so many.
fn forget_kind(
    sql: &Connection,
    kind: Kind,
    until: Until,
    at_most: u32,
    waiting: &Waiting,
    progress: &mut Progress,
) -> rusqlite::Result<Deleted> {
    match kind {
        Kind::Interactions => forget_interactions(sql, until.contents, at_most, waiting),
        Kind::LooseMessages => forget_loose_messages(sql, until.contents, at_most, waiting),
        Kind::Events => forget_events(sql, until.contents, at_most, &mut progress.events),
        Kind::Samples => forget_rows(sql, "sample", "id", until.contents, at_most),
        Kind::BlockedStarts => forget_rows(sql, "blocked_start", "id", until.contents, at_most),
        Kind::OptOutImports => forget_rows(sql, "opt_out_import", "id", until.contents, at_most),
        Kind::ParkedReceipts => forget_rows(sql, "parked_receipt", "id", until.contents, at_most),
        Kind::BotFailures => forget_rows(sql, "bot_failure", "id", until.contents, at_most),
        Kind::Ids => forget_ids(sql, until.dedup, at_most, &mut progress.ids_from),
        Kind::Answers => forget_answers(sql, until.answers, at_most),
    }
}

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
        rows += forget_contents(sql, *interaction, *customer, left(batch, rows))?;
        if rows >= batch as usize {
            // What is left of it, if only its own row, goes with the next step.
            return Ok((rows, true));
        }
        rows += sql.prepare_cached("DELETE FROM interaction WHERE id = ?")?.execute([interaction])?;
        rows += forget_customer(sql, *customer, waiting)?;
    }
    Ok((rows, found.len() >= batch as usize))
}

/// Messages and notes of an interaction, `at_most` so many: it may have any number.
fn forget_contents(sql: &Connection, interaction: i64, customer: i64, at_most: u32) -> rusqlite::Result<usize> {
    let mut messages = sql.prepare_cached(
        "SELECT m.id FROM interaction i
         CROSS JOIN message_of_customer k ON k.customer = i.customer AND k.message BETWEEN i.first_message AND i.last_message
         CROSS JOIN message m ON m.id = k.message AND m.interaction = i.id
         WHERE i.id = ? LIMIT ?",
    )?;
    let messages: Vec<i64> =
        messages.query_map(params![interaction, at_most], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut rows = 0;
    for message in messages {
        rows += forget_message(sql, customer, message)?;
    }
    let notes = "DELETE FROM note WHERE id IN (SELECT id FROM note WHERE interaction = ? LIMIT ?)";
    rows += sql.prepare_cached(notes)?.execute(params![interaction, left(at_most, rows)])?;
    let trace = "DELETE FROM bot_trace WHERE interaction = ?1 AND n IN (SELECT n FROM bot_trace WHERE interaction = ?1 LIMIT ?2)";
    rows += sql.prepare_cached(trace)?.execute(params![interaction, left(at_most, rows)])?;
    Ok(rows)
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
           AND NOT EXISTS (SELECT 1 FROM assembly WHERE customer = ?1)
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

/// Events: those of a transaction are one row, and the oldest stand first. Where a clock was ahead some bear a later time, and stay
/// until then. So that what stands behind them does not stay with them, each step looks behind those that were found there last, where
/// the next ones become old; when it finds none it walks on through all of them, for those of other clocks.
fn forget_events(sql: &Connection, until: i64, batch: u32, places: &mut EventPlaces) -> rusqlite::Result<Deleted> {
    let (rows, _) = forget_next_events(sql, until, batch, 0)?;
    let count = left(batch, rows);
    if count == 0 {
        return Ok((rows, true));
    }
    let (mut further, mut found) = forget_next_events(sql, until, count, places.found)?;
    // There they stand in the order of time.
    let mut more = further >= count as usize;
    if found.is_none() {
        let walked = place_behind(sql, places.walked, count)?;
        (further, found) = forget_next_events(sql, until, count, places.walked)?;
        places.walked = walked.unwrap_or_default();
        more = found.is_some();
    }
    places.found = found.unwrap_or(places.found);
    Ok((rows + further, more))
}

/// The place behind the next `count` events; none when there are fewer.
fn place_behind(sql: &Connection, from: i64, count: u32) -> rusqlite::Result<Option<i64>> {
    let mut next = sql.prepare_cached(
        "SELECT max(last), count(*) FROM (SELECT last FROM event WHERE last > ? ORDER BY last LIMIT ?)",
    )?;
    let (last, found): (Option<i64>, u32) =
        next.query_row(params![from, count], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(last.filter(|_| found >= count))
}

/// Of the next `count` events behind a place, those that are too old. How many, and the last of them.
fn forget_next_events(sql: &Connection, until: i64, count: u32, from: i64) -> rusqlite::Result<(usize, Option<i64>)> {
    let mut delete = sql.prepare_cached(
        "DELETE FROM event WHERE last IN
            (SELECT last FROM (SELECT last, at FROM event WHERE last > ?3 ORDER BY last LIMIT ?2) WHERE at < ?1)
         RETURNING last",
    )?;
    let deleted: Vec<i64> =
        delete.query_map(params![until, count, from], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok((deleted.len(), deleted.into_iter().max()))
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
