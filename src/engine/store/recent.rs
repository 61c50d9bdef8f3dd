//! What the newest transactions appended and the look-ups by provider's id and by customer do not have yet.
//!
//! A look-up in random order costs a page of the log for each row. Messages are therefore only appended, and from time to time
//! the look-ups get many rows at once, sorted, so that they share pages. Until then the messages themselves say everything: after a
//! kill the next start reads those behind [`store.indexed`](super::schema).

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};

use super::{codec, error::Fault};
use crate::engine::core::{
    clock::{ChannelClock, ChannelTime},
    ids::{CustomerId, InteractionId, MessageId},
};

/// Messages that wait for the look-ups at most. Queries read as many rows one by one.
const MOST: usize = 32_768;
/// How long the first of them waits: many share pages after a moment, and fewer are not worth a commit of their own each time.
const LONGEST: Duration = Duration::from_secs(2);
/// How long the first of [`MANY`] waits, so that writing them delays nobody for long.
const SOON: Duration = Duration::from_millis(250);
const MANY: usize = 2048;

/// The newest messages.
#[derive(Debug, Default)]
pub(super) struct Recent {
    since: Option<Instant>,
    newest: u64,
    by_customer: Vec<(i64, i64)>,
    by_provider_id: HashMap<Box<str>, (MessageId, i64)>,
    active: HashMap<InteractionId, ChannelTime>,
}

impl Recent {
    /// A message that was appended.
    pub(super) fn add(&mut self, message: MessageId, customer: CustomerId) {
        self.since.get_or_insert_with(Instant::now);
        self.newest = self.newest.max(message.0);
        self.by_customer.push((codec::column(customer.0), codec::column(message.0)));
    }

    /// The provider's id of a message that was appended.
    pub(super) fn identify(&mut self, message: MessageId, provider_id: &str, at: i64) {
        self.by_provider_id.insert(provider_id.into(), (message, at));
    }

    /// A message belongs to an interaction, whose last activity it is.
    pub(super) fn active(&mut self, interaction: InteractionId, at: ChannelTime) {
        self.since.get_or_insert_with(Instant::now);
        self.active.insert(interaction, at);
    }

    /// The interaction's row was written.
    pub(super) fn is_written(&mut self, interaction: InteractionId) {
        self.active.remove(&interaction);
    }

    /// When an interaction was active last, if its row does not say it.
    pub(super) fn active_at(&self, interaction: InteractionId) -> Option<ChannelTime> {
        self.active.get(&interaction).copied()
    }

    /// The message with a provider's id.
    pub(super) fn seen(&self, provider_id: &str) -> Option<MessageId> {
        self.by_provider_id.get(provider_id).map(|(message, _)| *message)
    }

    /// When the look-ups are to get them; none while there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        let wait = match self.by_customer.len() {
            MOST.. => Duration::ZERO,
            MANY..MOST => SOON,
            0..MANY => LONGEST,
        };
        self.since.map(|since| since + wait)
    }

    /// Writes them into the look-ups.
    pub(super) fn index(&mut self, sql: &Connection) -> Result<(), Fault> {
        if self.since.take().is_none() {
            return Ok(());
        }
        self.by_customer.sort_unstable();
        let mut insert = sql.prepare_cached("INSERT INTO message_of_customer (customer, message) VALUES (?, ?)")?;
        for (customer, message) in self.by_customer.drain(..) {
            insert.execute([customer, message])?;
        }
        let mut identified: Vec<_> = self.by_provider_id.drain().collect();
        identified.sort_unstable();
        let mut insert = sql.prepare_cached("INSERT INTO dedup (provider_id, message, at) VALUES (?, ?, ?)")?;
        for (provider_id, (message, at)) in identified {
            insert.execute(params![&*provider_id, codec::column(message.0), at])?;
        }
        let mut active: Vec<_> = self.active.drain().collect();
        active.sort_unstable();
        let mut update = sql.prepare_cached("UPDATE interaction SET active_at = ? WHERE id = ?")?;
        for (interaction, at) in active {
            update.execute([codec::nanos(at.timestamp()), codec::column(interaction.0)])?;
        }
        sql.prepare_cached("UPDATE store SET indexed = max(indexed, ?)")?.execute([codec::column(self.newest)])?;
        Ok(())
    }

    /// Reads what a process that was killed left.
    pub(super) fn read(sql: &Connection, clock: &ChannelClock) -> Result<Self, Fault> {
        let mut recent = Self::default();
        let mut left = sql.prepare(
            "SELECT id, customer, interaction, provider_id, at FROM message
             WHERE id > (SELECT indexed FROM store) ORDER BY id",
        )?;
        let mut rows = left.query([])?;
        while let Some(row) = rows.next()? {
            let (message, at) = (MessageId(codec::id(row.get(0)?)), row.get(4)?);
            recent.add(message, CustomerId(codec::id(row.get(1)?)));
            if let Some(interaction) = row.get::<_, Option<i64>>(2)? {
                recent.active(InteractionId(codec::id(interaction)), clock.at(codec::timestamp(at)?));
            }
            if let Some(provider_id) = row.get::<_, Option<String>>(3)? {
                recent.identify(message, &provider_id, at);
            }
        }
        // What was written with the interaction itself may be later: an owner got it.
        let mut written = sql.prepare("SELECT active_at FROM interaction WHERE id = ?")?;
        for (interaction, at) in &mut recent.active {
            let stored = written.query_row([codec::column(interaction.0)], |row| row.get(0))?;
            *at = (*at).max(ChannelTime::from(codec::timestamp(stored)?));
        }
        Ok(recent)
    }
}
