//! What is written, request by request: one more for a channel is ten thousand more for a fleet.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{World, path, stateful_set};
use crate::operator::{
    controllers::plan_tests::settings,
    observed::route_writes::{Held, Routed},
    runtime::settings::Settings,
};

/// What is done, how, and what is written for it.
type Case<'a> = (&'a str, &'a dyn Fn(), &'a [&'a str]);

impl World {
    /// Method and what was written, in their order, since the last call. Claims are named by what they are.
    fn log(&self) -> Vec<String> {
        let short = |(method, path): (String, String)| {
            let what = path.split_once("/namespaces/").map_or(path.as_str(), |(_, rest)| rest);
            let what = what.strip_prefix("shop/").unwrap_or(what);
            format!("{method} {what}")
        };
        self.api.writes().into_iter().map(short).collect()
    }

    /// The time in which further routes of the connector wait is over.
    fn routes_wait_no_longer(&self) {
        self.context.route_writes.forget(self.get("smsconnectors", "sim")["metadata"]["uid"].as_str().unwrap());
    }
}

#[tokio::test]
async fn a_new_channel_costs_these_writes_and_no_more() {
    let world = World::new();
    world.reconcile_connector().await.unwrap();
    world.pod("smsc-sim", "aldis.dev/connector", "sim");
    world.gateway_says(json!({}));
    world.reconcile_connector().await.unwrap();
    world.log();
    world.channel("support");
    world.run("support").await;
    world.routes_wait_no_longer();
    world.reconcile_connector().await.unwrap();
    world.expect("smschannels", "support", "Ready", "True", "Available");
    let of_the_channel = [
        "PATCH smschannels/support",
        "POST aldis-system/leases",
        "PATCH serviceaccounts/sms-support",
        "PATCH configmaps/sms-support",
        "PATCH persistentvolumeclaims/sms-support",
        "PATCH services/sms-support",
        "PATCH statefulsets/sms-support",
        // The store that the engine has made is named, for its next start.
        "PATCH configmaps/sms-support",
        "PUT smschannels/support/status",
    ];
    // Once for all channels that come together.
    let of_the_connector = [
        "PATCH configmaps/smsc-sim",
        "PATCH configmaps/smsc-sim.routes-0",
        "PATCH pods/smsc-sim-0",
        "PUT smsconnectors/sim/status",
    ];
    assert_eq!(world.log(), [&of_the_channel[..], &of_the_connector].concat());
}

#[tokio::test]
async fn routes_that_come_soon_after_one_another_are_written_together() {
    let world = World::at_work().await;
    world.reconcile_connector().await.unwrap();
    world.pod("smsc-sim", "aldis.dev/connector", "sim");
    world.log();
    let numbers = |numbers: &[&str]| {
        world.edit(&path("smsconnectors", "sim"), |connector| {
            let generation = connector["metadata"]["generation"].as_i64().unwrap();
            connector["metadata"]["generation"] = (generation + 1).into();
            connector["spec"]["numbers"] =
                json!(numbers.iter().map(|number| json!({"number": number})).collect::<Vec<_>>());
        });
    };
    let documents = |written: Vec<String>| written.into_iter().filter(|line| line.contains("configmaps")).count();

    let remove = |channel: &str| {
        world.api.remove(&path("smschannels", channel));
        world.relist();
    };
    remove("support");
    world.reconcile_connector().await.unwrap();
    assert_ne!(documents(world.log()), 0, "the first change waits for nothing");
    world.channel("next");
    world.run("next").await;
    world.log();
    world.reconcile_connector().await.unwrap();
    assert!(world.log().iter().all(|line| !line.contains("routes")), "the next route waits");
    let again = tokio::time::timeout(Duration::from_secs(5), world.context.queues.connectors.pop()).await;
    assert!(again.is_ok(), "it is looked at again");
    numbers(&[super::NUMBER]);
    world.reconcile_connector().await.unwrap();
    assert_eq!(documents(world.log()), 2, "what a person changes does not, and takes with it what waits");
    world.routes_wait_no_longer();
    world.reconcile_connector().await.unwrap();
    assert_eq!(documents(world.log()), 0, "nothing was left");
}

#[tokio::test]
async fn routes_that_were_written_in_part_are_not_taken_back() {
    let world = World::new();
    world.reconcile_connector().await.unwrap();
    world.channel("support");
    world.run("support").await;
    world.api.refuse(Method::PATCH, "/configmaps/smsc-sim", 500, "no");
    assert!(world.reconcile_connector().await.is_err());
    let connector = world.get("smsconnectors", "sim");
    let uid = connector["metadata"]["uid"].as_str().unwrap();
    // The more there are the longer they wait.
    let others =
        (0..100).map(|nth| Held { number: format!("+1555999{nth:04}").parse().unwrap(), channel: nth.to_string() });
    let others = Routed { held: others.collect(), asked: Vec::new() };
    let due = world.context.route_writes.due(uid, connector["metadata"]["generation"].as_i64(), others);
    assert_eq!(due.routed.held.len(), 1, "what comes next waits, and is not written over by what was before: {due:?}");
}

#[tokio::test]
async fn a_pod_that_no_node_takes_is_said_when_it_lasts() {
    let words = "persistentvolumeclaim \"sms-support\" not found";
    let unscheduled = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}]);
    for (hold, said) in [(600, None), (0, Some("VolumePending"))] {
        let world = World::with(World::new().api, Settings { progress_hold_seconds: hold, ..settings() });
        world.gateway_says(json!({}));
        world.channel("support");
        world.reconcile_channel("support").await.unwrap();
        world.pod("sms-support", "aldis.dev/channel", "support");
        world.edit("/api/v1/namespaces/shop/pods/sms-support-0", |pod| {
            pod["status"]["conditions"] = unscheduled.clone()
        });
        world.log();
        let due = world.reconcile_channel("support").await.unwrap();
        let ready = world.condition("smschannels", "support", "Ready").map(|(_, reason, _)| reason);
        assert_eq!(ready.as_deref(), said, "after {hold} s");
        assert_eq!(due.is_some(), said.is_none(), "it is looked at again by then");
    }
}

