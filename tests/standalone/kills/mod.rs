//! Engine and gateway die again and again, as in a power cut, with requests in flight. Judged from outside: by the ledger of the
//! simulator, which plays the provider, against the engine's store as the `sqlite3` command reads it.

mod power;
mod restored;
pub(crate) mod world;

use std::time::Duration;

use crate::support::judge::{Judge, acknowledged};
use world::{CUSTOMERS, World};

/// How often a process dies.
const KILLS: u64 = 180;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_sent_twice_by_180_kills() {
    let mut world = World::start().await;
    let mut work = world.work();
    for kill in 0..KILLS {
        // Different pauses find the processes at different work: starting, busy, with a backlog.
        tokio::time::sleep(Duration::from_millis(20 + kill * 37 % 230)).await;
        match kill % 3 {
            0 => world.engine.crash().await,
            1 => world.gateway.kill_and_restart(),
            _ => {
                // The gateway comes back first and finds no engine: it must take to its spool.
                world.engine.role.kill();
                tokio::time::sleep(Duration::from_millis(kill * 13 % 300)).await;
                world.engine.role.start_again();
            }
        }
    }
    work.stop().await;
    let (ledger, store) = (world.settle().await, world.engine.store());
    let judge = Judge { ledger: &ledger, store: &store };
    judge.every_message_is_stored_once_and_in_order();
    judge.every_reply_arrived_once(&work.replies(), KILLS * CUSTOMERS);
    work.showed_once(&judge.inbound()).await;
    assert!(work.replies().len() > 180, "too little was going on: {} replies", work.replies().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_are_acknowledged_while_the_engine_is_away_for_a_minute() {
    let mut world = World::start().await;
    world.engine.role.kill();
    let mut work = world.work();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = acknowledged(&world.carrier.ledger().await).len();
    assert!(before > 50, "acknowledged from the spool: {before}");
    world.engine.role.start_again();
    work.stop().await;
    let (ledger, store) = (world.settle().await, world.engine.store());
    Judge { ledger: &ledger, store: &store }.every_message_is_stored_once_and_in_order();
}
