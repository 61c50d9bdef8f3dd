//! What must not be lost when objects are deleted, or when somebody takes a label off.

use serde_json::json;

use crate::{
    desk::Desk,
    support::{operator::Operator, testbed::eventually},
};

fn engine_holds(desk: &Desk<'_>, operator: &Operator, waiting: u32) {
    operator.stub.say(&format!("sms-support.{}", desk.namespace), json!({"outbox": {"waiting": waiting}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_whose_label_was_taken_off_is_known_again_and_drained() {
    let (desk, operator) = Desk::at_work().await;
    desk.kubectl(&["label", "statefulset/sms-support", "app.kubernetes.io/managed-by-"]);
    eventually("the label is back", || {
        let labels = &desk.get("statefulset/sms-support")?["metadata"]["labels"];
        (labels["app.kubernetes.io/managed-by"] == "aldis").then_some(())
    });
    engine_holds(&desk, &operator, 2);
    desk.kubectl(&["delete", "smschannel/support", "--wait=false"]);
    eventually("the channel says what waits", || {
        let (_, reason, message) = desk.condition("smschannel/support", "Ready")?;
        (reason == "Draining" && message.contains("2 messages")).then_some(())
    });
    engine_holds(&desk, &operator, 0);
    desk.until_gone("smschannel/support");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_is_deleted_with_its_channels_goes_last() {
    let (desk, operator) = Desk::at_work().await;
    engine_holds(&desk, &operator, 2);
    desk.kubectl(&["delete", "smsconnector/sim", "smschannel/support", "--wait=false"]);
    let message = desk.until("smsconnector/sim", "Ready", "False", "Draining");
    assert!(message.contains("support"), "{message}");
    assert!(desk.get("statefulset/smsc-sim").is_some(), "its channels send through it");
    engine_holds(&desk, &operator, 0);
    desk.until_gone("smschannel/support");
    desk.until_gone("smsconnector/sim");
    assert!(desk.get("pvc/smsc-sim").is_some(), "the spool's volume stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_container_is_put_right_under_the_servers_rules() {
    let (desk, _operator) = Desk::at_work().await;
    let rename = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/name", "value": "renamed"}]);
    desk.kubectl(&["patch", "statefulset/sms-support", "--type=json", "-p", &rename.to_string()]);
    eventually("the container has its name", || {
        let containers = desk.get("statefulset/sms-support")?["spec"]["template"]["spec"]["containers"].clone();
        let names: Vec<_> = containers.as_array()?.iter().map(|container| container["name"].clone()).collect();
        (names == ["engine"]).then_some(())
    });
    desk.wait_ready("smschannel/support");
}
