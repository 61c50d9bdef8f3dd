//! What is read of a call.

use axum::http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::*;
use crate::{carrier::Carrier, gateway::providers::CallHead};

fn webhooks(proof: Value, inbound: Value, status: Value) -> Webhooks {
    let query = [json!({"name": "dlr", "value": "{{callback}}"})];
    let document = json!({
        "account": "demo", "baseUrl": "https://c.example", "send": {"path": "/", "query": query},
        "webhooks": {"proof": proof, "inbound": inbound, "status": status, "acknowledgement": "ACK"},
    });
    serde_json::from_value::<Carrier>(document).unwrap().webhooks.unwrap()
}

fn named(proof: Value) -> Webhooks {
    let states = json!([{"word": "1", "state": "Delivered"}, {"word": "2", "state": "Failed"}, {"word": "34", "state": "Expired"}]);
    let status = json!({"id": "id", "from": "from", "state": "s", "states": states});
    webhooks(proof, json!({"from": "from", "to": "to", "text": "text", "id": "id"}), status)
}

fn by_header() -> Value {
    json!({"by": "Header", "name": "X-Token"})
}

fn call(hook: Hook, query: &str, body: &str) -> WebhookCall {
    let head = CallHead {
        hook,
        method: Method::POST,
        url: String::new(),
        query: Some(query.to_owned()),
        headers: HeaderMap::new(),
    };
    WebhookCall { head, body: body.to_owned().into(), received_at: "2026-01-02T03:04:05Z".parse().unwrap() }
}

fn read(webhooks: &Webhooks, call: &WebhookCall) -> Result<Vec<Item>, String> {
    items(webhooks, &Repeats::default(), call).map_err(|error| error.to_string())
}

