//! A gateway's log: each line says which webhook, delivery or attempt it belongs to, and none has a text or a customer's number.

use serde_json::json;

use crate::support::{
    engine_fake::EngineFake,
    gateway::{ENGINE, Gateway, NUMBER, PUBLIC_URL, request},
    log::spans,
    twilio_fake::{TOKEN, TwilioFake, call_webhook, number},
};

const MIA: &str = "+15559870001";

#[tokio::test]
async fn lines_name_their_webhook_delivery_or_attempt() {
    let twilio = TwilioFake::start().await;
    twilio.account(|account| account.numbers.push(number(NUMBER, true, "")));
    let mut gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
    let engine = EngineFake::start(&gateway.issuer).await;
    gateway.route(NUMBER, &engine.url, ENGINE).await;

    let form = [("MessageSid", "SM1"), ("To", NUMBER), ("From", MIA), ("Body", "a secret question"), ("NumMedia", "0")];
    let called = call_webhook(&reqwest::Client::new(), &gateway.public, PUBLIC_URL, "/hooks/inbound", &form).await;
    assert_eq!(called.unwrap().0, 200);
    gateway.send(ENGINE, &request(7, 1, "a secret answer")).await.unwrap();

    let log = gateway.log();
    let webhook = json!({"name": "webhook", "provider": "twilio", "hook": "Inbound"});
    let delivery = json!({"name": "delivery", "channel": "support", "kind": "Inbound", "outcome": "Delivered"});
    assert_eq!(spans(&log, "an engine was asked to take an item"), [webhook.clone(), delivery]);
    let mut answered = webhook;
    answered["outcome"] = "Delivered".into();
    assert_eq!(spans(&log, "a webhook was answered"), [answered]);
    let attempt =
        json!({"name": "attempt", "provider": "twilio", "message_id": 7, "attempt": 1, "outcome": "Accepted"});
    assert_eq!(spans(&log, "an attempt to send has ended"), [attempt]);
    for private in ["secret", MIA] {
        assert!(!log.contains(private), "{private} is in the log:\n{log}");
    }
}
