//! What a channel's status says of what was found and of what its engine said.

use serde_json::{Value, json};

use super::*;
use crate::{
    operator::{controllers::plan_tests::observed_channel, runtime::error::Transient},
    wire::status::fixture,
};

use ConditionStatus::{False, True, Unknown};

fn hash() -> ConfigHash {
    ConfigHash::of(b"planned")
}

fn answered(change: &Value) -> Sampled<EngineStatus> {
    Sampled::Answered(Arc::new(fixture::engine(change)))
}

fn planned() -> Planned {
    Planned { hash: hash(), without_store: None }
}

fn nothing() -> Conditions {
    Conditions::from_status(&[], 1, Timestamp::UNIX_EPOCH)
}

/// Everything that `Ready` needs, but for what is given.
fn conditions(but: &[(ConditionType, DesiredCondition)]) -> Conditions {
    let mut conditions = nothing();
    for type_ in READY {
        DesiredCondition::yes(Reason::Available, "").set(&mut conditions, type_);
    }
    for (type_, desired) in but {
        desired.set(&mut conditions, *type_);
    }
    conditions
}

fn campaign(change: &Value) -> Campaign {
    let mut observed = observed_channel(&json!({}));
    let mut campaign = serde_json::to_value(&*observed.campaign.take().unwrap()).unwrap();
    campaign["spec"].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::from_value(campaign).unwrap()
}

#[test]
fn hours_are_those_of_the_campaign_in_its_own_zone() {
    let weekly = json!({"weekly": {"monday": ["09:00-17:00"]}});
    let mut holiday = weekly.clone();
    holiday["exceptions"] = json!([{"date": "2026-12-25", "note": "Christmas"}]);
    let in_tokyo = |schedule: &Value| campaign(&json!({"timeZone": "Asia/Tokyo", "schedule": schedule}));
    let (always, weekly, holiday) = (campaign(&json!({})), in_tokyo(&weekly), in_tokyo(&holiday));
    let (in_hours, closed) = (true, false);
    // In Tokyo it is Christmas already.
    let (eve, day) = ("2026-12-24T14:59:59Z", "2026-12-24T15:00:00Z");
    let cases = [
        (Some(&always), in_hours, day, True, Reason::AlwaysOpen),
        (None, in_hours, day, True, Reason::AlwaysOpen),
        (Some(&weekly), in_hours, day, True, Reason::Open),
        (Some(&weekly), closed, day, False, Reason::Closed),
        (Some(&holiday), closed, eve, False, Reason::Closed),
        (Some(&holiday), closed, day, False, Reason::ClosedByException),
        (None, closed, day, False, Reason::Closed),
    ];
    for (campaign, is_open, now, status, reason) in cases {
        let said = fixture::engine(&json!({"inHours": is_open}));
        let desired = super::in_hours(campaign, &said, now.parse().unwrap());
        assert_eq!((desired.status, desired.reason), (status, reason), "{now}");
    }
}

#[test]
fn a_configuration_is_applied_when_the_engine_has_it() {
    let rejected = |hash: ConfigHash| json!({"config": {"rejected": {"hash": hash, "message": "number: none"}}});
    let reported = |hash: ConfigHash| {
        let engine = EngineReport { config_hash: Some(hash.to_string()), ..EngineReport::default() };
        Some(SmsChannelStatus { engine: Some(engine), ..SmsChannelStatus::default() })
    };
    let other = ConfigHash::of(b"other");
    let cases = [
        (answered(&json!({"config": {"hash": hash()}})), None, True, Reason::Applied),
        (answered(&json!({"config": {"hash": other}})), None, False, Reason::Applying),
        (answered(&json!({})), reported(hash()), False, Reason::Applying),
        (answered(&rejected(hash())), None, False, Reason::ConfigRejected),
        (answered(&rejected(other)), None, False, Reason::Applying),
        // What an earlier operator wrote stands while nobody has asked.
        (Sampled::Never, reported(hash()), True, Reason::Applied),
        (Sampled::Never, reported(other), False, Reason::Applying),
        (Sampled::Never, None, False, Reason::Applying),
    ];
    for (seen, status, expected, reason) in cases {
        let mut observed = observed_channel(&json!({}));
        let mut channel = (*observed.channel).clone();
        channel.status = status;
        (observed.channel, observed.seen) = (Arc::new(channel), seen);
        let desired = applied(&observed, &planned());
        assert_eq!((desired.status, desired.reason), (expected, reason));
    }
}

