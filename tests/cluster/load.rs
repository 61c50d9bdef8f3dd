//! A desk under load, and what is asked of it at the end.

use super::{
    live_changes::roomy,
    quickstart::{Quickstart, Running},
};
use crate::support::{
    judge::{Judge, everything_has_arrived},
    process::eventually,
    traffic::Traffic,
};

/// A desk that is Ready: its limits are wide, its carrier insists, Ana is there.
pub(super) async fn desk(mut quickstart: Quickstart) -> (Quickstart, Running) {
    roomy(&mut quickstart);
    quickstart.apply_all();
    let running = quickstart.running().await;
    running.carrier.insist().await;
    running.ana.set_presence(true).await;
    (quickstart, running)
}

/// UID and restarts of engine and gateway.
pub(super) fn incarnations(quickstart: &Quickstart) -> [(String, u64); 2] {
    ["sms-support-0", "smsc-simulator-0"].map(|pod| quickstart.incarnation(pod))
}

/// Waits until both ways work: the gateway acknowledged another message, and the engine took another reply.
pub(super) async fn at_work(running: &Running, traffic: &Traffic) {
    let taken = traffic.replies().len();
    running.carrier.until_another_is_acknowledged().await;
    eventually("another reply is taken", || async {
        let more = traffic.replies().len();
        if more > taken { Ok(()) } else { Err(more) }
    })
    .await;
}

/// Ends the traffic and judges it; of the replies, at most `in_flight` may have arrived or not.
pub(super) async fn nothing_is_lost_or_repeated(
    quickstart: &Quickstart,
    running: &Running,
    mut traffic: Traffic,
    in_flight: u64,
) {
    traffic.stop().await;
    let (ledger, store) = (running.settle().await, quickstart.store());
    everything_has_arrived(&ledger, &store).await;
    let judge = Judge { ledger: &ledger, store: &store };
    judge.every_message_is_stored_once_and_in_order();
    judge.every_reply_arrived_once(&traffic.replies(), in_flight);
    traffic.showed_once(&judge.inbound()).await;
}
