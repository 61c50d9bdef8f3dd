//! Traffic that waits for its engine.

use std::{collections::HashSet, sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension, params};

use super::{Spool, SpoolError, tally::oldest};
use crate::wire::{delivery::Item, inbound::MAX_DELIVERY_BYTES};

/// Rows that expire in one transaction at most.
pub(crate) const EXPIRE_AT_ONCE: u32 = 500;

/// An item in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Order of arrival.
    pub seq: i64,
    pub item: Item,
}

/// Rows in order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Those that can be read.
    pub items: Vec<Row>,
    /// Order of arrival of those that cannot, and why: another version wrote them. They are kept, and hold up nobody.
    pub unreadable: Vec<(i64, String)>,
}

impl Rows {
    /// Order of arrival of the last; none when there are none.
    pub(crate) fn last(&self) -> Option<i64> {
        self.items.iter().map(|row| row.seq).chain(self.unreadable.iter().map(|(seq, _)| *seq)).max()
    }
}

/// Where an item is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind all that wait for its number, which has a route.
    Behind,
    /// Behind all that wait for its number, which has no route; so many rows wait without one.
    Unrouted(u64),
    /// Outside of the order, for this reason.
    Parked(String),
}

/// What became of an item that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is on the disk.
    New,
    /// It is on the disk since before: the provider brought it again.
    Known,
    /// There is no room for it.
    NoRoom(NoRoom),
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The volume is full.
    Volume,
    /// The number has as much as one may have.
    Number,
    /// Rows without a route have as much as they may have.
    Unrouted,
}

impl Item {
    /// Whether an engine would refuse it for its length.
    pub(crate) fn is_too_long(&self) -> bool {
        // What cannot be written down is no question of length.
        self.json().is_ok_and(|document| document.len() > MAX_DELIVERY_BYTES)
    }

    fn json(&self) -> serde_json::Result<String> {
        match self {
            Self::Inbound(message) => serde_json::to_string(message),
            Self::Receipt(receipt) => serde_json::to_string(receipt),
        }
    }

    fn document(&self) -> rusqlite::Result<String> {
        self.json().map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }

    fn read(kind: &str, document: &str) -> serde_json::Result<Self> {
        Ok(match kind {
            "Inbound" => Self::Inbound(serde_json::from_str(document)?),
            // The table allows nothing else.
            _ => Self::Receipt(serde_json::from_str(document)?),
        })
    }
}

impl Spool {
    /// Keeps an item.
    ///
    /// # Errors
    /// When it is not on the disk.
    pub(crate) async fn keep(&self, item: Item, place: Place) -> Result<Kept, SpoolError> {
        if let Some(no_room) = self.has_no_room(&item, &place) {
            // What the provider brings again needs no room.
            let known = self.commits.transact(move |connection| is_known(connection, &item)).await?;
            return Ok(if known { Kept::Known } else { Kept::NoRoom(no_room) });
        }
        let parked = match place {
            Place::Behind | Place::Unrouted(_) => None,
            Place::Parked(reason) => Some(reason),
        };
        let (number, received_at, tally) = (item.number().to_owned(), item.received_at(), Arc::clone(&self.tally));
        let (reason, kept_at) = (parked.clone(), self.ledger.now());
        let work = move |connection: &Connection| insert(connection, &item, parked.as_deref(), kept_at);
        let then = move |new: &bool| {
            if *new {
                tally.lock().came(&number, received_at, reason.as_deref());
            }
        };
        let new = self.commits.transact_then(work, then).await?;
        Ok(if new { Kept::New } else { Kept::Known })
    }

    fn has_no_room(&self, item: &Item, place: &Place) -> Option<NoRoom> {
        let tally = self.tally.lock();
        let left = self.room.left(tally.totals);
        match place {
            _ if left.rows == 0 => Some(NoRoom::Volume),
            Place::Unrouted(rows) if !left.for_unrouted(*rows) => Some(NoRoom::Unrouted),
            _ if !left.for_number(tally.rows(item.number())) => Some(NoRoom::Number),
            Place::Behind | Place::Unrouted(_) | Place::Parked(_) => None,
        }
    }

