//! Bandwidth: messages, tokens and the account, which are at two hosts, behind one address.

use axum::http::Method;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{Asked, Call, Dialect, Inbound, Number, Reply, Reported, Request, Sent, Wanted};

const ACCOUNT: &str = "9900000";
const APPLICATION: &str = "93de2206-9669-4e07-948d-329f4b722ee2";
const CLIENT_ID: &str = "BAND-0123";
const CLIENT_SECRET: &str = "a client secret";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.e30.";
const TOKEN_PATH: &str = "/api/v1/oauth2/token";
const WEBHOOK_USER: &str = "bandwidth";
const WEBHOOK_PASSWORD: &str = "open:sesame";
/// Of the two locations of the application.
const LOCATIONS: [&str; 2] = ["500018", "500019"];

/// The dialect.
pub struct Bandwidth;

fn messages_path() -> String {
    format!("/api/v2/users/{ACCOUNT}/messages")
}

fn application_path() -> String {
    format!("/api/v2/accounts/{ACCOUNT}/applications/{APPLICATION}")
}

fn location_path(location: &str) -> String {
    format!("/api/v2/accounts/{ACCOUNT}/sites/482/sippeers/{location}/tns")
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn xml(body: &str) -> Reply {
    let head = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;
    Reply { status: 200, media_type: "application/xml", body: format!("{head}\n{body}").into_bytes() }
}

fn application(webhook: Option<&str>) -> Reply {
    let url = webhook.map(|url| format!("<InboundCallbackUrl>{url}</InboundCallbackUrl>")).unwrap_or_default();
    xml(&format!(
        "<ApplicationProvisioningResponse><Application><ApplicationId>{APPLICATION}</ApplicationId><ServiceType>Messaging-V2</ServiceType>\
         <AppName>desk</AppName>{url}</Application></ApplicationProvisioningResponse>"
    ))
}

fn locations() -> Reply {
    let peer = |id: &str| format!("<AssociatedSipPeer><SiteId>482</SiteId><PeerId>{id}</PeerId></AssociatedSipPeer>");
    let peers = LOCATIONS.map(peer).concat();
    xml(&format!(
        "<AssociatedSipPeersResponse><AssociatedSipPeers>{peers}</AssociatedSipPeers></AssociatedSipPeersResponse>"
    ))
}

fn numbers_of<'a>(numbers: impl Iterator<Item = &'a Number>) -> Reply {
    let item = |number: &Number| {
        let settings =
            if number.sms { "<MessagingSettings><SmsEnabled>true</SmsEnabled></MessagingSettings>" } else { "" };
        let full = format!("<FullNumber>{}</FullNumber><CallingNameDisplay>false</CallingNameDisplay>", number.number);
        format!("<SipPeerTelephoneNumber>{full}{settings}</SipPeerTelephoneNumber>")
    };
    let items = numbers.map(item).collect::<String>();
    xml(&format!(
        "<SipPeerTelephoneNumbersResponse><SipPeerTelephoneNumbers>{items}</SipPeerTelephoneNumbers></SipPeerTelephoneNumbersResponse>"
    ))
}

