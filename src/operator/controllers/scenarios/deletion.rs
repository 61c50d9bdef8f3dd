//! Channels and connectors that are deleted.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{World, path, stateful_set};
use crate::wire::config::MAIN_DOCUMENT;

const CHANNEL: (&str, &str) = ("smschannels", "support");

impl World {
    fn engine(&self) -> Option<Value> {
        self.api.get(&stateful_set("sms-support"))
    }

    /// The engine has read that the intake ends, and has so much to send.
    async fn drained_to(&self, waiting: u64) {
        self.reconcile_channel("support").await.unwrap();
        self.engine_says("support", json!({"outbox": {"waiting": waiting, "inFlight": 0, "unknown": 0}}));
    }
}

#[tokio::test]
async fn orphaned_children_do_not_hold_the_deletion() {
    let world = World::at_work().await;
    world.delete("smschannels", "support", 1);
    // As the garbage collector leaves them after `kubectl delete --cascade=orphan`.
    for child in [stateful_set("sms-support"), "/api/v1/namespaces/shop/configmaps/sms-support".into()] {
        world.edit(&child, |child| {
            child["metadata"].as_object_mut().unwrap().remove("ownerReferences");
        });
    }
    world.drained_to(2).await;
    world.reconcile_channel("support").await.unwrap();
    let message = world.expect("smschannels", "support", "Ready", "False", "Draining");
    assert!(message.contains("2 messages"), "{message}");
    assert!(world.engine().is_some(), "its outbox is sent first");
    world.drained_to(0).await;
    world.reconcile_channel("support").await.unwrap();
    assert!(world.engine().is_none());
    world.api.remove("/api/v1/namespaces/shop/pods/sms-support-0");
    world.reconcile_channel("support").await.unwrap();
    assert!(world.is_gone(CHANNEL.0, CHANNEL.1));
}

#[tokio::test]
async fn a_stateful_set_without_its_label_is_drained_all_the_same() {
    let world = World::at_work().await;
    world.delete("smschannels", "support", 1);
    world.edit(&stateful_set("sms-support"), |child| child["metadata"]["labels"] = json!({}));
    world.drained_to(2).await;
    world.reconcile_channel("support").await.unwrap();
    let message = world.expect("smschannels", "support", "Ready", "False", "Draining");
    assert!(message.contains("2 messages"), "{message}");
}

#[tokio::test]
async fn a_dead_node_is_named_and_asked_about_ever_more_rarely() {
    let world = World::at_work().await;
    world.delete("smschannels", "support", 3_600);
    world.edit("/api/v1/namespaces/shop/pods/sms-support-0", |pod| {
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    });
    world.reconcile_channel("support").await.unwrap();
    let again = world.reconcile_channel("support").await.unwrap();
    let message = world.expect("smschannels", "support", "Ready", "False", "Draining");
    let remedy = "kubectl delete pod sms-support-0 -n shop --force --grace-period=0";
    assert!(message.contains("node-7") && message.contains(remedy), "{message}");
    assert!(again.unwrap() >= Duration::from_secs(30), "{again:?}");
}

#[tokio::test]
async fn another_dead_node_is_named_at_once() {
    let world = World::at_work().await;
    world.delete("smschannels", "support", 3_600);
    let dead_on = |node: &str| {
        world.edit("/api/v1/namespaces/shop/pods/sms-support-0", |pod| {
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            pod["spec"]["nodeName"] = node.into();
        });
    };
    dead_on("node-7");
    world.reconcile_channel("support").await.unwrap();
    world.reconcile_channel("support").await.unwrap();
    for node in ["node-7", "node-8"] {
        dead_on(node);
        world.reconcile_channel("support").await.unwrap();
        let message = world.expect("smschannels", "support", "Ready", "False", "Draining");
        assert!(message.contains(&format!("node {node} ")), "{message}");
    }
}