#[test]
fn a_channel_has_an_engine_when_its_number_is_claimed_or_was_lost_while_it_ran() {
    let findings = |claimed| Findings { claimed, ..Findings::default() };
    let claimed = DesiredCondition::yes(Reason::Claimed, "");
    let stands = conditions(&[(ConditionType::NumberClaimed, claimed.clone())]);
    let cases = [
        (Some(claimed), nothing(), true),
        (Some(DesiredCondition::no(Reason::ClaimLost, "")), nothing(), true),
        (Some(DesiredCondition::no(Reason::HeldByOther, "")), stands.clone(), false),
        (Some(DesiredCondition::unknown(Reason::NotCheckedYet, "")), stands.clone(), false),
        // Nobody looked this time.
        (None, stands, true),
        (None, nothing(), false),
    ];
    for (claimed, stands, expected) in cases {
        let said = format!("{claimed:?}");
        assert_eq!(has_engine(&findings(claimed), &stands), expected, "{said}");
    }
}

#[test]
fn ready_names_the_first_obstacle_and_what_was_switched_off() {
    let lost = DesiredCondition::no(Reason::StorageReplaced, "another store");
    let gone = DesiredCondition::no(Reason::CampaignNotFound, "no campaign");
    let both = [(ConditionType::StorageIntact, lost.clone()), (ConditionType::ReferencesResolved, gone)];
    let off = json!({"enabled": false});
    let observed = |channel: &Value, connector: &Value, of_campaign: &Value| {
        let mut observed = observed_channel(channel);
        let mut sim = serde_json::to_value(observed.connector.as_deref().unwrap()).unwrap();
        sim["spec"].as_object_mut().unwrap().extend(connector.as_object().unwrap().clone());
        observed.connector = Some(Arc::new(serde_json::from_value(sim).unwrap()));
        observed.campaign = Some(Arc::new(campaign(of_campaign)));
        observed
    };
    let on = json!({});
    let cases = [
        (observed(&on, &on, &on), &[][..], True, Reason::Available),
        (observed(&off, &on, &on), &[], True, Reason::Disabled),
        (observed(&on, &on, &off), &[], True, Reason::Disabled),
        (observed(&on, &off, &on), &[], False, Reason::ConnectorDisabled),
        // Who disabled both wanted it so.
        (observed(&off, &off, &on), &[], True, Reason::Disabled),
        (observed(&on, &on, &on), &both[..1], False, Reason::StorageReplaced),
        (observed(&off, &on, &on), &both[..1], False, Reason::StorageReplaced),
        (observed(&on, &on, &on), &both, False, Reason::CampaignNotFound),
    ];
    for (observed, but, status, reason) in cases {
        let desired = ready_condition(&conditions(but), &observed, None);
        assert_eq!((desired.status, desired.reason), (status, reason), "{}", desired.message);
    }
    let observed = observed(&on, &on, &on);
    let errors = [
        (Error::stalled(Reason::InvalidSpec, "spec.number: none"), False, Reason::InvalidSpec),
        (Error::waiting(Reason::Progressing, "keys", Duration::ZERO), False, Reason::Progressing),
        (Error::Transient(Transient::NotLeader), Unknown, Reason::TransientError),
    ];
    for (error, status, reason) in errors {
        let desired = ready_condition(&conditions(&both), &observed, Some(&error));
        assert_eq!((desired.status, desired.reason), (status, reason), "{error}");
    }
}

#[test]
fn every_condition_stands_from_the_start_and_what_is_known_is_left() {
    let lost = DesiredCondition::no(Reason::StorageReplaced, "another store");
    let mut conditions = nothing();
    lost.set(&mut conditions, ConditionType::StorageIntact);
    set_missing_unknown(&mut conditions);
    for type_ in SmsChannel::CONDITIONS {
        let desired = DesiredCondition::of(&conditions, *type_);
        match type_ {
            ConditionType::Ready | ConditionType::Reconciling | ConditionType::Stalled => assert_eq!(desired, None),
            ConditionType::StorageIntact => assert_eq!(desired, Some(lost.clone())),
            _ => assert_eq!(desired.unwrap().status, Unknown, "{type_}"),
        }
    }
}
