//! What others did to our children, and what cannot be written.

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
    world.reconcile_channel("support").await.unwrap();
    let after = world.api.get(&stateful_set("sms-support")).unwrap();
    assert_eq!(after["spec"], before["spec"]);
    world.expect("smschannels", "support", "Ready", "True", "Available");
}

