//! The interactions of one customer, found by the customer's messages: each has one at least, and they do not overlap. An index of its own would be
//! written in random order with each interaction that is opened.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::messages::indexed;
use crate::engine::{
    core::ids::InteractionId,
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

/// A message with its interaction.
struct Step {
    message: i64,
    interaction: Option<InteractionId>,
    /// The next message may be of another one beyond these.
    first: i64,
    last: i64,
}

impl<'s> OfCustomer<'s> {
    /// Those behind one, or all.
    pub(super) fn after(
        sql: &'s Connection,
        customer: i64,
        newest_first: bool,
        after: Option<InteractionId>,
    ) -> Result<Self, StoreError> {
        let indexed = indexed(sql)?;
        let mut recent = all(sql, RECENT, params![indexed, customer], |row| Ok(InteractionId(codec::id(row.get(0)?))))?;
        recent.sort_unstable();
        if !newest_first {
            recent.reverse();
        }
        let mut of = Self { sql, customer, newest_first, left: (0, indexed), recent: Vec::new(), last: after };
        recent.retain(|interaction| of.is_behind(*interaction));
        of.recent = recent;
        if let Some(after) = after {
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

    /// The next one; `looked_at` counts it, and messages that belong to none.
    pub(super) fn next(&mut self, looked_at: &mut u32) -> Result<Option<InteractionId>, StoreError> {
        loop {
            let found = if self.newest_first && !self.recent.is_empty() {
                self.recent.pop()
            } else if let Some(step) = self.step()? {
                self.pass(step.first.min(step.message), step.last.max(step.message));
                step.interaction
            } else if let Some(recent) = self.recent.pop() {
                Some(recent)
            } else {
                return Ok(None);
            };
            // One may have messages in the look-up and others that wait for it.
            if found.is_some_and(|found| !self.is_behind(found)) {
                continue;
            }
            *looked_at += 1;
            if let Some(found) = found {
                self.last = Some(found);
                return Ok(Some(found));
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
