//! What the operator writes, request by request: one more for a channel is ten thousand more for a fleet.

use std::collections::BTreeSet;

use crate::{
    desk::Desk,
    support::{
        operator::{Flags, Operator, Write, settled},
        testbed::Cluster,
    },
};

/// Channel `support` is ready, and nothing is written for it any more. Samples and steps on the way to Ready are not to be written meanwhile.
async fn settled_desk() -> (Desk<'static>, Operator) {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let flags = Flags { sample_interval: 3_600, progress_hold: 600, ..Flags::default() };
    let operator = Operator::start(cluster, &[&desk.namespace], flags).await;
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    desk.wait_ready("smsconnector/sim");
    settled(async || operator.proxy.writes()).await;
    (desk, operator)
}

/// What was written since a moment.
struct Since {
    /// For the channel itself: each request with its answer, sorted.
    own: Vec<String>,
    /// What its status said that is not as it should be, write by write.
    untrue: Vec<Vec<String>>,
    /// To what many channels share, where one write stands for all changes of a second: which there were.
    shared: BTreeSet<String>,
}

impl Since {
    async fn of(desk: &Desk<'_>, operator: &Operator, channel: &str, before: usize) -> Self {
        let mut since = Self { own: Vec::new(), untrue: Vec::new(), shared: BTreeSet::new() };
        let writes = settled(async || operator.proxy.writes()).await.split_off(before);
        for Write { method, path, status, untrue } in writes {
            let (_, what) = path.split_once("/namespaces/").unwrap();
            // The claim's name is a digest, and it lies in the operator's namespace.
            let what = what.strip_prefix(&format!("{}/", desk.namespace)).unwrap_or("leases");
            let names = [format!("sms-{channel}"), format!("smschannels/{channel}"), "leases".into()];
            if names.iter().any(|name| what.contains(name)) {
                since.own.push(format!("{status} {method} {what}"));
                if path.ends_with("/status") {
                    since.untrue.push(untrue);
                }
            } else {
                since.shared.insert(format!("{method} {what}"));
            }
        }
        since.own.sort();
        // A pod's annotation is written again until the pod has read what it points to.
        since.own.dedup_by(|one, other| one == other && one.contains(" PATCH pods/"));
        since
    }

    #[track_caller]
    fn expect(&self, own: &[&str], shared: &[&str]) {
        assert_eq!(self.own, own, "{:#?}", self.untrue);
        let others: Vec<_> = self.shared.iter().filter(|write| !shared.contains(&write.as_str())).collect();
        assert!(others.is_empty(), "{others:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_channel_costs_these_writes_and_no_more() {
    let (desk, operator) = settled_desk().await;
    let before = operator.proxy.writes().len();
    desk.apply(&desk.channel("sales", "+15551230002", ""));
    desk.wait_ready("smschannel/sales");
    let own = [
        // The store that the engine has made is named, for its next start.
        "200 PATCH configmaps/sms-sales",
        "200 PATCH smschannels/sales",
        "200 PUT smschannels/sales/status",
        "201 PATCH configmaps/sms-sales",
        "201 PATCH persistentvolumeclaims/sms-sales",
        "201 PATCH serviceaccounts/sms-sales",
        "201 PATCH services/sms-sales",
        "201 PATCH statefulsets/sms-sales",
        "201 POST leases",
    ];
    let shared = [
        "PATCH configmaps/smsc-sim",
        "PATCH configmaps/smsc-sim.routes-0",
        "PATCH pods/smsc-sim-0",
        "PUT campaigns/support/status",
        "PUT smsconnectors/sim/status",
    ];
    Since::of(&desk, &operator, "sales", before).await.expect(&own, &shared);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_settled_channel_is_written_to_what_it_changes() {
    let (desk, operator) = settled_desk().await;
    let before = operator.proxy.writes().len();
    desk.apply(&desk.channel("support", "+15551230001", ", maxQueued: 7"));
    desk.wait_ready("smschannel/support");
    let own =
        ["200 PATCH configmaps/sms-support", "200 PATCH pods/sms-support-0", "200 PUT smschannels/support/status"];
    // It counts its ready channels.
    Since::of(&desk, &operator, "support", before).await.expect(&own, &["PUT campaigns/support/status"]);
}
