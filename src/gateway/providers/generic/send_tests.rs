//! What is sent, and what answers mean.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::gateway::{
    credentials::Credentials,
    providers::{Client, MissingKeys, Provider, generic::Settings},
};

const TEXT: &str = "Grüße & \"more\" + 100%\n{{to}}世";

fn carrier(send: Value, more: Value) -> Generic {
    let mut document = json!({"account": "demo", "baseUrl": "https://carrier.example/api", "send": send});
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let settings: Settings = serde_json::from_value(document).unwrap();
    let credentials =
        Credentials::from([("username", "desk"), ("password", "p&ss"), ("apiKey", "K/1"), ("webhookSecret", "a b")]);
    Generic::new(&settings, &credentials, &Client::new(None).unwrap()).unwrap()
}

fn request(from: &str) -> SendRequest {
    serde_json::from_value(json!({
        "storeId": "S-1", "messageId": 7, "attempt": 2, "askedBefore": false, "beginWithinMillis": 1,
        "sentAt": "2026-01-01T00:00:00Z", "from": from, "to": "+15559870001", "text": TEXT, "receiptToken": "7-2.abc",
    }))
    .unwrap()
}

/// Method, URL, headers and body of what would be sent.
fn sent(carrier: &Generic, from: &str) -> (String, String, Vec<String>, String) {
    let public_url = PublicUrl::new("https://sms.example.com/desk").unwrap();
    let built = carrier.message(&request(from), &public_url, "S-1-7-2").build().unwrap();
    let header = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        format!("{name}: {}", value.to_str().unwrap())
    };
    let body = built.body().and_then(|body| body.as_bytes()).unwrap_or_default();
    (
        built.method().to_string(),
        built.url().to_string(),
        built.headers().iter().map(header).collect(),
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

#[test]
fn values_are_encoded_where_they_stand() {
    let query = json!([
        {"name": "text", "value": "{{text}}"}, {"name": "k[]", "value": "{{secret.apiKey}}"}, {"name": "n", "value": "{{toDigits}}"},
    ]);
    let get = carrier(json!({"method": "Get", "path": "/send/{{to}}/{{id}}", "query": query}), json!({}));
    let (method, url, headers, body) = sent(&get, "+15551230001");
    assert_eq!((&*method, &*body), ("GET", ""));
    let text = "Gr%C3%BC%C3%9Fe%20%26%20%22more%22%20%2B%20100%25%0A%7B%7Bto%7D%7D%E4%B8%96";
    let query = format!("text={text}&k%5B%5D=K%2F1&n=15559870001");
    assert_eq!(url, format!("https://carrier.example/api/send/%2B15559870001/S-1-7-2?{query}"));
    assert!(headers.is_empty(), "{headers:?}");

    let form = json!([{"name": "text", "value": "{{text}}"}, {"name": "from", "value": "{{from}}"}, {"name": "c", "value": "{{coding}}"}]);
    let post = carrier(json!({"path": "/send", "form": form}), json!({"authentication": "Basic"}));
    let (method, url, headers, body) = sent(&post, "US:72345");
    assert_eq!((&*method, &*url), ("POST", "https://carrier.example/api/send"));
    assert_eq!(body, format!("text={text}&from=72345&c=2"));
    assert_eq!(headers, ["authorization: Basic ZGVzazpwJnNz", "content-type: application/x-www-form-urlencoded"]);

    let json = r#"{"messages": [{"to": "{{to}}", "text": "<{{text}}>", "flash": false, "n": 1}]}"#;
    let bearer = json!([{"name": "Authorization", "value": "App {{secret.apiKey}}"}]);
    let (_, _, headers, body) =
        sent(&carrier(json!({"path": "/send", "json": json, "headers": bearer}), json!({})), "+1");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body,
        json!({"messages": [{"to": "+15559870001", "text": format!("<{TEXT}>"), "flash": false, "n": 1}]})
    );
    assert_eq!(headers, ["authorization: App K/1", "content-type: application/json"]);
}

#[test]
fn the_address_for_receipts_proves_itself_where_the_query_does() {
    let send = json!({"path": "/send", "query": [{"name": "dlr", "value": "{{callback}}&s=%d"}]});
    let webhooks = |proof: Value| {
        let states = json!([{"word": "1", "state": "Delivered"}]);
        json!({"webhooks": {"proof": proof, "status": {"state": "s", "states": states}}})
    };
    let dlr = |proof| {
        let (_, url, _, _) = sent(&carrier(send.clone(), webhooks(proof)), "+15551230001");
        reqwest::Url::parse(&url).unwrap().query_pairs().next().unwrap().1.into_owned()
    };
    let callback = "https://sms.example.com/desk/hooks/status?t=7-2.abc&n=%2B15551230001";
    assert_eq!(dlr(json!({"by": "Query", "name": "token"})), format!("{callback}&token=a%20b&s=%d"));
    assert_eq!(dlr(json!({"by": "Basic"})), format!("{callback}&s=%d"));
}

