//! Messages either way when nothing goes wrong, and what is refused.

use super::{MIA, Running, SERVICE, TOKEN, TOM, service::Service, to_mia};
use aldis::{
    simulator::{Event, Fate, Snapshot, WebhookState},
    wire::simulator::{Account, MessageStatus, NumberPage, Problem, ProblemClass, SentMessage},
};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_text_goes_to_the_service_and_its_answer_to_the_handset() {
    let (service, address) = Service::start().await;
    let simulator = Running::start(address).await;

    let hello = simulator.customer_writes(MIA, "Where is my parcel?").await;
    let inbound = service.until(1).await.remove(0);
    assert_eq!(inbound.path, "/hooks/inbound");
    assert_eq!(inbound.verdict, Ok(()));
    assert_eq!(inbound.body["id"], hello.id.as_str());
    assert_eq!(inbound.body["from"], MIA);
    assert_eq!(inbound.body["to"], SERVICE);
    assert_eq!(inbound.body["text"], "Where is my parcel?");

    let sent = simulator.send(to_mia("At the desk.", "m-1")).await.unwrap();
    assert_eq!(sent.status(), 201);
    let sent: SentMessage = sent.json().await.unwrap();
    assert_eq!((sent.status, sent.segments), (MessageStatus::Accepted, 1));

    let calls = service.until(3).await;
    for (call, status) in calls[1..].iter().zip(["Sent", "Delivered"]) {
        assert_eq!(call.path, "/hooks/status?t=m-1");
        assert_eq!(call.verdict, Ok(()));
        assert_eq!(call.body["id"], sent.id.as_str());
        assert_eq!(call.body["clientRef"], "m-1");
        assert_eq!(call.body["status"], status);
    }
    let snapshot = simulator.until("all taken", |snapshot| snapshot.webhooks.is_empty()).await;
    let fates: Vec<&Fate> = snapshot.messages.iter().map(|message| &message.fate).collect();
    assert!(matches!(fates[0], Fate::Inbound { webhook: WebhookState::Delivered }), "{fates:?}");
    assert!(matches!(fates[1], Fate::Outbound { status: MessageStatus::Delivered, .. }), "{fates:?}");
}

