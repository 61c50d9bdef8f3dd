//! The tables are the truth, and the events are the whole of it: a state that is loaded from the tables equals the live one and
//! one that is replayed from the events.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use aldis::{
    engine::{
        core::{
            apply::apply,
            config::Strategy as Distribution,
            delivery::{DeliveryState, FailureClass, SendOutcome},
            event::{AgentEvent, BotEndReason, ClockEvent, CustomerEvent, Happened, InteractionEvent, OptOutBy},
            state::State,
        },
        store::{
            Store,
            read::{NumberedEvent, OptedOutBy},
        },
    },
    sms::Part,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::support::channel::{Channel, Step, config, dangling};

pub(super) fn step() -> impl Strategy<Value = Step> {
    let user = prop_oneof![Just("ana"), Just("bo"), Just("eve")];
    let text = prop_oneof![6 => Just("TEXT-hello"), 2 => Just("TEXT-ok"), 1 => Just("STOP"), 1 => Just("START"), 1 => Just("HELP")];
    let failure = prop_oneof![Just(FailureClass::OptedOut), Just(FailureClass::Filtered)];
    let outcome = prop_oneof![
        3 => Just(SendOutcome::Accepted),
        1 => Just(SendOutcome::Unknown),
        1 => (0..90i64)
            .prop_map(|seconds| SendOutcome::NotSent { retry_after: SignedDuration::from_secs(seconds) }),
        1 => failure.clone().prop_map(SendOutcome::Refused),
    ];
    let state = prop_oneof![
        1 => Just(DeliveryState::Queued),
        1 => Just(DeliveryState::Sent),
        2 => Just(DeliveryState::Delivered),
        1 => failure.prop_map(DeliveryState::Failed),
    ];
    let strategy = prop::sample::select(vec![
        Distribution::LeastRecent,
        Distribution::FewestInteractions,
        Distribution::Random,
        Distribution::Linear,
        Distribution::RoundRobin,
        Distribution::WeightedRandom,
        Distribution::RingAll,
    ]);
    let seconds = prop_oneof![0..3u32, 20..400u32, 3_000..5_000u32, Just(90_000u32)];
    prop_oneof![
        5 => seconds.prop_map(|seconds| Step::Pass { seconds }),
        8 => (0..5u8, text).prop_map(|(customer, text)| Step::Text { customer, text }),
        8 => part(Just(0)).prop_map(|(customer, part, text, _)| Step::Part { customer, part, text }),
        1 => part(0..9u64).prop_map(|(customer, part, text, back)| Step::PartAgain { customer, part, text, back }),
        1 => Just(Step::Repeat),
        3 => (user.clone(), any::<bool>()).prop_map(|(user, open)| Step::Stream { user, open }),
        3 => (user.clone(), prop::bool::weighted(0.8)).prop_map(|(user, present)| Step::Presence { user, present }),
        4 => (0..9usize).prop_map(|nth| Step::Reply { nth }),
        3 => (0..9usize).prop_map(|nth| Step::Finish { nth }),
        1 => (0..9usize).prop_map(|nth| Step::Note { nth }),
        2 => (user, 0..7u8).prop_map(|(user, customer)| Step::Start { user, customer }),
        6 => (0..9usize, outcome).prop_map(|(nth, outcome)| Step::Answer { nth, outcome }),
        4 => (0..6u64, any::<bool>(), state)
            .prop_map(|(back, by_token, state)| Step::Receipt { back, by_token, state }),
        4 => (0..6u64, any::<bool>()).prop_map(|(back, supervisor)| Step::Resend { back, supervisor }),
        1 => any::<bool>().prop_map(|enabled| Step::Enable { enabled }),
        1 => prop::bool::weighted(0.7).prop_map(|open| Step::Hours { open }),
        1 => prop::option::of(1..3u32)
            .prop_map(|max| Step::MaxQueued { max: max.and_then(NonZeroU32::new) }),
        1 => any::<bool>().prop_map(|bo| Step::Membership { bo }),
        1 => (prop::option::of(1u32..2_000), prop::option::of(1u32..600))
            .prop_map(|(reopen_seconds, max_queue_seconds)| Step::Return { reopen_seconds, max_queue_seconds }),
        1 => any::<bool>().prop_map(|accept| Step::AnsweredBy { accept }),
        1 => strategy.prop_map(|strategy| Step::Distribute { strategy }),
        2 => prop::option::weighted(0.8, 300..4_000u32)
            .prop_map(|seconds| Step::Ask { seconds: seconds.and_then(NonZeroU32::new) }),
        4 => (0..9usize, any::<bool>()).prop_map(|(nth, accepts)| Step::AnswerOffer { nth, accepts }),
        3 => (0..9usize, prop::option::weighted(0.6, prop::sample::select(vec!["ana", "bo"])))
            .prop_map(|(nth, to)| Step::Transfer { nth, to }),
        1 => (0..9usize).prop_map(|nth| Step::CancelTransfer { nth }),
        1 => (0..9usize, prop::sample::select(vec!["ana", "bo", "eva"])).prop_map(|(nth, to)| Step::Assign { nth, to }),
        1 => (0..9usize).prop_map(|nth| Step::Close { nth }),
        1 => any::<bool>().prop_map(|open| Step::Stream { user: "eva", open }),
        1 => any::<bool>().prop_map(|on| Step::Bots { on }),
        2 => prop::collection::vec((0..7u8, prop::option::of(0..100_000u32)), 1..4)
            .prop_map(|listed| Step::Import { listed }),
        1 => Just(Step::AcceptStorage),
        1 => (0..100_000u32).prop_map(|seconds| Step::Leap { seconds }),
        1 => (0..100_000u32).prop_map(|back| Step::SetClock { back }),
    ]
}

