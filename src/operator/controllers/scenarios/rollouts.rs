//! A new image of the operator reaches gateways and engines.

use std::sync::Arc;

use axum::http::Method;
use serde_json::json;

use super::{World, path, stateful_set};
use crate::operator::{
    controllers::plan_tests::settings,
    observed::changes,
    runtime::{
        cache::{Change, ObjectKey},
        settings::Settings,
    },
};

const OTHER: &str = "+15551230002";

impl World {
    fn image(&self, child: &str) -> String {
        let set = self.api.get(&stateful_set(child)).unwrap();
        set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    }

    /// Channels `support` and `sales`, whose engines run.
    async fn with_two_channels() -> Self {
        let world = Self::at_work().await;
        let number = |number: &str| json!({"number": number, "atProvider": true, "smsCapable": true, "webhook": {"state": "InSync"}});
        world.gateway_says(json!({"numbers": [number(super::NUMBER), number(OTHER)]}));
        let spec = json!({"campaignRef": {"name": "support"}, "connectorRef": {"name": "sim"}, "number": OTHER});
        world.put("smschannels", "sales", spec);
        world.run("sales").await;
        world
    }

    /// The watch says how the pod of a channel stands now.
    fn see_pod(&self, channel: &str) {
        let pod = self.api.get(&format!("/api/v1/namespaces/shop/pods/sms-{channel}-0")).unwrap();
        let new = Some(Arc::new(serde_json::from_value(pod).unwrap()));
        changes::pod(&self.context, &Change { old: None, new, echo: false });
    }

    /// An operator of another version in the place of this one, which replaces one pod at a time.
    fn upgraded(&self) -> Self {
        self.with_settings(|settings| settings.image = "aldis:2".into())
    }

    /// An operator with other settings in the place of this one, which replaces one pod at a time.
    fn with_settings(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        settings.rollout_budget = 1;
        change(&mut settings);
        Self::with(self.api.clone(), settings)
    }
}

#[tokio::test]
async fn a_new_image_reaches_the_next_engine_when_the_one_before_is_ready() {
    let world = World::with_two_channels().await.upgraded();
    world.edit(&path("smschannels", "sales"), |channel| {
        channel["metadata"]["generation"] = 2.into();
        channel["spec"]["maxQueued"] = 3.into();
    });
    world.reconcile_channel("support").await.unwrap();
    world.reconcile_channel("sales").await.unwrap();
    assert_eq!((world.image("sms-support"), world.image("sms-sales")), ("aldis:2".into(), "aldis:1".into()));
    let config = world.api.get("/api/v1/namespaces/shop/configmaps/sms-sales").unwrap();
    assert!(config["data"].to_string().contains("\\\"maxQueued\\\":3"), "an edit waits for no roll-out");
    world.reconcile_channel("support").await.unwrap();
    world.reconcile_channel("sales").await.unwrap();
    assert_eq!(world.image("sms-sales"), "aldis:1", "the pod of the first has not been replaced");

    world.api.remove("/api/v1/namespaces/shop/pods/sms-support-0");
    world.relist();
    world.reconcile_channel("support").await.unwrap();
    world.reconcile_channel("sales").await.unwrap();
    assert_eq!(world.image("sms-sales"), "aldis:1", "nor is its successor ready");
    world.pod("sms-support", "aldis.dev/channel", "support");
    world.reconcile_channel("support").await.unwrap();
    assert_eq!(world.context.queues.channels.pop().await, ObjectKey::new("shop", "sales"), "it is woken");
    world.reconcile_channel("sales").await.unwrap();
    assert_eq!(world.image("sms-sales"), "aldis:2");
}

#[tokio::test]
async fn an_engine_that_does_not_work_waits_for_no_turn() {
    let world = World::with_two_channels().await;
    world.api.remove("/api/v1/namespaces/shop/pods/sms-sales-0");
    let world = world.upgraded();
    world.reconcile_channel("support").await.unwrap();
    world.reconcile_channel("sales").await.unwrap();
    assert_eq!((world.image("sms-support"), world.image("sms-sales")), ("aldis:2".into(), "aldis:2".into()));
}

