//! Receipts find the channel of the message that they speak of.

use aldis::wire::{
    outbound::{SendOutcome, SendRequest},
    receipt::DeliveryState,
};
use serde_json::json;

use crate::support::{
    engine_fake::EngineFake,
    gateway::{ENGINE, Gateway, PUBLIC_URL, request},
    process::eventually,
    twilio_fake::{TOKEN, TwilioFake, call_webhook},
};

const SHORT_CODE: &str = "US:72345";
const CUSTOMER: &str = "+15559870001";

/// Twilio names a short code without its country, and callbacks do not bring the country beside it as inbound messages do.
#[tokio::test]
async fn a_receipt_of_a_twilio_short_code_reaches_its_channel() {
    let twilio = TwilioFake::start().await;
    twilio.account(|account| {
        account.short_codes.push(json!({"short_code": "72345", "sms_url": "", "sms_method": "POST"}))
    });
    let mut gateway = Gateway::start(twilio.provider(), &[("authToken", TOKEN)]).await;
    let engine = EngineFake::start(&gateway.issuer).await;
    gateway.route(SHORT_CODE, &engine.url, ENGINE).await;

    let message = SendRequest { from: SHORT_CODE.into(), ..request(7, 1, "Hello") };
    assert!(matches!(gateway.send(ENGINE, &message).await.unwrap(), SendOutcome::Accepted { .. }));
    let sent = twilio.account(|account| account.sent[0].clone());
    let field = |name: &str| sent.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap();
    assert_eq!(field("From"), "72345");

    let callback = field("StatusCallback");
    let path_and_query = callback.strip_prefix(PUBLIC_URL).unwrap();
    let form = [("MessageSid", &*sent.sid), ("From", "72345"), ("To", CUSTOMER), ("MessageStatus", "delivered")];
    let client = reqwest::Client::new();
    let answer = call_webhook(&client, &gateway.public, PUBLIC_URL, path_and_query, &form).await.unwrap();
    assert_eq!(answer.0, 200, "{}", answer.1);
    let receipts = eventually("the engine has the receipt", || async {
        let receipts = engine.receipts();
        if receipts.is_empty() { Err(gateway.log()) } else { Ok(receipts) }
    });
    let receipt = receipts.await.remove(0);
    assert_eq!((&*receipt.from, receipt.token.as_deref()), (SHORT_CODE, Some("7.abc")));
    assert_eq!((&*receipt.provider_message_id, receipt.state), (&*sent.sid, DeliveryState::Delivered));
}
