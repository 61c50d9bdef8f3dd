//! The interactions of one customer, found by the customer's messages: each has one at least, and they do not overlap. An index of its own would be
//! written in random order with each interaction that is opened.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{messages::indexed, place::InteractionPlace};
use crate::engine::{
    core::ids::{InteractionId, MessageId},
    store::{codec, error::StoreError, load::all},
};

/// The next message of a customer in the look-up, with its interaction and where that begins and ends.
macro_rules! step {
    ($place:literal) => {
        concat!(
            "SELECT k.message, i.id, i.first_message, i.last_message, i.closed_at IS NULL
             FROM message_of_customer k CROSS JOIN message m ON m.id = k.message LEFT JOIN interaction i ON i.id = m.interaction
             WHERE k.customer = ?1 AND k.message BETWEEN ?2 AND ?3 ORDER BY k.message ",
            $place,
            " LIMIT 1"
        )
    };
}

pub(super) const NEXT: &str = step!("ASC");
pub(super) const NEXT_NEWEST_FIRST: &str = step!("DESC");
/// Those of the messages that wait for the look-up.
pub(super) const RECENT: &str =
    "SELECT DISTINCT m.interaction FROM message m WHERE m.id > ?1 AND m.customer = ?2 AND m.interaction IS NOT NULL";

/// The interactions of a customer, one after the other.
pub(super) struct OfCustomer<'s> {
    sql: &'s Connection,
    customer: i64,
    newest_first: bool,
    /// Messages of the look-up that were not gone through, from the first to the last.
    left: (i64, i64),
    /// Of messages that wait for the look-up; the next one is the last.
    recent: Vec<InteractionId>,
    /// What comes is behind it.
    last: Option<InteractionId>,
}

/// The next interaction of the customer, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Found(InteractionId),
    /// So many were looked at that it has to go on later, from this message.
    Stopped {
        message: MessageId,
    },
    Ended,
}

/// A message with its interaction.
struct Step {
    message: i64,
    interaction: Option<InteractionId>,
    /// The next message may be of another one beyond these.
    first: i64,
    last: i64,
}

