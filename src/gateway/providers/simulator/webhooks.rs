//! What the simulator posts.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use crate::{
    gateway::{
        providers::{Malformed, WebhookCall},
        public_url::Hook,
    },
    sms::{Part, PhoneNumber, Sender},
    wire::{
        delivery::Item,
        inbound::InboundMessage,
        receipt::{DeliveryState, Receipt},
        simulator::{self, MessageStatus, ProblemClass},
    },
};

/// The message or the receipt, by which webhook was called.
pub(super) fn item(call: &WebhookCall) -> Result<Item, Malformed> {
    match call.head.hook {
        Hook::Inbound => inbound(call).map(Item::Inbound),
        Hook::Status => receipt(call).map(Item::Receipt),
    }
}

/// The customer's message.
fn inbound(call: &WebhookCall) -> Result<InboundMessage, Malformed> {
    let message: simulator::InboundMessage = read(&call.body)?;
    Ok(InboundMessage {
        provider_message_id: message.id,
        to: PhoneNumber::from_provider(&message.to, None).map_or(message.to, Into::into),
        from: Sender::from_provider(&message.from, None).into(),
        text: message.text,
        media: Vec::new(),
        received_at: call.received_at,
        provider_opt_out: None,
        // What cannot be a part is a text of its own: nothing of it is lost.
        part: message.part.and_then(|part| Part::new(part.reference, part.total, part.sequence)),
    })
}

/// The receipt.
fn receipt(call: &WebhookCall) -> Result<Receipt, Malformed> {
    let receipt: simulator::Receipt = read(&call.body)?;
    let state = match (receipt.status, receipt.error.as_ref().map(|error| error.class)) {
        (MessageStatus::Accepted, _) => DeliveryState::Queued,
        (MessageStatus::Sent, _) => DeliveryState::Sent,
        (MessageStatus::Delivered, _) => DeliveryState::Delivered,
        (MessageStatus::Undelivered, _) => DeliveryState::Failed,
        (MessageStatus::Failed, Some(ProblemClass::Blocked)) => DeliveryState::Rejected,
        (MessageStatus::Failed, _) => DeliveryState::Failed,
    };
    Ok(Receipt {
        provider_message_id: receipt.id,
        // The simulator's receipts do not name it themselves.
        from: call.head.own_number().ok_or_else(|| Malformed("no number in the callback URL".into()))?.into(),
        token: call.head.token(),
        state,
        provider_code: Some(match &receipt.error {
            Some(error) => format!("{:?} {}", receipt.status, error.class),
            None => format!("{:?}", receipt.status),
        }),
        class: receipt.error.map(|error| super::refusal_class(error.class)),
        received_at: call.received_at,
    })
}

/// Nothing to say.
pub(super) fn acknowledgement() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).map_err(|error| Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::providers::CallHead;
    use crate::wire::outbound::RefusalClass;
    use axum::http::{HeaderMap, Method};
    use serde_json::json;

    fn call(query: &str, body: serde_json::Value) -> WebhookCall {
        let head = CallHead {
            hook: Hook::Status,
            method: Method::POST,
            url: format!("https://sms.example.com/hooks/status?{query}"),
            query: Some(query.to_owned()),
            headers: HeaderMap::new(),
        };
        WebhookCall { head, body: body.to_string().into(), received_at: "2026-01-02T03:04:05Z".parse().unwrap() }
    }

    #[test]
    fn messages_are_read() {
        let body = json!({
            "id": "M1", "account": "demo", "from": "MYBANK", "to": "+15551230001", "text": "Hello", "receivedAt": "2026-01-01T00:00:00Z",
        });
        let message = inbound(&call("", body)).unwrap();
        assert_eq!((&*message.provider_message_id, &*message.to, &*message.from), ("M1", "+15551230001", "MYBANK"));
        assert!(inbound(&call("", json!({"id": "M1"}))).is_err());
    }

    #[test]
    fn what_cannot_be_a_part_is_a_text_of_its_own() {
        let part = |total: u8, sequence: u8| {
            let body = json!({
                "id": "M1", "account": "demo", "from": "MYBANK", "to": "+15551230001", "text": "Hello", "receivedAt": "2026-01-01T00:00:00Z",
                "part": { "reference": 7, "total": total, "sequence": sequence },
            });
            let message = inbound(&call("", body)).unwrap();
            assert_eq!(message.text, "Hello");
            message.part
        };
        assert_eq!(part(2, 1), Part::new(7, 2, 1));
        for (total, sequence) in [(0, 0), (1, 1), (2, 0), (2, 3)] {
            assert_eq!(part(total, sequence), None, "{sequence} of {total}");
        }
    }

    #[test]
    fn receipts_are_read() {
        let body = json!({
            "id": "M1", "account": "demo", "status": "Failed", "error": {"class": "OptedOut", "detail": "d"}, "at": "2026-01-01T00:00:00Z",
        });
        let read = receipt(&call("t=7.abc&n=%2B15551230001", body.clone())).unwrap();
        assert_eq!((read.token.as_deref(), &*read.from), (Some("7.abc"), "+15551230001"));
        assert_eq!((read.state, read.class), (DeliveryState::Failed, Some(RefusalClass::OptedOut)));
        assert_eq!(read.provider_code.as_deref(), Some("Failed OptedOut"));
        assert!(receipt(&call("t=7.abc", body)).is_err());
    }
}
