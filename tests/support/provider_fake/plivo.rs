//! Plivo.

use axum::http::Method;
use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Url;
use ring::hmac;
use serde_json::{Value, json};

use super::{Asked, Call, Dialect, Inbound, Number, Reply, Reported, Request, Sent, Wanted};

const ACCOUNT: &str = "MA2025RK4E639VJFZAGV";
const TOKEN: &str = "an auth token";
const PAGE: usize = 2;
const NONCE: &str = "05429567804466091622";

/// The dialect.
pub struct Plivo;

fn sign(text: &str) -> String {
    BASE64_STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, TOKEN.as_bytes()), text.as_bytes()))
}

fn posted(path_and_query: &str, parameters: &[(&str, &str)], headers: [(&str, String); 2]) -> Call {
    let form = Url::parse_with_params("http://x/", parameters).unwrap().query().unwrap().to_owned();
    let mut headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    headers.push(("content-type".into(), "application/x-www-form-urlencoded".into()));
    Call { method: Method::POST, path_and_query: path_and_query.to_owned(), headers, body: form.into_bytes() }
}

impl Dialect for Plivo {
    fn member(&self) -> &'static str {
        "plivo"
    }

    fn settings(&self) -> Value {
        json!({"authId": ACCOUNT})
    }

    fn other_account(&self) -> (&'static str, &'static str) {
        ("authId", "SA2025RK4E639VJFZAGV")
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        vec![("authToken", TOKEN)]
    }

    fn deciding_key(&self) -> &'static str {
        "authToken"
    }

    fn admits(&self, request: &Request) -> bool {
        let shown = BASE64_STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
        request.header("authorization") == format!("Basic {shown}")
    }

    fn refusal(&self) -> Reply {
        Reply::json(401, &json!({"api_id": "a", "error": "authentication_failed"}))
    }

    fn asked(&self, request: &Request) -> Asked {
        let account = format!("/v1/Account/{ACCOUNT}/");
        match (&request.method, request.path.strip_prefix(&account)) {
            (&Method::GET, Some("")) => Asked::Account,
            (&Method::GET, Some("Number/")) => Asked::Numbers,
            (&Method::POST, Some("Message/")) => {
                let body = request.json();
                assert_eq!(body["method"], "POST");
                let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
                Asked::Message(Wanted { from: text("src"), to: text("dst"), text: text("text"), callback: text("url") })
            }
            _ => Asked::Nothing,
        }
    }

    fn account(&self, suspended: bool) -> Reply {
        let credits = if suspended { "0.00000" } else { "1.80900" };
        Reply::json(
            200,
            &json!({"auth_id": ACCOUNT, "account_type": "standard", "billing_mode": "prepaid", "auto_recharge": false, "cash_credits": credits}),
        )
    }

    fn numbers(&self, numbers: &[Number], request: &Request) -> Reply {
        let asked = |name: &str| request.query(name).and_then(|value| value.parse().ok());
        let (limit, offset): (usize, usize) = (asked("limit").unwrap_or(20), asked("offset").unwrap_or(0));
        // Pages are counted as the gateway asks for them, and have fewer numbers.
        let first = offset / limit * PAGE;
        let item = |number: &Number| json!({"number": number.number.trim_start_matches('+'), "sms_enabled": number.sms, "application": null});
        let items: Vec<_> = numbers.iter().skip(first).take(PAGE).map(item).collect();
        let next = (first + PAGE < numbers.len())
            .then(|| format!("/v1/Account/{ACCOUNT}/Number/?limit={limit}&offset={}", offset + limit));
        Reply::json(
            200,
            &json!({"api_id": "a", "meta": {"limit": limit, "offset": offset, "next": next, "total_count": numbers.len()}, "objects": items}),
        )
    }

    fn taken(&self, sent: &Sent) -> Reply {
        Reply::json(202, &json!({"api_id": "a", "message": "message(s) queued", "message_uuid": [sent.id]}))
    }

    /// It takes the message, and reports code 200 later.
    fn opted_out(&self) -> Option<Reply> {
        None
    }

    fn sdk_script(&self) -> Option<&'static str> {
        Some("plivo_calls.py")
    }

    /// With V3, which covers the form; in the header of the main account, as messages are seen to come.
    fn inbound(&self, public_url: &str, message: &Inbound) -> Call {
        let mut parameters = [
            ("From", message.from.trim_start_matches('+')),
            ("To", message.to.trim_start_matches('+')),
            ("Text", message.text.as_str()),
            ("Type", "sms"),
            ("MessageUUID", message.id.as_str()),
            ("Units", "1"),
            ("MessageIntent", ""),
        ];
        parameters.sort_unstable();
        let joined: String = parameters.iter().flat_map(|(name, value)| [*name, *value]).collect();
        let signature = sign(&format!("{public_url}/hooks/inbound?{joined}.{NONCE}"));
        let headers = [("x-plivo-signature-ma-v3", signature), ("x-plivo-signature-v3-nonce", NONCE.to_owned())];
        posted("/hooks/inbound", &parameters, headers)
    }

    /// With V2, which covers the address only.
    fn receipt(&self, public_url: &str, sent: &Sent, state: Reported) -> Call {
        let (status, code) = match state {
            Reported::Sent => ("sent", "000"),
            Reported::Delivered => ("delivered", "000"),
            Reported::Failed => ("undelivered", "50"),
        };
        let parameters = [
            ("MessageUUID", sent.id.as_str()),
            ("From", sent.wanted.from.trim_start_matches('+')),
            ("To", sent.wanted.to.trim_start_matches('+')),
            ("Status", status),
            ("ErrorCode", code),
        ];
        let path_and_query = sent.wanted.callback.strip_prefix(public_url).unwrap();
        let signature = sign(&format!("{public_url}/hooks/status{NONCE}"));
        let headers = [("x-plivo-signature-v2", signature), ("x-plivo-signature-v2-nonce", NONCE.to_owned())];
        posted(path_and_query, &parameters, headers)
    }
}
