//! No query takes longer the more is stored: each is read from an index, in its order.

use rusqlite::Connection;

use super::{
    InteractionFilter, InteractionState,
    interactions::list,
    messages::{CUSTOMER, INDEXED, INDEXED_OLDEST_FIRST, MESSAGE, RECENT, RECENT_OLDEST_FIRST},
};
use crate::engine::{
    core::ids::{InteractionId, UserId},
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

/// A list of what is open is read from an index of what is open, one of everything in its own order; none is sorted.
#[test]
fn no_list_grows_with_what_is_closed() {
    let sql = empty_store();
    let ana = || Some(UserId::from("ana"));
    let open = Some(InteractionState::Active);
    let cases = [
        (None, Some(InteractionState::Queued), "SEARCH i USING INDEX interaction_open_by_state (state=?"),
        (None, open, "SEARCH i USING INDEX interaction_open_by_state (state=?"),
        (ana(), open, "SEARCH i USING INDEX interaction_open_by_owner (owner=?"),
        (ana(), Some(InteractionState::Closed), "SEARCH i USING INDEX interaction_by_owner (owner=?"),
        (ana(), None, "SEARCH i USING INDEX interaction_by_owner (owner=?"),
        (None, Some(InteractionState::Closed), "SEARCH i USING INTEGER PRIMARY KEY"),
        (None, None, "SEARCH i USING INTEGER PRIMARY KEY"),
    ];
    for (owner, state, expected) in cases {
        for newest_first in [false, true] {
            let filter = InteractionFilter { state, owner: owner.clone(), newest_first };
            let (query, _) = list(&filter, Some(InteractionId(1)), 50);
            let steps = plan(&sql, &query);
            assert!(steps[0].starts_with(expected), "{filter:?}: {steps:?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{filter:?}: {steps:?}");
        }
    }
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
    let events = plan(&sql, "SELECT first, body FROM event WHERE last > ? ORDER BY last");
    assert_eq!(events, ["SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"]);
}
