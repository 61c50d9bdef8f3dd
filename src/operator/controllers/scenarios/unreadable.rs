//! Objects that a newer version wrote, or that an older schema let pass.

use serde_json::{Value, json};

use super::{World, path, stateful_set};

const CHANNEL: (&str, &str) = ("smschannels", "support");

impl World {
    /// A newer version's channel, with another change beside it.
    fn write_newer_channel(&self) {
        self.edit(&path(CHANNEL.0, CHANNEL.1), |channel| {
            channel["metadata"]["generation"] = 2.into();
            channel["spec"]["strategy"] = "OfANewerVersion".into();
            channel["spec"]["maxQueued"] = 3.into();
        });
    }

    fn routes(&self) -> Option<Value> {
        Some(self.api.get("/api/v1/namespaces/shop/configmaps/smsc-sim.routes-0")?["data"].clone())
    }

    fn document(&self) -> Value {
        self.api.get("/api/v1/namespaces/shop/configmaps/sms-support").unwrap()["data"].clone()
    }
}

#[tokio::test]
async fn what_was_in_force_for_an_unreadable_channel_stays_and_it_says_so() {
    let world = World::at_work().await;
    world.reconcile_connector().await.unwrap();
    let (document, routes) = (world.document(), world.routes());
    world.write_newer_channel();
    // The same for an operator that has never seen it otherwise.
    for world in [&world, &World::on(world.api.clone())] {
        world.gateway_says(json!({}));
        world.written();
        world.reconcile_channel("support").await.unwrap_err();
        world.reconcile_connector().await.unwrap();
        let message = world.expect(CHANNEL.0, CHANNEL.1, "Ready", "False", "Unreadable");
        assert!(message.contains("spec.strategy") && message.contains("OfANewerVersion"), "{message}");
        world.expect(CHANNEL.0, CHANNEL.1, "Stalled", "True", "Unreadable");
        assert_eq!((world.document(), world.routes()), (document.clone(), routes.clone()));
        assert!(world.api.get(&stateful_set("sms-support")).is_some());
        assert_eq!(world.get(CHANNEL.0, CHANNEL.1)["spec"]["strategy"], "OfANewerVersion", "it is not written over");
    }
    world.written();
    world.reconcile_channel("support").await.unwrap_err();
    assert!(world.written().is_empty(), "what was said is not said again: {:?}", world.written());
    world.edit(&path(CHANNEL.0, CHANNEL.1), |channel| channel["spec"]["strategy"] = "LeastRecent".into());
    world.reconcile_channel("support").await.unwrap();
    world.engine_says("support", json!({}));
    world.reconcile_channel("support").await.unwrap();
    world.expect(CHANNEL.0, CHANNEL.1, "Ready", "True", "Available");
    assert!(world.document().to_string().contains("\\\"maxQueued\\\":3"));
}

#[tokio::test]
async fn an_unreadable_channel_is_drained_and_goes() {
    let world = World::at_work().await;
    world.write_newer_channel();
    let world = World::on(world.api.clone());
    world.delete(CHANNEL.0, CHANNEL.1, 1);
    world.reconcile_channel("support").await.unwrap();
    world.engine_says("support", json!({"outbox": {"waiting": 2, "inFlight": 0, "unknown": 0}}));
    world.reconcile_channel("support").await.unwrap();
    let message = world.expect(CHANNEL.0, CHANNEL.1, "Ready", "False", "Draining");
    assert!(message.contains("2 messages"), "{message}");
    world.engine_says("support", json!({}));
    world.reconcile_channel("support").await.unwrap();
    world.api.remove("/api/v1/namespaces/shop/pods/sms-support-0");
    world.reconcile_channel("support").await.unwrap();
    assert!(world.is_gone(CHANNEL.0, CHANNEL.1));
}

#[tokio::test]
async fn the_entries_of_an_unreadable_list_stay_in_force() {
    let world = World::at_work().await;
    world.put("blocklists", "spam", json!({"entries": [{"number": "+15551230009"}]}));
    world.reconcile_channel("support").await.unwrap();
    let parts = |world: &World| {
        world.api.get("/api/v1/namespaces/shop/configmaps/sms-support.blocklist-0").unwrap()["data"].clone()
    };
    let before = parts(&world);
    assert!(before.to_string().contains("+15551230009"));
    world.edit(&path("blocklists", "spam"), |list| {
        list["metadata"]["generation"] = 2.into();
        list["spec"]["entries"] = json!([{"number": "+15551230008", "expiresAt": "2026-01-01T00:00:00+99:00"}]);
    });
    world.reconcile_blocklist("spam").await.unwrap_err();
    let message = world.expect("blocklists", "spam", "Ready", "False", "Unreadable");
    assert!(message.contains("spec.entries[0].expiresAt"), "{message}");
    world.reconcile_channel("support").await.unwrap();
    assert_eq!(parts(&world), before);
    // An operator that has never seen it otherwise makes nothing of what is left of it.
    let next = World::on(world.api.clone());
    next.gateway_says(json!({}));
    next.reconcile_channel("support").await.unwrap_err();
    let message = next.expect(CHANNEL.0, CHANNEL.1, "Ready", "False", "Unreadable");
    assert!(message.contains("blocklist spam"), "{message}");
    assert_eq!(parts(&next), before);
}

#[tokio::test]
async fn a_list_with_a_hundred_unreadable_entries_is_not_forgotten_by_the_next_operator() {
    let world = World::at_work().await;
    world.put("blocklists", "spam", json!({"entries": [{"number": "+15551230009"}]}));
    world.reconcile_channel("support").await.unwrap();
    let part = "/api/v1/namespaces/shop/configmaps/sms-support.blocklist-0";
    let before = world.api.get(part).unwrap()["data"].clone();
    world.edit(&path("blocklists", "spam"), |list| {
        let entry = |index: u32| json!({"number": format!("+1555123{index:04}"), "direction": "OfANewerVersion"});
        list["spec"]["entries"] = (0..100).map(entry).collect();
    });
    let next = World::on(world.api.clone());
    next.gateway_says(json!({}));
    next.reconcile_channel("support").await.unwrap_err();
    let message = next.expect(CHANNEL.0, CHANNEL.1, "Ready", "False", "Unreadable");
    assert!(message.contains("blocklist spam") && message.contains("spec.entries[0]"), "{message}");
    assert_eq!(next.api.get(part).unwrap()["data"], before);
}
