//! What `kubectl get` shows.

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{Desk, merged, object, smallest_spec};

fn condition(type_: &str, status: &str, reason: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": "",
        "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
    })
}

/// The words of each line of `kubectl get`; the age, which moves, as `AGE`.
fn shown(desk: &Desk, plural: &str) -> Vec<Vec<String>> {
    let table = desk.cluster.kubectl(&["get", plural, "-n", &desk.namespace, "-o", "wide"]).ok();
    let is_age = |word: &str| word.ends_with('s') && word[..word.len() - 1].parse::<u32>().is_ok();
    let word = |word: &str| if is_age(word) { "AGE".to_owned() } else { word.to_owned() };
    table.lines().map(|line| line.split_whitespace().map(word).collect()).collect()
}

#[tokio::test]
async fn kubectl_get_shows_the_columns() {
    let desk = Desk::new("columns").await;
    let ready = condition("Ready", "True", "Available");
    let now = jiff::Timestamp::now();
    let failure =
        json!({"step": "look-up", "reason": "CallStatus", "channel": "support", "count": 1, "since": now, "at": now});
    let cases = [
        (
            "SmsConnector",
            "smsc",
            json!({}),
            json!({"conditions": [ready, condition("WebhookInSync", "False", "WebhookDiffers")], "counts": {"numbers": 3, "claimed": 2}}),
            "NAME READY REASON NUMBERS CHANNELS AGE URL WEBHOOK",
            "one True Available 3 2 AGE http://smsc-demo:8080 False",
        ),
        (
            "SmsChannel",
            "sms",
            json!({}),
            json!({
                "conditions": [ready], "queue": {"waiting": 7}, "serviceLevel": {"percent": 93}, "agents": {"online": 5, "available": 4},
            }),
            "NAME NUMBER READY REASON WAITING SL% AGE CONNECTOR CAMPAIGN STRATEGY AGENTS",
            "one +15551230001 True Available 7 93 AGE demo support LeastRecent 4",
        ),
        (
            "Campaign",
            "camp",
            json!({}),
            json!({
                "conditions": [ready, condition("InHours", "False", "Closed")], "channels": {"total": 2, "ready": 1},
                "queue": {"waiting": 9}, "serviceLevel": {"percent": 80},
            }),
            "NAME READY REASON OPEN CHANNELS WAITING SL% AGE ZONE",
            "one True Available False 2 9 80 AGE UTC",
        ),
        (
            "Bot",
            "bots",
            json!({}),
            json!({"conditions": [ready], "version": "0a1b2c", "faultCount": 0, "running": 17, "lastFailures": [failure]}),
            "NAME READY REASON VERSION RUNNING FAILED AGE FAULTS",
            "one True Available 0a1b2c 17 AGE AGE 0",
        ),
        (
            "Blocklist",
            "blocklists",
            json!({}),
            json!({"conditions": [ready], "entries": {"active": 4, "expired": 1}, "channels": 2}),
            "NAME READY REASON ENTRIES CHANNELS AGE",
            "one True Available 4 2 AGE",
        ),
    ];
    for (kind, name, patch, status, header, row) in cases {
        let api = desk.api(kind);
        let spec = merged(&smallest_spec(kind), &patch);
        api.create(&PostParams::default(), &object(kind, "one", &spec)).await.unwrap();
        let status = merged(&status, &json!({"observedGeneration": 1}));
        api.patch_status("one", &PatchParams::default(), &Patch::Merge(json!({ "status": status }))).await.unwrap();
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(shown(&desk, name), [words(header), words(row)], "{kind}");
    }
    let category = desk.cluster.kubectl(&["get", "aldis", "-n", &desk.namespace, "-o", "name"]).ok();
    assert_eq!(category.lines().count(), 5, "{category}");
}

#[tokio::test]
async fn kubectl_wait_holds_for_a_condition_of_the_present_generation_only() {
    let desk = Desk::new("wait").await;
    let api = desk.api("Campaign");
    api.create(&PostParams::default(), &object("Campaign", "one", &json!({}))).await.unwrap();
    let wait = |seconds: &str| {
        let timeout = format!("--timeout={seconds}");
        desk.cluster.kubectl(&["wait", "-n", &desk.namespace, "--for=condition=Ready", "campaign/one", &timeout])
    };
    let status = json!({"status": {"observedGeneration": 1, "conditions": [condition("Ready", "True", "Valid")]}});
    api.patch_status("one", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    wait("60s").ok();
    api.patch("one", &PatchParams::default(), &Patch::Merge(json!({"spec": {"enabled": false}}))).await.unwrap();
    wait("1s").refused();
}

#[tokio::test]
async fn kubectl_explain_teaches() {
    let desk = Desk::new("explain").await;
    let explained = desk.cluster.kubectl(&["explain", "smschannel.spec.serviceLevel.targetSeconds"]).ok();
    assert!(explained.contains("Default 60."), "{explained}");
}

#[tokio::test]
async fn channels_are_found_by_what_they_refer_to() {
    let desk = Desk::new("selectors").await;
    let api = desk.api("SmsChannel");
    for (name, patch) in [("one", json!({})), ("two", json!({"number": "US:72345", "connectorRef": {"name": "other"}}))]
    {
        let spec = merged(&smallest_spec("SmsChannel"), &patch);
        api.create(&PostParams::default(), &object("SmsChannel", name, &spec)).await.unwrap();
    }
    for (selector, found) in [
        ("spec.number=US:72345", "smschannel.aldis.dev/two\n"),
        ("spec.connectorRef.name=demo", "smschannel.aldis.dev/one\n"),
        ("spec.campaignRef.name=support", "smschannel.aldis.dev/one\nsmschannel.aldis.dev/two\n"),
    ] {
        let listed = desk
            .cluster
            .kubectl(&["get", "sms", "-n", &desk.namespace, "--field-selector", selector, "-o", "name"])
            .ok();
        assert_eq!(listed, found, "{selector}");
    }
}
