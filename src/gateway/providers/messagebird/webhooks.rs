//! What MessageBird brings: a customer's message, by a flow with the step "Forward to URL", or the receipt of a message.
//!
//! A flow brings the same things under several names; <https://github.com/messagebirdguides/customer-support-guide> reads `originator` and `payload`.
//! Receipts: <https://support.messagebird.com/hc/en-us/articles/360001869258-I-am-missing-my-delivery-reports>.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{errors, parameters::Parameters};
use crate::{
    gateway::{
        providers::{Malformed, WebhookCall, reference},
        public_url::Hook,
    },
    sms::{PhoneNumber, Sender},
    wire::{
        delivery::Item,
        inbound::{InboundMessage, Media},
        receipt::{DeliveryState, Receipt},
    },
};

/// Files of one message at most.
const MOST_MEDIA: usize = 10;

/// Nothing to say. The answer is not read.
pub(super) fn acknowledgement() -> Response {
    StatusCode::OK.into_response()
}

/// What a call brings: a message, a receipt that is news, or nothing.
pub(super) fn items(call: &WebhookCall) -> Result<Vec<Item>, Malformed> {
    let parameters = Parameters::of(call)?;
    Ok(match call.head.hook {
        Hook::Inbound => vec![Item::Inbound(inbound(call, &parameters)?)],
        Hook::Status => receipt(call, &parameters)?.map(Item::Receipt).into_iter().collect(),
    })
}

fn inbound(call: &WebhookCall, parameters: &Parameters) -> Result<InboundMessage, Malformed> {
    let to = parameters.required(&["recipient", "receiver"])?;
    let types = parameters.list("mediaContentTypes");
    let media = parameters.list("mediaUrls").into_iter().take(MOST_MEDIA).enumerate();
    Ok(InboundMessage {
        provider_message_id: parameters.required(&["id", "message_id"])?,
        // A number of another form belongs to no channel; it is kept as it came, and waits as unrouted.
        to: PhoneNumber::from_provider(&to, None).map_or(to, Into::into),
        from: Sender::from_provider(&parameters.required(&["originator", "sender"])?, None).into(),
        text: parameters.get(&["payload", "body", "message", "incomingMessage"]).unwrap_or_default(),
        media: media.map(|(at, url)| Media { media_type: types.get(at).cloned().unwrap_or_default(), url }).collect(),
        received_at: call.received_at,
        provider_opt_out: None,
        part: None,
    })
}

fn receipt(call: &WebhookCall, parameters: &Parameters) -> Result<Option<Receipt>, Malformed> {
    let word = parameters.required(&["status"])?;
    let Some(state) = state(&word) else {
        tracing::debug!(status = word, "a status that is no news");
        return Ok(None);
    };
    let code = parameters.get(&["statusErrorCode"]).filter(|code| code != "0");
    let reason = parameters.get(&["statusReason"]).unwrap_or_default().replace('_', " ");
    let (token, number) = reference::read(&parameters.get(&["reference"]).unwrap_or_default());
    // Nothing else in it says which of our numbers sent the message.
    let Some(number) = number else {
        tracing::debug!("a receipt of a message that is not ours");
        return Ok(None);
    };
    Ok(Some(Receipt {
        provider_message_id: parameters.required(&["id"])?,
        from: number.into(),
        token,
        state,
        class: state.is_failure().then(|| errors::refusal_class(&reason, code.as_deref().unwrap_or_default())),
        provider_code: Some(code.map_or_else(|| word.clone(), |code| format!("{word} {code}"))),
        received_at: call.received_at,
    }))
}