#[tokio::test]
async fn the_ledger_tells_the_whole_story_of_a_message() {
    let (service, address) = Service::start().await;
    let simulator = Running::start(address).await;
    simulator.send(to_mia("one", "m-1")).await.unwrap();
    simulator.send(to_mia("two", "m-2")).await.unwrap();
    service.until(4).await;
    simulator.until("all taken", |snapshot| snapshot.webhooks.is_empty()).await;

    let story = simulator.ledger("clientRef=m-2").await;
    let told: Vec<String> = story
        .iter()
        .map(|entry| match &entry.event {
            Event::ApiRequest { request, text, status, .. } => format!("{request} {text:?} {status:?}"),
            Event::MessageStatus { status, .. } => format!("{status:?}"),
            Event::WebhookTry { receipt, attempt, status, .. } => format!("try {attempt} {receipt:?} {status:?}"),
            Event::WebhookEnd { delivered, .. } => format!("end {delivered}"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told[0], r#"POST /v1/messages Some("two") Some(201)"#);
    let mut rest = told[1..].to_vec();
    rest.sort();
    assert_eq!(
        rest,
        ["Delivered", "Sent", "end true", "end true", "try 1 Some(Delivered) Some(204)", "try 1 Some(Sent) Some(204)"]
    );
    let after = simulator.ledger(&format!("since={}", story.last().unwrap().seq - 1)).await;
    assert_eq!(after.first().map(|entry| entry.seq), story.last().map(|entry| entry.seq));
}

#[tokio::test]
async fn the_account_and_its_numbers_are_shown_to_its_token_only() {
    let (_, address) = Service::start().await;
    let simulator = Running::start(address).await;
    let account: Account = simulator.get(TOKEN, "/v1/account").await.json().await.unwrap();
    assert_eq!(account.account, "demo");
    for path in ["/v1/account", "/v1/numbers"] {
        let refused = simulator.get("another token", path).await;
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        assert_eq!(refused.json::<Problem>().await.unwrap().class, ProblemClass::Credentials);
    }
    // Changed tokens count at once.
    let other = json!({"tokens": ["another token"], "numbers": []});
    simulator.control(Method::PUT, "/control/accounts/other", other).await;
    let account: Account = simulator.get("another token", "/v1/account").await.json().await.unwrap();
    assert_eq!(account.account, "other");
}

#[tokio::test]
async fn numbers_come_in_pages() {
    let (_, address) = Service::start().await;
    let simulator = Running::start(address).await;
    for n in 2..=7 {
        let path = format!("/control/accounts/demo/numbers/+1555123000{n}");
        simulator.control(Method::PUT, &path, json!({"smsCapable": n % 2 == 0})).await;
    }
    let mut numbers = Vec::new();
    let mut page = String::new();
    loop {
        let answer = simulator.get(TOKEN, &format!("/v1/numbers?pageSize=3{page}")).await;
        let answer: NumberPage = answer.json().await.unwrap();
        assert!(answer.numbers.len() <= 3);
        numbers.extend(answer.numbers);
        match answer.next_page {
            Some(next) => page = format!("&page={}", next.replace('+', "%2B")),
            None => break,
        }
    }
    let found: Vec<(&str, bool)> = numbers.iter().map(|n| (n.number.as_str(), n.sms_capable)).collect();
    assert_eq!(
        found,
        [
            ("+15551230001", true),
            ("+15551230002", true),
            ("+15551230003", false),
            ("+15551230004", true),
            ("+15551230005", false),
            ("+15551230006", true),
            ("+15551230007", false),
            ("US:72345", false),
        ]
    );
    assert_eq!(numbers[0].webhook_url.as_deref(), Some("https://sms.example.com/desk/hooks/inbound"));
    assert_eq!(simulator.get(TOKEN, "/v1/numbers?pageSize=0").await.status(), 400);
}

#[tokio::test]
async fn what_a_provider_refuses_is_refused_with_its_class() {
    let (_, address) = Service::start().await;
    let simulator = Running::start(address).await;
    simulator.control(Method::PUT, &format!("/control/handsets/{TOM}"), json!({"optedOut": true})).await;
    let with = |member: &str, value: Value| {
        let mut message = to_mia("hello", "m-1");
        message[member] = value;
        message
    };
    let cases = [
        (with("to", json!("5559870001")), 422, ProblemClass::InvalidNumber),
        (with("to", json!("MYBANK")), 422, ProblemClass::InvalidNumber),
        (with("to", json!(TOM)), 422, ProblemClass::OptedOut),
        (with("from", json!("+15551239999")), 422, ProblemClass::Sender),
        (with("from", json!("US:72345")), 422, ProblemClass::Sender),
        (with("text", json!("")), 400, ProblemClass::InvalidRequest),
        (with("text", json!("x".repeat(1601))), 400, ProblemClass::InvalidRequest),
        (with("text", json!(5)), 400, ProblemClass::InvalidRequest),
        (with("clientRef", json!("x".repeat(201))), 400, ProblemClass::InvalidRequest),
        (with("statusCallback", json!("javascript:1")), 400, ProblemClass::InvalidRequest),
    ];
    for (message, status, class) in cases {
        let refused = simulator.send(message.clone()).await.unwrap();
        assert_eq!(refused.status(), status, "{message}");
        assert_eq!(refused.json::<Problem>().await.unwrap().class, class, "{message}");
    }
    assert!(simulator.snapshot().await.messages.is_empty(), "nothing was taken");
    assert_eq!(simulator.ledger("kind=ApiRequest").await.len(), 10, "all of it was seen");
    let nowhere = simulator.get(TOKEN, "/v1/nothing").await;
    assert_eq!((nowhere.status().as_u16(), nowhere.json::<Problem>().await.unwrap().status), (404, 404));
}

#[tokio::test]
async fn a_handset_that_is_off_gets_nothing() {
    let (service, address) = Service::start().await;
    let simulator = Running::start(address).await;
    simulator.control(Method::PUT, &format!("/control/handsets/{MIA}"), json!({"reachable": false})).await;
    simulator.send(to_mia("hello", "m-1")).await.unwrap();
    service.until(2).await;
    assert_eq!(service.bodies("status"), ["Sent", "Undelivered"]);
    assert_eq!(service.calls()[1].body["error"]["class"], "Unreachable");
}

#[tokio::test]
async fn a_sender_may_be_a_name() {
    let (service, address) = Service::start().await;
    let simulator = Running::start(address).await;
    simulator.customer_writes("MYBANK", "Your code is 123").await;
    assert_eq!(service.until(1).await[0].body["from"], "MYBANK");
    assert!(simulator.snapshot().await.handsets.is_empty(), "a name is no handset");
}

#[tokio::test]
async fn what_a_customer_writes_comes_in_order() {
    let (service, address) = Service::start().await;
    let simulator = Running::start(address).await;
    // The first one needs three tries; the others wait for it.
    service.answer_next([503, 500]);
    for n in 0..20 {
        simulator.customer_writes(MIA, &n.to_string()).await;
    }
    service.until(22).await;
    let expected: Vec<String> =
        ["0", "0"].into_iter().map(String::from).chain((0..20).map(|n| n.to_string())).collect();
    assert_eq!(service.bodies("text"), expected);
}

#[tokio::test]
async fn a_webhook_that_nobody_takes_can_be_posted_again_by_hand() {
    let (service, address) = Service::start().await;
    let simulator = Running::start(address).await;
    let given_up = |count| {
        move |snapshot: &Snapshot| {
            snapshot.webhooks.iter().filter(|webhook| webhook.state == WebhookState::Undelivered).count() == count
        }
    };
    service.answer_next([503, 503, 503]);
    simulator.customer_writes(MIA, "patient").await;
    simulator.until("given up", given_up(1)).await;
    service.answer_next([403]);
    simulator.customer_writes(TOM, "refused").await;
    let snapshot = simulator.until("given up", given_up(2)).await;
    assert_eq!(service.calls().len(), 4, "5xx is tried three times, 403 once");
    for webhook in &snapshot.webhooks {
        simulator.control(Method::POST, &format!("/control/webhooks/{}/redeliver", webhook.id), json!({})).await;
    }
    simulator.until("all taken", |snapshot| snapshot.webhooks.is_empty()).await;
    let ids: Vec<String> = service.bodies("id");
    assert_eq!(ids.len(), 6);
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 2, "a message keeps its id");
}

#[tokio::test]
async fn an_open_page_is_told_what_happens() {
    let (_, address) = Service::start().await;
    let simulator = Running::start(address).await;
    let mut stream = reqwest::get(format!("{}/control/events", simulator.url)).await.unwrap();
    simulator.customer_writes(MIA, "hello").await;
    let mut read = String::new();
    while !(read.contains("event: message") && read.contains(r#""webhook":"Delivered""#)) {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        read.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(read.starts_with("event: snapshot\n"), "{read}");
    assert!(!read.contains(TOKEN), "no token is shown");
}
