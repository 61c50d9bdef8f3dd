//! One number, one channel.

use serde_json::json;

use crate::{
    desk::Desk,
    support::{
        operator::{Flags, Operator},
        testbed::{Cluster, eventually},
    },
};

/// The claims of an operator, one a line.
fn claims(cluster: &Cluster, operator: &Operator) -> String {
    cluster.kubectl(&["get", "leases", "-n", &operator.namespace, "-l", "aldis.dev/claim=number", "-o", "name"]).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loser_is_told_who_has_the_number_and_takes_over_by_itself() {
    let (desk, _operator) = Desk::at_work().await;
    desk.apply(&desk.channel("sales", "+15551230001", ""));
    let message = desk.until("smschannel/sales", "NumberClaimed", "False", "HeldByOther");
    assert!(message.contains("channel support"), "{message}");
    assert!(desk.get("statefulset/sms-sales").is_none());
    desk.kubectl(&["delete", "smschannel/support"]);
    desk.wait_ready("smschannel/sales");
    assert!(desk.get("statefulset/sms-support").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_number_is_claimed_across_namespaces_without_naming_the_holder() {
    let cluster = Cluster::apiserver();
    let (one, other) = (Desk::new(cluster), Desk::new(cluster));
    let operator = Operator::start(cluster, &[&one.namespace, &other.namespace], Flags::default()).await;
    let account = format!("AC{:032x}", fastrand::u128(..));
    let twilio = |desk: &Desk<'_>| {
        let twilio = format!("{{twilio: {{accountSid: {account}, credentialsSecretRef: {{name: sim}}}}}}");
        desk.connector_of(&twilio, "") + &desk.campaign("{user: ana}") + &desk.channel("support", "+15551230001", "")
    };
    one.apply(&twilio(&one));
    one.wait_ready("smschannel/support");
    other.apply(&twilio(&other));
    let message = other.until("smschannel/support", "NumberClaimed", "False", "HeldByOther");
    assert!(message.contains("another namespace") && !message.contains(&one.namespace), "{message}");
    // The simulator's numbers are nobody's: each namespace has them.
    let claims = claims(cluster, &operator);
    assert_eq!(claims.lines().count(), 1, "{claims}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_channel_sends_its_outbox_first_and_leaves_its_volume() {
    let (desk, operator) = Desk::at_work().await;
    let engine = format!("sms-support.{}", desk.namespace);
    eventually("the engine was seen", || {
        desk.get("smschannel/support")?["status"]["engine"]["storeId"].as_str().map(|_| ())
    });
    operator.stub.say(&engine, json!({"outbox": {"waiting": 2}}));
    desk.kubectl(&["delete", "smschannel/support", "--wait=false"]);
    eventually("the intake stops", || (desk.config("sms-support")["draining"] == true).then_some(()));
    let message = eventually("it waits", || {
        desk.condition("smschannel/support", "Ready")
            .filter(|(_, reason, message)| reason == "Draining" && message.contains('2'))
    });
    assert!(message.2.contains("2 messages"), "{message:?}");
    assert!(desk.get("statefulset/sms-support").is_some());
    operator.stub.say(&engine, json!({"outbox": {"waiting": 0}}));
    desk.until_gone("smschannel/support");
    desk.until_gone("statefulset/sms-support");
    let volume = desk.get("pvc/sms-support").expect("the volume stays");
    // A channel of the same name and number has the conversations again.
    desk.apply(&desk.channel("support", "+15551230001", ""));
    desk.wait_ready("smschannel/support");
    assert_eq!(desk.get("pvc/sms-support").unwrap()["metadata"]["uid"], volume["metadata"]["uid"]);
    desk.kubectl(&["delete", "smschannel/support"]);
    // One of another number does not get them.
    desk.apply(&desk.channel("support", "+15551230002", ""));
    let message = desk.until("smschannel/support", "Ready", "False", "StorageForeign");
    assert!(message.contains("+15551230001"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_has_an_end() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let flags = Flags { drain: 3, ..Flags::default() };
    let operator = Operator::start(cluster, &[&desk.namespace], flags).await;
    desk.apply(&desk.whole().replace("number:", "engine: {storage: {volume: {onDelete: Delete}}}, number:"));
    desk.wait_ready("smschannel/support");
    operator.stub.say(&format!("sms-support.{}", desk.namespace), json!({"outbox": {"waiting": 2}}));
    desk.kubectl(&["delete", "smschannel/support"]);
    desk.until_gone("pvc/sms-support");
    let claims = claims(cluster, &operator);
    assert_eq!(claims, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claim_of_a_channel_that_is_gone_for_certain_is_swept() {
    let (desk, _operator) = Desk::at_work().await;
    // As if somebody had removed the finalizer by hand.
    desk.kubectl(&["annotate", "smschannel/support", "aldis.dev/reconcile=disabled"]);
    desk.until("smschannel/support", "Ready", "Unknown", "Paused");
    desk.apply(&desk.channel("sales", "+15551230001", ""));
    desk.until("smschannel/sales", "NumberClaimed", "False", "HeldByOther");
    desk.kubectl(&["patch", "smschannel/support", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
    desk.kubectl(&["delete", "smschannel/support"]);
    desk.kubectl(&["annotate", "smschannel/sales", "example.com/look=again"]);
    desk.wait_ready("smschannel/sales");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_bound_to_a_namespace_is_no_other_ones() {
    let cluster = Cluster::apiserver();
    let (owner, mallory) = (Desk::new(cluster), Desk::new(cluster));
    let account = format!("AC{:032x}", fastrand::u128(..));
    let list = tempfile::NamedTempFile::new().unwrap();
    let bound = json!([{"provider": "twilio", "account": account, "namespaces": [owner.namespace]}]);
    std::fs::write(list.path(), bound.to_string()).unwrap();
    let flags = Flags { more: vec![format!("--accounts={}", list.path().display())], ..Flags::default() };
    let operator = Operator::start(cluster, &[&owner.namespace, &mallory.namespace], flags).await;
    let twilio = |desk: &Desk<'_>| {
        let twilio = format!("{{twilio: {{accountSid: {account}, credentialsSecretRef: {{name: sim}}}}}}");
        desk.connector_of(&twilio, "") + &desk.campaign("{user: ana}") + &desk.channel("support", "+15551230001", "")
    };
    // The stub that answers for every gateway says of this one, too, that the provider accepts it.
    mallory.apply(&twilio(&mallory));
    let message = mallory.until("smsconnector/sim", "Stalled", "True", "AccountNotAllowed");
    assert!(message.contains(&mallory.namespace) && message.contains("platform team"), "{message}");
    mallory.until("smschannel/support", "Stalled", "True", "AccountNotAllowed");
    assert_eq!(claims(cluster, &operator), "", "nothing was claimed");
    owner.apply(&twilio(&owner));
    owner.wait_ready("smschannel/support");
}
