//! What Infobip posts: messages and delivery reports, many in each call. What one is, is seen by what it has, at whichever address it comes.
//!
//! Messages are those of the format `MO_JSON_2`, Infobip's default:
//! <https://infobip.com/docs/api/channels/sms/inbound-sms/receive-inbound-sms-messages>. Reports are read in the format of `/sms/3/messages` and in
//! the one before it, which calls our number `from`:
//! <https://www.infobip.com/docs/api/channels/sms/sms-messaging/logs-and-status-reports/receive-outbound-sms-message-report-v3>.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::errors::{self, Fault, Status};
use crate::{
    gateway::providers::{Malformed, WebhookCall, reference, several},
    sms::{PhoneNumber, Sender},
    wire::{
        delivery::Item,
        inbound::InboundMessage,
        receipt::{DeliveryState, Receipt},
    },
};

#[derive(Deserialize)]
struct Envelope {
    results: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    message_id: String,
    from: String,
    to: String,
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    message_id: String,
    #[serde(default)]
    sender: Option<String>,
    #[serde(default)]
    from: Option<String>,
    status: Status,
    #[serde(default)]
    error: Option<Fault>,
    #[serde(default)]
    callback_data: Option<String>,
}

/// Nothing to say.
pub(super) fn acknowledgement() -> Response {
    StatusCode::OK.into_response()
}

/// What a call brings: a list of results.
pub(super) fn items(call: &WebhookCall) -> Result<Vec<Item>, Malformed> {
    let Envelope { results } = serde_json::from_slice(&call.body).map_err(|error| Malformed(error.to_string()))?;
    several::items(results, |result| item(call, result))
}

fn item(call: &WebhookCall, result: Value) -> Result<Option<Item>, Malformed> {
    let has = |name: &str| result.get(name).is_some_and(|value| !value.is_null());
    if has("status") {
        return Ok(receipt(call, read(result)?)?.map(Item::Receipt));
    }
    if has("text") || has("receivedAt") {
        return inbound(call, read(result)?).map(|message| Some(Item::Inbound(message)));
    }
    tracing::debug!("a result that is of no message");
    Ok(None)
}

fn inbound(call: &WebhookCall, message: Message) -> Result<InboundMessage, Malformed> {
    if message.message_id.is_empty() || message.to.is_empty() || message.from.is_empty() {
        return Err(Malformed("a message without id, to or from".into()));
    }
    Ok(InboundMessage {
        provider_message_id: message.message_id,
        // A number of another form is kept as it came: whoever knows the country of a short code finds it.
        to: PhoneNumber::from_provider(&message.to, None).map_or(message.to, Into::into),
        from: Sender::from_provider(&message.from, None).into(),
        text: message.text.unwrap_or_default(),
        media: Vec::new(),
        received_at: call.received_at,
        provider_opt_out: None,
        // Infobip joins them.
        part: None,
    })
}

fn receipt(call: &WebhookCall, report: Report) -> Result<Option<Receipt>, Malformed> {
    let Some(state) = state(&report.status) else {
        tracing::debug!(status = report.status.name, "a status that is no news");
        return Ok(None);
    };
    if report.message_id.is_empty() {
        return Err(Malformed("a report without an id".into()));
    }
    let error = report.error.unwrap_or_default();
    // What we had repeated.
    let (token, number) = match reference::read(report.callback_data.as_deref().unwrap_or_default()) {
        ours @ (_, Some(_)) => ours,
        // An address that was set for one message could carry it too.
        (_, None) => (call.head.token(), call.head.own_number()),
    };
    let sender = report.sender.or(report.from).unwrap_or_default();
    Ok(Some(Receipt {
        provider_message_id: report.message_id,
        from: number
            .map(String::from)
            .unwrap_or_else(|| PhoneNumber::from_provider(&sender, None).map_or(sender, Into::into)),
        token,
        state,
        class: state.is_failure().then(|| errors::refusal_class(&report.status, &error)),
        provider_code: Some(match error.id {
            0 => report.status.name,
            _ => format!("{} {}", report.status.name, error.name),
        }),
        received_at: call.received_at,
    }))
}

