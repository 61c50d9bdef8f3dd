//! Traffic that waits for its engine.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Spool, SpoolError};
use crate::wire::{inbound::InboundMessage, receipt::Receipt};

/// What is for an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A customer's message.
    Inbound(InboundMessage),
    /// A receipt.
    Receipt(Receipt),
}

/// An item in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Order of arrival.
    pub seq: i64,
    /// What it is.
    pub item: Item,
}

/// Rows in order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Those that can be read.
    pub items: Vec<Row>,
    /// Order of arrival of those that cannot, and why: another version wrote them. They are kept, and hold up nobody.
    pub unreadable: Vec<(i64, String)>,
}

/// What waits for one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Rows that wait in order.
    pub waiting: u64,
    /// When the oldest of them arrived.
    pub oldest: Timestamp,
}

impl Item {
    /// Our number.
    pub fn number(&self) -> &str {
        match self {
            Self::Inbound(message) => &message.to,
            Self::Receipt(receipt) => &receipt.from,
        }
    }

    /// Within this the order is kept: the customer, or the message that the receipt is about.
    pub fn lane(&self) -> &str {
        match self {
            Self::Inbound(message) => &message.from,
            Self::Receipt(receipt) => &receipt.provider_message_id,
        }
    }

    /// The provider's id of the message.
    pub fn provider_message_id(&self) -> &str {
        match self {
            Self::Inbound(message) => &message.provider_message_id,
            Self::Receipt(receipt) => &receipt.provider_message_id,
        }
    }

    /// `Inbound` or `Receipt`, as in the table and in metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Inbound(_) => "Inbound",
            Self::Receipt(_) => "Receipt",
        }
    }

    /// When it arrived.
    pub const fn received_at(&self) -> Timestamp {
        match self {
            Self::Inbound(message) => message.received_at,
            Self::Receipt(receipt) => receipt.received_at,
        }
    }

    fn document(&self) -> rusqlite::Result<String> {
        let document = match self {
            Self::Inbound(message) => serde_json::to_string(message),
            Self::Receipt(receipt) => serde_json::to_string(receipt),
        };
        document.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
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
    /// Keeps an item behind all that wait; parked at once when a reason is given. False when this message is there already.
    ///
    /// # Errors
    /// When it is not on the disk.
    pub async fn keep(&self, item: Item, parked: Option<String>) -> Result<bool, SpoolError> {
        self.writer.transact(move |connection| insert(connection, &item, parked)).await
    }

    /// The oldest rows that wait for `number`, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn next(&self, number: String, most: u32) -> Result<Rows, SpoolError> {
        let sql = "SELECT seq, kind, payload FROM waiting WHERE number = ?1 AND parked IS NULL ORDER BY seq LIMIT ?2";
        self.writer.transact(move |connection| rows(connection, sql, params![number, most])).await
    }

    /// Parked rows after `seq`, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn parked_after(&self, seq: i64, most: u32) -> Result<Rows, SpoolError> {
        let sql = "SELECT seq, kind, payload FROM waiting WHERE seq > ?1 AND parked IS NOT NULL ORDER BY seq LIMIT ?2";
        self.writer.transact(move |connection| rows(connection, sql, params![seq, most])).await
    }

    /// Removes rows that the engine has.
    ///
    /// # Errors
    /// When they are still there; the engine will say that it knows them.
    pub async fn delivered(&self, seqs: Vec<i64>) -> Result<(), SpoolError> {
        let work = move |connection: &Connection| {
            let mut delete = connection.prepare("DELETE FROM waiting WHERE seq = ?1")?;
            seqs.iter().try_for_each(|seq| delete.execute([seq]).map(drop))
        };
        self.writer.transact(work).await
    }

    /// Takes a row out of the order, and says why.
    ///
    /// # Errors
    /// When it still waits.
    pub async fn park(&self, seq: i64, reason: String) -> Result<(), SpoolError> {
        let work = move |connection: &Connection| {
            connection.prepare("UPDATE waiting SET parked = ?2 WHERE seq = ?1")?.execute(params![seq, reason]).map(drop)
        };
        self.writer.transact(work).await
    }

    /// What waits in order, by number.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn counts(&self) -> Result<BTreeMap<String, Counts>, SpoolError> {
        self.writer.transact(counts).await
    }

    /// How many rows are parked.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn parked(&self) -> Result<u64, SpoolError> {
        let sql = "SELECT count(*) FROM waiting WHERE parked IS NOT NULL";
        self.writer.transact(|connection| connection.query_row(sql, [], |row| unsigned(row.get(0)?))).await
    }

    /// Removes parked rows, and rows of `numbers`, that arrived before `before`. Returns how many of which number that still wait
    /// in order are gone, and how many parked ones.
    ///
    /// # Errors
    /// When nothing was removed.
    pub async fn expire(
        &self,
        numbers: Vec<String>,
        before: Timestamp,
    ) -> Result<(BTreeMap<String, u64>, u64), SpoolError> {
        let before = before.as_millisecond();
        let work = move |connection: &Connection| {
            let mut gone = BTreeMap::new();
            let mut delete =
                connection.prepare("DELETE FROM waiting WHERE number = ?1 AND parked IS NULL AND received_at < ?2")?;
            for number in numbers {
                let removed = delete.execute(params![number, before])?;
                if removed > 0 {
                    gone.insert(number, removed as u64);
                }
            }
            let parked =
                connection.execute("DELETE FROM waiting WHERE parked IS NOT NULL AND received_at < ?1", [before])?;
            Ok((gone, parked as u64))
        };
        self.writer.transact(work).await
    }
}

