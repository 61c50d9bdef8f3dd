//! Infobip.

use axum::http::Method;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{Asked, Call, Dialect, Inbound, Number, Reply, Reported, Request, Sent, Wanted};

const API_KEY: &str = "0123456789abcdef-key";
const WEBHOOK_USER: &str = "infobip";
const WEBHOOK_PASSWORD: &str = "open:sesame";
const PAGE: usize = 2;

/// The dialect.
pub struct Infobip;

fn digits(number: &str) -> &str {
    number.trim_start_matches('+')
}

fn error(status: u16, description: &str) -> Reply {
    let code = format!("E{status}");
    let body = json!({"errorCode": code, "description": description, "action": "a", "violations": [], "resources": []});
    Reply::json(status, &body)
}

fn called(path: &str, results: &Value) -> Call {
    let basic = BASE64_STANDARD.encode(format!("{WEBHOOK_USER}:{WEBHOOK_PASSWORD}"));
    let headers = [("content-type", "application/json".to_owned()), ("authorization", format!("Basic {basic}"))];
    Call {
        method: Method::POST,
        path_and_query: path.into(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: json!({ "results": results }).to_string().into_bytes(),
    }
}

fn status(group: i64, group_name: &str, id: i64, name: &str) -> Value {
    json!({"groupId": group, "groupName": group_name, "id": id, "name": name, "description": name})
}

fn answered(id: &str, to: &str, status: &Value) -> Reply {
    let message = json!({"messageId": id, "status": status, "destination": to, "details": {"messageCount": 1}});
    Reply::json(200, &json!({"bulkId": "2034072219640523072", "messages": [message]}))
}

impl Dialect for Infobip {
    fn member(&self) -> &'static str {
        "infobip"
    }

    fn settings(&self) -> Value {
        json!({"account": "abc123"})
    }

    fn other_account(&self) -> (&'static str, &'static str) {
        ("account", "xyz789")
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        vec![("apiKey", API_KEY), ("webhookUser", WEBHOOK_USER), ("webhookPassword", WEBHOOK_PASSWORD)]
    }

    fn deciding_key(&self) -> &'static str {
        "apiKey"
    }

    fn admits(&self, request: &Request) -> bool {
        request.header("authorization") == format!("App {API_KEY}")
    }

    fn refusal(&self) -> Reply {
        error(401, "The request lacks valid authentication credentials for the requested resource.")
    }

    fn asked(&self, request: &Request) -> Asked {
        match (&request.method, request.path.as_str()) {
            (&Method::GET, "/numbers/1/numbers") if request.query("limit") == Some("1") => Asked::Account,
            (&Method::GET, "/numbers/1/numbers") => Asked::Numbers,
            (&Method::POST, "/sms/3/messages") => {
                let body = request.json();
                let message = &body["messages"][0];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                Asked::Message(Wanted {
                    from: text(&message["sender"]),
                    to: text(&message["destinations"][0]["to"]),
                    text: text(&message["content"]["text"]),
                    callback: text(&message["webhooks"]["callbackData"]),
                })
            }
            _ => Asked::Nothing,
        }
    }

    fn shows_suspension(&self) -> bool {
        false
    }

    fn account(&self, _: bool) -> Reply {
        Reply::json(200, &json!({"numbers": [], "numberCount": 5}))
    }

    fn numbers(&self, numbers: &[Number], request: &Request) -> Reply {
        let page: usize = request.query("page").unwrap_or("0").parse().unwrap();
        let item = |number: &Number| {
            let capabilities = if number.sms { json!(["VOICE", "SMS"]) } else { json!(["VOICE"]) };
            json!({
                "numberKey": "6FED0BC540BFADD9B05ED7D89AAC22FA", "number": digits(&number.number), "country": "US",
                "type": "VIRTUAL_LONG_NUMBER", "capabilities": capabilities, "shared": false,
            })
        };
        let items: Vec<_> = numbers.iter().skip(page * PAGE).take(PAGE).map(item).collect();
        Reply::json(200, &json!({"numbers": items, "numberCount": numbers.len()}))
    }

    fn taken(&self, sent: &Sent) -> Reply {
        answered(&sent.id, &sent.wanted.to, &status(1, "PENDING", 26, "PENDING_ACCEPTED"))
    }

    fn opted_out(&self) -> Option<Reply> {
        Some(answered("m", "1", &status(5, "REJECTED", 14, "REJECTED_DESTINATION_BLOCKLISTED")))
    }

    fn signs_the_body(&self) -> bool {
        false
    }

    fn inbound(&self, _: &str, message: &Inbound) -> Call {
        let result = json!({
            "messageId": message.id, "from": digits(&message.from), "to": digits(&message.to), "text": message.text,
            "cleanText": message.text, "keyword": "", "receivedAt": "2026-11-09T16:00:00.000+0000", "smsCount": 1,
            "price": {"pricePerMessage": 0, "currency": "EUR"}, "callbackData": "",
        });
        called("/hooks/inbound", &json!([result]))
    }

    fn receipt(&self, _: &str, sent: &Sent, state: Reported) -> Call {
        let (status, error) = match state {
            Reported::Sent => (status(3, "DELIVERED", 2, "DELIVERED_TO_OPERATOR"), status(0, "OK", 0, "NO_ERROR")),
            Reported::Delivered => (status(3, "DELIVERED", 5, "DELIVERED_TO_HANDSET"), status(0, "OK", 0, "NO_ERROR")),
            Reported::Failed => (
                status(2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED"),
                status(1, "HANDSET_ERRORS", 1, "EC_UNKNOWN_SUBSCRIBER"),
            ),
        };
        let result = json!({
            "bulkId": "2034072219640523072", "messageId": sent.id, "to": sent.wanted.to, "sender": sent.wanted.from, "messageCount": 1,
            "sentAt": "2026-11-09T16:00:00.000+0000", "doneAt": "2026-11-09T16:00:00.000+0000", "status": status, "error": error,
            "callbackData": sent.wanted.callback, "platform": {"applicationId": "default"},
        });
        called("/hooks/status", &json!([result]))
    }
}