/// Infobip's groups do not suffice: what the operator has is in the group of what is delivered.
/// <https://www.infobip.com/docs/developer-resources/api-fundamentals/message-status-codes>.
fn state(status: &Status) -> Option<DeliveryState> {
    match (status.group_id, status.id) {
        // Stopped as fraud; Infobip lists it under EXPIRED too.
        (_, 87) => Some(DeliveryState::Rejected),
        // The operator has it, and has not said more: WAITING_DELIVERY, ENROUTE.
        (1, 3 | 7) => Some(DeliveryState::Sent),
        (1, _) => Some(DeliveryState::Queued),
        (2, _) => Some(DeliveryState::Failed),
        (3, 5) => Some(DeliveryState::Delivered),
        // DELIVERED_TO_OPERATOR.
        (3, _) => Some(DeliveryState::Sent),
        // EXPIRED_DLR_UNKNOWN: the operator has it, and will not say more. It may have arrived.
        (4, 29) => Some(DeliveryState::Sent),
        (4, _) => Some(DeliveryState::Expired),
        (5, _) => Some(DeliveryState::Rejected),
        (_, _) => None,
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Malformed> {
    serde_json::from_value(value).map_err(|error| Malformed(error.to_string()))
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

    fn read_body(query: Option<&str>, body: &Value) -> Result<Vec<Item>, Malformed> {
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

    fn message(id: &str) -> Value {
        json!({
            "messageId": id, "from": "385916242493", "to": "385921004026", "text": "QUIZ Paris", "cleanText": "Paris", "keyword": "QUIZ",
            "receivedAt": "2019-11-09T16:00:00.000+0000", "smsCount": 1, "price": {"pricePerMessage": 0, "currency": "EUR"}, "callbackData": "x",
        })
    }

    fn report(group: i64, id: i64, name: &str) -> Value {
        json!({
            "bulkId": "B1", "messageId": "M1", "to": "385916242493", "sender": "385921004026", "callbackData": "7.abc~385921004026",
            "status": {"groupId": group, "groupName": "G", "id": id, "name": name, "description": "d"},
            "error": {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "d", "permanent": false},
        })
    }

    #[test]
    fn one_call_brings_messages_and_reports() {
        let body = json!({
            "results": [message("M1"), report(3, 5, "DELIVERED_TO_HANDSET"), {"url": "a click"}, message("M2")],
            "messageCount": 4, "pendingMessageCount": 0,
        });
        let items = read_body(None, &body).unwrap();
        let [Item::Inbound(first), Item::Receipt(_), Item::Inbound(second)] = &*items else { panic!("{items:?}") };
        assert_eq!((&*first.to, &*first.from, &*first.text), ("+385921004026", "+385916242493", "QUIZ Paris"));
        assert_eq!((&*first.provider_message_id, &*second.provider_message_id), ("M1", "M2"));
        assert_eq!(read_body(None, &json!({"results": []})).unwrap(), []);
        assert!(read_body(None, &json!([])).is_err());
    }

    #[test]
    fn what_cannot_be_read_does_not_keep_the_others() {
        for lacking in ["messageId", "from", "to"] {
            let mut wrong = message("M1");
            wrong[lacking] = json!("");
            assert_eq!(read_body(None, &json!({"results": [wrong, message("M2")]})).unwrap().len(), 1, "{lacking}");
            assert!(read_body(None, &json!({"results": [wrong]})).is_err(), "{lacking}");
        }
    }

    #[test]
    fn reports_are_read_by_group_and_id() {
        use DeliveryState::{Delivered, Expired, Failed, Queued, Rejected, Sent};
        let cases = [
            (1, 26, "PENDING_ACCEPTED", Some((Queued, None))),
            (1, 7, "PENDING_ENROUTE", Some((Sent, None))),
            (2, 9, "UNDELIVERABLE_NOT_DELIVERED", Some((Failed, Some(RefusalClass::Failed)))),
            (3, 2, "DELIVERED_TO_OPERATOR", Some((Sent, None))),
            (3, 5, "DELIVERED_TO_HANDSET", Some((Delivered, None))),
            (4, 15, "EXPIRED_EXPIRED", Some((Expired, Some(RefusalClass::Failed)))),
            (4, 29, "EXPIRED_DLR_UNKNOWN", Some((Sent, None))),
            (4, 87, "SIGNALS_BLOCKED", Some((Rejected, Some(RefusalClass::Filtered)))),
            (5, 12, "REJECTED_NOT_ENOUGH_CREDITS", Some((Rejected, Some(RefusalClass::Account)))),
            (9, 1, "SOMETHING_NEW", None),
        ];
        for (group, id, name, expected) in cases {
            let items = read_body(None, &json!({"results": [report(group, id, name)]})).unwrap();
            let seen = items.first().map(|item| match item {
                Item::Receipt(receipt) => {
                    assert_eq!((receipt.token.as_deref(), &*receipt.from), (Some("7.abc"), "+385921004026"));
                    assert_eq!(receipt.provider_code.as_deref(), Some(name));
                    (receipt.state, receipt.class)
                }
                Item::Inbound(message) => panic!("{message:?}"),
            });
            assert_eq!(seen, expected, "{name}");
        }
    }

    #[test]
    fn a_report_says_what_the_operator_said() {
        let mut failed = report(2, 9, "UNDELIVERABLE_NOT_DELIVERED");
        failed["error"] = json!({"groupId": 1, "id": 1, "name": "EC_UNKNOWN_SUBSCRIBER", "permanent": true});
        // Of the format before, to an address of its own.
        failed["callbackData"] = json!("somebody else's");
        failed["from"] = failed["sender"].take();
        let items = read_body(Some("t=8.abc&n=US%3A72345"), &json!({"results": [failed]})).unwrap();
        let [Item::Receipt(receipt)] = &*items else { panic!("{items:?}") };
        assert_eq!(receipt.class, Some(RefusalClass::InvalidNumber));
        assert_eq!(receipt.provider_code.as_deref(), Some("UNDELIVERABLE_NOT_DELIVERED EC_UNKNOWN_SUBSCRIBER"));
        assert_eq!((receipt.token.as_deref(), &*receipt.from), (Some("8.abc"), "US:72345"));
    }
}
