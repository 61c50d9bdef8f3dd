//! What is planned for a connector and a channel, whole. A change of these snapshots is a change of every pod out there.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    api::{Campaign, SmsChannel, SmsConnector},
    operator::{
        controllers::{channel, connector},
        observed::{
            route_writes::{Held, Routed},
            samples::Sampled,
        },
        resources::child::{Child, Owner},
        runtime::{accounts::Accounts, allow_list::AllowList, settings::Settings},
    },
    wire::config::issuers::Issuer,
};

pub(super) fn settings() -> Settings {
    Settings::for_test(&[])
}

fn issuer(audience: &str) -> Issuer {
    Issuer {
        issuer: "https://kubernetes.default.svc".into(),
        audience: audience.into(),
        user_claim: "sub".into(),
        user_prefix: String::new(),
        keys: json!({"keys": []}),
    }
}

fn object<K: serde::de::DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> K {
    serde_json::from_value(json!({
        "apiVersion": "aldis.dev/v1alpha1", "kind": kind, "spec": spec,
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-of-{name}"), "generation": 1},
    }))
    .unwrap()
}

fn sim() -> SmsConnector {
    object(
        "SmsConnector",
        "sim",
        &json!({
            "provider": {"simulator": {"baseUrl": "http://simulator.shop:8090", "credentialsSecretRef": {"name": "sim"}}},
            "webhook": {"publicUrl": "https://sms.example.com/sim"},
        }),
    )
}

/// The manifests, with documents opened up so that a difference can be read.
fn shown(children: &[Child]) -> Vec<Value> {
    let opened = |child: &Child| {
        let mut manifest = child.manifest.clone();
        for (_, text) in manifest["data"].as_object_mut().into_iter().flatten() {
            *text = serde_json::from_str(text.as_str().unwrap()).unwrap();
        }
        manifest
    };
    children.iter().map(opened).collect()
}

pub(super) fn observed_connector(held: Vec<Held>) -> connector::Observed {
    connector::Observed {
        connector: Arc::new(sim()),
        routed: Routed { held, asked: Vec::new() },
        routes_again_in: None,
        coming_numbers: Vec::new(),
        role_issuers: vec![issuer("aldis:shop")],
        volume_size: None,
        pod: None,
        place_taken: None,
        seen: Sampled::Never,
    }
}

fn connector_plan(held: Vec<Held>) -> connector::Plan {
    connector_plan_of(&observed_connector(held))
}

fn connector_plan_of(observed: &connector::Observed) -> connector::Plan {
    connector_plan_with(observed, &settings())
}

fn connector_plan_with(observed: &connector::Observed, settings: &Settings) -> connector::Plan {
    let allowed = AllowList::new(&["http://simulator.shop:8090".into()]).unwrap();
    let valid = connector::validate(&observed.connector, &allowed, &Accounts::default()).unwrap();
    connector::plan(&Owner::connector(&observed.connector), &valid, observed, settings).unwrap()
}

pub(super) fn held(number: &str, channel: &str) -> Held {
    Held { number: number.parse().unwrap(), channel: channel.into() }
}

fn channel_plan(change: Value) -> channel::Plan {
    channel_plan_with(change, &settings())
}

/// A channel with this over its spec, and its connector and campaign.
pub(super) fn observed_channel(change: &Value) -> channel::Observed {
    let mut spec =
        json!({"campaignRef": {"name": "support"}, "connectorRef": {"name": "sim"}, "number": "+15551230001"});
    spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    channel::Observed {
        channel: Arc::new(object::<SmsChannel>("SmsChannel", "support", &spec)),
        connector: Some(Arc::new(sim())),
        campaign: Some(Arc::new(object::<Campaign>("Campaign", "support", &json!({"members": [{"user": "ana"}]})))),
        bots: Default::default(),
        credentials: Default::default(),
        blocklists: Vec::new(),
        gateway: Sampled::Never,
        pod: None,
        place_taken: None,
        seen: Sampled::Never,
        volume_size: None,
        role_issuers: vec![issuer("aldis:shop")],
        agent_issuers: vec![issuer("aldis-desk:shop")],
    }
}

fn channel_plan_with(change: Value, settings: &Settings) -> channel::Plan {
    let observed = observed_channel(&change);
    let Ok(references) = channel::references(&observed) else { panic!("everything is there") };
    let valid = channel::validate(&observed, &references).unwrap();
    channel::plan(&Owner::channel(&observed.channel), &valid, &observed, settings).unwrap()
}

#[test]
fn a_connector() {
    insta::assert_yaml_snapshot!(shown(connector_plan(vec![held("+15551230001", "support")]).children.list()));
}

