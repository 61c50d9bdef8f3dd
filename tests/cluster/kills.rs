//! Engine and gateway die on a real cluster, as in a power cut, with requests in flight; the kubelet starts them again. Judged from
//! outside: by the simulator's ledger against the engine's store as the `sqlite3` command reads it.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use super::{
    load::{at_work, desk, nothing_is_lost_or_repeated},
    quickstart::{NUMBER, Quickstart},
};
use crate::support::{
    judge::{Judge, acknowledged, everything_has_arrived},
    testbed,
    traffic::{Pace, Traffic},
};

/// Pod and container.
pub(super) const ENGINE: (&str, &str) = ("sms-support-0", "engine");
const GATEWAY: (&str, &str) = ("smsc-simulator-0", "gateway");
/// Who dies, again and again: one, the other, both at once. Five rounds are twenty kills.
const ROUND: [&[(&str, &str)]; 3] = [&[ENGINE], &[GATEWAY], &[ENGINE, GATEWAY]];
const ROUNDS: u64 = 5;
const CUSTOMERS: u64 = 6;
const PACE: Pace =
    Pace { customers: CUSTOMERS, customer_pause: Duration::from_millis(500), agent_pause: Duration::from_millis(30) };

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nothing_is_lost_or_sent_twice_by_20_kills() {
    let (quickstart, running) = desk(Quickstart::new()).await;
    let traffic = Traffic::start(&running.carrier, &running.ana, NUMBER, PACE);
    for round in 0..ROUNDS {
        for (turn, targets) in (0..).zip(ROUND) {
            at_work(&running, &traffic).await;
            // Different pauses find the processes at different work.
            tokio::time::sleep(Duration::from_millis((round * 3 + turn) * 37 % 230)).await;
            for target in targets {
                signal(&quickstart, *target, "-KILL");
            }
        }
    }
    at_work(&running, &traffic).await;
    nothing_is_lost_or_repeated(&quickstart, &running, traffic, ROUNDS * 4 * CUSTOMERS).await;
    for (pod, _) in [ENGINE, GATEWAY] {
        let (_, restarts) = quickstart.incarnation(pod);
        assert!(restarts >= ROUNDS * 2, "{pod} was restarted {restarts} times");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn customers_are_acknowledged_while_the_engine_is_away_for_a_minute() {
    let (quickstart, running) = desk(Quickstart::new()).await;
    let mut traffic = Traffic::start(&running.carrier, &running.ana, NUMBER, PACE);
    at_work(&running, &traffic).await;
    let away = Instant::now();
    signal(&quickstart, ENGINE, "-STOP");
    let before = acknowledged(&running.carrier.ledger().await).len();
    while away.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // The kubelet may lose its patience with it; what it starts in its place stands still, too.
        for pid in quickstart.cluster.pids(&quickstart.namespace, ENGINE.0, ENGINE.1) {
            drop(Command::new("kill").args(["-STOP", &pid.to_string()]).status());
        }
    }
    let during = acknowledged(&running.carrier.ledger().await).len() - before;
    assert!(during > 30, "acknowledged from the spool: {during}");
    signal(&quickstart, ENGINE, "-CONT");
    at_work(&running, &traffic).await;
    traffic.stop().await;
    let (ledger, store) = (running.settle().await, quickstart.store());
    everything_has_arrived(&ledger, &store).await;
    let judge = Judge { ledger: &ledger, store: &store };
    judge.every_message_is_stored_once_and_in_order();
    judge.every_reply_arrived_once(&traffic.replies(), CUSTOMERS);
}

/// Sends a signal to the process of a container. The pod's status may name the one before it a while longer than that lives.
pub(super) fn signal(quickstart: &Quickstart, (pod, container): (&str, &str), name: &str) {
    let pids = testbed::eventually(&format!("{pod} runs"), || {
        let pids = quickstart.cluster.pids(&quickstart.namespace, pod, container);
        (!pids.is_empty()).then_some(pids)
    });
    for pid in pids {
        let killed = Command::new("kill").args([name, &pid.to_string()]).status().expect("kill");
        assert!(killed.success(), "{pod} ended by itself");
    }
}
