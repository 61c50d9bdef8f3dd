//! Whatever is wrong has its own reason and message, and heals without a touch when its cause goes.

use serde_json::{Value, json};

use crate::{
    desk::Desk,
    support::{
        operator::{Flags, Operator},
        testbed::{Cluster, eventually},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_and_waited_for() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let _operator = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    desk.apply(&desk.channel("support", "+15551230001", ""));
    let message = desk.until("smschannel/support", "Ready", "False", "ConnectorNotFound");
    assert!(message.contains("connector sim") && message.contains("campaign support"), "{message}");
    desk.until("smschannel/support", "Reconciling", "True", "ConnectorNotFound");
    desk.apply(&desk.connector());
    desk.until("smschannel/support", "ReferencesResolved", "False", "CampaignNotFound");
    desk.apply(&desk.campaign("").replace("{members: []}", "{timeZone: Europe/Atlantis}"));
    desk.until("smschannel/support", "ReferencesResolved", "False", "CampaignInvalid");
    desk.until("campaign/support", "Ready", "False", "TimeZoneUnknown");
    desk.apply(&desk.campaign("").replace("{members: []}", "{timeZone: Europe/Madrid}"));
    desk.wait_ready("smschannel/support");
    desk.wait_ready("campaign/support");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_not_carried_out_stalls_and_is_named() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let _operator = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    desk.apply(&desk.channel("support", "+15551230001", ", strategy: RoundRobin"));
    let message = desk.until("smschannel/support", "Stalled", "True", "NotSupportedYet");
    assert!(message.contains("spec.strategy RoundRobin"), "{message}");
    assert_eq!(desk.config("sms-support")["strategy"], "LeastRecent", "what ran goes on");
    desk.apply(&desk.channel("support", "+15551230001", ", strategy: Linear"));
    desk.wait_ready("smschannel/support");
    assert_eq!(desk.config("sms-support")["strategy"], "Linear");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_have_their_reasons() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let operator = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    let gateway = format!("smsc-sim.{}", desk.namespace);
    let listed = |numbers: Value| json!({"numbers": numbers});
    let number = |at_provider: bool, sms_capable: bool| json!([{"number": "+15551230001", "atProvider": at_provider, "smsCapable": sms_capable, "webhook": {"state": "InSync"}}]);
    operator.stub.say(&gateway, listed(json!([])));
    desk.apply(&desk.whole());
    let message = desk.until("smschannel/support", "NumberValid", "False", "NumberNotAtProvider");
    assert!(message.contains("+15551230001") && message.contains("connector sim"), "{message}");
    assert!(desk.get("statefulset/sms-support").is_none(), "nothing runs for a number that is not verified");
    operator.stub.say(&gateway, listed(number(true, false)));
    desk.until("smschannel/support", "NumberValid", "False", "NumberNotSmsCapable");
    desk.until("smschannel/support", "Stalled", "True", "NumberNotSmsCapable");
    operator.stub.say(&gateway, listed(number(true, true)));
    desk.wait_ready("smschannel/support");

    let other = desk.connector().replace("spec:", "spec:\n  numbers: [{number: \"+15551230002\"}]");
    desk.apply(&other);
    desk.until("smschannel/support", "NumberValid", "False", "NumberNotInConnector");
    desk.until("smsconnector/sim", "NumbersVerified", "False", "NumbersMissing");
    desk.apply(&desk.connector());
    desk.wait_ready("smschannel/support");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_have_their_reasons() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let operator = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    let gateway = format!("smsc-sim.{}", desk.namespace);
    desk.apply(&desk.whole());
    desk.wait_ready("smsconnector/sim");
    let at = "2026-01-01T00:00:00Z";
    let cases = [
        (
            json!({"state": "Missing", "keys": ["token"], "secretFound": false}),
            "False",
            "SecretMissing",
            "Secret sim does not exist",
        ),
        (
            json!({"state": "Missing", "keys": ["token"], "secretFound": true}),
            "False",
            "SecretKeyMissing",
            "lacks token",
        ),
        (json!({"state": "Invalid", "checkedAt": at, "message": "20003"}), "False", "CredentialsRejected", "20003"),
        (
            json!({"state": "Unreachable", "checkedAt": at, "slow": false, "message": "refused"}),
            "Unknown",
            "ProviderUnreachable",
            "refused",
        ),
        (
            json!({"state": "Unreachable", "checkedAt": at, "slow": true, "message": "5 s"}),
            "Unknown",
            "ProviderSlow",
            "in time",
        ),
    ];
    for (credentials, status, reason, part) in cases {
        operator.stub.say(&gateway, json!({"credentials": credentials}));
        let message = desk.until("smsconnector/sim", "CredentialsValid", status, reason);
        assert!(message.contains(part), "{message}");
        desk.until("smsconnector/sim", "Ready", status, reason);
    }
    operator.stub.say(&gateway, json!({"credentials": {"state": "Valid", "checkedAt": at}}));
    desk.wait_ready("smsconnector/sim");
    let refused = desk.connector().replace("http://simulator.test:8090", "http://169.254.169.254");
    desk.apply(&refused);
    let message = desk.until("smsconnector/sim", "Ready", "False", "BaseUrlNotAllowed");
    assert!(message.contains("spec.provider.simulator") && message.contains("never allowed"), "{message}");
    desk.apply(&desk.connector());
    desk.wait_ready("smsconnector/sim");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_cannot_be_asked_is_unknown() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let operator = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    let engine = format!("sms-support.{}", desk.namespace);
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    operator.stub.silence(&engine, true);
    desk.until("smschannel/support", "EngineAvailable", "Unknown", "Unreachable");
    desk.until("smschannel/support", "ServiceLevelMet", "Unknown", "MetricsUnavailable");
    operator.stub.silence(&engine, false);
    desk.wait_ready("smschannel/support");
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_and_their_conditions_reach_the_status() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let operator = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    let engine = format!("sms-support.{}", desk.namespace);
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    let missed = json!({"answered": 30, "answeredInTarget": 15, "abandoned": 0, "abandonedInTarget": 0, "unanswered": 0, "percent": 50});
    operator.stub.say(
        &engine,
        json!({"serviceLevel": missed, "queue": {"waiting": 3, "oldestWaitSeconds": 41}, "inHours": true}),
    );
    desk.until("smschannel/support", "ServiceLevelMet", "False", "BelowObjective");
    desk.until("smschannel/support", "QueueHealthy", "False", "NoAgentAvailable");
    desk.until("smschannel/support", "Ready", "True", "Available");
    eventually("the figures", || {
        let status = desk.get("smschannel/support")?["status"].clone();
        let all = status["queue"]["waiting"] == 3 && status["queue"]["oldestWaitSeconds"] == 50;
        (all && status["serviceLevel"]["percent"] == 50).then_some(())
    });
    eventually("the campaign's sums", || {
        let status = desk.get("campaign/support")?["status"].clone();
        (status["queue"]["waiting"] == 3 && status["serviceLevel"]["answered"] == 30).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn another_store_is_reported_until_a_person_accepts_it() {
    let cluster = Cluster::apiserver();
    let desk = Desk::new(cluster);
    let operator = Operator::start(cluster, &[&desk.namespace], Flags::default()).await;
    let engine = format!("sms-support.{}", desk.namespace);
    desk.apply(&desk.whole());
    desk.wait_ready("smschannel/support");
    eventually("the store is remembered", || {
        (desk.get("smschannel/support")?["status"]["engine"]["storeId"] == "store-support").then_some(())
    });
    operator.stub.say(&engine, json!({"store": {"id": "another"}}));
    let message = desk.until("smschannel/support", "StorageIntact", "False", "StorageReplaced");
    assert!(message.contains("aldis.dev/accept-storage: another"), "{message}");
    desk.kubectl(&["annotate", "smschannel/support", "aldis.dev/accept-storage=another"]);
    desk.until("smschannel/support", "StorageIntact", "True", "Intact");
    eventually("the acceptance is used up", || {
        let annotations = desk.get("smschannel/support")?["metadata"]["annotations"].clone();
        annotations.get("aldis.dev/accept-storage").is_none().then_some(())
    });
    operator.stub.say(&engine, json!({"store": {"id": "another", "commits": 3}}));
    desk.until("smschannel/support", "StorageIntact", "False", "StorageRolledBack");
    eventually("the engine is told", || (desk.config("sms-support")["store"]["held"] == true).then_some(()));
    desk.kubectl(&["annotate", "smschannel/support", "aldis.dev/accept-storage=another"]);
    desk.until("smschannel/support", "StorageIntact", "True", "Intact");
    eventually("the engine is told", || (desk.config("sms-support")["store"]["held"] == false).then_some(()));
}
