//! What Telnyx posts: one event in each call. An event is read by its type, at whichever address it comes: if the address of a message does not
//! answer, Telnyx brings its receipt to the address of the profile.
//!
//! <https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks>.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::errors::{self, Fault};
use crate::{
    gateway::providers::{Malformed, WebhookCall},
    sms::{PhoneNumber, Sender},
    wire::{
        delivery::Item,
        inbound::{InboundMessage, Media},
        receipt::{DeliveryState, Receipt},
    },
};

/// Files of one message at most.
const MOST_MEDIA: usize = 10;

#[derive(Deserialize)]
struct Envelope {
    data: Event,
}

#[derive(Deserialize)]
struct Event {
    event_type: String,
    #[serde(default)]
    payload: Value,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    from: Address,
    #[serde(default)]
    to: Vec<Address>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    media: Vec<File>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Default, Deserialize)]
struct Address {
    #[serde(default)]
    phone_number: String,
    #[serde(default)]
    status: String,
}

#[derive(Deserialize)]
struct File {
    url: Option<String>,
    content_type: Option<String>,
}

/// Nothing to say.
pub(super) fn acknowledgement() -> Response {
    StatusCode::OK.into_response()
}

/// What a call brings: a message, a receipt that is news, or nothing.
pub(super) fn items(call: &WebhookCall) -> Result<Vec<Item>, Malformed> {
    let Envelope { data: Event { event_type, payload } } =
        serde_json::from_slice(&call.body).map_err(|error| Malformed(error.to_string()))?;
    let message = || Message::deserialize(payload).map_err(|error| Malformed(error.to_string()));
    Ok(match event_type.as_str() {
        "message.received" => vec![Item::Inbound(inbound(call, message()?)?)],
        "message.sent" | "message.finalized" => receipt(call, message()?)?.map(Item::Receipt).into_iter().collect(),
        other => {
            tracing::debug!(event = other, "an event that is of no message");
            Vec::new()
        }
    })
}

fn inbound(call: &WebhookCall, message: Message) -> Result<InboundMessage, Malformed> {
    let to = message.to.into_iter().next().unwrap_or_default().phone_number;
    if message.id.is_empty() || to.is_empty() || message.from.phone_number.is_empty() {
        return Err(Malformed("a message without id, to or from".into()));
    }
    let media = message
        .media
        .into_iter()
        .take(MOST_MEDIA)
        .map(|file| Media { media_type: file.content_type.unwrap_or_default(), url: file.url.unwrap_or_default() });
    Ok(InboundMessage {
        provider_message_id: message.id,
        // A number of another form belongs to no channel; it is kept as it came, and waits as unrouted.
        to: PhoneNumber::from_provider(&to, None).map_or(to, Into::into),
        from: Sender::from_provider(&message.from.phone_number, None).into(),
        text: message.text.unwrap_or_default(),
        media: media.collect(),
        received_at: call.received_at,
        provider_opt_out: None,
        part: None,
    })
}

fn receipt(call: &WebhookCall, message: Message) -> Result<Option<Receipt>, Malformed> {
    let word = message.to.into_iter().next().unwrap_or_default().status;
    let code = message.errors.into_iter().next().map(|fault| fault.code).filter(|code| !code.is_empty());
    let Some(state) = state(&word, code.as_deref()) else {
        tracing::debug!(status = word, "a status that is no news");
        return Ok(None);
    };
    let from = message.from.phone_number;
    if message.id.is_empty() {
        return Err(Malformed("a receipt without an id".into()));
    }
    Ok(Some(Receipt {
        provider_message_id: message.id,
        // A short code comes without its country: the callback URL knows it, and is believed in nothing else, since it is not signed.
        from: match call.head.own_number().filter(|number| number.digits() == from.trim_start_matches('+')) {
            Some(number) => number.into(),
            None => PhoneNumber::from_provider(&from, None).map_or(from, Into::into),
        },
        token: call.head.token(),
        state,
        class: state.is_failure().then(|| errors::refusal_class(code.as_deref().unwrap_or_default())),
        provider_code: Some(code.map_or_else(|| word.clone(), |code| format!("{word} {code}"))),
        received_at: call.received_at,
    }))
}

