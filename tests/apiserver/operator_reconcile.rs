//! The operator brings the cluster to what the objects say, keeps it there, and otherwise leaves it alone.

use serde_json::json;

use crate::{
    desk::Desk,
    support::{
        operator::{Operator, settled},
        testbed::eventually,
    },
};

/// What a channel says of its queue is then as new as if its engine were asked all the time.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_with_nothing_to_do_is_left_alone_until_its_gateway_says_that_a_text_came() {
    let (desk, operator) = Desk::at_work().await;
    let (stub, gateway, engine) =
        (&operator.stub, format!("smsc-sim.{}", desk.namespace), format!("sms-support.{}", desk.namespace));
    let (mut asked, mut since) = (stub.asked(&engine), stub.asked(&gateway));
    eventually("the engine is left alone while its gateway is asked time and again", || {
        if stub.asked(&engine) != asked {
            (asked, since) = (stub.asked(&engine), stub.asked(&gateway));
        }
        (stub.asked(&gateway) >= since + 4).then_some(())
    });
    // From the moment at which it was asked it is left alone for some intervals of its gateway's.
    eventually("it is asked after its rest", || (stub.asked(&engine) > asked).then_some(()));
    asked = stub.asked(&engine);
    stub.say(&engine, json!({"queue": {"waiting": 3, "oldestWaitSeconds": 10}}));
    let before = stub.asked(&gateway);
    stub.say(&gateway, json!({"traffic": {"+15551230001": 1}}));
    eventually("the engine is asked", || (stub.asked(&engine) > asked).then_some(()));
    let again = stub.asked(&gateway) - before;
    assert!(again <= 2, "the gateway was asked {again} times before its engine was");
    eventually("its queue is shown", || {
        (desk.get("smschannel/support")?["status"]["queue"]["waiting"] == 3).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_children_are_complete_and_restricted() {
    let (desk, operator) = Desk::with_operator().await;
    let label = format!("namespace/{}", desk.namespace);
    desk.cluster.kubectl(&["label", &label, "pod-security.kubernetes.io/enforce=restricted"]).ok();
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    for child in ["sms-support", "smsc-sim"] {
        for kind in ["serviceaccount", "configmap", "service", "persistentvolumeclaim", "statefulset"] {
            let object = desk.get(&format!("{kind}/{child}")).unwrap_or_else(|| panic!("{kind} {child}"));
            assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/managed-by"], "aldis", "{kind} {child}");
        }
    }
    // The volume of conversations stays when the channel goes: it has no owner.
    assert!(desk.get("pvc/sms-support").unwrap()["metadata"].get("ownerReferences").is_none());
    // Routes are written once a second at most, and pods that are stubs start sooner.
    let routes = eventually("the gateway is given a route", || {
        Some(desk.get("configmap/smsc-sim.routes-0")?["data"]["routes-0.json"].as_str()?.to_owned())
    });
    let routes: serde_json::Value = serde_json::from_str(&routes).unwrap();
    eventually("its configuration names it", || {
        desk.config("smsc-sim")["parts"]["routes-0.json"].is_string().then_some(())
    });
    assert_eq!(routes["routes"][0]["engineUser"], format!("system:serviceaccount:{}:sms-support", desk.namespace));
    let (accepted, refused) = operator.stub.tokens();
    assert!(accepted > 0 && refused == 0, "the operator's tokens are good: {accepted} {refused}");
    let number = json!({"number": "+15551230001", "smsCapable": true, "atProvider": true, "channel": "support"});
    eventually("the connector lists its number", || {
        (desk.get("smsconnector/sim")?["status"]["numbers"][0] == number).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_reconcile_writes_nothing_and_neither_does_a_restart() {
    let (desk, mut operator) = Desk::at_work().await;
    desk.wait_ready("smsconnector/sim");
    nothing_more_is_written(&desk, &mut operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_become_ready_is_written_once_too() {
    let (desk, mut operator) = Desk::with_operator().await;
    desk.apply(&desk.whole().replace("http://simulator.test", "http://elsewhere.test"));
    desk.until("smsconnector/sim", "Stalled", "True", "BaseUrlNotAllowed");
    desk.until("smschannel/support", "Reconciling", "True", "NotCheckedYet");
    nothing_more_is_written(&desk, &mut operator).await;
}

/// Neither when the objects are looked at again, nor by an operator that starts again.
async fn nothing_more_is_written(desk: &Desk<'_>, operator: &mut Operator) {
    let before = settled(async || operator.proxy.writes()).await;
    let reconciled = async |operator: &Operator, label: &str| {
        operator.metric("controller_runtime_reconcile_total", &format!("controller=\"{label}\"")).await
    };
    for (what, label) in
        [("smschannel/support", "smschannel"), ("smsconnector/sim", "smsconnector"), ("campaign/support", "campaign")]
    {
        let count = reconciled(operator, label).await;
        desk.kubectl(&["annotate", what, "example.com/looked-at=today"]);
        crate::support::process::eventually("another reconcile", async || {
            let now = reconciled(operator, label).await;
            if now > count { Ok(()) } else { Err(now) }
        })
        .await;
    }
    assert_eq!(settled(async || operator.proxy.writes()).await[before.len()..], [], "a second reconcile");

    operator.restart();
    for label in ["smschannel", "smsconnector", "campaign"] {
        crate::support::process::eventually("a reconcile after the restart", async || {
            let now = reconciled(operator, label).await;
            if now > 0.0 { Ok(()) } else { Err(now) }
        })
        .await;
    }
    assert_eq!(settled(async || operator.proxy.writes()).await[before.len()..], [], "a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_become_ready_stays_ready() {
    let (desk, operator) = Desk::with_operator().await;
    let kinds = ["smschannel", "smsconnector", "campaign"].map(|kind| (kind, desk.follow_ready(kind)));
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    settled(async || operator.proxy.writes()).await;
    for (kind, statuses) in kinds {
        let statuses = statuses.lock().clone();
        let first = statuses.iter().position(|status| status == "True");
        let first = first.unwrap_or_else(|| panic!("{kind} has become ready: {statuses:?}"));
        assert!(statuses[first..].iter().all(|status| status == "True"), "{kind}: {statuses:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn children_that_others_change_or_delete_come_back() {
    let (desk, _operator) = Desk::at_work().await;

    let service = desk.get("service/sms-support").unwrap()["metadata"]["uid"].clone();
    desk.kubectl(&["delete", "service/sms-support", "configmap/sms-support", "serviceaccount/smsc-sim"]);
    eventually("the Service is made again", || {
        desk.get("service/sms-support").filter(|new| new["metadata"]["uid"] != service)
    });
    eventually("the others too", || {
        desk.get("configmap/sms-support")?;
        desk.get("serviceaccount/smsc-sim")
    });

    let spy = r#"{"spec":{"template":{"spec":{"hostNetwork":true,"containers":[{"name":"spy","image":"spy:1"}],
        "volumes":[{"name":"secret","secret":{"secretName":"other"}}]}}}}"#;
    desk.kubectl(&["patch", "statefulset/sms-support", "--type=strategic", "-p", spy]);
    eventually("what is not ours is taken out", || {
        let pod = desk.get("statefulset/sms-support")?["spec"]["template"]["spec"].clone();
        let text = pod.to_string();
        (!text.contains("spy") && !text.contains("other") && pod.get("hostNetwork").is_none()).then_some(())
    });
    desk.kubectl(&["patch", "configmap/sms-support", "--type=merge", "-p", r#"{"data":{"config.json":"{}"}}"#]);
    eventually("the configuration is put right", || (desk.config("sms-support")["format"] == 1).then_some(()));
    desk.kubectl(&["scale", "statefulset/smsc-sim", "--replicas=3"]);
    eventually("one replica", || (desk.get("statefulset/smsc-sim")?["spec"]["replicas"] == 1).then_some(()));
    eventually("it is told", || {
        let events = desk.kubectl(&["get", "events.events.k8s.io", "-o", "jsonpath={.items[*].reason}"]);
        events.contains("Repaired").then_some(())
    });
    desk.wait_ready("smschannel/support");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_somebody_else_is_not_taken_over() {
    let (desk, _operator) = Desk::with_operator().await;
    desk.kubectl(&["create", "configmap", "smsc-sim", "--from-literal=theirs=1"]);
    desk.apply(&desk.whole());
    let message = desk.until("smsconnector/sim", "Ready", "False", "NameConflict");
    assert!(message.contains("ConfigMap smsc-sim") && message.contains("rename or delete"), "{message}");
    desk.until("smsconnector/sim", "Stalled", "True", "NameConflict");
    assert_eq!(desk.get("configmap/smsc-sim").unwrap()["data"], json!({"theirs": "1"}));
    // It does not carry our label, so nothing tells of its end: the operator looks again by itself.
    desk.kubectl(&["delete", "configmap", "smsc-sim"]);
    desk.wait_ready("smsconnector/sim");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_spec_reaches_the_configuration_and_not_the_pod() {
    let (desk, _operator) = Desk::at_work().await;
    let pod = desk.get("pod/sms-support-0").unwrap()["metadata"]["uid"].clone();
    desk.apply(&desk.channel("support", "+15551230001", ", maxQueued: 7"));
    desk.wait_ready("smschannel/support");
    assert_eq!(desk.config("sms-support")["maxQueued"], 7);
    desk.apply(&desk.campaign("{user: ana}, {user: ben, penalty: 5}"));
    eventually("the members", || (desk.config("sms-support")["campaign"]["members"][1]["user"] == "ben").then_some(()));
    desk.apply(&desk.blocklist());
    desk.until("blocklist/spam", "Ready", "True", "InForce");
    assert!(desk.config("sms-support")["parts"]["blocklist-0.json"].is_string());
    assert_eq!(desk.get("pod/sms-support-0").unwrap()["metadata"]["uid"], pod, "the same pod");
    desk.kubectl(&["delete", "blocklist/spam"]);
    desk.until_gone("configmap/sms-support.blocklist-0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocklist_is_in_force_when_the_engines_have_it_and_not_before() {
    let (desk, _operator) = Desk::at_work().await;
    // Its engine goes on with the configuration that it has, and ConfigApplied says so.
    desk.kubectl(&["annotate", "smschannel/support", "aldis.dev/reconcile=disabled"]);
    desk.until("smschannel/support", "Ready", "Unknown", "Paused");
    desk.apply(&desk.blocklist());
    let message = desk.until("blocklist/spam", "Ready", "False", "PartlyInForce");
    assert!(message.contains("support"), "{message}");
    desk.kubectl(&["annotate", "smschannel/support", "aldis.dev/reconcile-"]);
    desk.until("blocklist/spam", "Ready", "True", "InForce");
    assert!(desk.config("sms-support")["parts"]["blocklist-0.json"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_object_is_left_alone() {
    let (desk, _operator) = Desk::at_work().await;
    desk.kubectl(&["annotate", "smschannel/support", "aldis.dev/reconcile=disabled"]);
    desk.until("smschannel/support", "Ready", "Unknown", "Paused");
    desk.kubectl(&["delete", "service/sms-support"]);
    desk.apply(&desk.channel("support", "+15551230001", ", maxQueued: 7"));
    // What comes later is looked at; the channel is not.
    desk.apply(&desk.blocklist());
    desk.until("blocklist/spam", "Ready", "False", "PartlyInForce");
    assert!(desk.get("service/sms-support").is_none());
    let channel = desk.get("smschannel/support").unwrap();
    assert_ne!(channel["status"]["observedGeneration"], channel["metadata"]["generation"], "nobody has looked at it");
    desk.kubectl(&["annotate", "smschannel/support", "aldis.dev/reconcile-"]);
    desk.wait_ready("smschannel/support");
    assert!(desk.get("service/sms-support").is_some());
}