/// A customer, a part of a text of theirs, what it says, and how many deliveries ago it may have come before.
fn part(back: impl Strategy<Value = u64>) -> impl Strategy<Value = (u8, Part, &'static str, u64)> {
    let part = (0..2u16, 2..4u8, 0..3u8).prop_filter_map("there is such a part", |(reference, total, place)| {
        Part::new(reference, total, 1 + place % total)
    });
    (0..5u8, part, prop::sample::select(vec!["TEXT-a", "ST", "OP"]), back)
}

/// The state that the events lead to.
fn replayed(store: &Store, live: &State) -> State {
    let mut state = State::new(live.config().clone());
    let reader = store.reader().unwrap();
    let mut last = 0;
    loop {
        let events = reader.events_after(last, 100).unwrap();
        if events.is_empty() {
            return state;
        }
        for numbered in events {
            assert_eq!(numbered.sequence, last + 1, "events have no gaps");
            last = numbered.sequence;
            apply(&mut state, &numbered.event);
        }
    }
}

/// Forgets what only caching put there: who was hydrated, which samples are out of the window, who is online.
fn comparable(mut state: State, now: Timestamp) -> State {
    state.evict_idle(now);
    let mut rows = state.rows();
    for agent in &mut rows.agents {
        agent.connection = Default::default();
        agent.open.clear();
        agent.offers.clear();
    }
    let mut state = State::from_rows(state.config().clone(), rows);
    state.evict_idle(now);
    state
}

fn check(channel: &Channel) {
    let now = channel.now;
    let rows = channel.store.load(now - channel.state.config().service_level.window).unwrap();
    let loaded = comparable(State::from_rows(Arc::clone(channel.state.config()), rows), now);
    let live = comparable(channel.state.clone(), now);
    assert_eq!(loaded, live, "the tables hold what is open");
    let replayed = comparable(without_unknown_owners(replayed(&channel.store, &channel.state), &live), now);
    assert_eq!(replayed, live, "the events lead to what is open");
}

/// Stores of schema 9 and before do not say since when an agent has what they have.
fn without_unknown_owners(replayed: State, live: &State) -> State {
    let mut rows = replayed.rows();
    for interaction in &mut rows.interactions {
        if live.interaction(interaction.id).is_some_and(|open| open.owned_since.is_none()) {
            interaction.owned_since = None;
        }
    }
    State::from_rows(Arc::clone(replayed.config()), rows)
}

/// Who has opted out by the events, since when and how; and what was imported, newest first.
fn check_opt_outs(channel: &Channel) {
    let reader = channel.store.reader().unwrap();
    let (mut opted_out, mut imports) = (BTreeMap::new(), Vec::new());
    for NumberedEvent { event, .. } in reader.events_after(0, u32::MAX).unwrap() {
        match event.what {
            Happened::Customer(CustomerEvent::OptedOut { customer, by }) => {
                let (since, by) = match by {
                    OptOutBy::Keyword { .. } => (event.at, OptedOutBy::Keyword),
                    OptOutBy::Provider { .. } => (event.at, OptedOutBy::Provider),
                    OptOutBy::Import { user, since } => (since, OptedOutBy::Import(user)),
                };
                opted_out.insert(customer, (Some(since), by));
            }
            Happened::Customer(CustomerEvent::OptedIn { customer, .. }) => drop(opted_out.remove(&customer)),
            Happened::Clock(ClockEvent::ClockSet { to }) => {
                opted_out.values_mut().for_each(|(since, _)| *since = (*since).min(Some(to)));
            }
            Happened::Agent(AgentEvent::OptOutsImported { user, listed, opted_out }) => {
                imports.insert(0, (event.at, user, listed, opted_out));
            }
            _ => {}
        }
    }
    let listed = reader.opt_outs(None, 200).unwrap();
    assert_eq!(
        listed.items.into_iter().map(|row| (row.customer, (row.since, row.by))).collect::<BTreeMap<_, _>>(),
        opted_out
    );
    let found = reader.opt_out_imports(None, 200).unwrap().items.into_iter();
    assert_eq!(found.map(|row| (row.at, row.user, row.listed, row.opted_out)).collect::<Vec<_>>(), imports);
}

