//! A carrier with a plain HTTP API of its own: a form, words instead of statuses, a password beside the text, an HMAC over what it brings.

use axum::http::Method;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Asked, Call, Dialect, Inbound, Number, Reply, Reported, Request, Sent, Wanted};

const PASSWORD: &str = "p&ss word";
const WEBHOOK_SECRET: &str = "it is a secret";

/// The dialect.
pub struct Http;

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, media_type: "text/plain", body: body.into() }
}

/// Names and values as a form or a query writes them.
fn written(pairs: &[(&str, &str)]) -> String {
    let mut url = Url::parse("http://x/").unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap().to_owned()
}

fn read(form: &[u8]) -> Vec<(String, String)> {
    let mut url = Url::parse("http://x/").unwrap();
    url.set_query(std::str::from_utf8(form).ok());
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn signed(path_and_query: &str, form: &[(&str, &str)]) -> Call {
    let body = written(form);
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let tag: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let headers = [("X-Sign", tag), ("Content-Type", "application/x-www-form-urlencoded".into())];
    Call {
        method: Method::POST,
        path_and_query: path_and_query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: body.into_bytes(),
    }
}

impl Dialect for Http {
    fn member(&self) -> &'static str {
        "http"
    }

    fn settings(&self) -> Value {
        let field = |name: &str, value: &str| json!({"name": name, "value": value});
        let state = |word: &str, state: &str| json!({"word": word, "state": state});
        json!({
            "account": "demo",
            "check": {
                "path": "/balance",
                "query": [field("password", "{{secret.password}}")],
                "answers": [
                    {"name": "closed", "body": "^CLOSED", "means": "Account"},
                    {"name": "open", "statuses": [200], "body": "^OPEN", "means": "Accepted"},
                ],
            },
            "send": {
                "path": "/send",
                "query": [field("password", "{{secret.password}}")],
                "form": [
                    field("from", "{{fromDigits}}"), field("to", "{{to}}"), field("text", "{{text}}"), field("dlr", "{{callback}}"),
                ],
                "answers": [
                    {"name": "taken", "statuses": [200], "body": "^OK ", "means": "Accepted"},
                    {"name": "stop", "statuses": [200], "body": "^STOP", "means": "OptedOut"},
                ],
                "messageId": {"pattern": r"^OK (\S+)"},
            },
            "webhooks": {
                "proof": {"by": "Hmac", "name": "X-Sign"},
                "inbound": {"from": "sender", "to": "receiver", "text": "text", "id": "id"},
                "status": {
                    "id": "id", "state": "state",
                    "states": [state("out", "Sent"), state("ok", "Delivered"), state("ko", "Failed")],
                },
            },
        })
    }

    fn other_account(&self) -> (&'static str, &'static str) {
        ("account", "other")
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        vec![("password", PASSWORD), ("webhookSecret", WEBHOOK_SECRET)]
    }

    fn deciding_key(&self) -> &'static str {
        "password"
    }

    fn admits(&self, request: &Request) -> bool {
        request.query("password") == Some(PASSWORD)
    }

    fn refusal(&self) -> Reply {
        reply(401, "wrong password")
    }

    fn asked(&self, request: &Request) -> Asked {
        match (&request.method, request.path.as_str()) {
            (&Method::GET, "/balance") => Asked::Account,
            (&Method::POST, "/send") => {
                let form = read(&request.body);
                let text = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
                let text = |name: &str| text(name).unwrap_or_default();
                Asked::Message(Wanted { from: text("from"), to: text("to"), text: text("text"), callback: text("dlr") })
            }
            _ => Asked::Nothing,
        }
    }

    fn account(&self, suspended: bool) -> Reply {
        reply(200, if suspended { "CLOSED" } else { "OPEN 12.50" })
    }

    fn lists_numbers(&self) -> bool {
        false
    }

    fn numbers(&self, _: &[Number], _: &Request) -> Reply {
        reply(404, "")
    }

    fn taken(&self, sent: &Sent) -> Reply {
        reply(200, &format!("OK {}", sent.id))
    }

    fn opted_out(&self) -> Option<Reply> {
        Some(reply(200, "STOP the customer does not want it"))
    }

    fn inbound(&self, _: &str, message: &Inbound) -> Call {
        let digits = |number: &str| number.trim_start_matches('+').to_owned();
        let (from, to) = (digits(&message.from), digits(&message.to));
        signed("/hooks/inbound", &[("sender", &from), ("receiver", &to), ("text", &message.text), ("id", &message.id)])
    }

    fn receipt(&self, public_url: &str, sent: &Sent, state: Reported) -> Call {
        let word = match state {
            Reported::Sent => "out",
            Reported::Delivered => "ok",
            Reported::Failed => "ko",
        };
        signed(sent.wanted.callback.strip_prefix(public_url).unwrap(), &[("id", &sent.id), ("state", word)])
    }
}