#[tokio::test]
async fn a_document_that_is_no_configuration_does_not_hold_the_deletion() {
    for document in ["{", "[]", "7", "\"draining\""] {
        let world = World::at_work().await;
        world.delete(CHANNEL.0, CHANNEL.1, 1);
        world
            .edit("/api/v1/namespaces/shop/configmaps/sms-support", |map| map["data"][MAIN_DOCUMENT] = document.into());
        world.reconcile_channel("support").await.unwrap();
        assert!(world.engine().is_none(), "{document}");
    }
}

#[tokio::test]
async fn an_intake_that_cannot_be_stopped_holds_the_deletion_for_a_limited_time() {
    let refusals = [
        (500, "failed calling webhook \"maps.example.com\": connection refused"),
        (403, "admission webhook \"maps.example.com\" denied the request: no"),
    ];
    for (code, words) in refusals {
        let world = World::at_work().await;
        world.api.refuse(Method::PATCH, "/configmaps/sms-support", code, words);
        world.delete(CHANNEL.0, CHANNEL.1, 50);
        let again = world.reconcile_channel("support").await.unwrap();
        assert!(again.is_some_and(|again| again <= Duration::from_secs(10)), "not after its time: {again:?}");
        let message = world.expect(CHANNEL.0, CHANNEL.1, "Ready", "False", "Draining");
        assert!(message.contains("maps.example.com"), "{message}");
        assert!(world.engine().is_some());
        world.delete(CHANNEL.0, CHANNEL.1, 61);
        world.reconcile_channel("support").await.unwrap();
        assert!(world.engine().is_none());
        assert!(world.api.events().contains(&"DrainTimedOut".to_owned()));
    }
}

#[tokio::test]
async fn an_engine_that_cannot_be_ended_keeps_its_number_and_says_so() {
    let world = World::at_work().await;
    let words = "admission webhook \"sets.example.com\" denied the request: no";
    world.api.refuse(Method::DELETE, "/statefulsets/sms-support", 403, words);
    world.delete(CHANNEL.0, CHANNEL.1, 3_600);
    world.reconcile_channel("support").await.unwrap();
    let message = world.expect(CHANNEL.0, CHANNEL.1, "Ready", "False", "Draining");
    assert!(message.contains("the engine cannot be ended") && message.contains("sets.example.com"), "{message}");
    assert_eq!(world.api.objects("/leases/").len(), 1);
}

/// Status writes since the last call.
fn status_writes(world: &World) -> usize {
    world.api.writes().iter().filter(|(_, path)| path.ends_with("/status")).count()
}

/// Half a second after half a second, for a minute: what waits, of so much at the beginning, becomes less each second. The writes of
/// whatever `look` does with it are one in ten seconds of that minute, and of the time that this itself took.
async fn is_written_every_ten_seconds_at_most(world: &World, look: impl AsyncFn(u64)) {
    let begun = std::time::Instant::now();
    look(100).await;
    status_writes(world);
    for half_seconds in 1..=120 {
        world.context.figures.pass_for_test(Duration::from_millis(500));
        look(100 - half_seconds / 2).await;
    }
    let writes = status_writes(world) as u64;
    let most = (60 + begun.elapsed().as_secs()) / 10;
    assert!((6..=most).contains(&writes), "{writes} of {most}");
}

