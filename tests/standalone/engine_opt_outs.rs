//! When a customer opted out last. A text that opts them in again counts only if the gateway received it later, however texts are delivered.

use aldis::engine::{
    core::{
        command::{Command, Contact, Content, Decision, Inbound},
        ids::CustomerId,
    },
    store::{Transaction, retention::Retention, write::Cause},
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::engine_store::{channel, forget, now, place};
use crate::support::channel::{Channel, Step, config, number};

const CUSTOMER: CustomerId = CustomerId(1);

fn at(second: i64) -> Timestamp {
    now() + SignedDuration::from_secs(second)
}

/// One "STOP", which the gateway received in a second and which is delivered now.
fn stop(received: i64, customer: Option<CustomerId>) -> Command {
    Command::Inbound(Inbound {
        contact: Contact { address: number(1).into(), customer },
        text: "STOP".into(),
        note: None,
        received_at: at(received),
        part: None,
        duplicate_of: None,
        provider_keyword: None,
        overtakes: false,
        before_opt_out: false,
    })
}

fn opted_out_at(transaction: &Transaction<'_>) -> Option<Timestamp> {
    transaction.opted_out_at(CUSTOMER).unwrap()
}

/// Delivers texts in one transaction; when the customer opted out as each later text of it sees it.
fn deliver(channel: &mut Channel, received: &[i64]) -> Vec<Option<Timestamp>> {
    let mut seen = Vec::new();
    let mut transaction = channel.store.begin().unwrap();
    for second in received {
        let customer = channel.state.customer(CUSTOMER).map(|customer| customer.id);
        let decision = channel.state.execute(&stop(*second, customer), channel.now);
        let provider_message_id = format!("in-at-{second}");
        let cause = Cause::Inbound { provider_message_id: &provider_message_id, received_at: at(*second) };
        transaction.write(&decision, &cause, &channel.state).unwrap();
        seen.push(opted_out_at(&transaction));
    }
    transaction.commit(&channel.state).unwrap();
    seen
}

fn stored(channel: &mut Channel) -> Option<Timestamp> {
    let transaction = channel.store.begin().unwrap();
    let at = opted_out_at(&transaction);
    transaction.commit(&channel.state).unwrap();
    at
}

#[test]
fn the_text_that_the_gateway_received_last_counts_in_whatever_order_they_are_delivered() {
    let cases: [(&[&[i64]], i64); 5] =
        [(&[&[10]], 10), (&[&[10], &[20]], 20), (&[&[20], &[10]], 20), (&[&[20, 10]], 20), (&[&[10, 30], &[20]], 30)];
    for (transactions, newest) in cases {
        let (_dir, path) = place();
        let mut channel = channel(&path);
        assert_eq!(stored(&mut channel), None);
        let mut received = Vec::new();
        for transaction in transactions {
            let seen = deliver(&mut channel, transaction);
            for (second, seen) in transaction.iter().zip(seen) {
                received.push(*second);
                assert_eq!(
                    seen,
                    received.iter().max().map(|second| at(*second)),
                    "{transactions:?}: not committed yet"
                );
            }
        }
        assert_eq!(stored(&mut channel), Some(at(newest)), "{transactions:?}");
        drop(channel);
        assert_eq!(stored(&mut self::channel(&path)), Some(at(newest)), "{transactions:?}: after a start");
    }
}

#[test]
fn one_that_is_repeated_on_a_full_volume_counts_and_adds_no_row() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    deliver(&mut channel, &[10]);
    channel.state.set_volume_full(true);
    let rows = || {
        let sql = Connection::open(&path).unwrap();
        ["message", "event", "dedup"].map(|table| {
            sql.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap()
        })
    };
    let before = rows();
    for (received, newest) in [(30, 30), (20, 30)] {
        let Decision { events, contents, .. } = channel.state.execute(&stop(received, Some(CUSTOMER)), at(40));
        assert_eq!(
            (events.len(), &contents[..]),
            (0, &[Content::OptOutRepeated { customer: CUSTOMER, received_at: at(received) }][..])
        );
        deliver(&mut channel, &[received]);
        assert_eq!(stored(&mut channel), Some(at(newest)), "received in second {received}");
    }
    assert_eq!(rows(), before);
}

#[test]
fn it_is_known_when_the_text_is_forgotten() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    deliver(&mut channel, &[10]);
    channel.take(&[Step::Pass { seconds: 40 * 86_400 }]);
    forget(&mut channel, Retention::days(30));
    let sql = Connection::open(&path).unwrap();
    let texts = "SELECT count(*) FROM message WHERE outcome = 'OptedOut'";
    assert_eq!(sql.query_row(texts, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    assert_eq!(stored(&mut channel), Some(at(10)));
}

/// Schema 4 kept the time with the text alone, which may wait for the look-up by customer.
#[test]
fn an_older_schema_gives_it_from_its_texts() {
    for in_the_look_up in [true, false] {
        let (_dir, path) = place();
        let sql = Connection::open(&path).unwrap();
        sql.execute_batch(include_str!("../fixtures/store/schema-4.sql")).unwrap();
        if !in_the_look_up {
            sql.execute_batch("UPDATE store SET indexed = 0; DELETE FROM message_of_customer").unwrap();
        }
        let expected = "SELECT c.id, max(m.received_at) FROM customer c LEFT JOIN message m ON m.customer = c.id AND m.outcome = 'OptedOut'
                        WHERE c.opted_out = 1 GROUP BY c.id";
        let read = |sql: &Connection, query: &str| -> Vec<(i64, Option<i64>)> {
            let mut query = sql.prepare(query).unwrap();
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
        };
        let expected = read(&sql, expected);
        assert!(expected.iter().any(|(_, at)| at.is_some()), "the frozen store has an opt-out");
        drop(Channel::open(&path, config(), now()).unwrap());
        assert_eq!(read(&sql, "SELECT id, opted_out_at FROM customer WHERE opted_out = 1"), expected);
    }
}