#[test]
fn a_channel() {
    insta::assert_yaml_snapshot!(shown(channel_plan(json!({})).children.list()));
}

/// The document of a channel and a campaign with nothing that could be mistaken for something else, and no default.
#[test]
fn a_channel_with_everything_in_it() {
    let mut observed = observed_channel(&json!({
        "enabled": false, "strategy": "RingAll", "offer": {"mode": "Ask", "timeoutSeconds": 21},
        "maxQueued": 22, "maxQueueSeconds": 23, "maxTransferSeconds": 24, "queueFullMessage": "full",
        "outOfHours": {"message": "closed"}, "blocklist": {"inbound": false, "outbound": true},
        "serviceLevel": {"targetSeconds": 25, "answeredBy": "Accept", "windowSeconds": 326},
        "session": {"idleSeconds": 127, "reopenSeconds": 28},
        "optOut": {"keywords": {"stop": ["BAJA"], "start": ["ALTA"], "help": ["AYUDA"]},
                   "messages": {"stopped": "out", "started": "in", "help": "helped"}},
        "engine": {"storage": {"retentionDays": 29}},
    }));
    observed.campaign = Some(Arc::new(object(
        "Campaign",
        "support",
        &json!({
            "enabled": false, "timeZone": "Europe/Madrid",
            "members": [{"user": "ana", "position": 31, "penalty": 32, "receive": false, "initiate": false, "maxInteractions": 33}],
            "supervisors": [{"user": "eva"}],
            "dispositions": [{"name": "sold", "path": "sale/yes"}], "dispositionRequired": true,
            "cannedReplies": [{"shortcut": "hours", "text": "We open at {{ nine }}.", "title": "Hours", "language": "en-GB"}],
            "allowedOrigins": ["https://desk.example.com"],
        }),
    )));
    let Ok(references) = channel::references(&observed) else { panic!("everything is there") };
    let valid = channel::validate(&observed, &references).unwrap();
    let plan = channel::plan(&Owner::channel(&observed.channel), &valid, &observed, &settings()).unwrap();
    let shown = shown(plan.children.list());
    let documents = shown.iter().find(|manifest| manifest["kind"] == "ConfigMap").unwrap();
    insta::assert_yaml_snapshot!(documents["data"]["config.json"]);
}

#[test]
fn the_same_input_gives_the_same_plan() {
    let (one, other) = (channel_plan(json!({})), channel_plan(json!({})));
    assert_eq!(one.configuration, other.configuration);
    assert_eq!(one.children.list(), other.children.list());
}

/// Names of the children that differ.
fn differing(one: &[Child], other: &[Child]) -> Vec<String> {
    let shown = |child: &Child| format!("{:?} {}", child.kind, child.name);
    let new = other.iter().filter(|child| !one.contains(child)).map(shown);
    let gone = one.iter().filter(|child| !other.iter().any(|new| new.name == child.name)).map(shown);
    new.chain(gone).collect()
}

#[test]
fn a_change_of_behaviour_touches_the_configuration_and_nothing_else() {
    let before = channel_plan(json!({}));
    for change in [json!({"maxQueued": 3}), json!({"enabled": false}), json!({"outOfHours": {"message": "Later"}})] {
        let after = channel_plan(change.clone());
        assert_eq!(differing(before.children.list(), after.children.list()), ["ConfigMap sms-support"], "{change}");
    }
    let after = channel_plan(json!({"engine": {"resources": {"limits": {"memory": "1Gi"}}}}));
    assert_eq!(differing(before.children.list(), after.children.list()), ["StatefulSet sms-support"]);
}

#[test]
fn secrets_for_pulling_touch_the_pods_and_nothing_else() {
    let mut settings = settings();
    settings.image_pull_secrets = vec!["registry".into(), "mirror".into()];
    let gateway = connector_plan_with(&observed_connector(Vec::new()), &settings);
    let engine = channel_plan_with(json!({}), &settings);
    let plans = [
        (connector_plan(Vec::new()).children, gateway.children, "StatefulSet smsc-sim"),
        (channel_plan(json!({})).children, engine.children, "StatefulSet sms-support"),
    ];
    for (before, after, set) in plans {
        assert_eq!(differing(before.list(), after.list()), [set]);
        let set = after.list().last().unwrap();
        let secrets = set.manifest.pointer("/spec/template/spec/imagePullSecrets");
        assert_eq!(secrets, Some(&json!([{"name": "mirror"}, {"name": "registry"}])));
    }
}

