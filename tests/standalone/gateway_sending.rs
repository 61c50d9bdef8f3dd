//! Sending through Twilio: attempts and their repetition, the classes of answers, the limit, and who may send.

use std::time::Duration;

use aldis::wire::outbound::{NotSentReason, RefusalClass, SendOutcome};
use serde_json::json;

use crate::support::{
    gateway::{ENGINE, Gateway, NUMBER, OTHER_ENGINE, OTHER_NUMBER, PUBLIC_URL, request},
    twilio_fake::{ACCOUNT, Fault, TOKEN, TwilioFake, error_body, number},
};

const NOWHERE: &str = "http://127.0.0.1:9";

/// A gateway that sends for one number, and its provider.
pub(super) async fn start() -> (TwilioFake, Gateway) {
    let twilio = TwilioFake::start().await;
    twilio.account(|account| account.numbers.push(number(NUMBER, true, "")));
    let mut gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
    gateway.route(NUMBER, NOWHERE, ENGINE).await;
    (twilio, gateway)
}

fn reason(outcome: &SendOutcome) -> NotSentReason {
    match outcome {
        SendOutcome::NotSent { reason, .. } => *reason,
        other => panic!("it should not have been sent: {other:?}"),
    }
}

/// Repeats with new attempts until something else comes than `NotSent`, as an engine does.
async fn send_patiently(gateway: &Gateway, message_id: u64, first: u32) -> SendOutcome {
    for attempt in first..first + 400 {
        match gateway.send(ENGINE, &request(message_id, attempt, "Hello")).await.unwrap() {
            SendOutcome::NotSent { retry_after_millis, .. } => {
                tokio::time::sleep(Duration::from_millis(retry_after_millis.clamp(10, 500))).await;
            }
            outcome => return outcome,
        }
    }
    panic!("never sent\n{}", gateway.log());
}

#[tokio::test]
async fn a_message_leaves_as_twilio_wants_it() {
    let (twilio, gateway) = start().await;
    let sent = gateway.send(ENGINE, &request(7, 1, "Grüße, 世界 & more")).await.unwrap();
    let sid = twilio.account(|account| account.sent[0].sid.clone());
    assert_eq!(sent, SendOutcome::Accepted { provider_message_ids: vec![sid], segments: Some(1) });
    let message = twilio.account(|account| account.sent[0].clone());
    let field = |name: &str| message.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap();
    assert_eq!((field("From"), field("To")), (NUMBER.into(), "+15559870001".into()));
    assert_eq!(field("Body"), "Grüße, 世界 & more");
    assert_eq!(field("StatusCallback"), format!("{PUBLIC_URL}/hooks/status?t=7.abc&n=%2B15551230001"));
    assert_eq!(message.user, ACCOUNT);
    let traffic = async || gateway.status().await.unwrap().traffic.expect("it tells").get(NUMBER).copied();
    let before = traffic().await;
    assert!(before.is_some(), "what its own engine asked for is counted");
    let foreign = gateway.send(OTHER_ENGINE, &request(8, 1, "Hello")).await.unwrap();
    assert_eq!(reason(&foreign), NotSentReason::NotRouted);
    assert_eq!(traffic().await, before);
}

#[tokio::test]
async fn an_api_key_sends_when_there_is_one() {
    let twilio = TwilioFake::start().await;
    twilio.account(|account| account.api_key = Some(("SK1".into(), "secret".into())));
    let keys = [("authToken", TOKEN), ("apiKeySid", "SK1"), ("apiKeySecret", "secret")];
    let mut gateway = Gateway::start(twilio.provider(), &keys).await;
    gateway.route(NUMBER, NOWHERE, ENGINE).await;
    assert!(matches!(send_patiently(&gateway, 1, 1).await, SendOutcome::Accepted { .. }));
    assert_eq!(twilio.account(|account| account.sent[0].user.clone()), "SK1");
}