fn insert(connection: &Connection, item: &Item, parked: Option<String>) -> rusqlite::Result<bool> {
    let mut insert = connection.prepare(
        "INSERT INTO waiting (kind, number, lane, provider_message_id, payload, received_at, parked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING RETURNING seq",
    )?;
    let inserted: Option<i64> = insert
        .query_row(
            params![
                item.kind(),
                item.number(),
                item.lane(),
                item.provider_message_id(),
                item.document()?,
                item.received_at().as_millisecond(),
                parked,
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(inserted.is_some())
}

fn rows(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<Rows> {
    let mut select = connection.prepare(sql)?;
    let mut found = select.query(parameters)?;
    let mut rows = Rows::default();
    while let Some(row) = found.next()? {
        let seq = row.get(0)?;
        match Item::read(&row.get::<_, String>(1)?, &row.get::<_, String>(2)?) {
            Ok(item) => rows.items.push(Row { seq, item }),
            Err(error) => rows.unreadable.push((seq, format!("cannot be read by this version: {error}"))),
        }
    }
    Ok(rows)
}

/// A count, which is never negative.
fn unsigned(count: i64) -> rusqlite::Result<u64> {
    u64::try_from(count).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, count))
}

fn counts(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Counts>> {
    let sql = "SELECT number, count(*), min(received_at) FROM waiting WHERE parked IS NULL GROUP BY number";
    let mut select = connection.prepare(sql)?;
    let found = select.query_map([], |row| {
        let oldest = Timestamp::from_millisecond(row.get(2)?).unwrap_or_default();
        Ok((row.get(0)?, Counts { waiting: unsigned(row.get(1)?)?, oldest }))
    })?;
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::receipt::DeliveryState;

    pub fn message(id: &str, to: &str, from: &str) -> Item {
        Item::Inbound(InboundMessage {
            provider_message_id: id.into(),
            to: to.into(),
            from: from.into(),
            text: "Hello".into(),
            media: Vec::new(),
            received_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            provider_opt_out: None,
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
            assert!(spool.keep(item, None).await.unwrap());
        }
        assert!(!spool.keep(items[0].clone(), None).await.unwrap(), "the provider brought it again");
        assert!(spool.keep(receipt("1", "+15550001"), None).await.unwrap(), "receipts may repeat");
        spool.keep(message("3", "+15550002", "+15559001"), None).await.unwrap();
        drop(spool);

        let spool = Spool::open(&path).unwrap();
        let rows = spool.next("+15550001".into(), 3).await.unwrap().items;
        assert_eq!(rows.iter().map(|row| row.item.clone()).collect::<Vec<_>>(), items);
        let counts = spool.counts().await.unwrap();
        assert_eq!((counts["+15550001"].waiting, counts["+15550002"].waiting), (4, 1));
        assert_eq!(counts["+15550001"].oldest, items[0].received_at());

        spool.park(rows[0].seq, "400".into()).await.unwrap();
        spool.delivered(vec![rows[1].seq]).await.unwrap();
        let left = spool.next("+15550001".into(), 10).await.unwrap().items;
        assert_eq!(left.iter().map(|row| row.item.kind()).collect::<Vec<_>>(), ["Inbound", "Receipt"]);
        assert_eq!(spool.parked().await.unwrap(), 1);
        assert_eq!(spool.parked_after(0, 10).await.unwrap().items, rows[..1]);
        assert_eq!(spool.parked_after(rows[0].seq, 10).await.unwrap(), Rows::default());
    }

    #[tokio::test]
    async fn a_row_of_another_version_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let spool = Spool::open(&path).unwrap();
        for id in ["1", "2"] {
            spool.keep(message(id, "+15550001", "x"), None).await.unwrap();
        }
        let newer = "UPDATE waiting SET payload = json_set(payload, '$.providerOptOut', 'Later') WHERE provider_message_id = '1'";
        Connection::open(&path).unwrap().execute(newer, []).unwrap();
        let rows = spool.next("+15550001".into(), 10).await.unwrap();
        assert_eq!(rows.items.iter().map(|row| row.item.provider_message_id()).collect::<Vec<_>>(), ["2"]);
        let [(seq, problem)] = rows.unreadable.as_slice() else { panic!("{rows:?}") };
        assert!(problem.contains("Later"), "{problem}");
        spool.park(*seq, problem.clone()).await.unwrap();
        assert_eq!(spool.parked_after(0, 10).await.unwrap().unreadable.len(), 1, "it is kept");
    }

    #[tokio::test]
    async fn only_what_nobody_takes_expires() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&dir.path().join("spool.db")).unwrap();
        for (id, number) in [("1", "+15550001"), ("2", "+15550002")] {
            spool.keep(message(id, number, "x"), None).await.unwrap();
        }
        spool.keep(message("3", "+15550002", "x"), Some("400".into())).await.unwrap();
        let at = |text: &str| text.parse().unwrap();
        let unrouted = vec!["+15550001".to_owned()];
        let nothing = spool.expire(unrouted.clone(), at("2026-01-02T03:04:05Z")).await.unwrap();
        assert_eq!(nothing, (BTreeMap::new(), 0));
        let gone = spool.expire(unrouted, at("2026-01-02T03:04:06Z")).await.unwrap();
        assert_eq!(gone, (BTreeMap::from([("+15550001".into(), 1)]), 1));
        assert_eq!(spool.counts().await.unwrap().keys().collect::<Vec<_>>(), ["+15550002"]);
    }
}
