//! What a connector's status says of what its gateway said.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::operator::{
    controllers::plan_tests::{held, observed_connector},
    observed::samples::Sampled,
};

const NUMBERS: [&str; 3] = ["+15551230001", "+15551230002", "+15551230003"];

fn number(number: &str, change: Value) -> Value {
    let mut known = json!({"number": number, "atProvider": true, "smsCapable": true, "webhook": {"state": "InSync"}});
    known.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    known
}

/// A gateway that is well, with this over what it says.
fn said(change: Value) -> wire::GatewayStatus {
    let at = "2026-01-01T00:00:00Z";
    let mut said = json!({
        "version": "0.1.0", "config": {"hash": hash()}, "credentials": {"state": "Valid", "checkedAt": at},
        "provider": {"state": "Answers", "checkedAt": at}, "numbersListedAt": at, "sampledAt": at,
        "numbers": NUMBERS.map(|known| number(known, json!({}))),
        "spool": {"waiting": 0, "unrouted": 0, "oldestWaitSeconds": 0},
    });
    said.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::from_value(said).unwrap()
}

fn hash() -> ConfigHash {
    ConfigHash::of(b"planned")
}

/// A connector of three numbers, the first of which channel `support` holds; with this over its spec.
fn observed(spec: Value, seen: Sampled<GatewaySample>) -> Observed {
    let mut observed = observed_connector(vec![held(NUMBERS[0], "support")]);
    let mut connector = serde_json::to_value(&*observed.connector).unwrap();
    connector["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    observed.connector = Arc::new(serde_json::from_value(connector).unwrap());
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    observed.pod = Some(Arc::new(serde_json::from_value(ready).unwrap()));
    observed.seen = seen;
    observed
}

fn answered(change: Value) -> Sampled<GatewaySample> {
    Sampled::Answered(Arc::new(GatewaySample::new(said(change))))
}

fn status_of(observed: &Observed) -> (SmsConnectorStatus, Conditions) {
    status(observed, Some(&hash()), None, Timestamp::UNIX_EPOCH)
}

/// What is said of a gateway that is well but for this.
fn conditions(change: Value) -> Conditions {
    status_of(&observed(json!({}), answered(change))).1
}

#[track_caller]
fn expect(conditions: &Conditions, type_: ConditionType, status: ConditionStatus, reason: Reason, words: &str) {
    let desired = DesiredCondition::of(conditions, type_).unwrap();
    assert_eq!((desired.status, desired.reason), (status, reason), "{type_}: {}", desired.message);
    assert!(desired.message.contains(words), "{type_}: {}", desired.message);
}

use ConditionStatus::{False, True, Unknown};
use ConditionType::{CredentialsValid, NumbersVerified, ProviderReachable, Ready, TrafficRouted, WebhookInSync};

#[test]
fn what_the_provider_says_of_the_credentials_is_said_with_what_to_do() {
    let at = "2026-01-01T00:00:00Z";
    let cases = [
        (json!({"state": "Unchecked"}), Unknown, Reason::NotCheckedYet, "not checked them yet"),
        (json!({"state": "Valid", "checkedAt": at}), True, Reason::Accepted, "accepts"),
        (
            json!({"state": "Missing", "keys": ["authToken"], "secretFound": false}),
            False,
            Reason::SecretMissing,
            "Secret sim (spec.provider.simulator.credentialsSecretRef) does not exist or is empty: create it with authToken",
        ),
        (
            json!({"state": "Missing", "keys": ["authToken", "apiKey"], "secretFound": true}),
            False,
            Reason::SecretKeyMissing,
            "lacks authToken, apiKey",
        ),
        (
            json!({"state": "Invalid", "checkedAt": at, "message": "20003 Authenticate"}),
            False,
            Reason::CredentialsRejected,
            "20003 Authenticate",
        ),
        (
            json!({"state": "Suspended", "checkedAt": at, "message": "20005 not active"}),
            False,
            Reason::AccountSuspended,
            "20005 not active; talk to the provider",
        ),
    ];
    for (credentials, status, reason, words) in cases {
        let conditions = conditions(json!({"credentials": credentials}));
        expect(&conditions, CredentialsValid, status, reason, words);
        if status != True {
            expect(&conditions, Ready, status, reason, words);
        }
    }
}

#[test]
fn a_provider_that_does_not_answer_is_named_with_the_way_in_which_it_fails() {
    let at = "2026-01-01T00:00:00Z";
    let cases = [
        ("Unreachable", Reason::ProviderUnreachable, "cannot be reached: no way; the gateway tries again"),
        ("Slow", Reason::ProviderSlow, "does not answer in time: no way"),
        ("Fault", Reason::ProviderError, "see whether spec.provider.simulator.baseUrl is right"),
        ("RateLimited", Reason::ProviderRateLimited, "limits how often it may be asked"),
    ];
    for (trouble, reason, words) in cases {
        let provider = json!({"state": "Silent", "checkedAt": at, "trouble": trouble, "message": "no way"});
        // What it said of the credentials before says nothing of why nothing works now.
        let rejected = json!({"state": "Invalid", "checkedAt": at, "message": "20003"});
        let conditions = conditions(json!({"provider": provider, "credentials": rejected}));
        expect(&conditions, ProviderReachable, False, reason, words);
        expect(&conditions, ProviderReachable, False, reason, "the provider at http://simulator.shop:8090 ");
        expect(&conditions, Ready, False, reason, words);
    }
    let unasked = conditions(json!({"provider": {"state": "Unasked"}}));
    expect(&unasked, ProviderReachable, Unknown, Reason::NotCheckedYet, "without credentials");
}

#[test]
fn a_number_that_is_offered_and_cannot_be_used_is_named() {
    let offered = json!({"numbers": NUMBERS.map(|number| json!({"number": number}))});
    let [good, _, _] = NUMBERS.map(|known| number(known, json!({})));
    let absent = number(NUMBERS[1], json!({"atProvider": false, "smsCapable": false}));
    let voice = number(NUMBERS[2], json!({"smsCapable": false}));
    let cases = [
        (json!({}), True, Reason::Verified, "3 numbers of spec.numbers can do SMS"),
        (json!({"numbers": [good, absent, voice]}), False, Reason::NumbersMissing, "account: +15551230002; buy them"),
        (
            json!({"numbers": [good, number(NUMBERS[1], json!({})), voice]}),
            False,
            Reason::NumbersNotSmsCapable,
            ": +15551230003",
        ),
        (json!({"numbers": [good, number(NUMBERS[1], json!({}))]}), Unknown, Reason::NotCheckedYet, "+15551230003"),
        (json!({"numbersListedAt": null}), Unknown, Reason::NotCheckedYet, "not been listed yet"),
        (
            json!({"numbersError": {"trouble": "Slow", "message": "after 10 s"}}),
            Unknown,
            Reason::ProviderSlow,
            "cannot be listed: after 10 s",
        ),
    ];
    for (change, status, reason, words) in cases {
        let (_, conditions) = status_of(&observed(offered.clone(), answered(change)));
        expect(&conditions, NumbersVerified, status, reason, words);
    }
    // Without a list in the spec, what the account has and can be used is what there is.
    let (status, conditions) = status_of(&observed(json!({}), answered(json!({"numbers": [good, absent, voice]}))));
    expect(&conditions, NumbersVerified, True, Reason::Verified, "1 numbers of the account");
    assert_eq!(status.counts.unwrap().numbers, 1);
}

#[test]
fn numbers_of_which_the_provider_cannot_be_asked_are_believed() {
    let declared = usable(NumberList::NotListable, 2, "of spec.numbers");
    assert_eq!((declared.status, declared.reason), (True, Reason::Declared));
    assert!(declared.message.contains("2 numbers are believed as spec.numbers declares them"), "{}", declared.message);
}

#[test]
fn of_a_carrier_that_cannot_be_asked_nothing_is_said_to_be_checked() {
    let http = |check: Value| {
        let http = json!({
            "account": "demo", "baseUrl": "https://carrier.example", "credentialsSecretRef": {"name": "sim"},
            "send": {"path": "/send"}, "check": check,
        });
        json!({"provider": {"http": http}, "numbers": NUMBERS.map(|number| json!({"number": number}))})
    };
    let (_, assumed) = status_of(&observed(http(Value::Null), answered(json!({}))));
    expect(&assumed, CredentialsValid, True, Reason::Assumed, "spec.provider.http.check names no call");
    expect(&assumed, ProviderReachable, True, Reason::Assumed, "not asked");
    expect(&assumed, NumbersVerified, True, Reason::Declared, "3 numbers are believed");
    expect(&assumed, WebhookInSync, Unknown, Reason::NotManaged, "sim/hooks/inbound");
    expect(&assumed, Ready, True, Reason::Available, "");
    let (_, asked) = status_of(&observed(http(json!({"path": "/balance"})), answered(json!({}))));
    expect(&asked, CredentialsValid, True, Reason::Accepted, "accepts");
    expect(&asked, ProviderReachable, True, Reason::Reachable, "answers");
    let refused = json!({"state": "Invalid", "checkedAt": "2026-01-01T00:00:00Z", "message": "HTTP 401"});
    let (_, refused) = status_of(&observed(http(Value::Null), answered(json!({"credentials": refused}))));
    expect(&refused, Ready, False, Reason::CredentialsRejected, "HTTP 401");
}

#[test]
fn numbers_that_were_verified_stay_so_while_they_are_not_listed_anew() {
    let mut observed = observed(json!({}), answered(json!({})));
    let (status, conditions) = status_of(&observed);
    let mut connector = (*observed.connector).clone();
    connector.status = Some(SmsConnectorStatus { conditions: conditions.into_list(), ..status.clone() });
    observed.connector = Arc::new(connector);
    // The gateway has just started again, and a channel came.
    observed.seen = answered(json!({"numbersListedAt": null, "numbers": []}));
    observed.routed.held.push(held(NUMBERS[1], "desk"));
    let (again, conditions) = status_of(&observed);
    expect(&conditions, NumbersVerified, True, Reason::Verified, "3 numbers");
    assert_eq!(again.counts, status.counts);
    let channels: Vec<_> = again.numbers.iter().map(|number| number.channel.as_deref()).collect();
    assert_eq!(channels, [Some("support"), Some("desk"), None]);
}

#[test]
fn an_address_is_compared_for_numbers_in_use_only() {
    let with = |first: Value, second: Value| {
        let change = |webhook: Value| json!({ "webhook": webhook });
        json!({"numbers": [number(NUMBERS[0], change(first)), number(NUMBERS[1], change(second))]})
    };
    let (well, unset) = (json!({"state": "InSync"}), json!({"state": "Unset"}));
    let differs = json!({"state": "Differs", "found": "https://old.example.com"});
    let ours = "set https://sms.example.com/sim/hooks/inbound (POST) there";
    let cases = [
        (with(well.clone(), unset.clone()), True, Reason::InSync, "1 numbers in use"),
        (with(unset, well.clone()), False, Reason::WebhookNotSet, ours),
        (with(differs, well.clone()), False, Reason::WebhookDiffers, "to https://old.example.com"),
        (with(json!({"state": "Unchecked"}), well), Unknown, Reason::NotCheckedYet, "not been looked at yet"),
    ];
    for (change, status, reason, words) in cases {
        let conditions = conditions(change);
        expect(&conditions, WebhookInSync, status, reason, words);
        expect(&conditions, Ready, True, Reason::Available, "");
    }
    let spec = json!({"webhook": {"publicUrl": "https://sms.example.com", "management": "Ignore"}});
    let (_, conditions) = status_of(&observed(spec, answered(json!({}))));
    expect(&conditions, WebhookInSync, Unknown, Reason::NotManaged, "nobody looks");
}

#[test]
fn a_number_is_unrouted_unless_its_route_is_on_its_way() {
    let cases = [
        (NUMBERS[0], &[][..], False, Reason::Unrouted),
        (NUMBERS[0], &[NUMBERS[0]], True, Reason::AllRouted),
        (NUMBERS[0], &[NUMBERS[1]], False, Reason::Unrouted),
        ("whatsapp:+1", &[NUMBERS[0]], False, Reason::Unrouted),
    ];
    for (number, coming, status, reason) in cases {
        let spool = json!({"waiting": 0, "unrouted": 1, "oldestWaitSeconds": 0, "unroutedNumbers": {number: 1}});
        let mut observed = observed(json!({}), answered(json!({ "spool": spool })));
        observed.coming_numbers = coming.iter().map(|number| number.parse().unwrap()).collect();
        expect(&status_of(&observed).1, TrafficRouted, status, reason, "");
    }
}

#[test]
fn a_full_spool_is_said_by_traffic_routed_and_leaves_ready_as_it_is() {
    for state in ["Full", "NumbersFull"] {
        let room = json!({"state": state, "usedPercent": 100, "fullNumbers": [NUMBERS[0]]});
        let spool = json!({"waiting": 9, "unrouted": 0, "oldestWaitSeconds": 60, "room": room});
        let conditions = conditions(json!({ "spool": spool }));
        expect(&conditions, TrafficRouted, False, Reason::SpoolFull, "turned away");
        expect(&conditions, Ready, True, Reason::Available, "");
    }
}

#[test]
fn ready_names_what_a_person_would_look_at_first() {
    let stalled = Error::stalled(Reason::InvalidSpec, "spec.numbers[0]: no number");
    let transient = Error::Transient(crate::operator::runtime::error::Transient::NotLeader);
    let well = answered(json!({}));
    let old = answered(json!({"config": {}}));
    let rejecting = answered(json!({"config": {"rejected": {"hash": hash(), "message": "routes: no number"}}}));
    let cases = [
        (well.clone(), json!({}), None, True, Reason::Available),
        (well.clone(), json!({"enabled": false}), None, True, Reason::Disabled),
        (well.clone(), json!({}), Some(&stalled), False, Reason::InvalidSpec),
        (well, json!({}), Some(&transient), Unknown, Reason::TransientError),
        (old, json!({}), None, False, Reason::Applying),
        (rejecting, json!({}), None, False, Reason::ConfigRejected),
        (Sampled::Unreachable { message: "timeout".into(), last: None }, json!({}), None, Unknown, Reason::Unreachable),
    ];
    for (seen, spec, error, expected, reason) in cases {
        let observed = observed(spec, seen);
        let (_, conditions) = status(&observed, Some(&hash()), error, Timestamp::UNIX_EPOCH);
        expect(&conditions, Ready, expected, reason, "");
    }
    let (_, conditions) = status(&observed(json!({}), answered(json!({}))), None, None, Timestamp::UNIX_EPOCH);
    expect(&conditions, Ready, Unknown, Reason::Progressing, "");
}

#[test]
fn what_nobody_has_asked_yet_stands_as_unknown_from_the_start() {
    let (status, conditions) = status_of(&observed(json!({}), Sampled::Never));
    for type_ in [ProviderReachable, CredentialsValid, NumbersVerified, WebhookInSync, TrafficRouted] {
        expect(&conditions, type_, Unknown, Reason::NotCheckedYet, "not been asked yet");
    }
    assert_eq!((status.counts, status.gateway), (None, None));
}

#[test]
fn the_list_begins_with_what_is_wrong_then_what_is_in_use_and_ends_somewhere() {
    let many: Vec<_> = (0..300).map(|n| format!("+1555{n:07}")).collect();
    let spec = json!({"numbers": many.iter().map(|number| json!({"number": number})).collect::<Vec<_>>()});
    let known: Vec<_> =
        many.iter().enumerate().map(|(at, known)| number(known, json!({"smsCapable": at != 280}))).collect();
    let mut observed = observed(spec, answered(json!({ "numbers": known })));
    observed.routed.held = vec![held(&many[290], "support")];
    let (status, _) = status_of(&observed);
    let listed: Vec<_> = status.numbers.iter().map(|number| number.number.as_str()).collect();
    assert_eq!(listed.len(), LISTED);
    assert_eq!(listed[..3], [many[280].as_str(), &many[290], &many[0]]);
    let counts = status.counts.unwrap();
    assert_eq!((counts.numbers, counts.sms_capable, counts.claimed, counts.unrouted), (300, 299, 1, 0));
}

#[test]
fn a_message_names_some_numbers_and_counts_the_others() {
    let numbers: Vec<PhoneNumber> = (0..7).map(|n| format!("+1555000000{n}").parse().unwrap()).collect();
    let all: Vec<_> = numbers.iter().collect();
    assert_eq!(some(&all[..2]), "+15550000000, +15550000001");
    assert!(some(&all[..5]).ends_with("+15550000004"));
    assert!(some(&all).ends_with("+15550000004 and 2 more"));
}
