//! Each kind is accepted, with the same defaults as the types have, and refused where its schema says so.

use aldis::api::{BlocklistSpec, BotSpec, CampaignSpec, SmsChannelSpec, SmsConnectorSpec};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Desk, merged, object, smallest_spec};

const KINDS: [&str; 5] = ["SmsConnector", "Campaign", "SmsChannel", "Bot", "Blocklist"];

/// What the types make of a spec: the defaults of the code.
fn read_by_types(kind: &str, spec: &Value) -> Value {
    fn through<T: DeserializeOwned + Serialize>(spec: &Value) -> Value {
        serde_json::to_value(serde_json::from_value::<T>(spec.clone()).unwrap()).unwrap()
    }
    match kind {
        "SmsConnector" => through::<SmsConnectorSpec>(spec),
        "SmsChannel" => through::<SmsChannelSpec>(spec),
        "Campaign" => through::<CampaignSpec>(spec),
        "Bot" => through::<BotSpec>(spec),
        "Blocklist" => through::<BlocklistSpec>(spec),
        other => unreachable!("{other}"),
    }
}

#[tokio::test]
async fn the_api_server_gives_the_same_defaults_as_the_types() {
    let desk = Desk::new("defaults").await;
    for kind in KINDS {
        let spec = smallest_spec(kind);
        let stored = desk.api(kind).create(&PostParams::default(), &object(kind, "smallest", &spec)).await.unwrap();
        assert_eq!(stored.data["spec"], read_by_types(kind, &spec), "{kind}");
        assert_eq!(stored.data["status"], json!({"observedGeneration": -1}), "{kind}");
    }
    // Defaults that stand below something that the smallest spec does not have.
    let deeper = [
        ("Campaign", json!({"members": [{"user": "ana"}], "schedule": {"exceptions": [{"date": "2026-12-25"}]}})),
        ("Blocklist", json!({"entries": [{"number": "+15557770001"}]})),
        ("SmsConnector", json!({"gateway": {"scheduling": {"tolerations": [{"key": "sms", "effect": "NoSchedule"}]}}})),
        (
            "Bot",
            json!({"steps": [
                {"name": "q", "ask": {"text": "?", "into": "a"}},
                {"name": "call", "http": {"url": "https://x", "onError": "end"}},
                {"name": "end", "handOff": {}},
            ]}),
        ),
    ];
    for (kind, patch) in deeper {
        let spec = merged(&smallest_spec(kind), &patch);
        let stored = desk.api(kind).create(&PostParams::default(), &object(kind, "deeper", &spec)).await.unwrap();
        assert_eq!(stored.data["spec"], read_by_types(kind, &spec), "{kind}");
    }
}

#[tokio::test]
async fn the_examples_of_the_reference_pages_are_accepted_as_they_stand() {
    let desk = Desk::new("examples").await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference");
    // Strict: a misspelt field is an error, not ignored.
    let arguments = ["create", "--validate=strict", "-n", &desk.namespace, "-f", folder];
    let created = desk.cluster.kubectl(&arguments).ok();
    assert_eq!(created.lines().count(), KINDS.len(), "{created}");
}

#[tokio::test]
async fn objects_saved_by_earlier_versions_are_still_accepted_with_their_status() {
    let desk = Desk::new("compat").await;
    for kind in KINDS {
        let path = format!("{}/tests/compat/v1alpha1/{}.yaml", env!("CARGO_MANIFEST_DIR"), kind.to_lowercase());
        let saved: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let api = desk.api(kind);
        let created = api.create(&PostParams::default(), &object(kind, "saved", &saved["spec"])).await.unwrap();
        assert_eq!(created.data["spec"], saved["spec"], "{kind}");
        let status = Patch::Merge(json!({ "status": saved["status"] }));
        let written = api.patch_status("saved", &PatchParams::default(), &status).await.unwrap();
        assert_eq!(written.data["status"], saved["status"], "{kind}");
    }
}