#[tokio::test]
async fn a_repeated_attempt_is_answered_from_the_ledger() {
    let (twilio, mut gateway) = start().await;
    let first = gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap();
    assert_eq!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), first);
    gateway.kill_and_restart();
    gateway.until("is back", |_| true).await;
    assert_eq!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), first, "after a restart too");
    let refusal = Fault::Answer(400, error_body(400, 21610, "Attempt to send to unsubscribed recipient"));
    twilio.account(|account| account.faults.push_back(refusal));
    let refused = gateway.send(ENGINE, &request(2, 1, "Hello")).await.unwrap();
    assert!(
        matches!(&refused, SendOutcome::Refused { class: RefusalClass::OptedOut, provider_code: Some(code), .. } if code == "21610")
    );
    assert_eq!(gateway.send(ENGINE, &request(2, 1, "Hello")).await.unwrap(), refused);
    // A late copy of an earlier attempt must not send again.
    assert!(matches!(gateway.send(ENGINE, &request(3, 2, "Hello")).await.unwrap(), SendOutcome::Accepted { .. }));
    assert_eq!(reason(&gateway.send(ENGINE, &request(3, 1, "Hello")).await.unwrap()), NotSentReason::DeadlinePassed);
    assert_eq!(twilio.account(|account| account.sent.len()), 2);
}

#[tokio::test]
async fn a_repeated_attempt_under_way_waits_for_the_same_end() {
    let (twilio, gateway) = start().await;
    twilio.account(|account| account.faults.push_back(Fault::Slow(Duration::from_millis(500))));
    let (message, impatient) = (request(1, 1, "Hello"), Duration::from_millis(100));
    assert!(tokio::time::timeout(impatient, gateway.send(ENGINE, &message)).await.is_err(), "the engine gave up");
    let (one, two) = tokio::join!(gateway.send(ENGINE, &message), gateway.send(ENGINE, &message));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(matches!(one, SendOutcome::Accepted { .. }), "{one:?}");
    assert_eq!(one, two);
    assert_eq!(twilio.account(|account| account.requests), 1);
}

#[tokio::test]
async fn repeats_of_one_attempt_do_not_take_the_place_of_other_engines() {
    const REPEATS: usize = 200;
    let (twilio, mut gateway) = start().await;
    gateway.route(OTHER_NUMBER, NOWHERE, OTHER_ENGINE).await;
    twilio.account(|account| account.faults.push_back(Fault::Slow(Duration::from_secs(3))));
    let document = json!(request(1, 1, "Hello"));
    let repeats: Vec<_> = (0..REPEATS)
        .map(|_| {
            let (gateway, document) = (&gateway, &document);
            async move { gateway.ask(ENGINE, document).await.0 }
        })
        .collect();
    let other = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut message = request(2, 1, "Hello");
        OTHER_NUMBER.clone_into(&mut message.from);
        gateway.send(OTHER_ENGINE, &message).await.unwrap()
    };
    let (answers, other) = tokio::join!(futures::future::join_all(repeats), other);
    assert!(matches!(other, SendOutcome::Accepted { .. }), "{other:?}");
    let with = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((with(200), with(503)), (128, REPEATS - 128));
    assert_eq!(twilio.account(|account| account.sent.len()), 2);
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_never_repeated() {
    let (twilio, gateway) = start().await;
    let mut message_id = 0;
    for (fault, taken) in [
        (Fault::TakeAndDrop, true),
        (Fault::Drop, false),
        (Fault::Answer(500, json!("<html>")), false),
        (Fault::Answer(503, json!({})), false),
    ] {
        message_id += 1;
        let before = twilio.account(|account| {
            account.faults.push_back(fault.clone());
            account.sent.len()
        });
        let outcome = send_patiently(&gateway, message_id, 1).await;
        assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{fault:?}: {outcome:?}");
        assert_eq!(twilio.account(|account| account.sent.len()) - before, usize::from(taken), "{fault:?}");
    }
    // A new attempt is a new permission.
    assert!(matches!(send_patiently(&gateway, 1, 100).await, SendOutcome::Accepted { .. }));
}

