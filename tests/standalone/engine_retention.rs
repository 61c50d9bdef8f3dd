//! What is too old is forgotten in steps of a bounded size, whatever there is of it, and all of it in the end.

use aldis::{engine::store::retention::Retention, sms::Part};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::engine_store::{FINISH, HELLO, channel, now, place};
use crate::support::channel::{Channel, Step, dangling};

const BATCH: u32 = 20;

fn count(path: &std::path::Path, table: &str) -> i64 {
    let sql = Connection::open(path).unwrap();
    sql.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// A closed interaction with so many messages and notes, all of them in the look-ups.
fn closed_interaction(channel: &mut Channel, messages: usize) {
    channel.take(&[HELLO]);
    for _ in 1..messages {
        channel.take(&[HELLO, Step::Note { nth: 0 }]);
    }
    channel.take(&[FINISH]);
    while channel.store.index_due().is_some() {
        channel.store.index(1000).unwrap();
    }
}

#[test]
fn an_interaction_with_many_messages_and_notes_is_forgotten_in_portions() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    closed_interaction(&mut channel, 100);
    channel.take(&[Step::Pass { seconds: 40 * 86_400 }]);
    loop {
        let forgotten = channel.store.forget(Retention::days(30), channel.now, BATCH).unwrap();
        assert!(forgotten.rows <= u64::from(BATCH) + 1, "{forgotten:?}: with the customer, whose last one goes");
        assert_eq!(dangling(&path), 0, "no row is left without the one to which it belongs");
        if !forgotten.more {
            break;
        }
    }
    assert_eq!(["interaction", "message", "note", "customer"].map(|table| count(&path, table)), [0; 4]);
}

#[test]
fn a_customer_whose_text_is_not_whole_yet_is_not_forgotten() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    closed_interaction(&mut channel, 1);
    channel.take(&[Step::Pass { seconds: 40 * 86_400 }]);
    channel.take(&[Step::Part { customer: 1, part: Part::new(7, 2, 1).unwrap(), text: "TEXT-a" }]);
    while channel.store.forget(Retention::days(30), channel.now, BATCH).unwrap().more {}
    assert_eq!(["message", "customer", "part", "assembly"].map(|table| count(&path, table)), [0, 1, 1, 1]);
    channel.take(&[Step::Pass { seconds: 600 }]);
    channel.take(&[Step::Pass { seconds: 1 }]);
    assert_eq!(["message", "customer", "part", "assembly"].map(|table| count(&path, table)), [1, 1, 0, 0]);
    assert_eq!(dangling(&path), 0);
}

#[test]
fn a_kind_of_which_much_is_too_old_does_not_keep_the_others() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let kinds = ["event", "sample", "blocked_start", "parked_receipt"];
    let sql = Connection::open(&path).unwrap();
    let inserts = [
        "INSERT INTO event (last, first, at, body) VALUES (?1, ?1, ?2, '[]')",
        "INSERT INTO sample (interaction, at, result, in_target, waited_millis, target_seconds) VALUES (?1, ?2, 'Answered', 1, 1, 1)",
        "INSERT INTO blocked_start (at, user, address) VALUES (?2, ?1, '+15551230002')",
        "INSERT INTO parked_receipt (provider_id, state, at) VALUES (?1, 'Sent', ?2)",
    ];
    for row in 1..=1000_i64 {
        for insert in inserts {
            sql.execute(insert, params![row + 10_000, row]).unwrap();
        }
    }
    let before = kinds.map(|kind| count(&path, kind));
    for _ in kinds {
        assert!(channel.store.forget(Retention::days(30), channel.now, BATCH).unwrap().more);
    }
    let after = kinds.map(|kind| count(&path, kind));
    for ((kind, before), after) in kinds.iter().zip(before).zip(after) {
        assert!(after < before, "{kind}: {before} rows, then {after}");
    }
}

/// Events that bear a later time, because a clock was ahead, are among the oldest in the order of the table.
#[test]
fn events_behind_those_of_a_clock_that_was_ahead_are_forgotten() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let sql = Connection::open(&path).unwrap();
    sql.execute("DELETE FROM event", []).unwrap();
    let of_the_clock = 3 * i64::from(BATCH);
    let days = |days: i64| i64::try_from((now() + SignedDuration::from_hours(24 * days)).as_nanosecond()).unwrap();
    let add = |last: std::ops::RangeInclusive<i64>, at: i64| {
        for last in last {
            let event = "INSERT INTO event (last, first, at, body) VALUES (?1, ?1, ?2, '[]')";
            sql.execute(event, params![last, at]).unwrap();
        }
    };
    add(1..=of_the_clock, days(365));
    add(of_the_clock + 1..=300, days(-365));
    add(301..=310, days(-29));
    add(311..=1000, days(-1));
    // While nothing more is found the engine takes a step each minute.
    let mut steps_until = |left: i64, now: Timestamp| {
        let step = |_: &u32| {
            channel.store.forget(Retention::days(30), now, BATCH).unwrap();
            count(&path, "event") == left
        };
        (1..=60).find(step)
    };
    let steps = steps_until(of_the_clock + 700, now()).expect("those of the clock stay until they are old");
    assert!(steps <= 300 / BATCH + 1, "each is looked at once, in {steps} steps");
    assert_eq!(steps_until(-1, now()), None, "nothing else is too old");
    let in_two_days = now() + SignedDuration::from_hours(48);
    assert_eq!(steps_until(of_the_clock + 690, in_two_days), Some(1), "the next ones go as soon as they are too old");
}

/// Room that was given up, for a log that had none, is held again when there is enough.
#[test]
fn room_is_held_again_when_nothing_is_left_to_forget() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let mut reserve = path.clone().into_os_string();
    reserve.push(".reserve");
    drop(std::fs::remove_file(&reserve));
    channel.store.forget(Retention::days(30), channel.now, BATCH).unwrap();
    assert!(std::fs::metadata(&reserve).unwrap().len() > 0);
}

/// No query may keep the log for good.
#[test]
fn a_log_that_a_query_uses_is_emptied_when_that_has_ended() {
    let (_dir, path) = place();
    let mut channel = channel(&path);
    let query = Connection::open(&path).unwrap();
    query.execute_batch("BEGIN; SELECT count(*) FROM message").unwrap();
    query.query_row("SELECT count(*) FROM message", [], |_| Ok(())).unwrap();
    channel.take(&[HELLO]);
    assert!(!channel.store.make_room().unwrap(), "the query reads what was before");
    query.execute_batch("COMMIT").unwrap();
    assert!(channel.store.make_room().unwrap());
}