/// Which steps of bots failed by the events: how often, and when first and last.
fn check_bot_failures(channel: &Channel) {
    let reader = channel.store.reader().unwrap();
    let mut failures: BTreeMap<(String, String), (u64, Timestamp, Timestamp)> = BTreeMap::new();
    for NumberedEvent { event, .. } in reader.events_after(0, u32::MAX).unwrap() {
        let mut failed = |step: &str, reason: String| {
            let entry = failures.entry((step.to_owned(), reason)).or_insert((0, event.at, event.at));
            (entry.0, entry.2) = (entry.0 + 1, event.at);
        };
        match &event.what {
            Happened::Interaction(InteractionEvent::BotStepped { taken, .. }) => {
                for taken in taken.iter().filter(|taken| taken.failure.is_some()) {
                    failed(&taken.step, format!("Call{:?}", taken.failure.unwrap()));
                }
            }
            Happened::Interaction(InteractionEvent::BotEnded { reason, step, .. }) => match reason {
                BotEndReason::HandedOff
                | BotEndReason::Finished
                | BotEndReason::OptedOut
                | BotEndReason::Assigned
                | BotEndReason::Closed => assert_eq!(*step, None),
                _ => failed(step.as_deref().unwrap_or_default(), format!("{reason:?}")),
            },
            Happened::Clock(ClockEvent::ClockSet { to }) if *to < event.at => {
                let moved = |at: Timestamp| if at > *to { at - event.at.duration_since(*to) } else { at };
                failures.values_mut().for_each(|(_, since, at)| {
                    *since = moved(*since);
                    *at = moved(*at).max(*since);
                });
            }
            _ => {}
        }
    }
    let counted = reader.bot_failures().unwrap().into_iter();
    let counted = counted.map(|row| ((row.step, format!("{:?}", row.reason)), (row.count, row.since, row.at)));
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), failures);
}

