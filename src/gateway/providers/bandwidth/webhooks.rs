//! What Bandwidth posts: a list of events in each call. An event is read by its type, at whichever address it comes: an application may have one address
//! for all.
//!
//! <https://dev.bandwidth.com/docs/messaging/webhooks>.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::errors;
use crate::{
    gateway::providers::{Malformed, WebhookCall, reference, several},
    sms::{PhoneNumber, Sender},
    wire::{
        delivery::Item,
        inbound::{InboundMessage, Media},
        receipt::{DeliveryState, Receipt},
    },
};

/// Files of one message at most.
const MOST_MEDIA: usize = 10;
/// Bandwidth waited in vain for the carrier's receipt.
const RECEIPT_EXPIRED: i64 = 9902;
/// The message was not sent within the time that it had.
const MESSAGE_EXPIRED: i64 = 4360;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notice {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    error_code: Option<i64>,
    #[serde(default)]
    message: Message,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    id: String,
    /// Our number, says the documentation; in one of its examples it is the customer's.
    owner: String,
    from: String,
    text: Option<String>,
    tag: Option<String>,
    media: Option<Vec<String>>,
}

/// Nothing to say.
pub(super) fn acknowledgement() -> Response {
    StatusCode::OK.into_response()
}

/// What a call brings: a list of events.
pub(super) fn items(call: &WebhookCall) -> Result<Vec<Item>, Malformed> {
    let notices: Vec<Value> = serde_json::from_slice(&call.body).map_err(|error| Malformed(error.to_string()))?;
    several::items(notices, |notice| item(call, notice))
}

fn item(call: &WebhookCall, notice: Value) -> Result<Option<Item>, Malformed> {
    let notice: Notice = serde_json::from_value(notice).map_err(|error| Malformed(error.to_string()))?;
    let code = notice.error_code.unwrap_or_default();
    let state = match notice.kind.as_str() {
        "message-received" => return inbound(call, notice).map(|message| Some(Item::Inbound(message))),
        "message-sending" | "message-sent" => DeliveryState::Sent,
        "message-delivered" => DeliveryState::Delivered,
        "message-failed" => failure(code),
        other => {
            tracing::debug!(event = other, "an event that is of no text message");
            return Ok(None);
        }
    };
    receipt(call, notice, state, code).map(|receipt| Some(Item::Receipt(receipt)))
}

fn inbound(call: &WebhookCall, notice: Notice) -> Result<InboundMessage, Malformed> {
    let message = notice.message;
    // Of a text to several, each of our numbers has a copy of its own.
    let to = if message.owner.is_empty() { notice.to } else { message.owner };
    if message.id.is_empty() || to.is_empty() || message.from.is_empty() {
        return Err(Malformed("a message without id, owner or from".into()));
    }
    let media = message.media.unwrap_or_default().into_iter().take(MOST_MEDIA);
    Ok(InboundMessage {
        provider_message_id: message.id,
        // A number of another form is kept as it came: whoever knows the country of a short code finds it.
        to: PhoneNumber::from_provider(&to, None).map_or(to, Into::into),
        from: Sender::from_provider(&message.from, None).into(),
        text: message.text.unwrap_or_default(),
        media: media.map(|url| Media { media_type: String::new(), url }).collect(),
        received_at: call.received_at,
        provider_opt_out: None,
        part: None,
    })
}

fn receipt(call: &WebhookCall, notice: Notice, state: DeliveryState, code: i64) -> Result<Receipt, Malformed> {
    let message = notice.message;
    if message.id.is_empty() {
        return Err(Malformed("a receipt without an id".into()));
    }
    let (token, number) = reference::read(message.tag.as_deref().unwrap_or_default());
    let sender = if message.from.is_empty() { message.owner } else { message.from };
    Ok(Receipt {
        provider_message_id: message.id,
        // The tag is ours and knows the country of a short code.
        from: match number {
            Some(number) => number.into(),
            None => PhoneNumber::from_provider(&sender, None).map_or(sender, Into::into),
        },
        token,
        state,
        class: state.is_failure().then(|| errors::refusal_class(code)),
        provider_code: Some(if code == 0 { notice.kind } else { format!("{} {code}", notice.kind) }),
        received_at: call.received_at,
    })
}

