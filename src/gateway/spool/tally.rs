//! What is in the spool, counted in memory: nobody has to read it whole to know.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::Connection;

/// What there is of one number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rows that wait in order.
    pub waiting: u64,
    /// When the oldest of them arrived.
    pub oldest: Option<Timestamp>,
    /// Rows that stand outside of the order.
    pub parked: u64,
    /// Why the last of these does.
    pub parked_for: Option<String>,
}

/// Counts over all numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Rows, waiting and parked.
    pub rows: u64,
    /// Attempts in the ledger.
    pub attempts: u64,
}

/// All counts. Changed on the spool's thread only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// By number; none without rows.
    pub numbers: BTreeMap<String, Counts>,
    /// Attempts in the ledger by number; none without.
    pub attempts: BTreeMap<String, u64>,
    /// Over all.
    pub totals: Totals,
}

impl Tally {
    /// Counts what a file has. Reads no more than indexes and the ledger, and one row of each number.
    pub(crate) fn count(connection: &Connection) -> rusqlite::Result<Self> {
        let mut tally = Self::default();
        let waiting = "SELECT number, count(*) FROM waiting WHERE parked IS NULL GROUP BY number";
        let parked = "SELECT number, count(*), parked FROM waiting WHERE parked IS NOT NULL GROUP BY number";
        let mut select = connection.prepare(waiting)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let number: String = row.get(0)?;
            let oldest = oldest(connection, &number)?;
            let counts = Counts { waiting: unsigned(row.get(1)?)?, oldest, ..Counts::default() };
            tally.numbers.insert(number, counts);
        }
        let mut select = connection.prepare(parked)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let counts = tally.numbers.entry(row.get(0)?).or_default();
            counts.parked = unsigned(row.get(1)?)?;
            counts.parked_for = row.get(2)?;
        }
        let mut select = connection.prepare("SELECT number, count(*) FROM attempt GROUP BY number")?;
        let counted = select.query_map([], |row| Ok((row.get(0)?, unsigned(row.get(1)?)?)))?;
        tally.attempts = counted.collect::<rusqlite::Result<_>>()?;
        let attempts = tally.attempts.values().sum();
        let rows = tally.numbers.values().map(|counts| counts.waiting + counts.parked).sum();
        tally.totals = Totals { rows, attempts };
        Ok(tally)
    }

    /// Rows of a number, waiting and parked.
    pub(crate) fn rows(&self, number: &str) -> u64 {
        self.numbers.get(number).map_or(0, |counts| counts.waiting + counts.parked)
    }

    /// A row came.
    pub(crate) fn came(&mut self, number: &str, received_at: Timestamp, parked_for: Option<&str>) {
        self.totals.rows += 1;
        let counts = self.numbers.entry(number.to_owned()).or_default();
        match parked_for {
            Some(reason) => {
                counts.parked += 1;
                counts.parked_for = Some(reason.to_owned());
            }
            None => {
                counts.waiting += 1;
                counts.oldest.get_or_insert(received_at);
            }
        }
    }

    /// An attempt was written.
    pub(crate) fn attempt_came(&mut self, number: &str) {
        self.totals.attempts += 1;
        *self.attempts.entry(number.to_owned()).or_default() += 1;
    }

    /// So many attempts of these numbers were forgotten.
    pub(crate) fn attempts_gone(&mut self, gone: &BTreeMap<String, u64>) {
        for (number, count) in gone {
            self.totals.attempts = self.totals.attempts.saturating_sub(*count);
            let Some(attempts) = self.attempts.get_mut(number) else { continue };
            *attempts = attempts.saturating_sub(*count);
            if *attempts == 0 {
                self.attempts.remove(number);
            }
        }
    }

    /// Rows that waited in order are parked; the oldest that waits now arrived at `oldest`.
    pub(crate) fn parked(&mut self, number: &str, rows: u64, reason: &str, oldest: Option<Timestamp>) {
        // A row that is gone already, or was parked before, is not parked.
        let Some(counts) = self.numbers.get_mut(number).filter(|_| rows > 0) else { return };
        counts.waiting = counts.waiting.saturating_sub(rows);
        counts.oldest = oldest;
        counts.parked += rows;
        counts.parked_for = Some(reason.to_owned());
    }

    /// Rows that waited or were parked have gone; the oldest that waits now arrived at `oldest`.
    pub(crate) fn gone(&mut self, number: &str, waiting: u64, parked: u64, oldest: Option<Timestamp>) {
        let Some(counts) = self.numbers.get_mut(number) else { return };
        counts.waiting = counts.waiting.saturating_sub(waiting);
        counts.parked = counts.parked.saturating_sub(parked);
        if counts.parked == 0 {
            counts.parked_for = None;
        }
        counts.oldest = oldest;
        if counts.waiting == 0 && counts.parked == 0 {
            self.numbers.remove(number);
        }
        self.totals.rows = self.totals.rows.saturating_sub(waiting + parked);
    }
}

/// When the oldest row that waits for a number arrived.
pub(super) fn oldest(connection: &Connection, number: &str) -> rusqlite::Result<Option<Timestamp>> {
    let sql = "SELECT received_at FROM waiting WHERE number = ?1 AND parked IS NULL ORDER BY seq LIMIT 1";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([number])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Timestamp::from_millisecond(row.get(0)?).unwrap_or_default()))
}

/// A count, which is never negative.
pub(super) fn unsigned(count: i64) -> rusqlite::Result<u64> {
    u64::try_from(count).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, count))
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