    /// The oldest rows that wait for `number`, in order, without those in `skip`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn next(&self, number: String, most: usize, skip: Arc<HashSet<i64>>) -> Result<Rows, SpoolError> {
        self.next_after(number, 0, most, skip).await
    }

    /// The oldest rows after `seq` that wait for `number`, in order, without those in `skip`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn next_after(
        &self,
        number: String,
        seq: i64,
        most: usize,
        skip: Arc<HashSet<i64>>,
    ) -> Result<Rows, SpoolError> {
        let sql =
            "SELECT seq, kind, payload FROM waiting WHERE number = ?1 AND seq > ?2 AND parked IS NULL ORDER BY seq";
        self.commits.transact(move |connection| rows(connection, sql, params![number, seq], most, &skip)).await
    }

    /// Parked rows of `number` after `seq`, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn parked_after(&self, number: String, seq: i64, most: usize) -> Result<Rows, SpoolError> {
        let sql = "SELECT seq, kind, payload FROM waiting
                   WHERE number = ?1 AND seq > ?2 AND parked IS NOT NULL ORDER BY seq";
        let work = move |connection: &Connection| rows(connection, sql, params![number, seq], most, &HashSet::new());
        self.commits.transact(work).await
    }

    /// Removes rows of a number that the engine has.
    ///
    /// # Errors
    /// When they are still there; the engine will say that it knows them.
    pub(crate) async fn delivered(&self, number: String, seqs: Vec<i64>) -> Result<(), SpoolError> {
        let (of, tally) = (number.clone(), Arc::clone(&self.tally));
        let work = move |connection: &Connection| {
            let mut delete =
                connection.prepare_cached("DELETE FROM waiting WHERE seq = ?1 RETURNING parked IS NULL")?;
            let (mut waiting, mut parked) = (0, 0);
            for seq in &seqs {
                match delete.query_row([seq], |row| row.get(0)).optional()? {
                    Some(true) => waiting += 1,
                    Some(false) => parked += 1,
                    None => {}
                }
            }
            Ok((waiting, parked, oldest(connection, &of)?))
        };
        let then = move |&(waiting, parked, oldest): &_| tally.lock().gone(&number, waiting, parked, oldest);
        self.commits.transact_then(work, then).await.map(drop)
    }

    /// Takes a row of a number out of the order, and says why.
    ///
    /// # Errors
    /// When it still waits.
    pub(crate) async fn park(&self, number: String, seq: i64, reason: String) -> Result<(), SpoolError> {
        let (of, why, tally) = (number.clone(), reason.clone(), Arc::clone(&self.tally));
        let work = move |connection: &Connection| {
            let parked = connection
                .prepare_cached("UPDATE waiting SET parked = ?2 WHERE seq = ?1 AND parked IS NULL")?
                .execute(params![seq, why])?;
            Ok((parked as u64, oldest(connection, &of)?))
        };
        let then = move |&(rows, oldest): &_| tally.lock().parked(&number, rows, &reason, oldest);
        self.commits.transact_then(work, then).await.map(drop)
    }

    /// Removes rows that have waited for a number for longer than `retention`, in the ledger's time: a clock that leaps makes nothing
    /// old. Some in a step, since a full volume has no room for the log of many. Returns how many are gone; fewer than [`EXPIRE_AT_ONCE`] = there are no more.
    ///
    /// # Errors
    /// When nothing was removed.
    pub(crate) async fn expire(&self, number: String, retention: Duration) -> Result<u64, SpoolError> {
        let (before, rows_since) = (self.ledger.before(retention), self.ledger.rows_since());
        let (of, tally) = (number.clone(), Arc::clone(&self.tally));
        let work = move |connection: &Connection| {
            let sql = "DELETE FROM waiting WHERE seq IN
                           (SELECT seq FROM waiting WHERE number = ?1 AND parked IS NULL AND coalesce(kept_at, ?3) < ?2
                            ORDER BY seq LIMIT ?4)";
            let removed =
                connection.prepare_cached(sql)?.execute(params![of, before, rows_since, EXPIRE_AT_ONCE])? as u64;
            Ok((removed, oldest(connection, &of)?))
        };
        let then = move |&(rows, oldest): &_| tally.lock().gone(&number, rows, 0, oldest);
        Ok(self.commits.transact_then(work, then).await?.0)
    }
}

