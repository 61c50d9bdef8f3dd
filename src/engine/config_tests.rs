//! A document is put in force whole or not at all, and the field at fault is named.

use serde_json::{Value, json};

use super::*;

/// A document with everything in it, as the operator writes it.
fn document() -> Value {
    json!({
        "format": 1,
        "channel": {"namespace": "shop", "name": "support", "uid": "u-1"},
        "enabled": true,
        "draining": false,
        "number": "+15551230001",
        "gateway": {
            "url": "http://smsc-twilio.shop.svc:8081",
            "user": "system:serviceaccount:shop:smsc-twilio",
            "provider": "twilio",
            "account": "AC1",
        },
        "campaign": {
            "name": "support",
            "enabled": true,
            "timeZone": "Europe/Madrid",
            "schedule": {
                "weekly": {"Monday": [{"fromMinute": 540, "toMinute": 1080}]},
                "exceptions": {"2026-12-25": []},
            },
            "members": [
                {"user": "ana", "position": 1, "penalty": 0, "receive": true, "initiate": true, "maxInteractions": 3},
                {"user": "bo", "position": 2, "penalty": 10, "receive": true, "initiate": false, "maxInteractions": 1},
            ],
        },
        "strategy": "LeastRecent",
        "serviceLevel": {"targetSeconds": 60, "windowSeconds": 3600},
        "maxQueued": 0,
        "outOfHoursMessage": "We are closed.",
        "blocklist": {"inbound": true, "outbound": true},
        "optOut": {
            "answeredBy": "Aldis",
            "stopKeywords": ["STOP"], "startKeywords": ["START"], "helpKeywords": ["HELP"],
            "stoppedMessage": "Bye.", "startedMessage": "Hello again.", "helpMessage": "Write STOP to end.",
        },
        "sessionIdleSeconds": 86400,
        "perNumberLimit": {"segments": 1, "perSeconds": 1},
        "retentionDays": 90,
        "store": {"id": "s-1"},
        "roleIssuers": [],
        "operatorUser": "system:serviceaccount:aldis-system:aldis-operator",
        "agentIssuers": [],
    })
}

fn settings(document: &Value, blocked: &Value) -> Result<Settings, ConfigError> {
    let part: document::BlocklistPart = serde_json::from_value(json!({"format": 1, "entries": blocked})).unwrap();
    Settings::new(Loaded {
        hash: ConfigHash::of(document.to_string().as_bytes()),
        document: serde_json::from_value(document.clone()).unwrap(),
        parts: vec![part],
    })
}

#[test]
fn a_document_becomes_what_the_core_works_with() {
    let settings = settings(&document(), &json!([{"number": "+15559870001", "direction": "Both"}])).unwrap();
    let channel = &settings.channel;
    assert!(channel.enabled && channel.max_queued.is_none());
    assert_eq!(settings.member("bo").map(|member| (member.penalty, member.initiate)), Some((10, false)));
    assert!(settings.member("eve").is_none());
    let monday = "2026-01-05T12:00:00Z".parse().unwrap();
    assert!(channel.schedule.is_open(monday), "Monday afternoon in Madrid");
    assert!(!channel.schedule.is_open("2026-01-06T12:00:00Z".parse().unwrap()), "Tuesday has no hours");
    assert!(channel.blocklist.blocks_inbound(&"+15559870001".parse().unwrap(), monday));
    assert_eq!(channel.opt_out.keyword("stop!"), Some(Keyword::Stop));
}

#[test]
fn every_strategy_is_the_one_of_its_name() {
    let all = ["LeastRecent", "FewestInteractions", "Random", "Linear", "RoundRobin", "WeightedRandom", "RingAll"];
    for name in all {
        let mut document = document();
        document["strategy"] = json!(name);
        document["offerTimeoutSeconds"] = json!(30);
        let settings = settings(&document, &json!([])).unwrap();
        assert_eq!(format!("{:?}", settings.channel.strategy), name);
    }
}

#[test]
fn agents_are_asked_when_there_is_a_time_for_it() {
    let mut document = document();
    assert_eq!(settings(&document, &json!([])).unwrap().channel.offer, OfferMode::Assign);
    document["offerTimeoutSeconds"] = json!(30);
    let offer = settings(&document, &json!([])).unwrap().channel.offer;
    assert!(matches!(offer, OfferMode::Ask { timeout_seconds } if timeout_seconds.get() == 30));
}

#[test]
fn the_day_is_that_of_the_campaign_also_without_hours() {
    let mut document = document();
    for schedule in [document["campaign"]["schedule"].clone(), Value::Null] {
        document["campaign"]["schedule"] = schedule;
        let day =
            settings(&document, &json!([])).unwrap().channel.schedule.day("2026-01-05T23:30:00Z".parse().unwrap());
        assert_eq!(day.date.to_string(), "2026-01-06", "half an hour past midnight in Madrid");
    }
}

#[test]
fn whatever_is_disabled_disables_the_channel() {
    for (pointer, value) in [("/enabled", false), ("/campaign/enabled", false), ("/draining", true)] {
        let mut document = document();
        *document.pointer_mut(pointer).unwrap() = json!(value);
        assert!(!settings(&document, &json!([])).unwrap().channel.enabled, "{pointer}");
    }
}