#[test]
fn missing_keys_are_named() {
    let document =
        json!({"account": "demo", "baseUrl": "https://c.example", "send": {"path": "/"}, "authentication": "Basic"});
    let settings: Settings = serde_json::from_value(document).unwrap();
    let new = Generic::new(&settings, &Credentials::from([("username", "u")]), &Client::new(None).unwrap());
    assert_eq!(new.unwrap_err(), MissingKeys(vec!["password".into()]));
}

fn outcome(carrier: &Generic, status: u16, body: &str) -> SendOutcome {
    let status = StatusCode::from_u16(status).unwrap();
    carrier.answer(&Answered { status, retry_after: None, body: body.into() }, "ours".into()).outcome
}

#[test]
fn answers_mean_what_the_connector_says_and_else_what_http_says() {
    let answers = json!([
        {"name": "taken", "statuses": [200, 202], "body": "^OK", "means": "Accepted"},
        {"name": "stop", "body": "opted out", "means": "OptedOut"},
        {"name": "busy", "statuses": [503], "means": "Temporary"},
        {"name": "unclear", "statuses": [207], "means": "Unknown"},
    ]);
    let carrier = carrier(json!({"path": "/", "answers": answers, "messageId": {"pattern": r"^OK (\S+)"}}), json!({}));
    let accepted = |ids: &[&str]| SendOutcome::Accepted {
        provider_message_ids: ids.iter().map(ToString::to_string).collect(),
        segments: None,
    };
    assert_eq!(outcome(&carrier, 202, "OK M1\n"), accepted(&["M1"]));
    for (status, body) in [(202, "OK"), (200, "what?"), (207, "M1"), (500, ""), (502, "OK M1")] {
        let outcome = outcome(&carrier, status, body);
        assert!(matches!(outcome, SendOutcome::Unknown { .. }), "{status} {body}: {outcome:?}");
    }
    let refused = |class, code: &str, message: &str| SendOutcome::Refused {
        class,
        provider_code: Some(code.into()),
        message: message.into(),
    };
    assert_eq!(
        outcome(&carrier, 200, "has opted out"),
        refused(RefusalClass::OptedOut, "stop", "HTTP 200 (stop): has opted out")
    );
    assert_eq!(outcome(&carrier, 400, "K/1 K%2F1"), refused(RefusalClass::Failed, "HTTP 400", "HTTP 400: K/1 K%2F1"));
    let reasons = [
        (503, NotSentReason::Temporary),
        (429, NotSentReason::RateLimited),
        (401, NotSentReason::Credentials),
        (404, NotSentReason::Temporary),
    ];
    for (status, expected) in reasons {
        let outcome = outcome(&carrier, status, "");
        assert!(matches!(outcome, SendOutcome::NotSent { reason, .. } if reason == expected), "{status}: {outcome:?}");
    }
    // It becomes a condition, which is not to repeat a customer's words.
    let SendOutcome::NotSent { message, .. } = outcome(&carrier, 401, "text=Hello") else { panic!("it was not sent") };
    assert_eq!(message, "HTTP 401");
    // A page may have sent it before it led elsewhere: it is not sent again.
    assert!(matches!(outcome(&carrier, 302, ""), SendOutcome::Unknown { .. }));
}

#[test]
fn without_rules_2xx_is_taken_and_no_secret_is_shown() {
    let plain = carrier(json!({"path": "/", "query": [{"name": "k", "value": "{{secret.apiKey}}"}]}), json!({}));
    let ours = SendOutcome::Accepted { provider_message_ids: vec!["ours".into()], segments: None };
    assert_eq!(outcome(&plain, 204, ""), ours);
    let SendOutcome::Refused { message, .. } = outcome(&plain, 400, "key K/1\n in /?k=K%2F1 is") else { panic!() };
    assert_eq!(message, "HTTP 400: key *** in /?k=*** is");
    let pointed = carrier(json!({"path": "/", "messageId": {"pointer": "/messages/0/id"}}), json!({}));
    let numbered = SendOutcome::Accepted { provider_message_ids: vec!["12".into()], segments: None };
    assert_eq!(outcome(&pointed, 200, r#"{"messages": [{"id": 12}]}"#), numbered);
    assert!(matches!(outcome(&pointed, 200, "{}"), SendOutcome::Unknown { .. }));
}

#[tokio::test]
async fn without_a_check_the_credentials_are_believed_until_they_are_refused() {
    let carrier = carrier(json!({"path": "/"}), json!({}));
    assert_eq!(carrier.check().await, Ok(()));
    *carrier.refused.lock() = Some((Instant::now(), "HTTP 401".into()));
    assert_eq!(carrier.check().await, Err(CheckError::Invalid("HTTP 401".into())));
    let long_ago = Instant::now().checked_sub(super::super::REFUSAL_COUNTS).unwrap();
    *carrier.refused.lock() = Some((long_ago, "HTTP 401".into()));
    assert_eq!(carrier.check().await, Ok(()), "one is tried again");
}