impl<'s> OfCustomer<'s> {
    /// Those behind a place, or all.
    pub(super) fn after(
        sql: &'s Connection,
        customer: i64,
        newest_first: bool,
        after: Option<InteractionPlace>,
    ) -> Result<Self, StoreError> {
        let indexed = indexed(sql)?;
        let mut recent = all(sql, RECENT, params![indexed, customer], |row| Ok(InteractionId(codec::id(row.get(0)?))))?;
        recent.sort_unstable();
        if !newest_first {
            recent.reverse();
        }
        let last = after.map(|after| after.id);
        let mut of = Self { sql, customer, newest_first, left: (0, indexed), recent: Vec::new(), last };
        let stopped_at = after.and_then(|after| after.message).map(|message| codec::column(message.0));
        // Where it stopped at a message, newer ones were gone through before.
        if !(newest_first && stopped_at.is_some()) {
            recent.retain(|interaction| of.is_behind(*interaction));
            of.recent = recent;
        }
        if let Some(message) = stopped_at {
            of.pass(message, message);
        }
        if let Some(after) = last {
            let place = "SELECT first_message, last_message FROM interaction WHERE id = ?";
            let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?));
            let place = sql.prepare_cached(place)?.query_row([codec::column(after.0)], read).optional()?;
            // What was forgotten meanwhile is not there to go on from: then all are gone through again, and those before it left out.
            if let Some((first, last)) = place {
                of.pass(first, last.unwrap_or(i64::MAX));
            }
        }
        Ok(of)
    }

    /// The next one. `looked_at` counts it, and what was passed on the way to it: messages that belong to none, of which there may be any
    /// number. It stops when that are `most`.
    pub(super) fn next(&mut self, looked_at: &mut u32, most: u32) -> Result<Next, StoreError> {
        loop {
            let (found, message) = if self.newest_first && !self.recent.is_empty() {
                (self.recent.pop(), None)
            } else if let Some(step) = self.step()? {
                self.pass(step.first.min(step.message), step.last.max(step.message));
                (step.interaction, Some(step.message))
            } else if let Some(recent) = self.recent.pop() {
                (Some(recent), None)
            } else {
                return Ok(Next::Ended);
            };
            *looked_at += 1;
            // One may have messages in the look-up and others that wait for it.
            if let Some(found) = found.filter(|found| self.is_behind(*found)) {
                self.last = Some(found);
                return Ok(Next::Found(found));
            }
            if let Some(message) = message.filter(|_| *looked_at >= most) {
                return Ok(Next::Stopped { message: MessageId(codec::id(message)) });
            }
        }
    }

    fn is_behind(&self, found: InteractionId) -> bool {
        self.last.is_none_or(|last| if self.newest_first { found < last } else { found > last })
    }

    fn step(&self) -> Result<Option<Step>, StoreError> {
        let query = if self.newest_first { NEXT_NEWEST_FIRST } else { NEXT };
        let read = |row: &Row<'_>| {
            let message = row.get(0)?;
            let interaction = row.get::<_, Option<i64>>(1)?.map(|id| InteractionId(codec::id(id)));
            // Those of an old store may not say where they begin; the customer has nothing behind an open one.
            let first = row.get::<_, Option<i64>>(2)?.filter(|first| *first > 0).unwrap_or(message);
            let end =
                if row.get::<_, Option<bool>>(4)? == Some(true) && interaction.is_some() { i64::MAX } else { message };
            let last = row.get::<_, Option<i64>>(3)?.unwrap_or(end);
            Ok(Step { message, interaction, first, last })
        };
        let (from, to) = self.left;
        Ok(self.sql.prepare_cached(query)?.query_row(params![self.customer, from, to], read).optional()?)
    }

    /// Messages from one to another were gone through.
    fn pass(&mut self, first: i64, last: i64) {
        if self.newest_first {
            self.left.1 = self.left.1.min(first.saturating_sub(1));
        } else {
            self.left.0 = self.left.0.max(last.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::engine::store::{
        read::{InteractionFilter, Reader},
        schema,
    };

    /// The store of a customer with a few interactions of three messages each, and so many messages of none before, between and behind them.
    /// The last so many messages wait for the look-up.
    fn store(loose: &[i64], waiting: i64) -> Connection {
        let mut sql = Connection::open_in_memory().unwrap();
        let tx = sql.transaction().unwrap();
        schema::migrate(&tx).unwrap();
        tx.execute("INSERT INTO customer (id, address, can_receive, opted_out) VALUES (1, '+15559870001', 1, 0)", [])
            .unwrap();
        tx.execute("INSERT INTO customer_by_address (address, customer) VALUES ('+15559870001', 1)", []).unwrap();
        let mut messages = 0;
        let mut message = |interaction: Option<i64>| {
            messages += 1;
            let insert = "INSERT INTO message (id, customer, interaction, direction, at, text, outcome, received_at)
                VALUES (?1, 1, ?2, 'Inbound', ?1, 'x', 'Blocked', ?1)";
            tx.prepare_cached(insert).unwrap().execute(params![messages, interaction]).unwrap();
            messages
        };
        for (interaction, behind) in (0_i64..).zip(loose) {
            if interaction > 0 {
                let of_it = [(); 3].map(|()| message(Some(interaction)));
                let insert =
                    "INSERT INTO interaction (id, customer, state, opted_out, arrived_at, at_head, epoch, active_at,
                        closed_at, close_reason, first_message, last_message)
                    VALUES (?1, 1, 'Closed', 0, ?2, 0, 0, ?3, ?3, 'Idle', ?2, ?3)";
                tx.execute(insert, params![interaction, of_it[0], of_it[2]]).unwrap();
            }
            (0..*behind).for_each(|_| _ = message(None));
        }
        tx.execute_batch(&format!(
            "INSERT INTO store (one, id, account, number, receipt_key, created_at, commits, last_sequence, scalars, indexed, indexed_customer)
                VALUES (1, 's', 'a', '+15551230001', zeroblob(32), 0, 0, 0, '{{}}', {indexed}, 1);
             INSERT INTO message_of_customer (customer, message) SELECT customer, id FROM message WHERE id <= {indexed}",
            indexed = messages - waiting,
        ))
        .unwrap();
        tx.commit().unwrap();
        sql
    }

    type Pages = &'static [&'static [u64]];

    fn filter(newest_first: bool) -> InteractionFilter {
        let customer = Some("+15559870001".to_owned().into());
        InteractionFilter { customer, newest_first, ..Default::default() }
    }

    /// Which interactions are on each page.
    fn pages(reader: &Reader, newest_first: bool) -> Vec<Vec<u64>> {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = reader.interactions(&filter(newest_first), after, 50).unwrap();
            pages.push(page.items.iter().map(|found| found.id.0).collect());
            assert!(pages.len() < 50, "it comes to no end: {pages:?}");
            if page.next.is_none() {
                return pages;
            }
            assert_ne!(page.next, after);
            after = page.next;
        }
    }

    #[test]
    fn no_page_looks_through_more_messages_of_no_interaction_than_it_may() {
        // Messages of none, how many wait for the look-up, and the interactions on each page in both orders.
        let cases: [(&[i64], i64, Pages, Pages); 5] = [
            (&[0, 2500, 0], 0, &[&[1], &[], &[2]], &[&[2], &[], &[1]]),
            (&[1500, 2500, 1500], 0, &[&[], &[1], &[], &[], &[2], &[]], &[&[], &[2], &[], &[], &[1], &[]]),
            (&[0, 1500, 0], 2, &[&[1], &[2]], &[&[2], &[1]]),
            (&[1500], 0, &[&[], &[]], &[&[], &[]]),
            (&[0, 0, 0, 0], 4, &[&[1, 2, 3]], &[&[3, 2, 1]]),
        ];
        for (loose, waiting, oldest_first, newest_first) in cases {
            let reader = Reader::new(store(loose, waiting));
            assert_eq!(pages(&reader, false), oldest_first, "{loose:?}, oldest first");
            assert_eq!(pages(&reader, true), newest_first, "{loose:?}, newest first");
        }
    }

    #[test]
    fn what_is_passed_once_more_since_a_place_is_there_no_longer_counts() {
        let sql = store(&[0; 21], 0);
        let place = InteractionPlace { at: Timestamp::UNIX_EPOCH, id: InteractionId(15), message: None };
        sql.execute_batch(
            "DELETE FROM message_of_customer WHERE message BETWEEN 43 AND 45;
             DELETE FROM message WHERE interaction = 15;
             DELETE FROM interaction WHERE id = 15",
        )
        .unwrap();
        let mut looked_at = 0;
        let mut of = OfCustomer::after(&sql, 1, false, Some(place)).unwrap();
        let stopped = of.next(&mut looked_at, 10).unwrap();
        assert_eq!((&stopped, looked_at), (&Next::Stopped { message: MessageId(28) }, 10));
        let Next::Stopped { message } = stopped else { unreachable!() };
        let mut of =
            OfCustomer::after(&sql, 1, false, Some(InteractionPlace { message: Some(message), ..place })).unwrap();
        assert_eq!(of.next(&mut 0, 10).unwrap(), Next::Found(InteractionId(16)));
    }
}
