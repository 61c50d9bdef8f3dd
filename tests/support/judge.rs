//! The judgement from outside: what the provider's ledger and the store, as the `sqlite3` command reads it, say of the same
//! messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use aldis::simulator::{Entry, Event, Route};
use serde_json::Value;

use super::{engine::sqlite, process::until_none_is_left};

/// What was seen outside, and where the store is.
pub struct Judge<'a> {
    /// Everything that the simulator saw.
    pub ledger: &'a [Entry],
    /// The engine's store.
    pub store: &'a Path,
}

/// The simulator's ids of the customers' messages whose webhook was acknowledged.
pub fn acknowledged(ledger: &[Entry]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for entry in ledger {
        if let Event::WebhookEnd { route: Route::Inbound, message, delivered: true, .. } = &entry.event {
            ids.insert(message.message_id.clone().unwrap());
        }
    }
    ids
}

/// Waits until the store has as many inbound messages as the ledger's customers wrote: what was spooled has arrived.
pub async fn everything_has_arrived(ledger: &[Entry], store: &Path) {
    let written = ledger.iter().filter(|entry| matches!(entry.event, Event::CustomerMessage { .. })).count();
    until_none_is_left("messages that are spooled", || async {
        let rows = sqlite(store, "SELECT count(*) AS stored FROM message WHERE direction = 'Inbound'");
        written.saturating_sub(rows[0]["stored"].as_u64().map_or(0, |stored| usize::try_from(stored).unwrap()))
    })
    .await;
}

fn text(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_default().to_owned()
}

impl Judge<'_> {
    /// Every message of a customer was acknowledged, is stored once, and stands in the order in which it was written.
    ///
    /// This takes a simulator that tries until a webhook is acknowledged.
    pub fn every_message_is_stored_once_and_in_order(&self) {
        let mut written: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for entry in self.ledger {
            if let Event::CustomerMessage { message, text } = &entry.event {
                written
                    .entry(message.from.clone())
                    .or_default()
                    .push((message.message_id.clone().unwrap(), text.clone()));
            }
        }
        let all: BTreeSet<String> = written.values().flatten().map(|(id, _)| id.clone()).collect();
        assert_eq!(acknowledged(self.ledger), all, "the simulator tries until it is acknowledged");

        let rows = sqlite(
            self.store,
            "SELECT m.provider_id AS id, m.text AS text, c.address AS customer
             FROM message m JOIN customer c ON c.id = m.customer
             WHERE m.direction = 'Inbound' ORDER BY m.id",
        );
        let mut stored: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for row in &rows {
            stored.entry(text(row, "customer")).or_default().push((text(row, "id"), text(row, "text")));
        }
        assert!(stored.keys().eq(written.keys()), "{:?} wrote, {:?} are stored", written.keys(), stored.keys());
        for (number, texts) in &written {
            assert_eq!(stored.get(number), Some(texts), "{number}: stored once each, in the order written");
        }
        println!("{} messages of customers, each stored once", rows.len());
    }

    /// Every reply in `taken` is stored and arrived once, in order; at most `in_flight` are `Unknown` and may have arrived or not.
    pub fn every_reply_arrived_once(&self, taken: &[String], in_flight: u64) {
        let mut arrived: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut order: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in self.ledger {
            if let Event::ApiRequest { message: Some(message), text: Some(text), .. } = &entry.event
                && message.message_id.is_some()
            {
                *arrived.entry((message.to.clone(), text.clone())).or_default() += 1;
                order.entry(message.to.clone()).or_default().push(text.clone());
            }
        }
        let rows = sqlite(
            self.store,
            "SELECT m.text AS text, m.status AS status, c.address AS customer
             FROM message m JOIN customer c ON c.id = m.customer WHERE m.direction = 'Outbound' ORDER BY m.id",
        );
        let key = |row: &Value| (text(row, "customer"), text(row, "text"));
        let distinct: BTreeSet<_> = rows.iter().map(key).collect();
        assert_eq!(distinct.len(), rows.len(), "a repeated request had a second effect");
        let texts: BTreeSet<&str> = distinct.iter().map(|(_, text)| text.as_str()).collect();
        let missing: Vec<_> = taken.iter().filter(|text| !texts.contains(text.as_str())).collect();
        assert!(missing.is_empty(), "taken and not stored: {missing:?}");

        let mut unknown = 0;
        for row in &rows {
            let (key, status) = (key(row), text(row, "status"));
            let count = arrived.get(&key).copied().unwrap_or(0);
            match status.as_str() {
                "Accepted" | "Sent" | "Delivered" => assert_eq!(count, 1, "{key:?} is {status}"),
                "Unknown" => {
                    unknown += 1;
                    assert!(count <= 1, "{key:?} is {status} and arrived {count} times");
                }
                other => panic!("{key:?} is {other}"),
            }
        }
        assert!(arrived.keys().all(|key| distinct.contains(key)), "only what is stored was sent");
        assert!(unknown <= in_flight, "{unknown} unknown, and at most {in_flight} were in flight at a kill");
        for (customer, texts) in order {
            let theirs = rows.iter().map(key).filter(|key| key.0 == customer && arrived.contains_key(key));
            let sent: Vec<String> = theirs.map(|(_, text)| text).collect();
            assert_eq!(texts, sent, "{customer}: in the order of the replies");
        }
        println!("{} replies, {unknown} unknown", rows.len());
    }

    /// The ids of the stored inbound messages, in their order.
    pub fn inbound(&self) -> Vec<u64> {
        let rows = sqlite(self.store, "SELECT id FROM message WHERE direction = 'Inbound' ORDER BY id");
        rows.iter().map(|row| row["id"].as_u64().unwrap()).collect()
    }
}
