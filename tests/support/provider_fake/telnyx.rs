//! Telnyx.

use axum::http::Method;
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::{Asked, Call, Dialect, Inbound, Number, Reply, Reported, Request, Sent, Wanted};

const PROFILE: &str = "4000eba1-a0c0-4563-9925-b25e842a7cb6";
const API_KEY: &str = "KEY0123";
/// Of the key that signs webhooks.
const SEED: [u8; 32] = [7; 32];
/// Base64 of the public half of [`SEED`].
const PUBLIC_KEY: &str = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=";
const PAGE: usize = 2;

/// The dialect.
pub struct Telnyx;

fn error(status: u16, code: &str, title: &str) -> Reply {
    Reply::json(status, &json!({"errors": [{"code": code, "title": title, "detail": title}]}))
}

fn signed(path_and_query: &str, event: &Value) -> Call {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let (time, body) = (Timestamp::now().as_second().to_string(), event.to_string());
    let signature = BASE64_STANDARD.encode(pair.sign(format!("{time}|{body}").as_bytes()));
    let headers = [("telnyx-signature-ed25519", signature), ("telnyx-timestamp", time)];
    Call {
        method: Method::POST,
        path_and_query: path_and_query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: body.into_bytes(),
    }
}

fn event(event_type: &str, payload: &Value) -> Value {
    json!({"data": {"record_type": "event", "id": "E1", "event_type": event_type, "payload": payload}, "meta": {"attempt": 1}})
}

impl Dialect for Telnyx {
    fn member(&self) -> &'static str {
        "telnyx"
    }

    fn settings(&self) -> Value {
        json!({"messagingProfileId": PROFILE})
    }

    fn other_account(&self) -> (&'static str, &'static str) {
        ("messagingProfileId", "4000eba1-a0c0-4563-9925-000000000000")
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
        assert_eq!(BASE64_STANDARD.encode(pair.public_key()), PUBLIC_KEY);
        vec![("apiKey", API_KEY), ("publicKey", PUBLIC_KEY)]
    }

    fn deciding_key(&self) -> &'static str {
        "apiKey"
    }

    fn admits(&self, request: &Request) -> bool {
        request.header("authorization") == format!("Bearer {API_KEY}")
    }

    fn refusal(&self) -> Reply {
        error(401, "10009", "Authentication failed")
    }

    fn asked(&self, request: &Request) -> Asked {
        let profile = format!("/v2/messaging_profiles/{PROFILE}");
        match (&request.method, request.path.as_str()) {
            (&Method::GET, path) if path == profile => Asked::Account,
            (&Method::GET, path) if path == format!("{profile}/phone_numbers") => Asked::Numbers,
            (&Method::POST, "/v2/messages") => {
                let body = request.json();
                let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
                let callback = text("webhook_url");
                Asked::Message(Wanted { from: text("from"), to: text("to"), text: text("text"), callback })
            }
            _ => Asked::Nothing,
        }
    }

    fn account(&self, suspended: bool) -> Reply {
        let profile = json!({"id": PROFILE, "name": "desk", "enabled": !suspended, "webhook_api_version": "2", "webhook_url": null});
        Reply::json(200, &json!({ "data": profile }))
    }

    fn numbers(&self, numbers: &[Number], request: &Request) -> Reply {
        let page: usize = request.query("page[number]").and_then(|page| page.parse().ok()).unwrap_or(1);
        let item = |number: &Number| {
            let sms = number.sms.then(
                || json!({"domestic_two_way": true, "international_inbound": false, "international_outbound": false}),
            );
            json!({"record_type": "messaging_settings", "phone_number": number.number, "messaging_profile_id": PROFILE, "features": {"sms": sms, "mms": null}})
        };
        let items: Vec<_> = numbers.iter().skip((page - 1) * PAGE).take(PAGE).map(item).collect();
        let meta = json!({"page_number": page, "page_size": PAGE, "total_pages": numbers.len().div_ceil(PAGE), "total_results": numbers.len()});
        Reply::json(200, &json!({"data": items, "meta": meta}))
    }

    fn taken(&self, sent: &Sent) -> Reply {
        let to = json!([{"phone_number": sent.wanted.to, "status": "queued"}]);
        Reply::json(
            200,
            &json!({"data": {"record_type": "message", "id": sent.id, "parts": 1, "to": to, "errors": []}}),
        )
    }

    fn opted_out(&self) -> Option<Reply> {
        Some(error(409, "40300", "Blocked due to STOP message"))
    }

    fn sdk_script(&self) -> Option<&'static str> {
        Some("telnyx_calls.py")
    }

    fn inbound(&self, _: &str, message: &Inbound) -> Call {
        let payload = json!({
            "record_type": "message", "direction": "inbound", "id": message.id, "type": "SMS", "messaging_profile_id": PROFILE,
            "from": {"phone_number": message.from, "carrier": "c", "line_type": "Wireless"},
            "to": [{"phone_number": message.to, "status": "delivered"}], "text": message.text, "media": [], "parts": 1,
        });
        signed("/hooks/inbound", &event("message.received", &payload))
    }

    fn receipt(&self, public_url: &str, sent: &Sent, state: Reported) -> Call {
        let (event_type, status, errors) = match state {
            Reported::Sent => ("message.sent", "sent", json!([])),
            Reported::Delivered => ("message.finalized", "delivered", json!([])),
            Reported::Failed => {
                ("message.finalized", "delivery_failed", json!([{"code": "40001", "title": "Not routable"}]))
            }
        };
        let payload = json!({
            "record_type": "message", "direction": "outbound", "id": sent.id, "from": {"phone_number": sent.wanted.from},
            "to": [{"phone_number": sent.wanted.to, "status": status}], "errors": errors,
        });
        signed(sent.wanted.callback.strip_prefix(public_url).unwrap(), &event(event_type, &payload))
    }
}
