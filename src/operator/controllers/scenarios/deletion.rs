//! Channels and connectors that are deleted.

use std::time::Duration;

use serde_json::{Value, json};

use super::{World, path, stateful_set};

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

