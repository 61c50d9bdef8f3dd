//! The chart on a cluster with a kubelet: whatever helm does to the operator, texts go on, and everything of the users' stays.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::json;

use super::{
    installed::{Installed, OPERATOR_NAMESPACE},
    load::{at_work, desk, incarnations, nothing_is_lost_or_repeated},
    quickstart::{NUMBER, Quickstart},
};
use crate::support::{
    testbed::{Cluster, eventually},
    traffic::{Pace, Traffic},
};

const PACE: Pace =
    Pace { customers: 3, customer_pause: Duration::from_millis(500), agent_pause: Duration::from_millis(100) };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_go_on_whatever_helm_does() {
    let installed = Installed::on(Arc::new(Cluster::start("node", &[])));
    let (mut quickstart, running) = desk(Quickstart::on(&installed)).await;
    let traffic = Traffic::start(&running.carrier, &running.ana, NUMBER, PACE);
    at_work(&running, &traffic).await;
    let (pods, objects, first) = (incarnations(&quickstart), objects(&quickstart), operators(&installed));
    assert_eq!(first.len(), 2);

    installed.helm(&["upgrade"], &["logFilter=aldis=debug"]);
    let second = eventually("the old operator is gone", || {
        Some(operators(&installed)).filter(|now| now.len() == 2 && now.is_disjoint(&first))
    });
    in_force(&mut quickstart, 100);
    at_work(&running, &traffic).await;

    installed.cluster.helm(&["uninstall", "aldis", "--namespace", OPERATOR_NAMESPACE, "--wait"]).ok();
    eventually("no operator is left", || operators(&installed).is_empty().then_some(()));
    let definitions = installed.cluster.kubectl(&["get", "crd", "-o", "name"]).ok();
    assert_eq!(definitions.matches(".aldis.dev").count(), 5, "{definitions}");
    assert_eq!(self::objects(&quickstart), objects);
    at_work(&running, &traffic).await;

    // What is applied meanwhile waits for the next operator.
    apply(&mut quickstart, 200);
    installed.helm(&["install"], &[]);
    assert!(operators(&installed).is_disjoint(&second));
    quickstart.wait_until_ready(&OBJECTS);
    at_work(&running, &traffic).await;

    assert_eq!(self::objects(&quickstart), objects);
    assert_eq!(incarnations(&quickstart), pods, "no pod was replaced or restarted");
    nothing_is_lost_or_repeated(&quickstart, &running, traffic, 0).await;
}

const OBJECTS: [&str; 3] = ["smsconnector/simulator", "campaign/support", "smschannel/support"];

fn apply(quickstart: &mut Quickstart, max_queued: u32) {
    quickstart.change("channel", |channel| channel["spec"]["maxQueued"] = json!(max_queued));
    quickstart.apply_file("channel");
}

/// Waits until a change has been carried out: somebody reconciles.
fn in_force(quickstart: &mut Quickstart, max_queued: u32) {
    apply(quickstart, max_queued);
    quickstart.wait_until_ready(&OBJECTS);
}

/// UIDs of the operator's pods.
fn operators(installed: &Installed) -> BTreeSet<String> {
    let label = "app.kubernetes.io/component=operator";
    let uids = "jsonpath={.items[*].metadata.uid}";
    let said = installed.cluster.kubectl(&["get", "pods", "-n", OPERATOR_NAMESPACE, "-l", label, "-o", uids]).ok();
    said.split_whitespace().map(str::to_owned).collect()
}

/// Kind, name and UID of the users' objects and of what was made for them.
fn objects(quickstart: &Quickstart) -> Vec<String> {
    let kinds = "aldis,statefulsets,pods,persistentvolumeclaims,services,serviceaccounts,configmaps";
    let fields = "jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid}{'\\n'}{end}";
    let said = quickstart.cluster.kubectl(&["get", kinds, "-n", &quickstart.namespace, "-o", fields]).ok();
    let lines: Vec<_> = said.lines().map(str::to_owned).collect();
    for kind in ["SmsChannel", "SmsConnector", "Campaign", "StatefulSet", "Pod", "PersistentVolumeClaim"] {
        assert!(lines.iter().any(|line| line.starts_with(kind)), "{kind}: {lines:?}");
    }
    lines
}
