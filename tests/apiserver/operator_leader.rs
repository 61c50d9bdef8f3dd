//! Of two replicas one writes; when it is gone, or only slept, the other goes on.

use crate::{
    desk::Desk,
    support::{
        operator::{Flags, Operator, settled},
        testbed::{Cluster, eventually},
    },
};

/// Applies a change and waits until it is in force.
fn change(desk: &Desk<'_>, max_queued: u32) {
    desk.apply(&desk.channel("support", "+15551230001", &format!(", maxQueued: {max_queued}")));
    eventually("the change reaches the configuration", || {
        (desk.config("sms-support")["maxQueued"] == max_queued).then_some(())
    });
    desk.wait_ready("smschannel/support");
}

fn holder(operator: &Operator, cluster: &Cluster) -> String {
    let path = "jsonpath={.spec.holderIdentity}";
    cluster.kubectl(&["get", "lease", "aldis-operator", "-n", &operator.namespace, "-o", path]).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_replica_takes_over_from_one_that_was_killed() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let mut first = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    let second = first.start_beside(cluster, &[&desk.namespace]).await;
    change(&desk, 7);
    assert_eq!(second.proxy.writes(), [], "a replica that does not lead writes nothing");

    first.kill();
    change(&desk, 8);
    assert_eq!(holder(&second, cluster), "beside");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_slept_through_its_lease_writes_nothing_when_it_wakes() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let first = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    let second = first.start_beside(cluster, &[&desk.namespace]).await;
    settled(async || first.proxy.writes().len()).await;

    first.signal("STOP");
    let before = first.proxy.writes().len();
    change(&desk, 7);
    first.signal("CONT");
    change(&desk, 8);
    assert_eq!(settled(async || first.proxy.writes()).await[before..], []);
    assert_eq!(holder(&second, cluster), "beside");
}
