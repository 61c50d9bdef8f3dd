//! What the newest transactions appended and the look-ups by provider's id and by customer do not have yet.
//!
//! A look-up in random order costs a page of the log for each row. Messages are therefore only appended, and the look-ups get many
//! of them at once, sorted, in a transaction of its own. Until then the messages themselves say everything: after a kill the next
//! start reads those behind [`store.indexed`](super::schema).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};

use super::{codec, error::StoreError};
use crate::engine::core::{
    clock::ChannelTime,
    ids::{CustomerId, InteractionId, MessageId},
    state::Scalars,
};

/// Messages that the look-ups get in one transaction at most: with keys in random order and a large store each changes some three
/// pages of 4 KiB, which is less than half of what is kept free on a large volume, and short enough for those who wait meanwhile.
pub const INDEX_AT_ONCE: usize = 2048;
/// How long the first message waits while there are fewer: a few are not worth a transaction of their own each time.
const LONGEST: Duration = Duration::from_secs(2);

/// The newest messages.
#[derive(Debug, Default)]
pub(super) struct Recent {
    since: Option<Instant>,
    messages: BTreeMap<MessageId, Appended>,
    by_provider_id: HashMap<Arc<str>, MessageId>,
    active: HashMap<InteractionId, ChannelTime>,
}

/// What the look-ups need of a message.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) customer: CustomerId,
    pub(super) interaction: Option<InteractionId>,
    /// The provider's id, and when the message was committed.
    pub(super) provider_id: Option<(Arc<str>, i64)>,
}

impl Recent {
    /// A message that was appended.
    pub(super) fn add(&mut self, message: MessageId, appended: Appended) {
        self.since.get_or_insert_with(Instant::now);
        if let Some((provider_id, _)) = &appended.provider_id {
            self.by_provider_id.insert(Arc::clone(provider_id), message);
        }
        self.messages.insert(message, appended);
    }

    /// A message that was appended belongs to an interaction, whose last activity it is.
    pub(super) fn active(&mut self, interaction: InteractionId, at: ChannelTime) {
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
        self.by_provider_id.get(provider_id).copied()
    }

    /// The first message that waits: the look-ups have all before it.
    pub(super) fn first(&self) -> Option<MessageId> {
        self.messages.first_key_value().map(|(message, _)| *message)
    }

    /// Whose messages wait.
    pub(super) fn customers(&self) -> HashSet<CustomerId> {
        self.messages.values().map(|appended| appended.customer).collect()
    }

    /// When the look-ups are to get the first of them; none while there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        let wait = if self.messages.len() < INDEX_AT_ONCE { LONGEST } else { Duration::ZERO };
        self.since.map(|since| since + wait)
    }

    /// Writes the first of them into the look-ups, `at_most` so many. That a message is there already does no harm.
    pub(super) fn index(&mut self, sql: &Connection, at_most: usize) -> Result<(), StoreError> {
        let rest = self.messages.keys().nth(at_most).copied().map(|first| self.messages.split_off(&first));
        let messages = std::mem::replace(&mut self.messages, rest.unwrap_or_default());
        self.since = (!self.messages.is_empty()).then(Instant::now);
        let Some((newest, _)) = messages.last_key_value() else { return Ok(()) };
        let indexed = codec::column(newest.0);

        let mut of_customers: Vec<_> =
            messages.iter().map(|(message, appended)| (appended.customer, *message)).collect();
        of_customers.sort_unstable();
        let mut insert = sql.prepare_cached(
            "INSERT INTO message_of_customer (customer, message) VALUES (?, ?) ON CONFLICT (customer, message) DO NOTHING",
        )?;
        for (customer, message) in of_customers {
            insert.execute([codec::column(customer.0), codec::column(message.0)])?;
        }

        let active: HashSet<_> = messages.values().filter_map(|appended| appended.interaction).collect();
        let mut active: Vec<_> = active.into_iter().filter_map(|id| self.active.remove_entry(&id)).collect();
        write_active(sql, &mut active)?;

        let mut identified: Vec<_> = messages
            .into_iter()
            .filter_map(|(message, appended)| appended.provider_id.map(|(provider_id, at)| (provider_id, message, at)))
            .collect();
        identified.sort_unstable();
        let mut insert = sql.prepare_cached(
            "INSERT INTO dedup (provider_id, message, at) VALUES (?, ?, ?) ON CONFLICT (provider_id) DO NOTHING",
        )?;
        for (provider_id, message, at) in identified {
            insert.execute(params![&*provider_id, codec::column(message.0), at])?;
            self.by_provider_id.remove(&provider_id);
        }
        sql.prepare_cached("UPDATE store SET indexed = max(indexed, ?)")?.execute([indexed])?;
        Ok(())
    }

    /// Writes when interactions were active last, for all of them.
    pub(super) fn write_active(&mut self, sql: &Connection) -> Result<(), StoreError> {
        write_active(sql, &mut self.active.drain().collect::<Vec<_>>())
    }

    /// Reads what a process that was killed left.
    pub(super) fn read(sql: &Connection, scalars: &Scalars) -> Result<Self, StoreError> {
        let mut recent = Self::default();
        let mut left = sql.prepare(
            "SELECT id, customer, interaction, provider_id, at FROM message
             WHERE id > (SELECT indexed FROM store) ORDER BY id",
        )?;
        let mut rows = left.query([])?;
        while let Some(row) = rows.next()? {
            let (message, at) = (MessageId(codec::id(row.get(0)?)), row.get(4)?);
            let interaction = row.get::<_, Option<i64>>(2)?.map(|id| InteractionId(codec::id(id)));
            let provider_id = row.get::<_, Option<String>>(3)?.map(|provider_id| (provider_id.into(), at));
            recent.add(message, Appended { customer: CustomerId(codec::id(row.get(1)?)), interaction, provider_id });
            // What was active under another clock was written when the clock changed.
            if let Some(interaction) =
                interaction.filter(|_| scalars.clock_changed_before.is_none_or(|changed| message >= changed))
            {
                recent.active(interaction, scalars.clock.at(codec::timestamp(at)?));
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

fn write_active(sql: &Connection, active: &mut [(InteractionId, ChannelTime)]) -> Result<(), StoreError> {
    active.sort_unstable();
    let mut update = sql.prepare_cached("UPDATE interaction SET active_at = ? WHERE id = ?")?;
    for (interaction, at) in active {
        update.execute([codec::nanos(at.timestamp()), codec::column(interaction.0)])?;
    }
    Ok(())
}