/// What only the tables say: nothing dangles, and a message is in the outbox as long as it is not settled.
fn check_tables(path: &std::path::Path) {
    let sql = Connection::open(path).unwrap();
    let count = |query: &str| sql.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(dangling(path), 0);
    assert_eq!(
        count(
            "SELECT count(*) FROM message LEFT JOIN outbox ON outbox.message = message.id
             WHERE (outbox.message IS NULL) = (status IN ('Waiting', 'Sending'))"
        ),
        count("SELECT count(*) FROM outbox WHERE receipt_status <> 'Unknown'"),
        "in the outbox and not settled are the same, but for receipts that came before their answer"
    );
    assert_eq!(
        count(
            "SELECT count(*) FROM event, json_each(body)
             WHERE value ->> 'type' IN ('InboundRecorded', 'OutboundCommitted')"
        ),
        count("SELECT count(*) FROM message"),
    );
    assert_eq!(count("SELECT count(*) FROM event WHERE body LIKE '%TEXT-%' OR body LIKE '%+1555%'"), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn tables_and_events_lead_to_the_live_state(
        batches in prop::collection::vec(
            (prop::collection::vec(step(), 1..12), 0..4_usize, prop::bool::weighted(0.15)),
            1..14,
        )
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let now: Timestamp = "2026-11-22T14:27:31.123456789Z".parse().unwrap();
        let mut channel = Channel::open(&path, config(), now).unwrap();
        channel.take(&[
            Step::Stream { user: "ana", open: true },
            Step::Presence { user: "ana", present: true },
            Step::Bots { on: true },
        ]);
        for (steps, indexed, restart) in batches {
            channel.take(&steps);
            check(&channel);
            channel.store.index(indexed).unwrap();
            check(&channel);
            if restart {
                let (config, now, delivered) = (channel.state.config().clone(), channel.now, channel.delivered);
                drop(channel);
                channel = Channel::open(&path, (*config).clone(), now).unwrap();
                channel.delivered = delivered;
                check(&channel);
            }
        }
        check_tables(&path);
        check_opt_outs(&channel);
        check_bot_failures(&channel);
    }
}

/// Stores as each released schema left them. They are never changed; a new schema adds one.
const FROZEN: [&str; 14] = [
    include_str!("../fixtures/store/schema-1.sql"),
    include_str!("../fixtures/store/schema-2.sql"),
    include_str!("../fixtures/store/schema-3.sql"),
    include_str!("../fixtures/store/schema-4.sql"),
    include_str!("../fixtures/store/schema-5.sql"),
    include_str!("../fixtures/store/schema-6.sql"),
    include_str!("../fixtures/store/schema-7.sql"),
    include_str!("../fixtures/store/schema-8.sql"),
    include_str!("../fixtures/store/schema-9.sql"),
    include_str!("../fixtures/store/schema-10.sql"),
    include_str!("../fixtures/store/schema-11.sql"),
    include_str!("../fixtures/store/schema-12.sql"),
    include_str!("../fixtures/store/schema-13.sql"),
    include_str!("../fixtures/store/schema-14.sql"),
];

#[test]
fn stores_of_every_schema_are_brought_to_the_newest_and_go_on() {
    let schema = |path: &std::path::Path| {
        let sql = Connection::open(path).unwrap();
        let mut statement = sql
            .prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2")
            .unwrap();
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
        });
        rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let fresh = dir.path().join("fresh.db");
    let now: Timestamp = "2026-11-22T15:12:00Z".parse().unwrap();
    drop(Channel::open(&fresh, config(), now).unwrap());
    for (version, dump) in (1..).zip(FROZEN) {
        let path = dir.path().join(format!("{version}.db"));
        Connection::open(&path).unwrap().execute_batch(dump).unwrap();
        let mut channel = Channel::open(&path, config(), now).unwrap();
        assert_eq!(schema(&path), schema(&fresh), "schema {version} becomes the newest");
        check(&channel);
        assert_eq!(channel.state.interactions().count(), 4, "schema {version}: nothing open is lost");
        channel.delivered = 100;
        channel.take(&[Step::Text { customer: 1, text: "TEXT-later" }, Step::Reply { nth: 4 }]);
        check(&channel);
        check_tables(&path);
    }
}

/// Schema 3 wrote the last activity of an interaction that got another text with the look-ups, after the text.
#[test]
fn the_last_activity_that_a_killed_process_did_not_write_is_not_lost_with_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let sql = Connection::open(&path).unwrap();
    sql.execute_batch(FROZEN[2]).unwrap();
    let not_written = "UPDATE interaction SET active_at = active_at - 30000000000 WHERE id = 5";
    assert_eq!(sql.execute(not_written, []).unwrap(), 1);
    drop(sql);
    check(&Channel::open(&path, config(), "2026-11-22T15:12:00Z".parse().unwrap()).unwrap());
}

#[test]
fn every_schema_has_a_frozen_store() {
    assert_eq!(FROZEN.len() as i64, aldis::engine::store::schema::NEWEST);
}

/// Schema 8 writes times of the channel's own down. What its clock stood still is known in sum only.
#[test]
fn the_own_times_of_an_older_store_are_those_of_its_clock() {
    let closed_at = |sql: &Connection| {
        let query = "SELECT max(closed_at) FROM interaction WHERE customer = 1 AND owner IS NOT NULL";
        sql.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let cases: [(&str, Option<&str>, i64); 4] =
        [("PT0S", None, 0), ("PT100S", None, 100), ("-PT100S", None, 0), ("PT0S", Some("2026-11-22T15:10:20Z"), 10)];
    for (stood_still, stopped_at, less) in cases {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let sql = Connection::open(&path).unwrap();
        sql.execute_batch(FROZEN[6]).unwrap();
        let set = "UPDATE store SET scalars = json_set(scalars, '$.clock.stoodStill', ?1, '$.clock.stoppedAt', ?2)";
        assert_eq!(sql.execute(set, rusqlite::params![stood_still, stopped_at]).unwrap(), 1);
        drop(sql);
        let now: Timestamp = "2026-11-22T15:12:00Z".parse().unwrap();
        drop(Channel::open(&path, config(), now).unwrap());
        let sql = Connection::open(&path).unwrap();
        let own = |query: &str| sql.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
        let ended = own("SELECT last_ended_at FROM customer WHERE id = 1");
        assert_eq!(closed_at(&sql) - ended, less * 1_000_000_000, "{stood_still} {stopped_at:?}");
        let waits =
            own("SELECT max(queued_at - queued_own_at) FROM interaction WHERE state = 'Queued' AND at_head = 0");
        assert_eq!(waits, less * 1_000_000_000, "{stood_still} {stopped_at:?}");
    }
}