/// Whether a message is there already. Receipts may repeat.
fn is_known(connection: &Connection, item: &Item) -> rusqlite::Result<bool> {
    let Item::Inbound(message) = item else { return Ok(false) };
    connection
        .prepare_cached("SELECT 1 FROM waiting WHERE kind = 'Inbound' AND provider_message_id = ?1")?
        .exists([&message.provider_message_id])
}

fn insert(connection: &Connection, item: &Item, parked: Option<&str>, kept_at: i64) -> rusqlite::Result<bool> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO waiting (kind, number, lane, provider_message_id, payload, received_at, parked, kept_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING RETURNING seq",
    )?;
    let inserted: Option<i64> = insert
        .query_row(
            params![
                item.kind(),
                item.number(),
                item.ordering_key(),
                item.provider_message_id(),
                item.document()?,
                item.received_at().as_millisecond(),
                parked,
                kept_at,
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(inserted.is_some())
}

fn rows(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    most: usize,
    skip: &HashSet<i64>,
) -> rusqlite::Result<Rows> {
    let mut select = connection.prepare_cached(sql)?;
    let mut found = select.query(parameters)?;
    let mut rows = Rows::default();
    while let Some(row) = found.next()? {
        let seq = row.get(0)?;
        if skip.contains(&seq) {
            continue;
        }
        match Item::read(&row.get::<_, String>(1)?, &row.get::<_, String>(2)?) {
            Ok(item) => rows.items.push(Row { seq, item }),
            Err(error) => rows.unreadable.push((seq, format!("cannot be read by this version: {error}"))),
        }
        if rows.items.len() + rows.unreadable.len() == most {
            break;
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gateway::spool::{schema, tally::Counts},
        wire::{
            inbound::InboundMessage,
            receipt::{DeliveryState, Receipt},
        },
    };
    use std::path::Path;

    const NUMBER: &str = "+15550001";

    fn message(id: &str, to: &str, from: &str) -> Item {
        Item::Inbound(InboundMessage {
            provider_message_id: id.into(),
            to: to.into(),
            from: from.into(),
            text: "Hello".into(),
            media: Vec::new(),
            received_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            provider_opt_out: None,
            part: None,
        })
    }

    fn receipt(id: &str, from: &str) -> Item {
        Item::Receipt(Receipt {
            provider_message_id: id.into(),
            from: from.into(),
            token: None,
            state: DeliveryState::Sent,
            provider_code: None,
            class: None,
            received_at: "2026-01-02T03:04:06Z".parse().unwrap(),
        })
    }

    #[tokio::test]
    async fn rows_wait_in_order_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let items =
            [message("1", "+15550001", "+15559001"), receipt("1", "+15550001"), message("2", "+15550001", "+15559002")];
        let spool = Spool::open(&path).unwrap();
        for item in items.clone() {
            assert_eq!(spool.keep(item, Place::Behind).await.unwrap(), Kept::New);
        }
        assert_eq!(spool.keep(items[0].clone(), Place::Behind).await.unwrap(), Kept::Known, "brought again");
        let again = spool.keep(receipt("1", "+15550001"), Place::Behind).await.unwrap();
        assert_eq!(again, Kept::New, "receipts may repeat");
        spool.keep(message("3", "+15550002", "+15559001"), Place::Unrouted(0)).await.unwrap();
        drop(spool);

        let spool = Spool::open(&path).unwrap();
        let rows = spool.next(NUMBER.into(), 3, Arc::default()).await.unwrap().items;
        assert_eq!(rows.iter().map(|row| row.item.clone()).collect::<Vec<_>>(), items);
        let counts = spool.tally().numbers;
        assert_eq!((counts[NUMBER].waiting, counts["+15550002"].waiting), (4, 1));
        assert_eq!(counts[NUMBER].oldest, Some(items[0].received_at()));
        let skip = Arc::new(HashSet::from([rows[0].seq, rows[1].seq]));
        assert_eq!(spool.next(NUMBER.into(), 1, skip).await.unwrap().items, rows[2..]);

        spool.park(NUMBER.into(), rows[0].seq, "400".into()).await.unwrap();
        spool.delivered(NUMBER.into(), vec![rows[1].seq, rows[1].seq]).await.unwrap();
        let left = spool.next(NUMBER.into(), 10, Arc::default()).await.unwrap().items;
        assert_eq!(left.iter().map(|row| row.item.kind()).collect::<Vec<_>>(), ["Inbound", "Receipt"]);
        assert_eq!(spool.parked_after(NUMBER.into(), 0, 10).await.unwrap().items, rows[..1]);
        assert_eq!(spool.parked_after(NUMBER.into(), rows[0].seq, 10).await.unwrap(), Rows::default());
        let counted = spool.tally();
        let expected =
            Counts { waiting: 2, oldest: Some(left[0].item.received_at()), parked: 1, parked_for: Some("400".into()) };
        assert_eq!(counted.numbers[NUMBER], expected);
        drop(spool);
        let again = Spool::open(&path).unwrap();
        assert_eq!(again.tally(), counted, "a new start counts the same");
        again.delivered(NUMBER.into(), vec![rows[0].seq, left[0].seq, left[1].seq]).await.unwrap();
        assert_eq!(again.tally().numbers.keys().collect::<Vec<_>>(), ["+15550002"]);
        assert_eq!(again.tally().totals.rows, 1);
    }

    #[tokio::test]
    async fn a_row_of_another_version_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let spool = Spool::open(&path).unwrap();
        for id in ["1", "2"] {
            spool.keep(message(id, NUMBER, "x"), Place::Behind).await.unwrap();
        }
        let newer = "UPDATE waiting SET payload = json_set(payload, '$.providerOptOut', 'Later') WHERE provider_message_id = '1'";
        Connection::open(&path).unwrap().execute(newer, []).unwrap();
        let rows = spool.next(NUMBER.into(), 10, Arc::default()).await.unwrap();
        assert_eq!(rows.items.iter().map(|row| row.item.provider_message_id()).collect::<Vec<_>>(), ["2"]);
        let [(seq, problem)] = rows.unreadable.as_slice() else { panic!("{rows:?}") };
        assert!(problem.contains("Later"), "{problem}");
        spool.park(NUMBER.into(), *seq, problem.clone()).await.unwrap();
        assert_eq!(spool.parked_after(NUMBER.into(), 0, 10).await.unwrap().unreadable.len(), 1, "it is kept");
    }

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// As if so many days had gone by since everything that waits was kept.
    fn days_go_by(path: &Path, days: u32) {
        let connection = Connection::open(path).unwrap();
        let millis = i64::try_from((days * DAY).as_millis()).unwrap();
        connection.execute("UPDATE waiting SET kept_at = kept_at - ?1", [millis]).unwrap();
    }

    #[tokio::test]
    async fn only_what_has_no_route_expires() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let spool = Spool::open(&path).unwrap();
        for (id, number) in [("1", NUMBER), ("2", "+15550002")] {
            // By the clock of the machine they arrived long ago; that counts for nothing.
            spool.keep(message(id, number, "x"), Place::Unrouted(0)).await.unwrap();
        }
        spool.keep(message("3", NUMBER, "x"), Place::Parked("400".into())).await.unwrap();
        days_go_by(&path, 2);
        assert_eq!(spool.expire(NUMBER.into(), 3 * DAY).await.unwrap(), 0);
        days_go_by(&path, 2);
        assert_eq!(spool.expire(NUMBER.into(), 3 * DAY).await.unwrap(), 1);
        let counts = spool.tally().numbers;
        assert_eq!((counts[NUMBER].waiting, counts[NUMBER].parked), (0, 1), "what is parked stays");
        assert_eq!(counts["+15550002"].waiting, 1);
    }

    #[tokio::test]
    async fn what_is_brought_again_is_known_also_when_there_is_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&dir.path().join("spool.db")).unwrap();
        let full = || Place::Unrouted(u64::from(u32::MAX));
        spool.keep(message("1", NUMBER, "x"), Place::Unrouted(0)).await.unwrap();
        let keep = |item| spool.keep(item, full());
        assert_eq!(keep(message("1", NUMBER, "x")).await.unwrap(), Kept::Known);
        assert_eq!(keep(message("2", NUMBER, "x")).await.unwrap(), Kept::NoRoom(NoRoom::Unrouted));
        assert_eq!(keep(receipt("1", NUMBER)).await.unwrap(), Kept::NoRoom(NoRoom::Unrouted));
    }

    #[tokio::test]
    async fn what_expires_goes_in_steps_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        drop(Spool::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        let row = "INSERT INTO waiting (kind, number, lane, provider_message_id, payload, received_at, kept_at)
                   VALUES ('Inbound', ?1, 'x', ?2, '{}', 0, 0)";
        let rows = EXPIRE_AT_ONCE + 10;
        for id in 0..rows {
            connection.execute(row, params![NUMBER, id.to_string()]).unwrap();
        }
        let spool = Spool::open(&path).unwrap();
        days_go_by(&path, 2);
        assert_eq!(spool.expire(NUMBER.into(), DAY).await.unwrap(), u64::from(EXPIRE_AT_ONCE));
        let left = spool.tally().numbers[NUMBER].waiting;
        let oldest: String = connection
            .query_row("SELECT provider_message_id FROM waiting ORDER BY seq LIMIT 1", [], |row| row.get(0))
            .unwrap();
        assert_eq!((left, oldest), (10, EXPIRE_AT_ONCE.to_string()));
        assert_eq!(spool.expire(NUMBER.into(), DAY).await.unwrap(), 10);
        assert!(spool.tally().numbers.is_empty());
    }

    #[tokio::test]
    async fn rows_of_an_older_version_count_from_the_upgrade() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let old = schema::older(&path, 3);
        let row = "INSERT INTO waiting (kind, number, lane, provider_message_id, payload, received_at, parked)
                   VALUES ('Inbound', ?1, 'x', ?2, '{}', 0, ?3)";
        old.execute(row, params![NUMBER, "SM1", None::<String>]).unwrap();
        old.execute(row, params![NUMBER, "SM2", "400"]).unwrap();
        // The ledger lived on a machine whose clock was far behind.
        old.execute("INSERT INTO ledger (one, lived_until, whole_since) VALUES (1, 1000, 0)", []).unwrap();
        drop(old);
        for _ in 0..2 {
            let spool = Spool::open(&path).unwrap();
            assert_eq!(spool.expire(NUMBER.into(), DAY).await.unwrap(), 0);
            assert_eq!((spool.tally().numbers[NUMBER].waiting, spool.tally().numbers[NUMBER].parked), (1, 1));
        }
        let later = "UPDATE ledger SET lived_until = lived_until + ?1";
        Connection::open(&path).unwrap().execute(later, [2 * DAY.as_millis() as i64]).unwrap();
        let spool = Spool::open(&path).unwrap();
        assert_eq!(spool.expire(NUMBER.into(), DAY).await.unwrap(), 1);
    }
}
