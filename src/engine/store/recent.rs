//! What the newest transactions appended and the look-ups by provider's id, by customer and by address do not have yet.
//!
//! A look-up in random order costs a page of the log for each row. Messages and customers are therefore only appended, and the
//! look-ups get many of them in one [flush](super::flush). Until then the tables themselves say everything: after a kill the next
//! start reads those behind [`store.indexed` and `store.indexed_customer`](super::schema).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{codec, error::StoreError, flush::Flush, look_up_rows::LookUpRows};
use crate::engine::core::ids::{CustomerId, MessageId};

/// Rows of look-ups that are written in one transaction at most: each may change a page of 4 KiB, which is less than half of what is
/// kept free on a large volume, and short enough for those who wait meanwhile.
pub const INDEX_AT_ONCE: usize = 2048;
/// Rows of look-ups that a request may add: of a text from a new customer their address, its provider's id, and it and its answer by customer.
pub(super) const LOOK_UPS_OF_A_REQUEST: usize = 4;
/// A flush begins when so many messages or new customers wait: the more it has, the more of its rows share a page.
const FLUSH_AT: usize = 32_768;
/// How long the first message waits while there are fewer: a few are not worth a transaction of their own each time.
const LONGEST: Duration = Duration::from_secs(2);

/// The newest messages and customers.
#[derive(Debug, Default)]
pub(super) struct Recent {
    since: Option<Instant>,
    waiting: LookUpRows,
    flush: Option<Flush>,
    by_provider_id: HashMap<Arc<str>, MessageId>,
    by_address: HashMap<Arc<str>, CustomerId>,
}

/// What the look-ups need of a message.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) message: MessageId,
    pub(super) customer: CustomerId,
    /// The provider's id, and when the message was committed.
    pub(super) provider_id: Option<(Arc<str>, i64)>,
}

impl Recent {
    /// A message that was appended. Its id is larger than those before.
    pub(super) fn add(&mut self, appended: Appended) {
        self.since.get_or_insert_with(Instant::now);
        let Appended { message, customer, provider_id } = appended;
        self.waiting.of_customers.push((customer, message));
        if let Some((provider_id, at)) = provider_id {
            self.by_provider_id.insert(Arc::clone(&provider_id), message);
            self.waiting.identified.push((provider_id, message, at));
        }
    }

    /// A customer who was added. Their id is larger than those before.
    pub(super) fn add_customer(&mut self, customer: CustomerId, address: Arc<str>) {
        self.since.get_or_insert_with(Instant::now);
        self.by_address.insert(Arc::clone(&address), customer);
        self.waiting.addresses.push((address, customer));
    }

    /// The message with a provider's id.
    pub(super) fn seen(&self, provider_id: &str) -> Option<MessageId> {
        self.by_provider_id.get(provider_id).copied()
    }

    /// The customer with an address.
    pub(super) fn customer(&self, address: &str) -> Option<CustomerId> {
        self.by_address.get(address).copied()
    }

    fn rows(&self) -> impl Iterator<Item = &LookUpRows> {
        self.flush.iter().map(Flush::rows).chain([&self.waiting])
    }

    /// Whether the look-ups have everything.
    pub(super) fn is_empty(&self) -> bool {
        self.flush.is_none() && self.waiting.is_empty()
    }

    /// The first message that waits: the look-ups have all before it.
    pub(super) fn first(&self) -> Option<MessageId> {
        let waiting = self.waiting.of_customers.first().map(|(_, message)| *message);
        self.flush.as_ref().and_then(Flush::first).or(waiting)
    }

    pub(super) fn customers(&self) -> HashSet<CustomerId> {
        let customers = self.rows().flat_map(|rows| {
            let of_messages = rows.of_customers.iter().map(|(customer, _)| *customer);
            of_messages.chain(rows.addresses.iter().map(|(_, customer)| *customer))
        });
        customers.collect()
    }

    /// When the look-ups are to get the next of them; none while there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        let runs =
            self.flush.is_some() || self.waiting.of_customers.len().max(self.waiting.addresses.len()) >= FLUSH_AT;
        let wait = if runs { Duration::ZERO } else { LONGEST };
        self.flush.as_ref().map(Flush::begun).or(self.since).map(|since| since + wait)
    }

    /// Writes rows into the look-ups, `at_most` so many: of the flush that runs, or of a new one of all that waits. That a row is there already does no
    /// harm.
    pub(super) fn index(&mut self, sql: &Connection, at_most: usize) -> Result<(), StoreError> {
        let waiting = &mut self.waiting;
        let flush = self.flush.get_or_insert_with(|| Flush::new(std::mem::take(waiting)));
        if self.waiting.is_empty() {
            self.since = None;
        }
        let written = flush.write(sql, at_most)?;
        for (provider_id, ..) in &written.identified {
            self.by_provider_id.remove(provider_id);
        }
        for (address, _) in &written.addresses {
            self.by_address.remove(address);
        }
        if flush.is_done() {
            flush.mark(sql)?;
            self.flush = None;
        }
        Ok(())
    }

    /// Reads what a process that was killed left.
    pub(super) fn read(sql: &Connection) -> Result<Self, StoreError> {
        let mut recent = Self::default();
        let mut left = sql
            .prepare("SELECT id, address FROM customer WHERE id > (SELECT indexed_customer FROM store) ORDER BY id")?;
        let mut rows = left.query([])?;
        while let Some(row) = rows.next()? {
            recent.add_customer(CustomerId(codec::id(row.get(0)?)), row.get::<_, String>(1)?.into());
        }
        let mut left = sql.prepare(
            "SELECT id, customer, provider_id, at FROM message WHERE id > (SELECT indexed FROM store) ORDER BY id",
        )?;
        let mut rows = left.query([])?;
        while let Some(row) = rows.next()? {
            let (provider_id, at) = (row.get::<_, Option<String>>(2)?, row.get(3)?);
            recent.add(Appended {
                message: MessageId(codec::id(row.get(0)?)),
                customer: CustomerId(codec::id(row.get(1)?)),
                provider_id: provider_id.map(|provider_id| (provider_id.into(), at)),
            });
        }
        Ok(recent)
    }
}