fn state(word: &str, code: Option<&str>) -> Option<DeliveryState> {
    match word {
        "queued" => Some(DeliveryState::Queued),
        // Unconfirmed: the carrier took it and will not say more.
        "sending" | "sent" | "delivery_unconfirmed" => Some(DeliveryState::Sent),
        "delivered" => Some(DeliveryState::Delivered),
        "sending_failed" | "delivery_failed" if code.is_some_and(errors::is_expired) => Some(DeliveryState::Expired),
        "sending_failed" | "delivery_failed" => Some(DeliveryState::Failed),
        "expired" => Some(DeliveryState::Expired),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gateway::{providers::CallHead, public_url::Hook},
        wire::outbound::RefusalClass,
    };
    use axum::http::{HeaderMap, Method};
    use serde_json::json;

    fn read(query: Option<&str>, event_type: &str, payload: &Value) -> Result<Vec<Item>, Malformed> {
        let body = json!({"data": {"event_type": event_type, "id": "E1", "record_type": "event", "payload": payload}});
        let head = CallHead {
            hook: Hook::Status,
            method: Method::POST,
            url: String::new(),
            query: query.map(str::to_owned),
            headers: HeaderMap::new(),
        };
        let received_at = "2026-01-02T03:04:05Z".parse().unwrap();
        items(&WebhookCall { head, body: body.to_string().into(), received_at })
    }

    #[test]
    fn messages_are_read_with_their_files() {
        let payload = json!({
            "id": "M1", "direction": "inbound", "type": "MMS", "text": "Look",
            "from": {"phone_number": "+15559870001", "carrier": "c"},
            "to": [{"phone_number": "+15551230001", "status": "delivered"}],
            "media": [{"url": "https://media.example/1", "content_type": "image/png", "size": 1}, {"url": null}],
        });
        let items = read(None, "message.received", &payload).unwrap();
        let [Item::Inbound(message)] = &*items else { panic!("{items:?}") };
        assert_eq!(
            (&*message.provider_message_id, &*message.to, &*message.from),
            ("M1", "+15551230001", "+15559870001")
        );
        assert_eq!(message.note().unwrap(), "[file: image/png https://media.example/1]\n[file: ]");
        for lacking in ["id", "to", "from"] {
            let mut payload = payload.clone();
            payload[lacking] = if lacking == "id" { json!("") } else { json!(null) };
            assert!(read(None, "message.received", &payload).is_err(), "{lacking}");
        }
        assert_eq!(read(None, "10dlc.campaign.update", &payload).unwrap(), []);
        assert_eq!(read(None, "10dlc.campaign.update", &json!("no message")).unwrap(), []);
    }

    #[test]
    fn receipts_are_read() {
        let cases = [
            ("queued", None, Some((DeliveryState::Queued, "queued", None))),
            ("sent", None, Some((DeliveryState::Sent, "sent", None))),
            ("delivered", None, Some((DeliveryState::Delivered, "delivered", None))),
            ("delivery_unconfirmed", None, Some((DeliveryState::Sent, "delivery_unconfirmed", None))),
            (
                "delivery_failed",
                Some("40002"),
                Some((DeliveryState::Failed, "delivery_failed 40002", Some(RefusalClass::Filtered))),
            ),
            (
                "delivery_failed",
                Some("40005"),
                Some((DeliveryState::Expired, "delivery_failed 40005", Some(RefusalClass::Failed))),
            ),
            ("sending_failed", None, Some((DeliveryState::Failed, "sending_failed", Some(RefusalClass::Failed)))),
            ("something new", None, None),
        ];
        for (status, code, expected) in cases {
            let payload = json!({
                "id": "M1", "from": {"phone_number": "72345"}, "to": [{"phone_number": "+15559870001", "status": status}],
                "errors": code.map(|code| json!([{"code": code, "title": "t"}])).unwrap_or(json!([])),
            });
            let items = read(Some("t=7.abc&n=US%3A72345"), "message.finalized", &payload).unwrap();
            let seen = items.first().map(|item| match item {
                Item::Receipt(receipt) => {
                    assert_eq!((receipt.token.as_deref(), &*receipt.from), (Some("7.abc"), "US:72345"));
                    (receipt.state, receipt.provider_code.as_deref().unwrap(), receipt.class)
                }
                Item::Inbound(message) => panic!("{message:?}"),
            });
            assert_eq!(seen, expected, "{status}");
        }
    }
}