fn state(word: &str) -> Option<DeliveryState> {
    match word {
        "scheduled" => Some(DeliveryState::Queued),
        // Buffered: the carrier has it, and the customer's phone cannot be reached now.
        "sent" | "buffered" => Some(DeliveryState::Sent),
        "delivered" => Some(DeliveryState::Delivered),
        "expired" => Some(DeliveryState::Expired),
        "delivery_failed" | "failed" => Some(DeliveryState::Failed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gateway::providers::CallHead, wire::outbound::RefusalClass};
    use axum::http::{HeaderMap, Method, header::CONTENT_TYPE};
    use serde_json::{Value, json};

    fn call(hook: Hook, method: Method, media_type: &str, query: &str, body: &str) -> WebhookCall {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, media_type.parse().unwrap());
        let head = CallHead { hook, method, url: String::new(), query: Some(query.to_owned()), headers };
        WebhookCall { head, body: body.to_owned().into(), received_at: "2026-01-02T03:04:05Z".parse().unwrap() }
    }

    fn message(call: &WebhookCall) -> Result<InboundMessage, Malformed> {
        match items(call)?.pop() {
            Some(Item::Inbound(message)) => Ok(message),
            other => panic!("{other:?}"),
        }
    }

    fn flow() -> Value {
        json!({
            "body": "Grüße", "payload": "Grüße", "message": "Grüße", "id": "22e6af2f", "message_id": "587c6230", "flowId": "F1", "reference": "1",
            "originator": "15559870001", "sender": "15559870001", "recipient": "15551230001", "receiver": "15551230001",
            "createdDatetime": "2026-01-02T03:04:05+00:00",
        })
    }

    #[test]
    fn messages_are_read_however_the_flow_brings_them() {
        let (json, query) =
            (flow().to_string(), "id=22e6af2f&payload=Gr%C3%BC%C3%9Fe&originator=15559870001&recipient=15551230001");
        for call in [
            call(Hook::Inbound, Method::POST, "application/json; charset=utf-8", "", &json),
            call(Hook::Inbound, Method::POST, "application/x-www-form-urlencoded", "", query),
            call(Hook::Inbound, Method::GET, "text/plain", query, ""),
        ] {
            let message = message(&call).unwrap();
            assert_eq!((&*message.provider_message_id, &*message.text), ("22e6af2f", "Grüße"));
            assert_eq!((&*message.to, &*message.from), ("+15551230001", "+15559870001"));
        }
        for lacking in [&["id", "message_id"][..], &["originator", "sender"], &["recipient", "receiver"]] {
            let mut flow = flow();
            lacking.iter().for_each(|name| flow[name] = json!(""));
            let call = call(Hook::Inbound, Method::POST, "application/json", "", &flow.to_string());
            assert!(message(&call).is_err(), "{lacking:?}");
        }
        assert!(message(&call(Hook::Inbound, Method::POST, "application/json", "", "[]")).is_err());
    }

    #[test]
    fn files_are_named() {
        let mut flow = flow();
        flow["mediaUrls"] = json!(["https://media.example/1", "https://media.example/2"]);
        flow["mediaContentTypes"] = json!(["image/png"]);
        let message = message(&call(Hook::Inbound, Method::POST, "application/json", "", &flow.to_string())).unwrap();
        let note = "[file: image/png https://media.example/1]\n[file: https://media.example/2]";
        assert_eq!(message.note().unwrap(), note);
    }

    #[test]
    fn receipts_are_read() {
        let failed = |reason| Some(("delivery_failed 1", DeliveryState::Failed, Some(reason)));
        let cases = [
            ("status=scheduled", Some(("scheduled", DeliveryState::Queued, None))),
            ("status=sent", Some(("sent", DeliveryState::Sent, None))),
            ("status=buffered", Some(("buffered", DeliveryState::Sent, None))),
            ("status=delivered&statusErrorCode=0", Some(("delivered", DeliveryState::Delivered, None))),
            ("status=expired", Some(("expired", DeliveryState::Expired, Some(RefusalClass::Failed)))),
            ("status=delivery_failed&statusErrorCode=1", failed(RefusalClass::InvalidNumber)),
            (
                "status=delivery_failed&statusErrorCode=1&statusReason=opted_out_subscriber",
                failed(RefusalClass::OptedOut),
            ),
            ("status=new", None),
        ];
        for (status, expected) in cases {
            let query = format!("id=M1&reference=7-1.abc~US%3A72345&recipient=15559870001&{status}");
            let items = items(&call(Hook::Status, Method::GET, "text/plain", &query, "")).unwrap();
            let seen = items.first().map(|item| match item {
                Item::Receipt(receipt) => {
                    assert_eq!((receipt.token.as_deref(), &*receipt.from), (Some("7-1.abc"), "US:72345"));
                    (receipt.provider_code.as_deref().unwrap(), receipt.state, receipt.class)
                }
                Item::Inbound(message) => panic!("{message:?}"),
            });
            assert_eq!(seen, expected, "{status}");
        }
    }

    #[test]
    fn a_receipt_of_a_message_that_others_sent_is_no_news() {
        for query in ["id=M1&status=delivered&reference=order+17", "id=M1&status=delivered"] {
            assert_eq!(items(&call(Hook::Status, Method::GET, "text/plain", query, "")).unwrap(), []);
        }
        assert!(items(&call(Hook::Status, Method::GET, "text/plain", "id=M1", "")).is_err());
    }
}