#[tokio::test]
async fn after_a_fault_one_attempt_finds_out_for_all() {
    let (twilio, gateway) = start().await;
    twilio.account(|account| account.broken = Some(503));
    let attempts = (1..=20).map(|message_id| async move { (message_id, request(message_id, 1, "Hello")) });
    let mut unknown = 0;
    for attempt in attempts {
        let (_, message) = attempt.await;
        match gateway.send(ENGINE, &message).await.unwrap() {
            SendOutcome::Unknown { .. } => unknown += 1,
            outcome => assert_eq!(reason(&outcome), NotSentReason::Temporary),
        }
    }
    assert_eq!(unknown, 1, "of 20 became doubtful");
    twilio.account(|account| account.broken = None);
    assert!(matches!(send_patiently(&gateway, 21, 1).await, SendOutcome::Accepted { .. }));
}

#[tokio::test]
async fn what_twilio_did_not_take_is_not_sent() {
    let (twilio, gateway) = start().await;
    for (message_id, (status, code)) in [(429, 20429), (400, 21611), (429, 0)].into_iter().enumerate() {
        let message_id = message_id as u64;
        twilio
            .account(|account| account.faults.push_back(Fault::Answer(status, error_body(status, code, "slow down"))));
        let outcome = gateway.send(ENGINE, &request(message_id, 1, "Hello")).await.unwrap();
        assert_eq!(reason(&outcome), NotSentReason::RateLimited);
        let SendOutcome::NotSent { retry_after_millis, .. } = outcome else { unreachable!() };
        assert!(retry_after_millis > 0);
        let next = gateway.send(ENGINE, &request(message_id, 2, "Hello")).await.unwrap();
        assert_eq!(reason(&next), NotSentReason::RateLimited, "nothing is tried during the pause");
        assert!(matches!(send_patiently(&gateway, message_id, 3).await, SendOutcome::Accepted { .. }));
    }
    assert_eq!(twilio.account(|account| (account.requests, account.sent.len())), (6, 3));
}

#[tokio::test]
async fn an_unreachable_provider_has_nothing() {
    let twilio = TwilioFake::start().await;
    let provider = json!({"kind": "twilio", "accountSid": ACCOUNT, "baseUrl": NOWHERE});
    let mut gateway = Gateway::start(provider, &[("authToken", TOKEN)]).await;
    gateway.route(NUMBER, NOWHERE, ENGINE).await;
    assert_eq!(reason(&gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap()), NotSentReason::Unreachable);
    gateway.configure("/provider/baseUrl", json!(twilio.url)).await;
    assert!(matches!(send_patiently(&gateway, 1, 2).await, SendOutcome::Accepted { .. }));
}

#[tokio::test]
async fn exactly_the_routes_engine_may_send() {
    let (twilio, mut gateway) = start().await;
    let outcome = gateway.send(OTHER_ENGINE, &request(1, 1, "Hello")).await.unwrap();
    assert_eq!(reason(&outcome), NotSentReason::NotRouted);
    gateway.route(OTHER_NUMBER, NOWHERE, OTHER_ENGINE).await;
    let outcome = gateway.send(OTHER_ENGINE, &request(1, 1, "Hello")).await.unwrap();
    assert_eq!(reason(&outcome), NotSentReason::NotRouted, "it has another number");
    let refused = |token: String| {
        let gateway = &gateway;
        async move { gateway.send_with(&token, &request(1, 1, "Hello")).await.unwrap_err().status().unwrap().as_u16() }
    };
    assert_eq!(refused(gateway.issuer.token(ENGINE, "aldis:other")).await, 401, "a token of another namespace");
    assert_eq!(refused("nonsense".into()).await, 401);
    assert_eq!(twilio.account(|account| account.requests), 0);
}

