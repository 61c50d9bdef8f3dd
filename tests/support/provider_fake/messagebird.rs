//! MessageBird.

use axum::http::Method;
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Asked, Call, Dialect, Inbound, Number, Reply, Reported, Request, Sent, Wanted};

const ACCESS_KEY: &str = "live_0123";
const SIGNING_KEY: &str = "a signing key";
const PAGE: usize = 2;

/// The dialect.
pub struct MessageBird;

fn error(status: u16, code: u32, description: &str) -> Reply {
    Reply::json(status, &json!({"errors": [{"code": code, "description": description, "parameter": null}]}))
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A call with what proves it.
fn signed(method: Method, public_url: &str, path_and_query: String, body: Vec<u8>) -> Call {
    aldis::process::crypto::install_providers();
    let now = Timestamp::now().as_second();
    let mut claims = json!({
        "iss": "MessageBird", "nbf": now, "exp": now + 60, "jti": "f4ed837e-ac46-4ef7-8ab2-aa1cf311180b",
        "url_hash": hash(format!("{public_url}{path_and_query}").as_bytes()),
    });
    if !body.is_empty() {
        claims["payload_hash"] = json!(hash(&body));
    }
    let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(SIGNING_KEY.as_bytes())).unwrap();
    let mut headers = vec![("messagebird-signature-jwt".to_owned(), token)];
    if !body.is_empty() {
        headers.push(("content-type".into(), "application/json".into()));
    }
    Call { method, path_and_query, headers, body }
}

fn digits(number: &str) -> &str {
    number.trim_start_matches('+')
}

impl Dialect for MessageBird {
    fn member(&self) -> &'static str {
        "messagebird"
    }

    fn settings(&self) -> Value {
        json!({})
    }

    fn names_its_account(&self) -> bool {
        false
    }

    fn other_account(&self) -> (&'static str, &'static str) {
        ("", "")
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        vec![("accessKey", ACCESS_KEY), ("signingKey", SIGNING_KEY)]
    }

    fn deciding_key(&self) -> &'static str {
        "accessKey"
    }

    fn admits(&self, request: &Request) -> bool {
        request.header("authorization") == format!("AccessKey {ACCESS_KEY}")
    }

    fn refusal(&self) -> Reply {
        error(401, 2, "Request not allowed (incorrect access_key)")
    }

    fn asked(&self, request: &Request) -> Asked {
        match (&request.method, request.path.as_str()) {
            (&Method::GET, "/balance") => Asked::Account,
            (&Method::GET, "/v1/phone-numbers") => Asked::Numbers,
            (&Method::POST, "/messages") => {
                let body = request.json();
                let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
                assert_eq!(body["datacoding"], if text("body").is_ascii() { "plain" } else { "unicode" });
                assert!(text("reportUrl").ends_with("/hooks/status"), "{body}");
                let to = body["recipients"][0].as_str().unwrap_or_default().to_owned();
                Asked::Message(Wanted { from: text("originator"), to, text: text("body"), callback: text("reference") })
            }
            _ => Asked::Nothing,
        }
    }

    /// An account is not suspended, but without a balance it is not served.
    fn account(&self, suspended: bool) -> Reply {
        let amount = if suspended { 0 } else { 9 };
        Reply::json(200, &json!({"payment": "prepaid", "type": "credits", "amount": amount}))
    }

    fn numbers(&self, numbers: &[Number], request: &Request) -> Reply {
        let offset: usize = request.query("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0);
        let item = |number: &Number| {
            let features = if number.sms { json!(["sms", "voice"]) } else { json!(["voice"]) };
            json!({"number": digits(&number.number), "country": "US", "features": features, "tags": [], "type": "mobile", "status": "active"})
        };
        let items: Vec<_> = numbers.iter().skip(offset).take(PAGE).map(item).collect();
        let page =
            json!({"offset": offset, "limit": PAGE, "count": items.len(), "totalCount": numbers.len(), "items": items});
        Reply::json(200, &page)
    }

    fn taken(&self, sent: &Sent) -> Reply {
        let recipient = json!({"recipient": 15_559_870_001_u64, "status": "sent", "messagePartCount": 1});
        let message = json!({
            "id": sent.id, "direction": "mt", "originator": sent.wanted.from, "body": sent.wanted.text, "reference": sent.wanted.callback,
            "recipients": {"totalCount": 1, "totalSentCount": 1, "items": [recipient]},
        });
        Reply::json(201, &message)
    }

    /// MessageBird takes the message, and says so in a receipt.
    fn opted_out(&self) -> Option<Reply> {
        None
    }

    fn sdk_script(&self) -> Option<&'static str> {
        Some("messagebird_calls.py")
    }

    fn inbound(&self, public_url: &str, message: &Inbound) -> Call {
        let body = json!({
            "id": message.id, "message_id": "587c6230", "originator": digits(&message.from), "sender": digits(&message.from),
            "recipient": digits(&message.to), "receiver": digits(&message.to), "payload": message.text, "body": message.text,
            "createdDatetime": "2026-01-02T03:04:05+00:00", "reference": "1",
        });
        signed(Method::POST, public_url, "/hooks/inbound".into(), body.to_string().into_bytes())
    }

    fn receipt(&self, public_url: &str, sent: &Sent, state: Reported) -> Call {
        let (status, code) = match state {
            Reported::Sent => ("sent", ""),
            Reported::Delivered => ("delivered", "0"),
            Reported::Failed => ("delivery_failed", "1"),
        };
        let parameters = [
            ("id", sent.id.as_str()),
            ("reference", &sent.wanted.callback),
            ("recipient", digits(&sent.wanted.to)),
            ("status", status),
            ("statusDatetime", "2026-01-02T03:04:05+00:00"),
            ("statusErrorCode", code),
        ];
        let url = Url::parse_with_params("http://x/hooks/status", parameters).unwrap();
        let path_and_query = format!("{}?{}", url.path(), url.query().unwrap());
        signed(Method::GET, public_url, path_and_query, Vec::new())
    }
}