#[tokio::test]
async fn the_count_of_a_drain_is_written_every_ten_seconds_at_most() {
    let world = World::at_work().await;
    world.delete(CHANNEL.0, CHANNEL.1, 1);
    world.drained_to(100).await;
    is_written_every_ten_seconds_at_most(&world, async |waiting| {
        world.engine_says("support", json!({"outbox": {"waiting": waiting, "inFlight": 0, "unknown": 0}}));
        world.reconcile_channel("support").await.unwrap();
    })
    .await;

    let world = with_gateway().await;
    world.api.remove(&path(CHANNEL.0, CHANNEL.1));
    world.delete(CONNECTOR.0, CONNECTOR.1, 1);
    is_written_every_ten_seconds_at_most(&world, async |waiting| {
        world.gateway_says(spool(waiting));
        world.reconcile_connector().await.unwrap();
    })
    .await;

    let world = with_gateway().await;
    world.delete(CONNECTOR.0, CONNECTOR.1, 1);
    is_written_every_ten_seconds_at_most(&world, async |nth| {
        // One goes, and another one is named for it.
        world.api.remove(&path(CHANNEL.0, &format!("c{}", nth + 1)));
        world.channel(&format!("c{nth}"));
        world.reconcile_connector().await.unwrap();
    })
    .await;
}

const CONNECTOR: (&str, &str) = ("smsconnectors", "sim");

/// A connector whose gateway runs, and its channel.
async fn with_gateway() -> World {
    let world = World::at_work().await;
    world.reconcile_connector().await.unwrap();
    world.pod("smsc-sim", "aldis.dev/connector", "sim");
    world.gateway_says(json!({}));
    world.reconcile_connector().await.unwrap();
    world
}

fn spool(waiting: u64) -> Value {
    json!({"spool": {"waiting": waiting, "unrouted": 0, "oldestWaitSeconds": 0}})
}

#[tokio::test]
async fn a_connector_goes_after_its_channels_and_its_spool() {
    let world = with_gateway().await;
    world.delete(CONNECTOR.0, CONNECTOR.1, 1);
    world.gateway_says(spool(3));
    world.reconcile_connector().await.unwrap();
    let message = world.expect(CONNECTOR.0, CONNECTOR.1, "Ready", "False", "Draining");
    assert!(message.contains("channels support use it"), "{message}");
    assert!(world.api.get(&stateful_set("smsc-sim")).is_some());
    world.api.remove(&path(CHANNEL.0, CHANNEL.1));
    world.relist();
    world.reconcile_connector().await.unwrap();
    let message = world.expect(CONNECTOR.0, CONNECTOR.1, "Ready", "False", "Draining");
    assert!(message.contains("3 messages wait in its spool"), "{message}");
    world.gateway_says(spool(0));
    world.reconcile_connector().await.unwrap();
    assert!(world.is_gone(CONNECTOR.0, CONNECTOR.1));
    assert!(world.api.events().iter().all(|reason| reason != "DrainTimedOut"));
}

#[tokio::test]
async fn a_connector_that_is_being_deleted_keeps_the_routes_of_channels_that_drain() {
    let world = with_gateway().await;
    world.delete(CONNECTOR.0, CONNECTOR.1, 1);
    world.delete(CHANNEL.0, CHANNEL.1, 1);
    world.reconcile_connector().await.unwrap();
    assert!(world.api.get("/api/v1/namespaces/shop/configmaps/smsc-sim.routes-0").is_some());
}

#[tokio::test]
async fn a_spool_that_does_not_empty_holds_the_deletion_for_a_limited_time() {
    let world = with_gateway().await;
    world.api.remove(&path(CHANNEL.0, CHANNEL.1));
    world.gateway_says(spool(3));
    world.delete(CONNECTOR.0, CONNECTOR.1, 60);
    world.reconcile_connector().await.unwrap();
    world.expect(CONNECTOR.0, CONNECTOR.1, "Ready", "False", "Draining");
    world.delete(CONNECTOR.0, CONNECTOR.1, 121);
    world.reconcile_connector().await.unwrap();
    assert!(world.is_gone(CONNECTOR.0, CONNECTOR.1));
    assert!(world.api.events().contains(&"DrainTimedOut".to_owned()));
}

