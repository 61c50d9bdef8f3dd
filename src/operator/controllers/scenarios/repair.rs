//! What others did to our children, and what cannot be written.

use axum::http::Method;

use super::{World, stateful_set};

#[tokio::test]
async fn a_container_that_was_renamed_is_put_right() {
    let world = World::at_work().await;
    let before = world.api.get(&stateful_set("sms-support")).unwrap();
    world.edit(&stateful_set("sms-support"), |set| {
        set["spec"]["template"]["spec"]["containers"][0]["name"] = "renamed".into();
    });
    // As the real server answers when the last container is removed.
    world.api.refuse_json_patch("/statefulsets/", 422, "spec.template.spec.containers: Required value");
    world.reconcile_channel("support").await.unwrap();
    let after = world.api.get(&stateful_set("sms-support")).unwrap();
    assert_eq!(after["spec"], before["spec"]);
    world.run("support").await;
    world.expect("smschannels", "support", "Ready", "True", "Available");
}

#[tokio::test]
async fn a_volume_that_cannot_grow_stops_nothing_else() {
    let world = World::at_work().await;
    let words = "persistentvolumeclaims \"sms-support\" is forbidden: only dynamically provisioned pvc can be resized and \
                 the storageclass that provisions the pvc must support resize";
    world.api.refuse(Method::PATCH, "/persistentvolumeclaims/", 403, words);
    world.edit(&super::path("smschannels", "support"), |channel| {
        channel["metadata"]["generation"] = 2.into();
        channel["spec"]["maxQueued"] = 3.into();
        channel["spec"]["engine"] = serde_json::json!({"storage": {"volume": {"size": "5Gi"}}});
    });
    world.reconcile_channel("support").await.unwrap_err();
    let message = world.expect("smschannels", "support", "Ready", "False", "VolumeCannotGrow");
    assert!(message.contains("1Gi"), "the size to go back to: {message}");
    let config = world.api.get("/api/v1/namespaces/shop/configmaps/sms-support").unwrap();
    assert!(config["data"].to_string().contains("\\\"maxQueued\\\":3"), "the rest of the edit is in force");
    assert_eq!(world.get("smschannels", "support")["status"]["volumeSize"], "1Gi");
}

#[tokio::test]
async fn a_quota_that_is_exceeded_stops_nothing_else() {
    let world = World::new();
    world.channel("support");
    let words = "persistentvolumeclaims \"sms-support\" is forbidden: exceeded quota: few, requested: \
                 persistentvolumeclaims=1, used: persistentvolumeclaims=2, limited: persistentvolumeclaims=2";
    world.api.refuse(Method::PATCH, "/persistentvolumeclaims/", 403, words);
    world.reconcile_channel("support").await.unwrap_err();
    world.expect("smschannels", "support", "Ready", "False", "QuotaExceeded");
    assert!(world.api.get(&stateful_set("sms-support")).is_some());
    assert!(world.api.get("/api/v1/namespaces/shop/services/sms-support").is_some());
}