fn message(items: Result<Vec<Item>, String>) -> (String, String, String, String) {
    match items.unwrap().pop() {
        Some(Item::Inbound(message)) => (message.provider_message_id, message.from, message.to, message.text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_found_by_name_and_by_pointer() {
    let expected = ("M1".into(), "+15559870001".into(), "+15551230001".into(), "Grüße & more".into());
    let by_name = named(by_header());
    let query = "from=15559870001&to=%2B15551230001&id=M1&text=Gr%C3%BC%C3%9Fe+%26+more";
    assert_eq!(message(read(&by_name, &call(Hook::Inbound, query, ""))), expected);
    assert_eq!(message(read(&by_name, &call(Hook::Inbound, "", query))), expected);
    let (fixed, rest) = ("to=%2B15551230001", query.replace("to=%2B15551230001&", ""));
    assert_eq!(message(read(&by_name, &call(Hook::Inbound, fixed, &rest))), expected, "a number in the address");

    let places = json!({"from": "/m/0/from", "to": "to", "text": "/m/0/text", "id": "/m/0/id"});
    let states = json!({"state": "s", "states": [{"word": "1", "state": "Sent"}]});
    let by_pointer = webhooks(by_header(), places, states);
    let body = json!({"m": [{"from": "15559870001", "text": "Grüße & more", "id": "M1"}]}).to_string();
    assert_eq!(message(read(&by_pointer, &call(Hook::Inbound, fixed, &body))), expected);
}

#[test]
fn what_is_missing_is_named_and_an_empty_text_is_a_text() {
    let by_name = named(by_header());
    let all = ["from=15559870001", "to=15551230001", "id=M1", "text="];
    assert_eq!(message(read(&by_name, &call(Hook::Inbound, &all.join("&"), ""))).3, "");
    for (at, name) in ["from", "to", "id", "text"].into_iter().enumerate() {
        let mut some = all.to_vec();
        some.remove(at);
        let error = read(&by_name, &call(Hook::Inbound, &some.join("&"), "")).unwrap_err();
        assert_eq!(error, format!("there is no {name:?} (webhooks.inbound.{name})"));
    }
    assert!(read(&by_name, &call(Hook::Inbound, "", "{")).unwrap_err().starts_with("the body is no JSON"));
    assert!(read(&by_name, &call(Hook::Inbound, &"a&".repeat(501), "")).unwrap_err().contains("more than 500"));
}

#[test]
fn of_an_unproved_query_nothing_but_the_receipts_token_is_read() {
    let hmac = named(json!({"by": "Hmac", "name": "X-Sign"}));
    let body = "from=15559870001&to=15551230001&text=Hello";
    let error = read(&hmac, &call(Hook::Inbound, "id=M1", body)).unwrap_err();
    assert_eq!(error, "there is no \"id\" (webhooks.inbound.id)");
    assert_eq!(message(read(&hmac, &call(Hook::Inbound, "text=forged", &format!("{body}&id=M1")))).3, "Hello");
    let all = named(json!({"by": "Hmac", "name": "X-Sign", "covers": "UrlAndBody"}));
    assert_eq!(message(read(&all, &call(Hook::Inbound, "id=M1", body))).0, "M1");
}

#[test]
fn receipts_are_read() {
    let by_name = named(by_header());
    let receipt = |query: &str| -> Result<Option<Receipt>, String> {
        match read(&by_name, &call(Hook::Status, query, ""))?.pop() {
            Some(Item::Receipt(receipt)) => Ok(Some(receipt)),
            Some(other) => panic!("{other:?}"),
            None => Ok(None),
        }
    };
    let all = receipt("t=7-1.abc&n=US%3A72345&s=1&id=M1&from=5551").unwrap().unwrap();
    assert_eq!((&*all.provider_message_id, &*all.from, all.token.as_deref()), ("M1", "US:72345", Some("7-1.abc")));
    assert_eq!((all.state, all.class, all.provider_code.as_deref()), (DeliveryState::Delivered, None, Some("1")));
    let failed = receipt("s=2&id=M1&from=15551230001").unwrap().unwrap();
    assert_eq!((&*failed.from, failed.token, failed.class), ("+15551230001", None, Some(RefusalClass::Failed)));
    assert_eq!(receipt("t=7-1.abc&n=US%3A72345&s=34").unwrap().unwrap().provider_message_id, "7-1.abc");
    assert_eq!(receipt("t=7-1.abc&n=US%3A72345&s=8").unwrap(), None, "no news");
    assert!(receipt("s=1&id=M1").unwrap_err().contains("names our number"));
    assert!(receipt("s=1&from=15551230001").unwrap_err().contains("names the message"));
    assert!(receipt("t=7-1.abc&n=US%3A72345").unwrap_err().contains("webhooks.status.state"));
}

#[test]
fn a_message_without_an_id_gets_one() {
    let states = json!({"state": "s", "states": [{"word": "1", "state": "Sent"}]});
    let webhooks = webhooks(by_header(), json!({"from": "from", "to": "to", "text": "text"}), states);
    let repeats = Repeats::default();
    let id = |text: &str| {
        let call = call(Hook::Inbound, &format!("from=15559870001&to=15551230001&text={text}"), "");
        message(items(&webhooks, &repeats, &call).map_err(|error| error.to_string())).0
    };
    assert_eq!(id("a"), id("a"));
    assert_ne!(id("a"), id("b"));
}

#[test]
fn a_list_of_messages_is_refused_as_a_whole() {
    let first = json!({"from": "/0/from", "to": "/0/to", "text": "/0/text", "id": "/0/id"});
    let webhooks = webhooks(by_header(), first, json!({"id": "id", "state": "s", "states": []}));
    let message = |id: &str| json!({"from": "+15559870001", "to": "+15551230001", "text": "Hello", "id": id});
    let body = |list: &[Value]| call(Hook::Inbound, "", &Value::from(list.to_vec()).to_string());
    let mut one = body(&[message("A")]);
    one.head.headers.insert("content-type", "application/json".parse().unwrap());
    assert_eq!(read(&webhooks, &one).unwrap().len(), 1);
    let mut two = body(&[message("A"), message("B")]);
    two.head.headers.insert("content-type", "application/json".parse().unwrap());
    assert!(read(&webhooks, &two).unwrap_err().contains("one message in each call"));
}
