//! Vonage.

use axum::http::Method;
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::Url;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Asked, Call, Dialect, Inbound, Number, Reply, Reported, Request, Sent, Wanted};

const API_KEY: &str = "abcd1234";
const API_SECRET: &str = "a secret";
const SIGNATURE_SECRET: &str = "another secret";
const PAGE: usize = 2;

/// The dialect.
pub struct Vonage;

/// Parameters as a form, with a time and a signature (HMAC-SHA256).
fn signed(parameters: &[(&str, &str)]) -> String {
    let time = Timestamp::now().as_second().to_string();
    let mut parameters = parameters.to_vec();
    parameters.extend([("timestamp", time.as_str()), ("nonce", "aaaaaaaa-bbbb-cccc-dddd-0123456789ab")]);
    parameters.sort_unstable();
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(SIGNATURE_SECRET.as_bytes()).unwrap();
    for (name, value) in &parameters {
        mac.update(format!("&{name}={}", value.replace(['&', '='], "_")).as_bytes());
    }
    let sig: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
    parameters.push(("sig", &sig));
    Url::parse_with_params("http://x/", &parameters).unwrap().query().unwrap().to_owned()
}

fn digits(number: &str) -> &str {
    number.trim_start_matches('+')
}

impl Dialect for Vonage {
    fn member(&self) -> &'static str {
        "vonage"
    }

    fn settings(&self) -> Value {
        json!({"apiKey": API_KEY, "signatureMethod": "HmacSha256"})
    }

    fn other_account(&self) -> (&'static str, &'static str) {
        ("apiKey", "abcd1235")
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        vec![("apiSecret", API_SECRET), ("signatureSecret", SIGNATURE_SECRET)]
    }

    fn deciding_key(&self) -> &'static str {
        "apiSecret"
    }

    fn admits(&self, request: &Request) -> bool {
        let basic = BASE64_STANDARD.encode(format!("{API_KEY}:{API_SECRET}"));
        request.header("authorization") == format!("Basic {basic}")
    }

    fn refusal(&self) -> Reply {
        Reply::json(401, &json!({"error-code": "401", "error-code-label": "authentication failed"}))
    }

    fn asked(&self, request: &Request) -> Asked {
        match (&request.method, request.path.as_str()) {
            (&Method::GET, "/account/get-balance") => Asked::Account,
            (&Method::GET, "/account/numbers") => Asked::Numbers,
            (&Method::POST, "/sms/json") => {
                let form = Url::parse(&format!("http://x/?{}", String::from_utf8_lossy(&request.body))).unwrap();
                let text = |name: &str| {
                    let found = form.query_pairs().find(|(key, _)| key == name);
                    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
                };
                assert_eq!(text("type"), if text("text").is_ascii() { "text" } else { "unicode" });
                assert!(text("callback").ends_with("/hooks/status"), "{}", text("callback"));
                let callback = text("client-ref");
                Asked::Message(Wanted { from: text("from"), to: text("to"), text: text("text"), callback })
            }
            _ => Asked::Nothing,
        }
    }

    fn account(&self, suspended: bool) -> Reply {
        if suspended {
            return Reply::json(403, &json!({"error-code": "403", "error-code-label": "forbidden"}));
        }
        Reply::json(200, &json!({"value": 10.28, "autoReload": false}))
    }

    fn numbers(&self, numbers: &[Number], request: &Request) -> Reply {
        let page: usize = request.query("index").and_then(|page| page.parse().ok()).unwrap_or(1);
        let item = |number: &Number| {
            let features = if number.sms { json!(["VOICE", "SMS"]) } else { json!(["VOICE"]) };
            let mut item =
                json!({"country": "US", "msisdn": digits(&number.number), "type": "mobile-lvn", "features": features});
            if let Some(webhook) = &number.webhook {
                item["moHttpUrl"] = json!(webhook);
            }
            item
        };
        if numbers.is_empty() {
            return Reply::json(200, &json!({}));
        }
        let items: Vec<_> = numbers.iter().skip((page - 1) * PAGE).take(PAGE).map(item).collect();
        Reply::json(200, &json!({"count": numbers.len(), "numbers": items}))
    }

    fn taken(&self, sent: &Sent) -> Reply {
        let message = json!({
            "to": sent.wanted.to, "message-id": sent.id, "status": "0", "remaining-balance": "3.14", "message-price": "0.03",
            "network": "310004", "client-ref": sent.wanted.callback,
        });
        Reply::json(200, &json!({"message-count": "1", "messages": [message]}))
    }

    /// Vonage takes the message, and says so in a receipt.
    fn opted_out(&self) -> Option<Reply> {
        None
    }

    fn sdk_script(&self) -> Option<&'static str> {
        Some("vonage_calls.py")
    }

    /// The proof is one of the parameters: the headers of another call are as good as a call's own.
    fn signs_the_body(&self) -> bool {
        false
    }

    fn inbound(&self, _: &str, message: &Inbound) -> Call {
        let keyword = message.text.split(' ').next().unwrap_or_default().to_uppercase();
        let form = signed(&[
            ("api-key", API_KEY),
            ("keyword", &keyword),
            ("message-timestamp", "2026-01-02 03:04:05"),
            ("messageId", &message.id),
            ("msisdn", digits(&message.from)),
            ("text", &message.text),
            ("to", digits(&message.to)),
            ("type", "unicode"),
        ]);
        Call {
            method: Method::POST,
            path_and_query: "/hooks/inbound".into(),
            headers: vec![("content-type".into(), "application/x-www-form-urlencoded".into())],
            body: form.into_bytes(),
        }
    }

    fn receipt(&self, _: &str, sent: &Sent, state: Reported) -> Call {
        let (status, code) = match state {
            Reported::Sent => ("accepted", "0"),
            Reported::Delivered => ("delivered", "0"),
            Reported::Failed => ("failed", "3"),
        };
        let query = signed(&[
            ("api-key", API_KEY),
            ("client-ref", &sent.wanted.callback),
            ("err-code", code),
            ("message-timestamp", "2026-01-02 03:04:05"),
            ("messageId", &sent.id),
            ("msisdn", &sent.wanted.to),
            ("network-code", "310004"),
            ("price", "0.03330000"),
            ("scts", "2601020304"),
            ("status", status),
            ("to", &sent.wanted.from),
        ]);
        let path_and_query = format!("/hooks/status?{query}");
        Call { method: Method::GET, path_and_query, headers: Vec::new(), body: Vec::new() }
    }
}