/// A policy that names a port which no pod has lets nothing through.
#[test]
fn network_policies_of_chart_and_documentation_open_ports_that_pods_have() {
    let plans = [connector_plan(Vec::new()).children, channel_plan(json!({})).children];
    let mut ports = vec!["53".to_owned()];
    for plan in &plans {
        let set = plan.list().last().unwrap();
        let of_pod = set.manifest.pointer("/spec/template/spec/containers/0/ports").and_then(Value::as_array).unwrap();
        for port in of_pod {
            ports.push(port["name"].as_str().unwrap().to_owned());
            ports.push(port["containerPort"].to_string());
        }
    }
    for policies in
        [include_str!("../../../charts/aldis/templates/networkpolicy.yaml"), include_str!("../../../docs/security.md")]
    {
        let opened: Vec<_> = policies
            .split(", port: ")
            .skip(1)
            .map(|rest| rest.split(|end: char| !end.is_alphanumeric()).next().unwrap_or_default().to_owned())
            .collect();
        assert!(opened.len() >= 3, "{opened:?}");
        assert!(opened.iter().all(|port| ports.contains(port)), "{opened:?} of {ports:?}");
        assert!(opened.contains(&crate::wire::ports::INTERNAL.to_string()), "{opened:?}");
    }
}

#[test]
fn a_further_number_touches_its_part_and_the_main_document() {
    let before = connector_plan(vec![held("+15551230001", "support")]);
    let after = connector_plan(vec![held("+15551230001", "support"), held("+15551230002", "sales")]);
    assert_eq!(
        differing(before.children.list(), after.children.list()),
        ["ConfigMap smsc-sim", "ConfigMap smsc-sim.routes-0"]
    );
}

#[test]
fn a_number_that_is_asked_for_touches_the_main_document_only() {
    let before = connector_plan_of(&observed_connector(Vec::new()));
    let after = connector_plan_of(&connector::Observed {
        routed: Routed { held: Vec::new(), asked: vec!["+15551230001".parse().unwrap()] },
        ..observed_connector(Vec::new())
    });
    assert_eq!(differing(before.children.list(), after.children.list()), ["ConfigMap smsc-sim"]);
}

#[test]
fn ten_thousand_numbers_fit() {
    let all =
        (0..10_000).map(|last| held(&format!("+155512{last:05}"), &format!("{}-{last:05}", "x".repeat(39)))).collect();
    let plan = connector_plan(all);
    let parts = plan.children.list().iter().filter(|child| child.name.contains(".routes-")).count();
    assert_eq!(parts, 8);
}

/// A campaign of the size that the definitions allow fits into its channels' volumes.
#[test]
fn a_thousand_members_and_as_many_canned_replies_as_are_possible_fit() {
    let members: Vec<_> =
        (0..1000).map(|n| json!({"user": format!("{n:0256}"), "position": 10_000, "penalty": 100})).collect();
    // Ten segments, with characters that take the most bytes in each encoding.
    let longest = ["é".repeat(1530), "语".repeat(670), "\u{1f600}".repeat(330)];
    // Nearly 64 KiB.
    let canned = (0..24).map(|n| {
        json!({"shortcut": format!("{n:063}"), "text": longest[n % 3], "title": "语".repeat(128), "language": "a".repeat(8)})
    });
    let dispositions = (0..500).map(|n| json!({"name": format!("{n:063}"), "path": "p".repeat(256)}));
    let supervisors = (0..100).map(|n| json!({"user": format!("s{n:0255}")}));
    let spec = json!({
        "members": members, "cannedReplies": canned.collect::<Vec<_>>(), "dispositions": dispositions.collect::<Vec<_>>(),
        "supervisors": supervisors.collect::<Vec<_>>(), "allowedOrigins": [format!("https://{}", "o".repeat(255))],
    });
    let mut observed = observed_channel(&json!({}));
    observed.campaign = Some(Arc::new(object("Campaign", "support", &spec)));
    let Ok(references) = channel::references(&observed) else { panic!("everything is there") };
    let valid = channel::validate(&observed, &references).unwrap();
    let plan = channel::plan(&Owner::channel(&observed.channel), &valid, &observed, &settings());
    assert!(plan.is_ok(), "{:?}", plan.err());
}

#[test]
fn bots_are_given_no_credentials_of_a_connector() {
    let mut observed = observed_channel(&json!({"engine": {"botSecrets": [{"name": "crm"}, {"name": "twilio"}]}}));
    for (credentials, refused) in [("other", false), ("twilio", true)] {
        observed.credentials = [credentials.to_owned()].into();
        let Ok(references) = channel::references(&observed) else { panic!("everything is there") };
        let message = channel::validate(&observed, &references).err().map(|error| error.to_string());
        assert_eq!(message.is_some(), refused, "{message:?}");
        assert!(message.is_none_or(|message| message.contains("spec.engine.botSecrets[1]: Secret twilio holds")));
    }
}