#[tokio::test]
async fn another_way_to_pull_the_image_reaches_one_engine_after_the_other_too() {
    let secrets = |world: &World, child: &str| {
        let set = world.api.get(&stateful_set(child)).unwrap();
        set["spec"]["template"]["spec"]["imagePullSecrets"].clone()
    };
    let world = World::with_two_channels().await;
    let world = world.with_settings(|settings| settings.image_pull_secrets = vec!["registry".into()]);
    world.reconcile_channel("support").await.unwrap();
    world.reconcile_channel("sales").await.unwrap();
    let registry = json!([{"name": "registry"}]);
    assert_eq!((secrets(&world, "sms-support"), secrets(&world, "sms-sales")), (registry, json!(null)));
}

#[tokio::test]
async fn a_refused_replacement_leaves_its_turn_to_the_next() {
    let by_newer_version = |world: &World| {
        world.edit(&stateful_set("sms-support"), |set| {
            set["metadata"]["annotations"]["aldis.dev/version"] = "99".into()
        });
    };
    let by_webhook = |world: &World| {
        world.api.refuse(
            Method::PATCH,
            "/statefulsets/sms-support",
            500,
            "failed calling webhook \"pods.example.com\"",
        );
    };
    let for_quota = |world: &World| {
        world.api.refuse(Method::PATCH, "/statefulsets/sms-support", 403, "exceeded quota: pods");
    };
    let cases: [&dyn Fn(&World); 3] = [&by_newer_version, &by_webhook, &for_quota];
    for refuse in cases {
        let world = World::with_two_channels().await.upgraded();
        refuse(&world);
        world.reconcile_channel("support").await.unwrap_err();
        world.reconcile_channel("sales").await.unwrap();
        assert_eq!((world.image("sms-support"), world.image("sms-sales")), ("aldis:1".into(), "aldis:2".into()));
    }
}

#[tokio::test]
async fn a_pod_that_is_ready_again_makes_room_though_nothing_is_planned_for_its_channel() {
    let world = World::with_two_channels().await.upgraded();
    world.reconcile_channel("support").await.unwrap();
    world.reconcile_channel("sales").await.unwrap();
    world.edit(&path("smschannels", "support"), |channel| {
        channel["metadata"]["annotations"] = json!({"aldis.dev/reconcile": "disabled"});
    });
    world.api.remove("/api/v1/namespaces/shop/pods/sms-support-0");
    world.pod("sms-support", "aldis.dev/channel", "support");
    world.see_pod("support");
    world.reconcile_channel("support").await.unwrap();
    let queue = &world.context.queues.channels;
    assert_eq!(queue.depth(), 2);
    let woken = [queue.pop().await, queue.pop().await];
    assert!(woken.contains(&ObjectKey::new("shop", "sales")), "{woken:?}");
    world.reconcile_channel("sales").await.unwrap();
    assert_eq!(world.image("sms-sales"), "aldis:2");
}

#[tokio::test]
async fn an_operator_that_starts_anew_counts_what_the_one_before_it_has_begun() {
    let world = World::with_two_channels().await.upgraded();
    world.reconcile_channel("support").await.unwrap();
    world.api.remove("/api/v1/namespaces/shop/pods/sms-support-0");
    let world = world.upgraded();
    world.reconcile_channel("sales").await.unwrap();
    assert_eq!((world.image("sms-support"), world.image("sms-sales")), ("aldis:2".into(), "aldis:1".into()));
    world.pod("sms-support", "aldis.dev/channel", "support");
    world.see_pod("support");
    world.reconcile_channel("sales").await.unwrap();
    assert_eq!(world.image("sms-sales"), "aldis:2");
}
