//! What Sinch posts: one message or one receipt in each call, read by its type, at whichever address it comes.
//!
//! <https://developers.sinch.com/docs/sms/api-reference/sms/webhooks>.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{binary, errors};
use crate::{
    gateway::providers::{Malformed, WebhookCall},
    sms::{Part, PhoneNumber, Sender},
    wire::{
        delivery::Item,
        inbound::{InboundMessage, Media},
        receipt::{DeliveryState, Receipt},
    },
};

/// Files of one message at most.
const MOST_MEDIA: usize = 10;

#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Message<B> {
    id: String,
    from: String,
    to: String,
    body: B,
    /// Of binary messages.
    #[serde(default)]
    udh: String,
}

#[derive(Deserialize)]
struct MediaBody {
    subject: Option<String>,
    message: Option<String>,
    #[serde(default)]
    media: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    url: Option<String>,
    content_type: Option<String>,
}

#[derive(Deserialize)]
struct Report {
    batch_id: String,
    status: String,
    code: Option<u32>,
    /// Our number, where Sinch chose it.
    applied_originator: Option<String>,
}

/// What a message says.
#[derive(Default)]
struct Content {
    text: String,
    media: Vec<Media>,
    part: Option<Part>,
}

/// Nothing to say.
pub(super) fn acknowledgement() -> Response {
    StatusCode::OK.into_response()
}

/// What a call brings: a message, a receipt that is news, or nothing.
pub(super) fn items(call: &WebhookCall) -> Result<Vec<Item>, Malformed> {
    let Typed { kind } = read(call)?;
    Ok(match kind.as_str() {
        "mo_text" => vec![inbound(call, |body: String, _| Content { text: body, ..Content::default() })?],
        "mo_binary" => vec![inbound(call, of_binary)?],
        "mo_media" => vec![inbound(call, |body, _| of_media(body))?],
        "recipient_delivery_report_sms" | "recipient_delivery_report_mms" => {
            receipt(call)?.map(Item::Receipt).into_iter().collect()
        }
        other => {
            tracing::debug!(kind = other, "a call that is of no single message");
            Vec::new()
        }
    })
}

fn read<T: DeserializeOwned>(call: &WebhookCall) -> Result<T, Malformed> {
    serde_json::from_slice(&call.body).map_err(|error| Malformed(error.to_string()))
}

fn inbound<B: DeserializeOwned>(call: &WebhookCall, content: fn(B, &str) -> Content) -> Result<Item, Malformed> {
    let Message { id, from, to, body, udh } = read::<Message<B>>(call)?;
    if id.is_empty() || from.is_empty() || to.is_empty() {
        return Err(Malformed("a message without id, to or from".into()));
    }
    let Content { text, media, part } = content(body, &udh);
    Ok(Item::Inbound(InboundMessage {
        provider_message_id: id,
        // A number of another form belongs to no channel; it is kept as it came, and waits as unrouted.
        to: PhoneNumber::from_provider(&to, None).map_or(to, Into::into),
        from: Sender::from_provider(&from, None).into(),
        text,
        media,
        received_at: call.received_at,
        provider_opt_out: None,
        part,
    }))
}

/// What cannot be read as a text is named: an empty text would say that the customer wrote nothing.
fn of_binary(body: String, udh: &str) -> Content {
    let read = binary::read(&body, udh);
    Content { text: read.text.unwrap_or_else(|| binary::named(&body)), part: read.part, media: Vec::new() }
}

fn of_media(body: MediaBody) -> Content {
    let words = [body.subject, body.message].into_iter().flatten().filter(|words| !words.is_empty());
    let file =
        |file: File| Media { media_type: file.content_type.unwrap_or_default(), url: file.url.unwrap_or_default() };
    Content {
        text: words.collect::<Vec<_>>().join("\n"),
        media: body.media.into_iter().take(MOST_MEDIA).map(file).collect(),
        part: None,
    }
}

fn receipt(call: &WebhookCall) -> Result<Option<Receipt>, Malformed> {
    let Report { batch_id, status, code, applied_originator } = read(call)?;
    if batch_id.is_empty() {
        return Err(Malformed("a receipt without the id of its batch".into()));
    }
    let Some(state) = state(&status, code) else {
        tracing::debug!(status, "a status that is no news");
        return Ok(None);
    };
    let from = applied_originator.unwrap_or_default();
    Ok(Some(Receipt {
        provider_message_id: batch_id,
        // The report seldom says it.
        from: match call.head.own_number() {
            Some(number) => number.into(),
            None => PhoneNumber::from_provider(&from, None).map_or(from, Into::into),
        },
        token: call.head.token(),
        state,
        class: state.is_failure().then(|| errors::refusal_class(code.unwrap_or_default())),
        provider_code: Some(match code.filter(|code| *code != 0) {
            Some(code) => format!("{status} {code}"),
            None => status,
        }),
        received_at: call.received_at,
    }))
}