#[tokio::test]
async fn a_gateway_that_cannot_be_written_holds_the_deletion_for_a_limited_time() {
    let world = with_gateway().await;
    world.gateway_says(spool(3));
    let words = "failed calling webhook \"maps.example.com\": connection refused";
    world.api.refuse(Method::PATCH, "/configmaps/smsc-sim", 500, words);
    world.edit("/api/v1/namespaces/shop/configmaps/smsc-sim", |map| map["data"] = json!({}));
    world.delete(CONNECTOR.0, CONNECTOR.1, 110);
    let again = world.reconcile_connector().await.unwrap();
    assert!(again.is_some_and(|again| again <= Duration::from_secs(10)), "not after its time: {again:?}");
    let message = world.expect(CONNECTOR.0, CONNECTOR.1, "Ready", "False", "Draining");
    assert!(message.contains("channels support use it") && message.contains("maps.example.com"), "{message}");
    world.delete(CONNECTOR.0, CONNECTOR.1, 121);
    world.reconcile_connector().await.unwrap();
    assert!(world.is_gone(CONNECTOR.0, CONNECTOR.1));
    assert!(world.api.events().contains(&"DrainTimedOut".to_owned()));
}

#[tokio::test]
async fn a_connector_that_nobody_shall_wait_for_goes_at_once() {
    let by_hand = |world: &World| {
        world.edit(&path(CONNECTOR.0, CONNECTOR.1), |connector| {
            connector["metadata"]["annotations"] = json!({"aldis.dev/drain": "skip"});
        });
    };
    let with_its_namespace = |world: &World| {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        world.api.put::<Value>("/api/v1/namespaces/shop", namespace);
    };
    let after_its_gateway = |world: &World| {
        world.edit(&path(CONNECTOR.0, CONNECTOR.1), |connector| {
            connector["metadata"]["finalizers"] = json!(["foregroundDeletion", "aldis.dev/drain"]);
        });
    };
    let cases: [&dyn Fn(&World); 3] = [&by_hand, &with_its_namespace, &after_its_gateway];
    for arrange in cases {
        let world = with_gateway().await;
        world.gateway_says(spool(3));
        world.delete(CONNECTOR.0, CONNECTOR.1, 1);
        world.reconcile_connector().await.unwrap();
        let held = |world: &World| world.get(CONNECTOR.0, CONNECTOR.1)["metadata"]["finalizers"].clone();
        assert_eq!(held(&world), json!(["aldis.dev/drain"]));
        arrange(&world);
        world.reconcile_connector().await.unwrap();
        let is_let_go = world.is_gone(CONNECTOR.0, CONNECTOR.1) || held(&world) == json!(["foregroundDeletion"]);
        assert!(is_let_go, "{:?}", world.api.get(&path(CONNECTOR.0, CONNECTOR.1)));
    }
}

#[tokio::test]
async fn the_spool_stays_and_is_adopted_by_a_connector_of_the_same_account_only() {
    let world = with_gateway().await;
    let volume = "/api/v1/namespaces/shop/persistentvolumeclaims/smsc-sim";
    let claim = world.api.get(volume).unwrap();
    assert!(claim["metadata"].get("ownerReferences").is_none(), "{claim}");
    // The connector and what belongs to it are gone; one of the same name and account is made.
    for (child, _) in world.api.objects("/smsc-sim") {
        if child != volume {
            world.api.remove(&child);
        }
    }
    world.edit(&path(CONNECTOR.0, CONNECTOR.1), |connector| connector["metadata"]["uid"] = "another".into());
    world.gateway_says(json!({}));
    world.reconcile_connector().await.unwrap();
    assert_eq!(world.api.get(volume).unwrap()["metadata"]["uid"], claim["metadata"]["uid"]);
    world.edit(volume, |claim| claim["metadata"]["annotations"]["aldis.dev/account"] = "simulator/other".into());
    world.reconcile_connector().await.unwrap_err();
    let message = world.expect(CONNECTOR.0, CONNECTOR.1, "Ready", "False", "StorageForeign");
    assert!(message.contains("simulator/other") && message.contains("smsc-sim"), "{message}");
}
