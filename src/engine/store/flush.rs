//! One flush: many rows that go into the look-ups sorted by their keys, in small transactions.
//!
//! In the order of the keys rows that are written together lie on few pages. What says that the look-ups have them
//! (`store.indexed`, `store.indexed_customer`) is written with the last of them, because only then all messages up to it are there.

use std::{sync::Arc, time::Instant};

use rusqlite::{Connection, params};

use super::{codec, error::StoreError, look_up_rows::LookUpRows};
use crate::engine::core::ids::{CustomerId, MessageId};

/// What is left to be written, each look-up's rows in the reverse order of its keys, and what is true when all is.
#[derive(Debug)]
pub(super) struct Flush {
    begun: Instant,
    rows: LookUpRows,
    first: Option<MessageId>,
    newest: Option<MessageId>,
    newest_customer: Option<CustomerId>,
}

impl Flush {
    pub(super) fn new(mut rows: LookUpRows) -> Self {
        let first = rows.of_customers.first().map(|(_, message)| *message);
        let newest = rows.of_customers.last().map(|(_, message)| *message);
        let newest_customer = rows.addresses.last().map(|(_, customer)| *customer);
        rows.of_customers.sort_unstable_by(|one, other| other.cmp(one));
        rows.identified.sort_unstable_by(|one, other| other.cmp(one));
        rows.addresses.sort_unstable_by(|one, other| other.cmp(one));
        Self { begun: Instant::now(), rows, first, newest, newest_customer }
    }

    pub(super) const fn begun(&self) -> Instant {
        self.begun
    }

    pub(super) const fn first(&self) -> Option<MessageId> {
        self.first
    }

    /// What is left to be written.
    pub(super) const fn rows(&self) -> &LookUpRows {
        &self.rows
    }

    pub(super) fn is_done(&self) -> bool {
        self.rows.of_customers.is_empty() && self.rows.identified.is_empty() && self.rows.addresses.is_empty()
    }

    /// Writes rows, `at_most` so many, and gives them back.
    pub(super) fn write(&mut self, sql: &Connection, at_most: usize) -> Result<LookUpRows, StoreError> {
        let mut left = at_most;
        let addresses = next(&mut self.rows.addresses, &mut left);
        let identified = next(&mut self.rows.identified, &mut left);
        let of_customers = next(&mut self.rows.of_customers, &mut left);
        write_addresses(sql, &addresses)?;
        write_identified(sql, &identified)?;
        write_of_customers(sql, &of_customers)?;
        Ok(LookUpRows { of_customers, identified, addresses })
    }

    /// Says that the look-ups have all of it.
    pub(super) fn mark(&self, sql: &Connection) -> Result<(), StoreError> {
        let newest = self.newest.map_or(0, |message| codec::column(message.0));
        let newest_customer = self.newest_customer.map_or(0, |customer| codec::column(customer.0));
        sql.prepare_cached("UPDATE store SET indexed = max(indexed, ?), indexed_customer = max(indexed_customer, ?)")?
            .execute([newest, newest_customer])?;
        Ok(())
    }
}

/// Takes the next rows, in the order of their keys.
fn next<T>(rows: &mut Vec<T>, left: &mut usize) -> Vec<T> {
    let taken = (*left).min(rows.len());
    *left -= taken;
    rows.drain(rows.len() - taken..).rev().collect()
}

fn write_of_customers(sql: &Connection, rows: &[(CustomerId, MessageId)]) -> Result<(), StoreError> {
    let mut insert = sql.prepare_cached(
        "INSERT INTO message_of_customer (customer, message) VALUES (?, ?) ON CONFLICT (customer, message) DO NOTHING",
    )?;
    for (customer, message) in rows {
        insert.execute([codec::column(customer.0), codec::column(message.0)])?;
    }
    Ok(())
}

fn write_identified(sql: &Connection, rows: &[(Arc<str>, MessageId, i64)]) -> Result<(), StoreError> {
    let mut insert = sql.prepare_cached(
        "INSERT INTO dedup (provider_id, message, at) VALUES (?, ?, ?) ON CONFLICT (provider_id) DO NOTHING",
    )?;
    for (provider_id, message, at) in rows {
        insert.execute(params![&**provider_id, codec::column(message.0), at])?;
    }
    Ok(())
}

fn write_addresses(sql: &Connection, rows: &[(Arc<str>, CustomerId)]) -> Result<(), StoreError> {
    let mut insert = sql.prepare_cached(
        "INSERT INTO customer_by_address (address, customer) VALUES (?, ?) ON CONFLICT (address) DO NOTHING",
    )?;
    for (address, customer) in rows {
        insert.execute(params![&**address, codec::column(customer.0)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::engine::store::schema;

    const AT_ONCE: usize = 7;

    /// A row that is written next to the one before it mostly lies on the same page.
    #[test]
    fn each_look_up_gets_its_rows_in_the_order_of_its_keys() {
        let mut sql = Connection::open_in_memory().unwrap();
        let tx = sql.transaction().unwrap();
        schema::migrate(&tx).unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let mut rows = LookUpRows::default();
        for number in 1..=50_u64 {
            rows.of_customers.push((CustomerId(random.u64(1..10)), MessageId(number)));
            rows.identified.push((format!("{:x}", random.u128(..)).into(), MessageId(number), 0));
            rows.addresses.push((format!("{:x}", random.u128(..)).into(), CustomerId(number)));
        }
        let mut flush = Flush::new(rows);
        let ranges: Vec<_> = iter::from_fn(|| (!flush.is_done()).then(|| flush.write(&tx, AT_ONCE).unwrap())).collect();
        let sizes =
            ranges.iter().map(|range| range.of_customers.len() + range.identified.len() + range.addresses.len());
        assert!(sizes.clone().all(|size| size <= AT_ONCE));
        assert_eq!(sizes.sum::<usize>(), 150);
        assert!(ranges.iter().flat_map(|range| &range.of_customers).is_sorted());
        assert!(ranges.iter().flat_map(|range| &range.identified).is_sorted());
        assert!(ranges.iter().flat_map(|range| &range.addresses).is_sorted());
    }
}
