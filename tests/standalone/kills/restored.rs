//! An older copy of the engine's store is put in its place while the gateway remembers what was sent meanwhile.

use std::collections::BTreeMap;

use super::world::World;
use crate::support::{
    engine::{NUMBER, sqlite},
    process::eventually,
};
use aldis::simulator::{Entry, Event};

/// A customer writes, ana answers, the answer arrives, and the engine knows it: a copy that is made now holds the receipt.
async fn conversation(world: &World, customer: &str, reply: &str) {
    world.carrier.customer_writes(customer, NUMBER, "hello").await;
    let desk = world.desk();
    let interaction = desk.given(customer).await;
    assert_eq!(desk.reply(&interaction, reply).await.0, 202);
    world.carrier.until_delivered(customer, reply).await;
    eventually("the engine has the receipt", || async {
        let messages = desk.messages(customer).await;
        let newest = messages.last().cloned().unwrap_or_default();
        if newest["text"] == reply && newest["status"] == "Delivered" { Ok(()) } else { Err(newest) }
    })
    .await;
}

/// How often each text was handed to the provider and taken.
fn sent(ledger: &[Entry]) -> BTreeMap<String, u64> {
    let mut sent = BTreeMap::new();
    for entry in ledger {
        if let Event::ApiRequest { message: Some(message), text: Some(text), .. } = &entry.event
            && message.message_id.is_some()
        {
            *sent.entry(text.clone()).or_default() += 1;
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_after_a_restore_are_sent_and_none_is_sent_twice() {
    let mut world = World::start().await;
    let _online = world.desk().be_online();
    conversation(&world, "+15559870101", "before the copy").await;
    let copy = world.engine.copy_volume().await;
    for customer in 2..6 {
        let (customer, reply) = (format!("+1555987010{customer}"), format!("after the copy {customer}"));
        conversation(&world, &customer, &reply).await;
    }
    world.engine.restore_volume(&copy).await;
    for customer in 6..9 {
        let (customer, reply) = (format!("+1555987010{customer}"), format!("after the restore {customer}"));
        conversation(&world, &customer, &reply).await;
    }
    let ledger = world.settle().await;
    let twice: Vec<_> = sent(&ledger).into_iter().filter(|(_, count)| *count != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let rows = sqlite(
        &world.engine.store(),
        "SELECT text FROM message WHERE direction = 'Outbound' AND status != 'Delivered'",
    );
    assert!(rows.is_empty(), "{rows:?}");
}
