//! What a long history costs: the start with a million messages, and the text of a customer with a hundred thousand interactions.

use std::{
    fs::File,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use rustix::fs::{Advice, fadvise};

use crate::{
    Scale,
    figure::Figure,
    machine::usage,
    page::{Goal, Ratio, Section, table},
    support::{engine::Engine, gateway_fake::FakeGateway, process::ready},
};

/// How long a history is.
#[derive(Clone, Copy)]
pub struct Size {
    /// Messages: half of them a customer's, in closed interactions of one text and one reply.
    pub messages: u64,
    /// Closed interactions of the customer with the longest history.
    pub of_one: u64,
}

/// The customer with the longest history, and one who never wrote.
const REGULAR: &str = "+15557000001";
/// Texts whose answers are timed one after the other.
const TEXTS: usize = 200;

/// One engine's figures.
#[derive(Default)]
struct Figures {
    /// Seconds from the start of the process until a text is answered.
    start: Figure,
    /// Megabytes that are resident then.
    resident: Figure,
    /// Milliseconds until a text of the customer with the longest history is answered.
    regular: Figure,
    /// And one of a customer who is new.
    newcomer: Figure,
}

/// Measures engines as processes, one with an empty store and one with a long history.
pub async fn measure(scale: Scale) -> Section {
    let Size { messages, of_one } = scale.history;
    let (mut empty, mut full) = (Figures::default(), Figures::default());
    for _ in 0..scale.runs {
        run(&mut empty, |_| {}).await;
        run(&mut full, |store| fill(store, scale.history)).await;
    }
    let ratios = vec![
        Ratio::new(
            format!("Memory after the start with {messages} messages"),
            full.resident.over(&empty.resident),
            "memory after the start with none",
        ),
        Ratio::new(
            format!("Time until a text of a customer with {of_one} interactions is answered"),
            full.regular.over(&full.newcomer),
            "that of a customer who is new",
        ),
    ];
    let goals = vec![
        Goal::at_most(
            format!("With {messages} messages, seconds until the first text is answered"),
            5.0,
            full.start.clone(),
        ),
        Goal::at_most(
            format!("Memory with {messages} messages beside that with none"),
            1.1,
            full.resident.over(&empty.resident),
        ),
    ];
    let row = |name: &str, figures: &Figures| {
        let figures = [&figures.start, &figures.resident, &figures.regular, &figures.newcomer];
        std::iter::once(name.to_owned()).chain(figures.map(ToString::to_string)).collect()
    };
    let text = format!(
        "An engine as a process is started on a store that holds {messages} messages of 10,000 customers in closed interactions, {of_one} of them of one\n\
         customer, and on an empty one; the system has nothing of the store in memory. A text is brought until it is answered; then {TEXTS} texts\n\
         of that customer and as many of new customers, one after the other.\n\n{}",
        table(
            &[
                "store",
                "seconds until the first text is answered",
                "MB resident then",
                "ms for a text of the regular customer",
                "ms for a text of a new one",
            ],
            [row("empty", &empty), row(&format!("{messages} messages"), &full)],
        ),
    );
    Section { title: "A long history", ratios, goals, text }
}

async fn run(figures: &mut Figures, history: impl FnOnce(&Connection)) {
    let gateway = FakeGateway::start().await;
    let mut engine = Engine::start(&gateway.url, |_| {}).await;
    engine.role.kill();
    history(&Connection::open(engine.store()).expect("a store"));
    forget(&engine.store());
    let begun = Instant::now();
    engine.role.start_again();
    ready(engine.address).await;
    assert_eq!(engine.inbound("first", "+15559990000", "hello").await.0, 200);
    figures.start.add(begun.elapsed().as_secs_f64());
    let pid = engine.role.pid().expect("it runs");
    figures.resident.add(usage(pid).resident);
    figures.regular.add_millis(answered(&engine, "regular", |_| REGULAR.to_owned()).await);
    figures.newcomer.add_millis(answered(&engine, "new", |n| format!("+1555999{:04}", n + 1)).await);
}

/// Has the system forget what it has of a file in memory.
fn forget(path: &Path) {
    let file = File::open(path).expect("a store");
    file.sync_all().expect("a disk");
    fadvise(&file, 0, None, Advice::DontNeed).expect("the system takes advice");
}

/// How long the answer to one text takes, in the mean.
async fn answered(engine: &Engine, id: &str, from: impl Fn(usize) -> String) -> Duration {
    let begun = Instant::now();
    for n in 0..TEXTS {
        assert_eq!(engine.inbound(&format!("{id}-{n}"), &from(n), "hello").await.0, 200);
    }
    begun.elapsed() / u32::try_from(TEXTS).expect("few")
}

/// Writes the history as an engine would have left it. Ids are below those of any engine that starts now.
fn fill(store: &Connection, Size { messages, of_one }: Size) {
    let interactions = messages / 2;
    store
        .execute_batch(&format!(
            "PRAGMA foreign_keys = OFF;
             PRAGMA synchronous = OFF;
             BEGIN;
             CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {interactions})
                 SELECT i, CASE WHEN i <= {of_one} THEN 1 ELSE 1 + abs(random()) % 10000 END AS c FROM n;
             INSERT INTO customer (id, address, can_receive, opted_out) SELECT i, '+1555700' || printf('%04d', i), 1, 0
                 FROM n WHERE i <= 10001;
             UPDATE customer SET address = '{REGULAR}' WHERE id = 1;
             INSERT INTO interaction (id, customer, state, opted_out, arrived_at, at_head, owner, epoch, active_at, closed_at,
                                      close_reason, first_message, last_message)
                 SELECT i, c, 'Closed', 0, i, 0, 'ana', 1, i, 1790000000000000000 + i, 'Finished', 2 * i - 1, 2 * i FROM n;
             INSERT INTO message (id, customer, interaction, direction, at, text, outcome, received_at, provider_id)
                 SELECT 2 * i - 1, c, i, 'Inbound', 1790000000000000000 + i, 'When do you open tomorrow?', 'Queued',
                        1790000000000000000 + i, 'SM' || hex(randomblob(16)) FROM n;
             INSERT INTO message (id, customer, interaction, direction, at, text, purpose, user, encoding, segments, status)
                 SELECT 2 * i, c, i, 'Outbound', 1790000000000000000 + i, 'At nine.', 'Reply', 'ana', 'Gsm7', 1, 'Delivered'
                 FROM n;
             INSERT INTO message_of_customer SELECT customer, id FROM message ORDER BY 1, 2;
             INSERT INTO dedup SELECT provider_id, id, at FROM message WHERE provider_id IS NOT NULL ORDER BY 1;
             INSERT INTO customer_by_address SELECT address, id FROM customer ORDER BY 1;
             UPDATE store SET indexed = max(indexed, (SELECT max(id) FROM message)), indexed_customer = (SELECT max(id) FROM customer);
             COMMIT;
             PRAGMA wal_checkpoint(TRUNCATE);"
        ))
        .expect("a history");
}