fn called(path: &str, notice: &Value) -> Call {
    let headers = [
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("authorization", basic(WEBHOOK_USER, WEBHOOK_PASSWORD)),
    ];
    Call {
        method: Method::POST,
        path_and_query: path.into(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: json!([notice]).to_string().into_bytes(),
    }
}

impl Dialect for Bandwidth {
    fn member(&self) -> &'static str {
        "bandwidth"
    }

    fn settings(&self) -> Value {
        json!({"accountId": ACCOUNT, "applicationId": APPLICATION})
    }

    fn other_account(&self) -> (&'static str, &'static str) {
        ("accountId", "9900001")
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("clientId", CLIENT_ID),
            ("clientSecret", CLIENT_SECRET),
            ("webhookUser", WEBHOOK_USER),
            ("webhookPassword", WEBHOOK_PASSWORD),
        ]
    }

    fn deciding_key(&self) -> &'static str {
        "clientSecret"
    }

    fn admits(&self, request: &Request) -> bool {
        let wanted =
            if request.path == TOKEN_PATH { basic(CLIENT_ID, CLIENT_SECRET) } else { format!("Bearer {TOKEN}") };
        request.header("authorization") == wanted
    }

    fn refusal(&self) -> Reply {
        let body = json!({"error": "invalid_client", "error_description": "Invalid client or client credentials"});
        Reply::json(401, &body)
    }

    fn asked(&self, request: &Request) -> Asked {
        let path = request.path.as_str();
        match request.method {
            Method::GET if path == messages_path() => Asked::Account,
            // What belongs to the list, and what is needed to ask for it.
            Method::GET if path.starts_with(&application_path()) => Asked::Numbers,
            Method::GET if LOCATIONS.iter().any(|location| path == location_path(location)) => Asked::Numbers,
            Method::POST if path == TOKEN_PATH => Asked::Numbers,
            Method::POST if path == messages_path() => {
                let body = request.json();
                assert_eq!(body["applicationId"], APPLICATION);
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let (from, to, callback) = (text(&body["from"]), text(&body["to"][0]), text(&body["tag"]));
                Asked::Message(Wanted { from, to, text: text(&body["text"]), callback })
            }
            _ => Asked::Nothing,
        }
    }

    fn shows_suspension(&self) -> bool {
        false
    }

    fn account(&self, _: bool) -> Reply {
        Reply::json(200, &json!({"totalCount": 0, "pageInfo": {}, "messages": []}))
    }

    fn numbers(&self, numbers: &[Number], request: &Request) -> Reply {
        let path = request.path.as_str();
        if path == TOKEN_PATH {
            assert_eq!(request.body, b"grant_type=client_credentials");
            return Reply::json(200, &json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}));
        }
        if path == application_path() {
            return application(numbers.iter().find_map(|number| number.webhook.as_deref()));
        }
        if path.ends_with("/associatedsippeers") {
            return locations();
        }
        // The first has two, the second the others.
        if path == location_path(LOCATIONS[0]) {
            numbers_of(numbers.iter().take(2))
        } else {
            numbers_of(numbers.iter().skip(2))
        }
    }

    fn taken(&self, sent: &Sent) -> Reply {
        let body = json!({
            "id": sent.id, "owner": sent.wanted.from, "applicationId": APPLICATION, "time": "2026-11-09T16:00:00.000Z", "segmentCount": 1,
            "direction": "out", "to": [sent.wanted.to], "from": sent.wanted.from, "text": sent.wanted.text, "tag": sent.wanted.callback,
        });
        Reply::json(202, &body)
    }

    fn opted_out(&self) -> Option<Reply> {
        None
    }

    fn signs_the_body(&self) -> bool {
        false
    }

    fn inbound(&self, _: &str, message: &Inbound) -> Call {
        let notice = json!({
            "type": "message-received", "time": "2026-11-09T16:00:00.000Z", "description": "Incoming message received", "to": message.to,
            "message": {
                "id": message.id, "owner": message.to, "applicationId": APPLICATION, "time": "2026-11-09T16:00:00.000Z", "segmentCount": 1,
                "direction": "in", "to": [message.to], "from": message.from, "text": message.text,
            },
        });
        called("/hooks/inbound", &notice)
    }

    fn receipt(&self, _: &str, sent: &Sent, state: Reported) -> Call {
        let (kind, code) = match state {
            Reported::Sent => ("message-sending", None),
            Reported::Delivered => ("message-delivered", None),
            Reported::Failed => ("message-failed", Some(4720)),
        };
        let mut notice = json!({
            "type": kind, "time": "2026-11-09T16:00:00.000Z", "description": "d", "to": sent.wanted.to,
            "message": {
                "id": sent.id, "owner": sent.wanted.from, "applicationId": APPLICATION, "time": "2026-11-09T16:00:00.000Z", "segmentCount": 1,
                "direction": "out", "to": [sent.wanted.to], "from": sent.wanted.from, "text": "", "tag": sent.wanted.callback,
            },
        });
        if let Some(code) = code {
            notice["errorCode"] = json!(code);
        }
        called("/hooks/status", &notice)
    }
}
