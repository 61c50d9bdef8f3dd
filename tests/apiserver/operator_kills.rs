//! The operator is killed before and after each of its writes in turn; what comes of it is the same.

use std::collections::BTreeMap;

use futures::StreamExt;
use serde_json::Value;

use crate::{
    desk::Desk,
    support::{
        operator::{Flags, Kill, Operator, settled},
        testbed::{Cluster, eventually},
    },
};

/// Runs of the story at a time.
const AT_A_TIME: usize = 6;

/// What a run of the story left behind.
#[derive(Debug, PartialEq)]
struct Outcome {
    after_edit: BTreeMap<String, Value>,
    after_delete: Vec<String>,
    made_and_deleted: BTreeMap<String, usize>,
    claims_while_up: usize,
    claims_at_the_end: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn every_kill_leads_to_the_same_end() {
    let cluster = Cluster::apiserver();
    let (undisturbed, writes) = story(cluster, None).await;
    assert!(writes > 10, "a story with something to disturb: {writes} writes");
    assert_eq!((undisturbed.claims_while_up, undisturbed.claims_at_the_end), (1, 0));
    let kills = (1..=writes).flat_map(|at| [Kill::Before(at), Kill::After(at)]);
    let runs = futures::stream::iter(kills)
        .map(|kill| tokio::spawn(async move { (kill, story(Cluster::apiserver(), Some(kill)).await.0) }));
    let outcomes: Vec<_> = runs.buffer_unordered(AT_A_TIME).collect().await;
    let ended = outcomes.into_iter().map(|outcome| outcome.expect("the story came to its end"));
    let others: Vec<_> = ended.filter(|(_, outcome)| *outcome != undisturbed).collect();
    assert!(others.is_empty(), "of {writes} writes, these ended otherwise: {others:#?}\nthan {undisturbed:#?}");
}

/// Create, edit, delete. The operator is started again after it was killed.
async fn story(cluster: &'static Cluster, kill: Option<Kill>) -> (Outcome, usize) {
    let desk = Desk::new(cluster);
    let mut operator =
        Operator::start(cluster, &[&desk.namespace], Flags { sample_interval: 3600, ..Flags::default() }).await;
    if let Some(kill) = kill {
        operator.proxy.kill_at(kill);
    }
    desk.apply(&desk.whole());
    until(&mut operator, "the channel is ready", || {
        is_ready(&desk, "smschannel/support") && is_ready(&desk, "smsconnector/sim")
    });
    desk.apply(
        &(desk.channel("support", "+15551230001", ", maxQueued: 7") + &desk.campaign("{user: ana}, {user: ben}")),
    );
    until(&mut operator, "the edit is in force", || is_ready(&desk, "smschannel/support") && is_in_force(&desk));
    let claims_while_up = claims(&operator, cluster);
    let after_edit = children(&desk);
    desk.kubectl(&["delete", "smschannel/support", "--wait=false"]);
    until(&mut operator, "the channel is gone", || {
        // The garbage collector takes its time for what goes with its owner.
        let gone = ["smschannel/support", "pod/sms-support-0", "configmap/smsc-sim.routes-0"];
        let collected = ["configmap/sms-support", "service/sms-support", "serviceaccount/sms-support"];
        gone.iter().chain(&collected).all(|what| desk.get(what).is_none())
    });
    until(&mut operator, "the connector is ready without it", || is_ready(&desk, "smsconnector/sim"));
    let writes = settled(async || operator.proxy.writes().len()).await;
    restart_if_killed(&mut operator);
    let outcome = Outcome {
        after_edit,
        after_delete: children(&desk).into_keys().collect(),
        made_and_deleted: counted(&operator, &desk),
        claims_while_up,
        claims_at_the_end: claims(&operator, cluster),
    };
    // Emptying hundreds of namespaces would be most of what the API server does here; the testbed's own goes as a whole.
    if cluster.is_external() {
        cluster.kubectl(&["delete", "namespace", &desk.namespace, &operator.namespace, "--wait=false"]).ok();
    }
    (outcome, writes)
}

fn until(operator: &mut Operator, what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, || {
        restart_if_killed(operator);
        is_so().then_some(())
    });
}

fn restart_if_killed(operator: &mut Operator) {
    if operator.proxy.has_killed() && !operator.is_running() {
        operator.start_again();
    }
}

fn is_ready(desk: &Desk<'_>, what: &str) -> bool {
    desk.condition(what, "Ready").is_some_and(|(status, _, _)| status == "True")
}

fn is_in_force(desk: &Desk<'_>) -> bool {
    let config = desk.config("sms-support");
    config["maxQueued"] == 7
        && config["campaign"]["members"].as_array().is_some_and(|members| members.len() == 2)
        && config["store"]["id"].is_string()
        && desk.condition("smschannel/support", "ConfigApplied").is_some_and(|(status, _, _)| status == "True")
}

fn claims(operator: &Operator, cluster: &Cluster) -> usize {
    let selector = "aldis.dev/claim=number";
    let claims = cluster.kubectl(&["get", "leases", "-n", &operator.namespace, "-l", selector, "-o", "name"]).ok();
    claims.lines().count()
}

/// The children with what differs from run to run taken out: names of namespaces, UIDs, times, addresses.
fn children(desk: &Desk<'_>) -> BTreeMap<String, Value> {
    let kinds = ["serviceaccount", "configmap", "service", "persistentvolumeclaim", "statefulset"];
    let all = kinds.into_iter().flat_map(|kind| desk.list(kind).into_iter().map(move |item| (kind, item)));
    let ours = all.filter(|(_, item)| item["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "aldis");
    ours.map(|(kind, item)| {
        let name = format!("{kind} {}", item["metadata"]["name"].as_str().unwrap());
        let mut kept = serde_json::json!({
            "labels": item["metadata"]["labels"], "template": item["spec"]["template"], "ports": item["spec"]["ports"],
            "keys": item["data"].as_object().map(|data| data.keys().cloned().collect::<Vec<_>>()),
            "owned": item["metadata"]["ownerReferences"].is_array(),
        });
        take_out(&mut kept, &desk.namespace);
        (name, kept)
    })
    .collect()
}

fn take_out(value: &mut Value, namespace: &str) {
    match value {
        Value::String(text) => *text = text.replace(namespace, "NAMESPACE"),
        Value::Array(list) => list.iter_mut().for_each(|value| take_out(value, namespace)),
        Value::Object(map) => map.values_mut().for_each(|value| take_out(value, namespace)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How often each object was made and deleted, by path; a claim's name depends on the namespace.
fn counted(operator: &Operator, desk: &Desk<'_>) -> BTreeMap<String, usize> {
    let counts = operator.proxy.made_and_deleted().into_iter();
    counts
        .map(|(path, count)| {
            let path = path.replace(&desk.namespace, "NAMESPACE").replace(&operator.namespace, "OPERATOR");
            let path = path.split("/leases").next().map_or(path.clone(), |before| {
                if path.contains("/leases") { format!("{before}/leases") } else { path.clone() }
            });
            (path, count)
        })
        .fold(BTreeMap::new(), |mut all, (path, count)| {
            *all.entry(path).or_default() += count;
            all
        })
}
