//! No query takes longer the more is stored: each is read from an index, in its order.

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    InteractionFilter, InteractionPlace, InteractionState,
    bots::FAILURES,
    interactions::list,
    messages::{CUSTOMER, INDEXED, INDEXED_OLDEST_FIRST, MESSAGE, RECENT, RECENT_OLDEST_FIRST},
    of_customer,
    opt_outs::{IMPORTS, OPT_OUTS},
};
use crate::engine::{
    core::{
        event::CloseReason,
        ids::{InteractionId, UserId},
    },
    store::schema,
};

fn empty_store() -> Connection {
    let mut sql = Connection::open_in_memory().unwrap();
    let tx = sql.transaction().unwrap();
    schema::migrate(&tx).unwrap();
    tx.commit().unwrap();
    sql
}

fn plan(sql: &Connection, query: &str) -> Vec<String> {
    let mut plan = sql.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
    let values = rusqlite::params_from_iter(vec![0; plan.parameter_count()]);
    let steps = plan.query_map(values, |row| row.get::<_, String>(3)).unwrap();
    steps.map(Result::unwrap).collect()
}

/// A list is read from an index in the order of the list, from where it goes on, whatever it is asked for; none is sorted.
#[test]
fn no_list_grows_with_what_is_stored() {
    let sql = empty_store();
    let ana = || Some(UserId::from("ana"));
    let open = Some(InteractionState::Active);
    let closed = Some(InteractionState::Closed);
    let finished = Some(CloseReason::Finished);
    let at = |place| format!("SEARCH i USING INDEX interaction_{place} AND arrived_at>? AND arrived_at<?)");
    let by_arrival = "SEARCH i USING INDEX interaction_by_arrival (arrived_at>? AND arrived_at<?)";
    let cases = [
        (
            None,
            Some(InteractionState::Queued),
            None,
            "SEARCH i USING INDEX interaction_open_by_state (state=?".to_owned(),
        ),
        (None, open, None, "SEARCH i USING INDEX interaction_open_by_state (state=?".to_owned()),
        (ana(), open, None, "SEARCH i USING INDEX interaction_open_by_owner (owner=?".to_owned()),
        (ana(), closed, None, at("by_owner (owner=?")),
        (ana(), None, finished, at("by_owner (owner=?")),
        (ana(), None, None, at("by_owner (owner=?")),
        (None, closed, finished, at("by_close_reason (close_reason=?")),
        (None, None, finished, at("by_close_reason (close_reason=?")),
        (None, closed, None, by_arrival.to_owned()),
        (None, None, None, by_arrival.to_owned()),
    ];
    let some_time = Some(Timestamp::UNIX_EPOCH);
    for (owner, state, close_reason, expected) in cases {
        for (newest_first, from) in [(false, None), (true, None), (false, some_time), (true, some_time)] {
            let owner = owner.clone();
            let filter =
                InteractionFilter { state, owner, close_reason, from, to: from, newest_first, ..Default::default() };
            for after in
                [None, Some(InteractionPlace { at: Timestamp::UNIX_EPOCH, id: InteractionId(1), message: None })]
            {
                let (query, _) = list(&filter, after);
                let steps = plan(&sql, &query);
                assert!(steps[0].starts_with(&expected), "{filter:?}: {steps:?}");
                assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{filter:?}: {steps:?}");
                assert!(query.ends_with(" LIMIT 1000"), "so many rows are looked at: {query}");
            }
        }
    }
}

#[test]
fn opt_outs_are_found_among_those_who_opted_out_alone() {
    let sql = empty_store();
    assert_eq!(plan(&sql, OPT_OUTS), ["SEARCH customer USING INDEX customer_opted_out (id>?)"]);
    assert_eq!(plan(&sql, IMPORTS), ["SEARCH opt_out_import USING INTEGER PRIMARY KEY (rowid<?)"]);
}

#[test]
fn failures_of_bots_are_read_in_the_order_of_their_time() {
    assert_eq!(plan(&empty_store(), FAILURES), ["SCAN bot_failure USING INDEX bot_failure_by_age"]);
}

#[test]
fn messages_are_found_by_their_customer_or_are_the_newest() {
    let sql = empty_store();
    for recent in [RECENT, RECENT_OLDEST_FIRST] {
        let recent = plan(&sql, &format!("{MESSAGE} {recent}"));
        assert_eq!(recent, ["SEARCH m USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]);
    }
    let customer = plan(&sql, CUSTOMER);
    assert!(customer.iter().all(|step| !step.starts_with("SCAN")), "{customer:?}");
    for indexed in [INDEXED, INDEXED_OLDEST_FIRST] {
        let indexed = plan(&sql, &format!("{MESSAGE} {indexed}"));
        assert_eq!(
            indexed,
            [
                "SEARCH k USING PRIMARY KEY (customer=? AND message>? AND message<?)",
                "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)",
            ]
        );
    }
    for interactions in [of_customer::NEXT, of_customer::NEXT_NEWEST_FIRST] {
        let steps = plan(&sql, interactions);
        assert_eq!(
            steps,
            [
                "SEARCH k USING PRIMARY KEY (customer=? AND message>? AND message<?)",
                "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH i USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
            ]
        );
    }
    let recent = plan(&sql, of_customer::RECENT);
    assert_eq!(recent[0], "SEARCH m USING INTEGER PRIMARY KEY (rowid>?)");
    let events = plan(&sql, "SELECT first, body FROM event WHERE last > ? ORDER BY last");
    assert_eq!(events, ["SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"]);
}