#[tokio::test]
async fn what_is_settled_is_written_in_what_changed_and_nothing_else() {
    let world = World::at_work().await;
    let spec = |change: &dyn Fn(&mut Value)| {
        world.edit(&path("smschannels", "support"), |channel| {
            let generation = channel["metadata"]["generation"].as_i64().unwrap();
            channel["metadata"]["generation"] = (generation + 1).into();
            change(&mut channel["spec"]);
        });
    };
    let cases: [Case<'_>; 6] = [
        ("nothing", &|| {}, &[]),
        (
            "behaviour",
            &|| spec(&|spec| spec["maxQueued"] = 3.into()),
            &["PATCH configmaps/sms-support", "PATCH pods/sms-support-0", "PUT smschannels/support/status"],
        ),
        (
            "the pod",
            &|| spec(&|spec| spec["engine"] = json!({"resources": {"limits": {"memory": "1Gi"}}})),
            &["PATCH statefulsets/sms-support", "PUT smschannels/support/status"],
        ),
        (
            "a child that others changed",
            &|| {
                world.edit("/api/v1/namespaces/shop/services/sms-support", |service| {
                    service["spec"]["type"] = "NodePort".into()
                })
            },
            &["PATCH services/sms-support"],
        ),
        (
            "a child that others deleted",
            &|| world.api.remove("/api/v1/namespaces/shop/serviceaccounts/sms-support"),
            &["PATCH serviceaccounts/sms-support"],
        ),
        (
            "what others put into a pod",
            &|| {
                world.edit(&stateful_set("sms-support"), |set| {
                    set["spec"]["template"]["spec"]["hostNetwork"] = true.into();
                });
            },
            &["PATCH statefulsets/sms-support"],
        ),
    ];
    for (what, change, expected) in cases {
        world.log();
        change();
        world.relist();
        world.reconcile_channel("support").await.unwrap();
        world.engine_says("support", json!({}));
        for _ in 0..2 {
            world.reconcile_channel("support").await.unwrap();
        }
        assert_eq!(world.log(), expected, "{what}");
    }
}