#[test]
fn a_bad_value_is_refused_with_its_field() {
    let range = json!([{"fromMinute": 600, "toMinute": 540}]);
    let twice = document()["campaign"]["members"][0].clone();
    let cases = [
        ("/gateway/url", json!("smsc:8081"), "gateway.url: "),
        ("/gateway/url", json!("not a url"), "gateway.url: "),
        ("/campaign/timeZone", json!("Mars/Olympus"), "campaign.timeZone: \"Mars/Olympus\" is no IANA time zone"),
        ("/campaign/schedule/weekly/Monday", range.clone(), "campaign.schedule.weekly.Monday: "),
        ("/campaign/schedule/exceptions/2026-12-25", range, "campaign.schedule.exceptions.2026-12-25: "),
        ("/campaign/members/1", twice, "campaign.members[1].user: \"ana\" is listed twice"),
        ("/campaign/members/1/user", json!(""), "campaign.members[1].user: is empty"),
        ("/campaign/members/1/penalty", json!(101), "campaign.members[1].penalty: 101 is above 100"),
        ("/outOfHoursMessage", json!(" "), "outOfHoursMessage: is empty; leave it out"),
        ("/serviceLevel/targetSeconds", json!(0), "serviceLevel.targetSeconds: must be at least 1"),
        ("/serviceLevel/windowSeconds", json!(0), "serviceLevel.windowSeconds: must be at least 1"),
        ("/sessionIdleSeconds", json!(0), "sessionIdleSeconds: must be at least 1"),
        ("/perNumberLimit/segments", json!(0), "perNumberLimit.segments: must be at least 1"),
        ("/perNumberLimit/perSeconds", json!(0), "perNumberLimit.perSeconds: must be at least 1"),
        ("/offerTimeoutSeconds", json!(0), "offerTimeoutSeconds: must be at least 1"),
        ("/strategy", json!("RingAll"), "offerTimeoutSeconds: is missing; strategy RingAll asks the agents"),
        ("/retentionDays", json!(0), "retentionDays: must be at least 1"),
        ("/optOut/stopKeywords", json!([]), "optOut.stopKeywords: is empty"),
        ("/optOut/stoppedMessage", json!(""), "optOut.stoppedMessage: is empty"),
    ];
    for (pointer, value, expected) in cases {
        let mut document = document();
        document["offerTimeoutSeconds"] = Value::Null;
        *document.pointer_mut(pointer).unwrap() = value;
        let error = settings(&document, &json!([])).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{pointer}: {error}");
    }
}

#[test]
fn another_store_must_be_accepted_by_hand() {
    let cases = [
        (json!({}), true, "the first start"),
        (json!({"id": "s-1"}), true, "the one that is known"),
        (json!({"id": "s-1", "held": true}), false, "the one that is known, gone back in time"),
        (json!({"id": "s-1", "held": true, "acceptedId": "s-1"}), true, "the same, accepted"),
        (json!({"id": "s-2"}), false, "another one"),
        (json!({"id": "s-2", "acceptedId": "s-1"}), true, "another one, accepted"),
        (json!({"id": "s-2", "acceptedId": "s-3"}), false, "another one, and a third accepted"),
    ];
    for (expectation, accepted, what) in cases {
        let mut document = document();
        document["store"] = expectation;
        assert_eq!(settings(&document, &json!([])).unwrap().accepts_store("s-1"), accepted, "{what}");
    }
}

#[test]
fn a_restored_copy_must_be_accepted_by_hand_by_a_channel_that_remembers_no_store_too() {
    let copy = store_id::of_copy("s-1", "1");
    let cases = [
        (json!({}), false),
        (json!({"id": "s-1"}), false),
        (json!({"acceptedId": copy}), true),
        (json!({"id": "s-1", "acceptedId": copy}), true),
        (json!({"id": copy}), true),
    ];
    for (expectation, accepted) in cases {
        let mut document = document();
        document["store"] = expectation.clone();
        assert_eq!(settings(&document, &json!([])).unwrap().accepts_store(&copy), accepted, "{expectation}");
    }
}

#[test]
fn each_setting_reaches_the_state_machine() {
    let mut document = document();
    for (field, value) in [("maxQueueSeconds", 23), ("maxTransferSeconds", 24), ("sessionReopenSeconds", 28)] {
        document[field] = value.into();
    }
    document["serviceLevel"]["answeredBy"] = "Accept".into();
    document["campaign"]["supervisors"] = json!(["eva"]);
    document["campaign"]["dispositions"] = json!([{"name": "sold", "path": "sale/yes"}]);
    document["campaign"]["dispositionRequired"] = true.into();
    document["campaign"]["cannedReplies"] = json!([{"shortcut": "hours", "text": "From nine."}]);
    document["campaign"]["allowedOrigins"] = json!(["https://desk.example.com"]);
    let settings = settings(&document, &json!([])).unwrap();
    let channel = &settings.channel;
    let seconds = |limit: Option<SignedDuration>| limit.map(|limit| limit.as_secs());
    assert_eq!(
        (seconds(channel.max_queue), seconds(channel.max_transfer), seconds(channel.session_reopen)),
        (Some(23), Some(24), Some(28))
    );
    assert_eq!(channel.service_level.answered_by, config::AnsweredBy::Accept);
    assert!(channel.disposition_required && channel.dispositions.contains(&"sold".into()));
    assert_eq!(settings.dispositions[0].path, "sale/yes");
    assert_eq!(settings.canned_replies[0].text, "From nine.");
    assert_eq!(settings.allowed_origins, ["https://desk.example.com".parse().unwrap()].into());
    assert!(
        settings.supervises("eva") && settings.serves("eva") && !settings.supervises("ana") && settings.serves("ana")
    );
    assert!(!settings.serves("bob"));
}