#[tokio::test]
async fn not_sent_is_never_said_of_an_attempt_that_was_made() {
    let (twilio, mut gateway) = start().await;
    let sent = gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap();
    // The answer was lost, and meanwhile much has changed.
    gateway.route(NUMBER, NOWHERE, OTHER_ENGINE).await;
    assert_eq!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), sent, "without a route");
    assert_eq!(reason(&gateway.send(ENGINE, &request(2, 1, "Hello")).await.unwrap()), NotSentReason::NotRouted);
    gateway.route(NUMBER, NOWHERE, ENGINE).await;
    gateway.configure("/enabled", json!(false)).await;
    assert_eq!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), sent, "while it is disabled");
    gateway.credentials(&[]);
    gateway.until("misses the token", |status| format!("{:?}", status.credentials).contains("Missing")).await;
    assert_eq!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), sent, "without credentials");
    let mut late = request(1, 1, "Hello");
    late.begin_within_millis = 0;
    assert_eq!(gateway.send(ENGINE, &late).await.unwrap(), sent, "after the deadline");
    // A ledger that cannot be read answers nothing at all.
    let path = gateway.path("data/spool.db");
    let broken = rusqlite::Connection::open(path).unwrap();
    broken.execute_batch("ALTER TABLE attempt RENAME TO away").unwrap();
    let unanswered = gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap_err();
    assert_eq!(unanswered.status().unwrap().as_u16(), 503);
    broken.execute_batch("ALTER TABLE away RENAME TO attempt").unwrap();
    assert_eq!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), sent);
    assert_eq!(twilio.account(|account| account.requests), 1);
}

#[tokio::test]
async fn what_must_not_begin_does_not() {
    let (twilio, mut gateway) = start().await;
    let mut late = request(1, 1, "Hello");
    late.begin_within_millis = 0;
    assert_eq!(reason(&gateway.send(ENGINE, &late).await.unwrap()), NotSentReason::DeadlinePassed);
    gateway.configure("/enabled", json!(false)).await;
    assert_eq!(reason(&gateway.send(ENGINE, &request(2, 1, "Hello")).await.unwrap()), NotSentReason::Disabled);
    gateway.configure("/enabled", json!(true)).await;
    assert_eq!(twilio.account(|account| account.requests), 0);
    assert!(matches!(send_patiently(&gateway, 2, 2).await, SendOutcome::Accepted { .. }));
}

#[tokio::test]
async fn the_accounts_limit_counts_segments() {
    let (twilio, mut gateway) = start().await;
    gateway.configure("/accountLimit", json!({"segments": 5, "perSeconds": 3600})).await;
    // Two segments each, whatever their engine says.
    let says = |message_id, segments| {
        let mut long = request(message_id, 1, &"a".repeat(200));
        long.segments = segments;
        long
    };
    for (message_id, segments) in [(1, u32::MAX), (2, 0), (3, 1)] {
        // Room for one segment is enough for a message of any length, or shorter ones would pass it for ever.
        let outcome = gateway.send(ENGINE, &says(message_id, segments)).await.unwrap();
        assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{segments}: {outcome:?}");
    }
    let held = gateway.send(ENGINE, &request(4, 1, "Hello")).await.unwrap();
    assert_eq!(reason(&held), NotSentReason::AccountLimit, "its debt is paid first");
    assert!(matches!(held, SendOutcome::NotSent { retry_after_millis: 1_300_000..=1_440_000, .. }), "{held:?}");
    assert_eq!(twilio.account(|account| account.sent.len()), 3);
    assert!(gateway.metric("aldis_gateway_attempts_total{outcome=\"Accepted\",reason=\"\"}").await >= 3.0);
}

#[tokio::test]
async fn a_text_of_more_segments_than_a_message_may_have_is_refused() {
    let (twilio, gateway) = start().await;
    let outcome = gateway.send(ENGINE, &request(1, 1, &"a".repeat(1531))).await.unwrap();
    assert!(matches!(outcome, SendOutcome::Refused { class: RefusalClass::InvalidMessage, .. }), "{outcome:?}");
    assert_eq!(twilio.account(|account| account.requests), 0);
    let longest = gateway.send(ENGINE, &request(2, 1, &"a".repeat(1530))).await.unwrap();
    assert!(matches!(longest, SendOutcome::Accepted { .. }), "{longest:?}");
}