/// By the scheme of the codes: 41xx to 44xx are Bandwidth's own refusals.
const fn failure(code: i64) -> DeliveryState {
    match code {
        // "Does not indicate that the message was not received": the carrier has it, and no more will be said.
        RECEIPT_EXPIRED => DeliveryState::Sent,
        MESSAGE_EXPIRED => DeliveryState::Expired,
        4000..=4499 => DeliveryState::Rejected,
        _ => DeliveryState::Failed,
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

    fn read(body: &Value) -> Result<Vec<Item>, Malformed> {
        let head = CallHead {
            hook: Hook::Status,
            method: Method::POST,
            url: String::new(),
            query: None,
            headers: HeaderMap::new(),
        };
        let received_at = "2026-01-02T03:04:05Z".parse().unwrap();
        items(&WebhookCall { head, body: body.to_string().into(), received_at })
    }

    fn received(id: &str) -> Value {
        json!({
            "type": "message-received", "time": "2016-09-14T18:20:16Z", "description": "Incoming message received", "to": "+12345678902",
            "message": {
                "id": id, "time": "2016-09-14T18:20:16Z", "to": ["+12345678902", "+12345678903"], "from": "+12345678901", "text": "Hey",
                "applicationId": "93de2206", "media": ["https://messaging.bandwidth.com/m/0/bw.png"], "owner": "+12345678903", "direction": "in",
                "segmentCount": 1,
            },
        })
    }

    fn event(kind: &str, code: Option<i64>) -> Value {
        json!({
            "type": kind, "time": "2020-06-25T18:42:36.979Z", "to": "+15554443333", "description": "d", "errorCode": code,
            "message": {
                "id": "M1", "owner": "+15554443333", "applicationId": "a", "time": "2020-06-25T18:42:35.876Z", "segmentCount": 1, "direction": "out",
                "to": ["+15554443333"], "from": "+15552221111", "text": "", "media": null, "tag": "7.abc~US:72345",
            },
        })
    }

    #[test]
    fn one_call_brings_both() {
        let body =
            json!([received("M1"), event("message-sending", None), {"type": "suggestion-response"}, received("M2")]);
        let items = read(&body).unwrap();
        let [Item::Inbound(first), Item::Receipt(_), Item::Inbound(_)] = &*items else { panic!("{items:?}") };
        assert_eq!((&*first.to, &*first.from, &*first.text), ("+12345678903", "+12345678901", "Hey"));
        assert_eq!(first.note().unwrap(), "[file: https://messaging.bandwidth.com/m/0/bw.png]");
        assert_eq!(read(&json!([])).unwrap(), []);
        assert!(read(&json!({"type": "message-received"})).is_err());
    }

    #[test]
    fn what_cannot_be_read_does_not_keep_the_others() {
        for lacking in ["id", "from"] {
            let mut wrong = received("M1");
            wrong["message"][lacking] = json!("");
            assert_eq!(read(&json!([wrong, received("M2")])).unwrap().len(), 1, "{lacking}");
            assert!(read(&json!([wrong])).is_err(), "{lacking}");
        }
    }

    #[test]
    fn receipts_are_read() {
        use DeliveryState::{Delivered, Expired, Failed, Rejected, Sent};
        let cases = [
            ("message-sending", None, Some((Sent, "message-sending", None))),
            ("message-sent", None, Some((Sent, "message-sent", None))),
            ("message-delivered", None, Some((Delivered, "message-delivered", None))),
            ("message-failed", Some(4775), Some((Failed, "message-failed 4775", Some(RefusalClass::OptedOut)))),
            ("message-failed", Some(4470), Some((Rejected, "message-failed 4470", Some(RefusalClass::Filtered)))),
            ("message-failed", Some(4360), Some((Expired, "message-failed 4360", Some(RefusalClass::Failed)))),
            ("message-failed", Some(9902), Some((Sent, "message-failed 9902", None))),
            ("message-failed", Some(5600), Some((Failed, "message-failed 5600", Some(RefusalClass::Failed)))),
            ("message-failed", None, Some((Failed, "message-failed", Some(RefusalClass::Failed)))),
            ("message-read", None, None),
        ];
        for (kind, code, expected) in cases {
            let items = read(&json!([event(kind, code)])).unwrap();
            let seen = items.first().map(|item| match item {
                Item::Receipt(receipt) => {
                    assert_eq!((receipt.token.as_deref(), &*receipt.from), (Some("7.abc"), "US:72345"));
                    (receipt.state, receipt.provider_code.as_deref().unwrap(), receipt.class)
                }
                Item::Inbound(message) => panic!("{message:?}"),
            });
            assert_eq!(seen, expected, "{kind} {code:?}");
        }
    }

    #[test]
    fn without_a_tag_the_sender_is_our_number() {
        let mut event = event("message-delivered", None);
        event["message"]["tag"] = json!(null);
        let items = read(&json!([event])).unwrap();
        let [Item::Receipt(receipt)] = &*items else { panic!("{items:?}") };
        assert_eq!((receipt.token.as_deref(), &*receipt.from), (None, "+15552221111"));
    }
}