#[tokio::test]
async fn what_the_schema_forbids_is_refused() {
    let desk = Desk::new("schema").await;
    let cases = [
        ("SmsChannel", json!({"number": "15551230001"}), "spec.number"),
        ("SmsChannel", json!({"number": "72345"}), "spec.number"),
        ("SmsChannel", json!({"number": "usa:72345"}), "spec.number"),
        ("SmsChannel", json!({"strategy": "leastRecent"}), "spec.strategy"),
        ("SmsChannel", json!({"serviceLevel": {"targetSeconds": 0}}), "spec.serviceLevel.targetSeconds"),
        ("SmsChannel", json!({"maxQueued": -1}), "spec.maxQueued"),
        ("SmsChannel", json!({"maxQueued": 1.5}), "spec.maxQueued"),
        ("SmsChannel", json!({"outOfHours": {"message": "x".repeat(1601)}}), "spec.outOfHours.message"),
        (
            "SmsConnector",
            json!({"numbers": [{"number": "+15551230001"}, {"number": "+15551230001"}]}),
            "spec.numbers[1]",
        ),
        ("SmsConnector", json!({"webhook": {"publicUrl": "https://user:word@x"}}), "spec.webhook.publicUrl"),
        ("SmsConnector", json!({"webhook": {"publicUrl": "https://x/"}}), "spec.webhook.publicUrl"),
        (
            "SmsConnector",
            json!({"gateway": {"resources": {"limits": {"memory": "lots"}}}}),
            "spec.gateway.resources.limits.memory",
        ),
        ("Campaign", json!({"members": [{"user": "ana"}, {"user": "ana"}]}), "spec.members[1]"),
        ("Campaign", json!({"members": [{"user": "ana", "penalty": 101}]}), "spec.members[0].penalty"),
        ("Campaign", json!({"schedule": {"weekly": {"monday": ["9:00-13:00"]}}}), "spec.schedule.weekly.monday[0]"),
        ("Campaign", json!({"schedule": {"weekly": {"monday": ["09:00-24:30"]}}}), "spec.schedule.weekly.monday[0]"),
        ("Campaign", json!({"schedule": {"exceptions": [{"date": "2026-13-01"}]}}), "spec.schedule.exceptions[0].date"),
        ("Blocklist", json!({"entries": [{"number": "+1"}]}), "spec.entries[0].number"),
        (
            "Blocklist",
            json!({"entries": [{"number": "+15557770001", "expiresAt": "tomorrow"}]}),
            "spec.entries[0].expiresAt",
        ),
        (
            "Blocklist",
            json!({"entries": [{"number": "+15557770001", "expiresAt": "2026-01-01T00:00:00+99:00"}]}),
            "spec.entries[0].expiresAt",
        ),
        ("Bot", json!({"steps": []}), "spec.steps"),
    ];
    let dry = PostParams { dry_run: true, field_manager: None };
    for (kind, patch, path) in cases {
        let spec = merged(&smallest_spec(kind), &patch);
        let refused = desk.api(kind).create(&dry, &object(kind, "bad", &spec)).await;
        let Err(kube::Error::Api(status)) = refused else { panic!("{kind} {patch} was accepted") };
        assert!(status.message.contains(&format!("{path}: ")), "{kind} {patch}: {}", status.message);
    }
}

#[tokio::test]
async fn two_hundred_steps_and_two_thousand_numbers_are_accepted() {
    let desk = Desk::new("large").await;
    let text = "x".repeat(200);
    let steps: Vec<Value> = (0..199).map(|n| json!({"name": format!("s{n}"), "say": {"text": text}})).collect();
    let steps = [steps, vec![json!({"name": "end", "finish": {}})]].concat();
    let entries: Vec<Value> = (0..2000).map(|n| json!({"number": format!("+1555{n:07}"), "reason": "spam"})).collect();
    for (kind, spec) in [("Bot", json!({ "steps": steps })), ("Blocklist", json!({ "entries": entries }))] {
        let created: Result<DynamicObject, _> =
            desk.api(kind).create(&PostParams::default(), &object(kind, "large", &spec)).await;
        created.unwrap();
    }
    // Plain `kubectl apply` keeps a copy in an annotation, which is the narrowest gate.
    let list = json!({"apiVersion": "aldis.dev/v1alpha1", "kind": "Blocklist", "metadata": {"name": "applied", "namespace": desk.namespace}, "spec": {"entries": entries}});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), list.to_string()).unwrap();
    desk.cluster.kubectl(&["apply", "-f", file.path().to_str().unwrap()]).ok();
}