#[tokio::test]
async fn refused_credentials_stop_sending_until_they_are_good() {
    let (twilio, gateway) = start().await;
    twilio.account(|account| account.token = "a new one".into());
    assert_eq!(reason(&gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap()), NotSentReason::Credentials);
    gateway.credentials(&[("authToken", "a new one")]);
    assert!(matches!(send_patiently(&gateway, 1, 2).await, SendOutcome::Accepted { .. }));
}

#[tokio::test]
async fn ids_that_were_used_for_another_message_never_count_as_sent() {
    let (twilio, gateway) = start().await;
    assert!(matches!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), SendOutcome::Accepted { .. }));
    // A restored copy of the engine's store begins again with the same ids.
    let other = gateway.send(ENGINE, &request(1, 1, "Good morning")).await.unwrap();
    assert_eq!(reason(&other), NotSentReason::OtherContent);
    let elsewhere = aldis::wire::outbound::SendRequest { to: "+15559870009".into(), ..request(1, 1, "Hello") };
    assert_eq!(reason(&gateway.send(ENGINE, &elsewhere).await.unwrap()), NotSentReason::OtherContent);
    assert_eq!(gateway.metric("aldis_gateway_attempts_not_made_total{answer=\"OtherContent\"}").await, 2.0);
    // Under the next number it goes out.
    assert!(matches!(
        gateway.send(ENGINE, &request(1, 2, "Good morning")).await.unwrap(),
        SendOutcome::Accepted { .. }
    ));
    let texts = twilio.account(|account| account.sent.iter().map(|sent| sent.form.clone()).collect::<Vec<_>>());
    let bodies: Vec<_> =
        texts.iter().flatten().filter(|(name, _)| name == "Body").map(|(_, text)| text.as_str()).collect();
    assert_eq!(bodies, ["Hello", "Good morning"]);
}

#[tokio::test]
async fn ids_that_are_being_used_for_another_message_do_not_count_as_sent_either() {
    let (twilio, gateway) = start().await;
    twilio.account(|account| account.faults.push_back(Fault::Slow(Duration::from_millis(500))));
    let (one, two) = (request(1, 1, "Hello"), request(1, 1, "Good morning"));
    let (one, two) = tokio::join!(gateway.send(ENGINE, &one), gateway.send(ENGINE, &two));
    let outcomes = [one.unwrap(), two.unwrap()];
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, SendOutcome::Accepted { .. })).count(), 1);
    assert_eq!(twilio.account(|account| account.sent.len()), 1, "{outcomes:?}");
}

#[tokio::test]
async fn how_far_an_engines_clock_is_off_is_shown() {
    let (_twilio, gateway) = start().await;
    assert_eq!(gateway.status().await.unwrap().clock_skew, None);
    let mut fast = request(1, 1, "Hello");
    fast.sent_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    assert!(matches!(gateway.send(ENGINE, &fast).await.unwrap(), SendOutcome::Accepted { .. }), "nothing hangs on it");
    let skew = gateway.status().await.unwrap().clock_skew.unwrap();
    assert_eq!(skew.number, NUMBER);
    assert!((3_500_000..=3_600_000).contains(&skew.engine_ahead_millis), "{skew:?}");
}

#[tokio::test]
async fn while_the_provider_is_down_no_further_message_is_risked() {
    let (twilio, gateway) = start().await;
    twilio.account(|account| account.broken = Some(503));
    assert!(matches!(gateway.send(ENGINE, &request(1, 1, "Hello")).await.unwrap(), SendOutcome::Unknown { .. }));
    // Several pauses end meanwhile; what is asked of the provider then is whether the credentials are good.
    for attempt in 1..=12 {
        let held = gateway.send(ENGINE, &request(2, attempt, "Hello")).await.unwrap();
        assert_eq!(reason(&held), NotSentReason::Temporary);
        let SendOutcome::NotSent { retry_after_millis, .. } = held else { unreachable!() };
        tokio::time::sleep(Duration::from_millis(retry_after_millis.min(1000))).await;
    }
    assert_eq!(twilio.account(|account| account.requests), 1);
    twilio.account(|account| account.broken = None);
    assert!(matches!(send_patiently(&gateway, 2, 13).await, SendOutcome::Accepted { .. }));
}