fn state(word: &str, code: Option<u32>) -> Option<DeliveryState> {
    match word.to_ascii_lowercase().as_str() {
        "queued" => Some(DeliveryState::Queued),
        // Unknown: the network took it, and no more will be said.
        "dispatched" | "unknown" => Some(DeliveryState::Sent),
        "delivered" => Some(DeliveryState::Delivered),
        "aborted" if code.is_some_and(errors::is_expired) => Some(DeliveryState::Expired),
        // Deleted: the number is not valid, or its owner opted out, or something else. Nobody is put on a list for that.
        "aborted" | "failed" | "deleted" => Some(DeliveryState::Failed),
        "expired" => Some(DeliveryState::Expired),
        "rejected" | "cancelled" => Some(DeliveryState::Rejected),
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
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde_json::{Value, json};

    fn read(query: Option<&str>, document: &Value) -> Result<Vec<Item>, Malformed> {
        let (url, query) = (String::new(), query.map(str::to_owned));
        let head = CallHead { hook: Hook::Status, method: Method::POST, url, query, headers: HeaderMap::new() };
        let received_at = "2026-01-02T03:04:05Z".parse().unwrap();
        items(&WebhookCall { head, body: document.to_string().into(), received_at })
    }

    fn message(more: &Value) -> InboundMessage {
        let mut document =
            json!({"id": "M1", "from": "15559870001", "to": "15551230001", "received_at": "2026-01-02T03:04:05.678Z"});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match read(None, &document).unwrap().pop() {
            Some(Item::Inbound(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn texts_are_read() {
        let text = message(&json!({"type": "mo_text", "body": "Grüße", "operator_id": "35000"}));
        assert_eq!((&*text.provider_message_id, &*text.to, &*text.from), ("M1", "+15551230001", "+15559870001"));
        assert_eq!((&*text.text, text.note(), text.part), ("Grüße", None, None));
        for lacking in ["id", "from", "to", "body"] {
            let mut document = json!({"type": "mo_text", "id": "M1", "from": "1", "to": "2", "body": "x"});
            document.as_object_mut().unwrap().remove(lacking);
            assert!(read(None, &document).is_err(), "{lacking}");
        }
        assert!(read(None, &json!({"id": "M1"})).is_err());
        assert_eq!(read(None, &json!({"type": "delivery_report_sms", "batch_id": "B1"})).unwrap(), []);
    }

    #[test]
    fn binary_messages_are_read_or_named() {
        let binary = |body: &[u8], udh: &str| {
            message(&json!({"type": "mo_binary", "body": BASE64_STANDARD.encode(body), "udh": udh}))
        };
        let part = binary(b"Hello", "050003070201");
        assert_eq!((&*part.text, part.part), ("Hello", Part::new(7, 2, 1)));
        let unreadable = binary(&[0xff, 0xfe, 0], "06050415810000");
        assert_eq!((&*unreadable.text, unreadable.part), ("[binary message of 3 bytes]", None));
        let empty = binary(&[], "");
        assert_eq!(&*empty.text, "[binary message of 0 bytes]");
    }

    #[test]
    fn files_are_named() {
        let media = json!([{"url": "https://m.example/1", "content_type": "image/png", "status": "Uploaded", "code": 0}, {"url": null, "content_type": "video/mp4", "status": "Failed", "code": 1}]);
        let mms = message(&json!({"type": "mo_media", "body": {"subject": "Hi", "message": "Look", "media": media}}));
        assert_eq!(
            (&*mms.text, &*mms.note().unwrap()),
            ("Hi\nLook", "[file: image/png https://m.example/1]\n[file: video/mp4]")
        );
        let bare = message(&json!({"type": "mo_media", "body": {}}));
        assert_eq!((&*bare.text, bare.note()), ("", None));
    }

    #[test]
    fn receipts_are_read() {
        let failed = |state, word, class| Some((state, word, Some(class)));
        let cases = [
            ("Queued", 400, Some((DeliveryState::Queued, "Queued 400", None))),
            ("Dispatched", 401, Some((DeliveryState::Sent, "Dispatched 401", None))),
            ("Delivered", 0, Some((DeliveryState::Delivered, "Delivered", None))),
            ("DELIVERED", 0, Some((DeliveryState::Delivered, "DELIVERED", None))),
            ("Unknown", 0, Some((DeliveryState::Sent, "Unknown", None))),
            ("Aborted", 402, failed(DeliveryState::Failed, "Aborted 402", RefusalClass::InvalidNumber)),
            ("Aborted", 406, failed(DeliveryState::Expired, "Aborted 406", RefusalClass::Failed)),
            ("Aborted", 413, failed(DeliveryState::Failed, "Aborted 413", RefusalClass::Account)),
            ("Failed", 11, failed(DeliveryState::Failed, "Failed 11", RefusalClass::Failed)),
            ("Deleted", 4, failed(DeliveryState::Failed, "Deleted 4", RefusalClass::Failed)),
            ("Expired", 34, failed(DeliveryState::Expired, "Expired 34", RefusalClass::Failed)),
            ("Rejected", 62, failed(DeliveryState::Rejected, "Rejected 62", RefusalClass::Filtered)),
            ("Cancelled", 407, failed(DeliveryState::Rejected, "Cancelled 407", RefusalClass::Failed)),
            ("Something", 1, None),
        ];
        for (status, code, expected) in cases {
            let report = json!({"type": "recipient_delivery_report_sms", "batch_id": "B1", "recipient": "15559870001", "code": code, "status": status, "at": "2026-01-02T03:04:05.678Z"});
            let items = read(Some("t=7.abc&n=US%3A72345"), &report).unwrap();
            let seen = items.first().map(|item| match item {
                Item::Receipt(receipt) => {
                    assert_eq!((receipt.token.as_deref(), &*receipt.from), (Some("7.abc"), "US:72345"));
                    (receipt.state, receipt.provider_code.as_deref().unwrap(), receipt.class)
                }
                Item::Inbound(message) => panic!("{message:?}"),
            });
            assert_eq!(seen, expected, "{status} {code}");
        }
    }
}
