//! What comes together is looked up before anything of it is decided, and written when all of it is: it leads to the same rows as what
//! comes one after the other.

use std::path::Path;

use aldis::{
    engine::store::{INDEX_AT_ONCE, retention::Retention},
    sms::Part,
};
use proptest::prelude::*;
use rusqlite::{Connection, types::Value};

use super::{
    engine_replay::step,
    engine_store::{FINISH, HELLO, channel, forget, now, place},
};
use crate::support::channel::{Channel, Step, config, dangling, number};

/// All that is stored of a channel, but for events, whose numbers say what was committed together, and for what nobody asks of an
/// interaction that is closed.
fn rows(path: &Path) -> Vec<(String, Vec<Vec<Value>>)> {
    let sql = Connection::open(path).unwrap();
    let tables = [
        "customer",
        "message",
        "customer_by_address",
        "message_of_customer",
        "dedup",
        "outbox",
        "attempt",
        "provider_message",
        "parked_receipt",
        "agent",
        "note",
        "sample",
        "blocked_start",
    ];
    let whole = tables.map(|table| format!("SELECT * FROM {table} ORDER BY 1, 2"));
    let interactions = "SELECT id, customer, state, started_by, opted_out, arrived_at, owner, epoch, closed_at, close_reason, first_message,
                               last_message, place_at, queued_at, waiting_since, offer, asked_in_vain, previous_agent, queued_own_at, transfer,
                               disposition,
                               CASE WHEN closed_at IS NULL THEN offers END,
                               CASE WHEN closed_at IS NULL THEN accepted END,
                               CASE WHEN closed_at IS NULL THEN queue_timed_out END,
                               CASE WHEN closed_at IS NULL THEN at_head END,
                               CASE WHEN closed_at IS NULL THEN max(active_at, (SELECT max(own_at) FROM message
                                                                                WHERE interaction = interaction.id)) END
                        FROM interaction ORDER BY 1";
    let queries = whole.into_iter().chain([interactions.to_owned(), "SELECT scalars FROM store".to_owned()]);
    let read = |query: String| {
        let mut statement = sql.prepare(&query).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
        let rows = rows.unwrap().collect::<Result<_, _>>().unwrap();
        (query, rows)
    };
    queries.map(read).collect()
}

/// The rows that these steps lead to, so many in each transaction.
fn taken(steps: &[Step], together: usize) -> Vec<(String, Vec<Vec<Value>>)> {
    let (_dir, path) = place();
    let mut channel = Channel::open(&path, config(), now()).unwrap();
    let desk = [Step::Stream { user: "ana", open: true }, Step::Presence { user: "ana", present: true }];
    channel.take(&desk);
    for steps in steps.chunks(together) {
        channel.take(steps);
    }
    channel.store.index(INDEX_AT_ONCE).unwrap();
    drop(channel);
    assert_eq!(dangling(&path), 0);
    rows(&path)
}

const fn text(customer: u8, text: &'static str) -> Step {
    Step::Text { customer, text }
}

#[test]
fn what_comes_in_one_batch_is_seen_by_what_follows_in_it() {
    let ana_starts = Step::Start { user: "ana", customer: 3 };
    let part = |sequence, text| Step::Part { customer: 3, part: Part::new(7, 2, sequence).unwrap(), text };
    let again =
        |sequence, text, back| Step::PartAgain { customer: 3, part: Part::new(7, 2, sequence).unwrap(), text, back };
    let in_parts =
        [part(2, "TEXT-b"), again(2, "TEXT-b", 0), part(1, "TEXT-a"), again(1, "TEXT-a", 0), again(2, "TEXT-b", 1)];
    let cases: [(&str, &[Step], [usize; 3]); 9] = [
        ("a new customer writes twice", &[text(3, "TEXT-one"), text(3, "TEXT-two")], [1, 1, 2]),
        ("a known customer writes twice", &[HELLO, text(1, "TEXT-two"), text(1, "TEXT-three")], [1, 1, 3]),
        ("the provider repeats a text at once", &[HELLO, Step::Repeat, Step::Repeat], [1, 1, 1]),
        ("a text in parts, each of which comes again", &in_parts, [1, 1, 1]),
        ("an opt-out and a text", &[text(3, "STOP"), text(3, "TEXT-but")], [1, 1, 3]),
        ("a text and an opt-out", &[text(3, "TEXT-well"), text(3, "STOP")], [1, 1, 3]),
        ("out and in again", &[text(3, "STOP"), text(3, "START"), text(3, "TEXT-back")], [1, 1, 5]),
        ("an agent writes first, and is answered", &[ana_starts, text(3, "TEXT-answer")], [1, 1, 2]),
        ("finished, and another text", &[HELLO, FINISH, text(1, "TEXT-again")], [1, 2, 2]),
    ];
    for (what, steps, [customers, interactions, messages]) in cases {
        let at_once = taken(steps, steps.len());
        assert_eq!(at_once, taken(steps, 1), "{what}");
        let count = |table: &str| {
            let found = at_once.iter().find(|(query, _)| query.contains(&format!("FROM {table} ")));
            found.map_or(0, |(_, rows)| rows.len())
        };
        let counted = ["customer", "interaction", "message"].map(count);
        assert_eq!(counted, [customers, interactions, messages], "{what}");
    }
}

/// A customer of whom nothing was left is forgotten between two batches; the state may still hold them.
#[test]
fn who_was_forgotten_is_a_new_customer() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    channel.take(&[HELLO, FINISH]);
    let customers = || {
        let sql = Connection::open(&path).unwrap();
        let mut query = sql.prepare("SELECT id FROM customer ORDER BY id").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<i64>, _>>().unwrap()
    };
    assert_eq!(customers(), [1]);
    channel.take(&[Step::Pass { seconds: 40 * 86_400 }]);
    forget(&mut channel, Retention::days(30));
    assert_eq!(customers(), [0_i64; 0]);
    channel.take(&[HELLO, text(1, "TEXT-two")]);
    assert_eq!(customers(), [2], "once");
    assert_eq!(dangling(&path), 0);
    let reader = channel.store.reader().unwrap();
    let messages = reader.customer_messages(&number(1).into(), None, 50).unwrap().unwrap();
    assert_eq!(messages.items.len(), 2, "what was said before is gone");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn many_at_once_or_one_by_one_lead_to_the_same_rows(
        // A clock that is set back moves the times of what is open, and what the same transaction closes keeps its own.
        // A bot takes its turn between two transactions, and what there is of a long text is delivered there when its wait ends.
        steps in prop::collection::vec(
            step().prop_filter("time goes on", |step| {
                !matches!(step, Step::SetClock { .. } | Step::Bots { .. } | Step::Part { .. } | Step::PartAgain { .. })
            }),
            1..40,
        ),
        together in 2..40_usize,
    ) {
        for (together, one_by_one) in taken(&steps, together).into_iter().zip(taken(&steps, 1)) {
            prop_assert_eq!(together, one_by_one);
        }
    }
}
