//! The look-ups of the engine's store, by customer and by the provider's id, are written later than the messages. Nobody sees a difference,
//! not even after a kill in between.

use aldis::engine::{
    core::{
        delivery::SendOutcome,
        ids::{InteractionId, MessageId},
    },
    store::{INDEX_AT_ONCE, read::InteractionFilter, retention::Retention},
};
use rusqlite::Connection;

use super::engine_store::{FINISH, HELLO, channel, forget, place};
use crate::support::channel::{Channel, Step, dangling, number};

/// The look-ups are written later than the messages, and nobody sees a difference, not even after a kill in between.
#[test]
fn messages_are_found_before_and_after_they_are_indexed() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let reader = channel.store.reader().unwrap();
    let texts = |reader: &aldis::engine::store::read::Reader| {
        let detail = reader.interaction(InteractionId(1)).unwrap().unwrap();
        let of_customer = reader.customer_messages(&number(1).into(), None, 50).unwrap().unwrap();
        let ids: Vec<u64> = detail.messages.iter().map(|message| message.id.0).collect();
        let newest_first: Vec<u64> = of_customer.items.iter().rev().map(|message| message.id.0).collect();
        assert_eq!(ids, newest_first);
        for (place, after) in ids.iter().enumerate() {
            let newer = reader.customer_messages_after(&number(1).into(), MessageId(*after), 50).unwrap().unwrap();
            let newer: Vec<u64> = newer.iter().map(|message| message.id.0).collect();
            assert_eq!(newer, ids[place + 1..], "after {after}");
        }
        ids
    };
    let other = Step::Text { customer: 2, text: "TEXT-other" };
    channel.take(&[HELLO, other.clone()]);
    assert_eq!(texts(&reader), [1], "not indexed");
    channel.store.index(INDEX_AT_ONCE).unwrap();
    assert_eq!(texts(&reader), [1], "indexed");
    assert!(channel.store.index_due().is_none());
    channel.take(&[HELLO, other, HELLO]);
    assert_eq!(texts(&reader), [1, 3, 5], "some are, some are not");
    assert!(channel.store.index_due().is_some());
    let page = reader.customer_messages(&number(1).into(), None, 2).unwrap().unwrap();
    let older = reader.customer_messages(&number(1).into(), page.next, 2).unwrap().unwrap();
    assert_eq!((older.items.len(), older.items[0].id, older.next), (1, MessageId(1), None));
    drop(channel);

    let mut channel = self::channel(&path);
    assert_eq!(texts(&channel.store.reader().unwrap()), [1, 3, 5], "after a start");
    assert_eq!(channel.repeated_by("in-5"), Some(MessageId(5)), "a duplicate is recognized after a start");
    assert_eq!(channel.repeated_by("in-6"), None);
}

/// The look-ups get what waits in small ranges. A kill between two of them loses and doubles nothing, wherever it comes.
#[test]
fn a_kill_between_two_ranges_leaves_every_message_once() {
    const MESSAGES: i64 = 10;
    const RANGE: i64 = 5;
    for ranges in 0..=5 {
        let (_dir, path) = place();
        let mut channel = channel(&path);
        for _ in 0..MESSAGES / 2 {
            channel.take(&[HELLO, Step::Text { customer: 2, text: "TEXT-other" }]);
        }
        for _ in 0..ranges {
            channel.store.index(5).unwrap();
        }
        drop(channel);

        let sql = Connection::open(&path).unwrap();
        let count = |query: &str| sql.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
        let in_look_ups = || {
            let look_ups = ["customer_by_address", "dedup", "message_of_customer"];
            look_ups.map(|look_up| count(&format!("SELECT count(*) FROM {look_up}")))
        };
        let is_said = || [count("SELECT indexed FROM store"), count("SELECT indexed_customer FROM store")];
        // Two addresses, and then two rows for each message.
        let (rows, all) = (RANGE * ranges, 2 + 2 * MESSAGES);
        assert_eq!(in_look_ups().iter().sum::<i64>(), rows.min(all));
        assert_eq!(is_said(), if rows < all { [0, 0] } else { [MESSAGES, 2] }, "it is said when all are there");
        let mut channel = self::channel(&path);
        let of_customer = |channel: &Channel| -> Vec<u64> {
            let reader = channel.store.reader().unwrap();
            let page = reader.customer_messages(&number(1).into(), None, 50).unwrap().unwrap();
            page.items.iter().rev().map(|message| message.id.0).collect()
        };
        assert_eq!(of_customer(&channel), [1, 3, 5, 7, 9], "after {ranges} ranges");
        for id in 1..=MESSAGES {
            let repeated = channel.repeated_by(&format!("in-{id}"));
            assert_eq!(repeated, Some(MessageId(id.unsigned_abs())), "a duplicate is recognized after {ranges} ranges");
        }
        drop(channel);
        // As if all had reached the look-ups, but not what says so.
        let unsaid = "UPDATE store SET indexed = min(indexed, 2), indexed_customer = min(indexed_customer, 1)";
        Connection::open(&path).unwrap().execute(unsaid, []).unwrap();
        let mut channel = self::channel(&path);
        while channel.store.index_due().is_some() {
            channel.store.index(3).unwrap();
        }
        assert_eq!(in_look_ups(), [2, MESSAGES, MESSAGES]);
        assert_eq!(is_said(), [MESSAGES, 2]);
        assert_eq!(of_customer(&channel), [1, 3, 5, 7, 9]);
    }
}

