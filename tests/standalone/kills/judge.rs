//! The judgement: what the provider's ledger and the store say of the same messages.

use std::collections::{BTreeMap, BTreeSet};

use aldis::simulator::{Entry, Event, Route};
use serde_json::Value;

use super::world::{CUSTOMERS, World, number};

/// The simulator's ids of the customers' messages whose webhook was acknowledged.
pub(super) fn acknowledged(ledger: &[Entry]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for entry in ledger {
        if let Event::WebhookEnd { route: Route::Inbound, message, delivered: true, .. } = &entry.event {
            ids.insert(message.message_id.clone().unwrap());
        }
    }
    ids
}

pub(super) async fn every_message_of_a_customer_is_stored_once_and_in_order(world: &World) {
    let ledger = world.ledger().await;
    let acknowledged = acknowledged(&ledger);
    let mut written: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for entry in &ledger {
        if let Event::CustomerMessage { message, text } = &entry.event {
            written.entry(message.from.clone()).or_default().push((message.message_id.clone().unwrap(), text.clone()));
        }
    }
    let all: BTreeSet<String> = written.values().flatten().map(|(id, _)| id.clone()).collect();
    assert_eq!(acknowledged, all, "the simulator tries until it is acknowledged");

    let rows = world.engine.sqlite(
        "SELECT d.provider_id AS id, m.text AS text, c.address AS customer
         FROM message m JOIN customer c ON c.id = m.customer LEFT JOIN dedup d ON d.message = m.id
         WHERE m.direction = 'Inbound' ORDER BY m.id",
    );
    let mut stored: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
    for row in &rows {
        stored.entry(text(row, "customer")).or_default().push((text(row, "id"), text(row, "text")));
    }
    for customer in 0..CUSTOMERS {
        let number = number(customer);
        assert_eq!(stored.get(&number), written.get(&number), "{number}: stored once each, in the order written");
    }
    println!("{} messages of customers, each stored once", rows.len());
}

pub(super) async fn every_reply_arrived_once(world: &World, taken: &[String], kills: u64) {
    let mut arrived: BTreeMap<String, u64> = BTreeMap::new();
    let mut order: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in world.ledger().await {
        if let Event::ApiRequest { message: Some(message), text: Some(text), .. } = entry.event
            && message.message_id.is_some()
        {
            *arrived.entry(text.clone()).or_default() += 1;
            order.entry(message.to).or_default().push(text);
        }
    }
    let rows = world.engine.sqlite(
        "SELECT m.text AS text, m.status AS status, c.address AS customer
         FROM message m JOIN customer c ON c.id = m.customer WHERE m.direction = 'Outbound' ORDER BY m.id",
    );
    let stored: Vec<&str> = rows.iter().map(|row| row["text"].as_str().unwrap()).collect();
    let distinct: BTreeSet<&str> = stored.iter().copied().collect();
    assert_eq!(distinct.len(), stored.len(), "a repeated request had a second effect");
    let missing: Vec<_> = taken.iter().filter(|text| !distinct.contains(text.as_str())).collect();
    assert!(missing.is_empty(), "taken and not stored: {missing:?}");

    let mut unknown = 0;
    for row in &rows {
        let (text, status) = (row["text"].as_str().unwrap(), row["status"].as_str().unwrap());
        let count = arrived.get(text).copied().unwrap_or(0);
        match status {
            "Accepted" | "Sent" | "Delivered" => assert_eq!(count, 1, "{text} is {status}"),
            "Unknown" => {
                unknown += 1;
                assert!(count <= 1, "{text} is {status} and arrived {count} times");
            }
            other => panic!("{text} is {other}"),
        }
    }
    assert!(arrived.keys().all(|text| distinct.contains(text.as_str())), "only what is stored was sent");
    assert!(unknown <= kills * CUSTOMERS, "{unknown} unknown after {kills} kills with {CUSTOMERS} customers");
    for (customer, texts) in order {
        let theirs = rows.iter().filter(|row| row["customer"] == customer.as_str());
        let sent: Vec<&str> =
            theirs.map(|row| row["text"].as_str().unwrap()).filter(|text| arrived.contains_key(*text)).collect();
        assert_eq!(texts, sent, "{customer}: in the order of the replies");
    }
    println!("{} replies, {unknown} unknown", rows.len());
}

pub(super) fn the_stream_showed_every_message_once(world: &World, streamed: &[u64]) {
    let rows = world.engine.sqlite("SELECT id FROM message WHERE direction = 'Inbound' ORDER BY id");
    let stored: Vec<u64> = rows.iter().map(|row| row["id"].as_u64().unwrap()).collect();
    assert_eq!(streamed, stored);
}
