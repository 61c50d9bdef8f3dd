//! Sinch.

use axum::http::Method;
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use super::{Asked, Call, Dialect, Inbound, Number, Reply, Reported, Request, Sent, Wanted};

const PLAN: &str = "82b012345674924bd687ef0123452f20";
const TOKEN: &str = "an API token";
const SECRET: &str = "foo_secret1234";
const NONCE: &str = "01FJA8B4A7BM43YGWSG9GBV067";

/// The dialect.
pub struct Sinch;

fn error(status: u16, code: &str, text: &str) -> Reply {
    Reply::json(status, &json!({"code": code, "text": text}))
}

fn signed(path_and_query: &str, document: &Value) -> Call {
    let (time, body) = (Timestamp::now().as_second().to_string(), document.to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, format!("{body}.{NONCE}.{time}").as_bytes()));
    let headers = [
        ("x-sinch-webhook-signature", signature),
        ("x-sinch-webhook-signature-timestamp", time),
        ("x-sinch-webhook-signature-nonce", NONCE.to_owned()),
        ("x-sinch-webhook-signature-algorithm", "HmacSHA256".to_owned()),
    ];
    Call {
        method: Method::POST,
        path_and_query: path_and_query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: body.into_bytes(),
    }
}

impl Dialect for Sinch {
    fn member(&self) -> &'static str {
        "sinch"
    }

    fn settings(&self) -> Value {
        json!({"servicePlanId": PLAN, "region": "us"})
    }

    fn other_account(&self) -> (&'static str, &'static str) {
        ("servicePlanId", "another")
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        vec![("apiToken", TOKEN), ("webhookSecret", SECRET)]
    }

    fn deciding_key(&self) -> &'static str {
        "apiToken"
    }

    fn admits(&self, request: &Request) -> bool {
        request.header("authorization") == format!("Bearer {TOKEN}")
    }

    /// It has no body.
    fn refusal(&self) -> Reply {
        Reply { status: 401, media_type: "text/plain", body: Vec::new() }
    }

    fn asked(&self, request: &Request) -> Asked {
        let batches = format!("/xms/v1/{PLAN}/batches");
        match request.method {
            _ if request.path != batches => Asked::Nothing,
            Method::GET => Asked::Account,
            Method::POST => {
                let body = request.json();
                assert_eq!((&body["type"], &body["delivery_report"]), (&json!("mt_text"), &json!("per_recipient")));
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                Asked::Message(Wanted {
                    from: text(&body["from"]),
                    to: text(&body["to"][0]),
                    text: text(&body["body"]),
                    callback: text(&body["callback_url"]),
                })
            }
            _ => Asked::Nothing,
        }
    }

    fn account(&self, suspended: bool) -> Reply {
        if suspended {
            return error(403, "blocked_account", "Your account has been blocked");
        }
        Reply::json(200, &json!({"count": 0, "page": 0, "page_size": 1, "batches": []}))
    }

    fn lists_numbers(&self) -> bool {
        false
    }

    fn numbers(&self, _: &[Number], _: &Request) -> Reply {
        unreachable!("nothing is asked for as numbers")
    }

    fn taken(&self, sent: &Sent) -> Reply {
        let Wanted { from, to, text, .. } = &sent.wanted;
        Reply::json(
            201,
            &json!({"id": sent.id, "type": "mt_text", "from": from, "to": [to], "body": text, "canceled": false}),
        )
    }

    /// It takes the message, and reports later that it failed.
    fn opted_out(&self) -> Option<Reply> {
        None
    }

    fn sdk_script(&self) -> Option<&'static str> {
        Some("sinch_calls.py")
    }

    fn inbound(&self, _: &str, message: &Inbound) -> Call {
        let digits = |number: &str| number.trim_start_matches('+').to_owned();
        let document = json!({
            "type": "mo_text", "id": message.id, "from": digits(&message.from), "to": digits(&message.to), "body": message.text,
            "operator_id": "35000", "received_at": "2026-01-02T03:04:05.678Z",
        });
        signed("/hooks/inbound", &document)
    }

    fn receipt(&self, public_url: &str, sent: &Sent, state: Reported) -> Call {
        let (status, code) = match state {
            Reported::Sent => ("Dispatched", 401),
            Reported::Delivered => ("Delivered", 0),
            Reported::Failed => ("Aborted", 402),
        };
        let document = json!({
            "type": "recipient_delivery_report_sms", "batch_id": sent.id, "recipient": sent.wanted.to, "status": status, "code": code,
            "at": "2026-01-02T03:04:05.678Z", "operator_status_at": "2026-01-02T03:04:00Z",
        });
        signed(sent.wanted.callback.strip_prefix(public_url).unwrap(), &document)
    }
}