/// The interactions of a customer are found by the messages of the look-ups and those that wait for them.
#[test]
fn interactions_of_a_customer_are_found_however_far_the_look_ups_are() {
    for ranges in 0..=8 {
        let (_dir, path) = place();
        let mut channel = channel(&path);
        for _ in 0..3 {
            // Two interactions at once, of some messages each, and one message of none.
            channel.take(&[HELLO, Step::Text { customer: 2, text: "TEXT-other" }, HELLO]);
            channel.take(&[Step::Close { nth: 0 }, Step::Text { customer: 1, text: "HELP" }, Step::Close { nth: 0 }]);
            if ranges > 4 {
                channel.store.index(5).unwrap();
            }
        }
        channel.take(&[HELLO, HELLO]);
        for _ in 0..ranges {
            channel.store.index(5).unwrap();
        }
        let reader = channel.store.reader().unwrap();
        let found = |customer: Option<u8>, newest_first, limit| {
            let customer = customer.map(|customer| number(customer).into());
            let filter = InteractionFilter { customer, newest_first, ..Default::default() };
            let (mut rows, mut after) = (Vec::new(), None);
            loop {
                let page = reader.interactions(&filter, after, limit).unwrap();
                rows.extend(page.items);
                after = page.next;
                if after.is_none() {
                    return rows;
                }
            }
        };
        for newest_first in [false, true] {
            let all = found(None, newest_first, 200);
            assert_eq!(all.len(), 7, "{all:?}");
            for customer in [1, 2] {
                let address = number(customer).into();
                let expected: Vec<_> = all.iter().filter(|row| row.address == address).cloned().collect();
                for limit in 1..5 {
                    let rows = found(Some(customer), newest_first, limit);
                    assert_eq!(rows, expected, "{ranges} ranges, {limit} rows, newest first: {newest_first}");
                }
            }
        }
        assert!(found(Some(9), false, 200).is_empty());
    }
}

/// While a volume is full nothing reaches the look-ups, and deletions are what makes room.
#[test]
fn what_waits_for_the_look_ups_is_forgotten_only_when_it_is_in_them() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let loose = Step::Text { customer: 2, text: "STOP" };
    channel.take(&[HELLO, FINISH]);
    channel.store.index(INDEX_AT_ONCE).unwrap();
    channel.take(&[HELLO, FINISH, loose, Step::Answer { nth: 0, outcome: SendOutcome::Accepted }]);
    channel.take(&[Step::Pass { seconds: 40 * 86_400 }]);
    let messages = || {
        let sql = Connection::open(&path).unwrap();
        let mut query = sql.prepare("SELECT id FROM message ORDER BY id").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<i64>, _>>().unwrap()
    };
    let forget_all = |channel: &mut Channel| {
        while channel.store.forget(Retention::days(30), channel.now, 2).unwrap().more {}
    };
    assert_eq!(messages(), [1, 2, 3, 4]);
    forget_all(&mut channel);
    assert_eq!(messages(), [2, 3, 4], "those of which nothing waits");
    forget(&mut channel, Retention::days(30));
    assert_eq!(messages(), [0_i64; 0]);
    assert_eq!(dangling(&path), 0);
    let customer = channel.store.begin().unwrap().customer_by_address(&number(1).into(), &mut channel.state).unwrap();
    assert!(customer.is_none(), "they go with their last message");
}
