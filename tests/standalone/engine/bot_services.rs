//! Bots call services, which may do anything: the customer is never lost, and nothing is said twice.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::{MIA, TOM, stream};
use crate::support::{
    engine::Engine,
    gateway_fake::FakeGateway,
    process::eventually,
    service_fake::{FakeService, Said},
};

const QUESTION: &str = "Which order?";
const FOUND: &str = "It is packed.";

/// Asks for an order, looks it up, and says what it knows; or hands off.
fn order_status(call: Value) -> Value {
    let mut call = call;
    call["onError"] = json!("agent");
    call["into"] = json!("order");
    json!({"name": "order-status", "spec": {"steps": [
        {"name": "ask", "ask": {"text": QUESTION, "into": "number"}},
        {"name": "look-up", "http": call},
        {"name": "tell", "say": {"text": "It is {{ order.state }}."}},
        {"name": "end", "finish": {}},
        {"name": "agent", "handOff": {"note": "The service said nothing of {{ number }}"}},
    ]}})
}

struct Desk {
    engine: Engine,
    gateway: FakeGateway,
    service: FakeService,
}

impl Desk {
    /// Mia is asked for her order, and `call` says how it is looked up; below its `url` the service's own address stands.
    async fn asks(mut call: Value) -> Self {
        let (gateway, service) = (FakeGateway::start().await, FakeService::start().await);
        call["url"] = json!(format!("{}{}", service.origin, call["url"].as_str().unwrap()));
        let engine =
            Engine::start(&gateway.url, |document| document["bots"] = json!({"onStart": order_status(call)})).await;
        let desk = Self { engine, gateway, service };
        desk.engine.inbound("SM-1", MIA, "hello").await;
        desk.said(&[QUESTION]).await;
        desk
    }

    async fn said(&self, expected: &[&str]) {
        super::bots::said(&self.gateway, MIA, expected).await;
    }

    async fn trace(&self) -> Vec<Value> {
        let all = self.engine.get("ana", "/v1/channels/support/interactions?order=newest").await;
        let id = all["items"][0]["id"].as_u64().unwrap();
        let trace = self.engine.get("ana", &format!("/v1/channels/support/interactions/{id}/bot")).await;
        trace["items"][0]["steps"].as_array().unwrap().clone()
    }

    /// Waits until the call has failed for this reason, and somebody has Mia's conversation.
    async fn failed(&self, failure: &str) {
        eventually("the call has failed", || async {
            let trace = self.trace().await;
            let failed = trace.iter().find(|step| step["outcome"] == "CallFailed").cloned();
            let failed = failed.ok_or_else(|| json!(trace))?;
            if failed["failure"] == failure { Ok(()) } else { Err(failed) }
        })
        .await;
        assert_eq!(self.engine.status().await["queue"]["waiting"], 1, "an agent takes up what the bot could not do");
        self.said(&[QUESTION]).await;
    }

    fn keys(&self) -> BTreeSet<String> {
        let key = |asked: &crate::support::service_fake::Asked| asked.header("idempotency-key").unwrap().to_owned();
        self.service.asked().iter().map(key).collect()
    }
}

#[tokio::test]
async fn a_service_is_asked_as_the_step_says_and_its_answer_is_said() {
    let desk = Desk::asks(json!({
        "url": "/orders/{{ number }}?of={{ customer.number }}", "method": "POST",
        "headers": [
            {"name": "Authorization", "secretKeyRef": {"name": "crm", "key": "token"}},
            {"name": "X-Said", "value": "{{ number }}"},
        ],
        "json": [{"field": "text", "value": "\"{{ number }}\""}],
    }))
    .await;
    let secret = desk.engine.dir.path().join("bot-secrets/crm");
    fs::create_dir_all(&secret).unwrap();
    fs::write(secret.join("token"), "Bearer TOKEN\n").unwrap();
    desk.service.says([Said::Body(r#"{"state": "packed"}"#)]);
    desk.engine.inbound("SM-2", MIA, "é 1/2\n?").await;
    desk.said(&[QUESTION, FOUND]).await;
    let asked = desk.service.asked();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(asked.target(), "POST /orders/%C3%A9%201%2F2%0A%3F?of=%2B15559870001");
    assert_eq!(asked.header("authorization"), Some("Bearer TOKEN"));
    assert_eq!(asked.header("x-said"), Some("é 1/2 ?"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.header("idempotency-key").map(str::len), Some(32));
    assert!(asked.header("user-agent").unwrap().starts_with("aldis/"));
    assert_eq!(asked.body, r#"{"text":"\"é 1/2\n?\""}"#);
    let outcomes: Vec<Value> = desk.trace().await.iter().map(|step| step["outcome"].clone()).collect();
    assert_eq!(outcomes, ["Asked", "Answered", "Called", "Said", "Finished"]);
    let log = fs::read_to_string(desk.engine.dir.path().join("log")).unwrap();
    assert!(!log.contains("TOKEN") && !log.contains("1%2F2"), "neither Secrets nor what customers wrote: {log}");
}

#[tokio::test]
async fn whatever_a_service_does_somebody_has_the_customer() {
    let redirect = "Location: http://127.0.0.1:1/\r\n";
    let get = || json!({"url": "/{{ number }}", "timeoutSeconds": 1, "maxResponseBytes": 1000});
    let cases: [(&str, Value, Vec<Said>); 11] = [
        ("Status", get(), vec![Said::Status("503 Service Unavailable", "Retry-After: 18446744073709551615\r\n")]),
        ("TimedOut", get(), vec![Said::Nothing]),
        ("TimedOut", get(), vec![Said::Half]),
        ("Unreachable", get(), vec![Said::Nonsense; 3]),
        ("Unreachable", get(), vec![Said::HungUp; 3]),
        ("TooLong", get(), vec![Said::Endless]),
        ("NotJson", get(), vec![Said::Body("<html>")]),
        ("Status", get(), vec![Said::Status("302 Found", redirect)]),
        ("Status", get(), vec![Said::Status("500 Internal Server Error", "")]),
        (
            "NoSecret",
            json!({"url": "/", "headers": [{"name": "Authorization", "secretKeyRef": {"name": "crm", "key": "token"}}]}),
            vec![],
        ),
        ("Address", json!({"url": "/orders/{{ number }}"}), vec![]),
    ];
    let tried = cases.map(|(failure, call, answers)| async move {
        let desk = Desk::asks(call).await;
        let expected = answers.len();
        desk.service.says(answers);
        desk.engine.inbound("SM-2", MIA, if failure == "Address" { "../users/1" } else { "17" }).await;
        desk.failed(failure).await;
        let tries = desk.service.asked().len();
        assert!(tries <= expected.max(1) && (tries > 0) == (expected > 0), "{failure}: {tries} of {expected}");
        assert!(desk.keys().len() <= 1, "one run of a step has one key");
        let line = format!("bot=\"order-status\",step=\"look-up\",failure=\"{failure}\"}} 1");
        let metrics = desk.engine.metrics().await;
        assert!(metrics.contains(&line), "{metrics}");
    });
    futures::future::join_all(tried).await;
}

#[tokio::test]
async fn the_operator_is_told_which_steps_failed_also_after_a_restart() {
    let mut desk = Desk::asks(json!({"url": "/{{ number }}"})).await;
    desk.service.says([Said::Status("500 Internal Server Error", ""), Said::Body("<html>"), Said::Body("<html>")]);
    desk.engine.inbound("SM-2", MIA, "17").await;
    desk.failed("Status").await;
    for (id, number) in [("SM-3", TOM), ("SM-4", "+15559870003")] {
        desk.engine.inbound(id, number, "hello").await;
        super::bots::said(&desk.gateway, number, &[QUESTION]).await;
        desk.engine.inbound(&format!("{id}-answer"), number, "17").await;
        eventually("the bot hands off", || async {
            let with_bot = desk.engine.status().await["queue"]["withBot"].clone();
            if with_bot == 0 { Ok(()) } else { Err(with_bot) }
        })
        .await;
    }
    let told = async |engine: &Engine| -> Vec<Value> {
        let bots = super::bots::bots(engine).await;
        let failures = bots[0]["failures"].as_array().unwrap().iter();
        failures.map(|it| json!([it["step"], it["reason"], it["count"]])).collect()
    };
    let expected = [json!(["look-up", "CallNotJson", 2]), json!(["look-up", "CallStatus", 1])];
    assert_eq!(told(&desk.engine).await, expected);
    desk.engine.crash().await;
    assert_eq!(told(&desk.engine).await, expected);
}

#[tokio::test]
async fn only_what_does_no_harm_is_tried_again_and_under_the_same_key() {
    let busy = || Said::Status("503 Service Unavailable", "Retry-After: 0\r\n");
    let good = || Said::Body(r#"{"state": "packed"}"#);
    let gateway = || Said::Status("502 Bad Gateway", "");
    // What is said, whether it goes well in the end, and how often it is asked.
    let cases: [(&str, Vec<Said>, bool, usize); 6] = [
        ("POST", vec![busy(), busy(), good()], true, 3),
        ("GET", vec![gateway(), Said::HungUp, good()], true, 3),
        ("PUT", vec![Said::HungUp, good()], true, 2),
        ("POST", vec![Said::HungUp, good()], false, 1),
        ("PATCH", vec![gateway(), good()], false, 1),
        ("GET", vec![busy(), busy(), busy(), good()], false, 3),
    ];
    let tried = cases.map(|(method, answers, well, tries)| async move {
        let desk = Desk::asks(json!({"url": "/", "method": method})).await;
        desk.service.says(answers);
        desk.engine.inbound("SM-2", MIA, "17").await;
        if well {
            desk.said(&[QUESTION, FOUND]).await;
        } else {
            let failure = if tries == 1 && method == "POST" { "Unreachable" } else { "Status" };
            desk.failed(failure).await;
        }
        assert_eq!(desk.service.asked().len(), tries, "{method}");
        assert_eq!(desk.keys().len(), 1, "{method}");
    });
    futures::future::join_all(tried).await;
}

#[tokio::test]
async fn an_engine_that_is_killed_in_a_call_makes_it_again_under_the_same_key_and_says_nothing_twice() {
    let mut desk = Desk::asks(json!({"url": "/{{ number }}", "method": "POST", "timeoutSeconds": 30})).await;
    desk.service.says([Said::Nothing, Said::Nothing, Said::Body(r#"{"state": "packed"}"#)]);
    desk.engine.inbound("SM-2", MIA, "17").await;
    for calls in 1..=2 {
        eventually("the service is asked", || async {
            let asked = desk.service.asked().len();
            if asked == calls { Ok(()) } else { Err(asked) }
        })
        .await;
        desk.engine.crash().await;
    }
    desk.said(&[QUESTION, FOUND]).await;
    assert_eq!((desk.service.asked().len(), desk.keys().len()), (3, 1));
}

#[tokio::test]
async fn a_customer_who_opts_out_during_a_call_hears_nothing_of_its_answer() {
    let desk = Desk::asks(json!({"url": "/", "timeoutSeconds": 1})).await;
    let _stream = stream::open(&desk.engine, "ana", None).await;
    desk.service.says([Said::Nothing]);
    desk.engine.inbound("SM-2", MIA, "17").await;
    eventually("the service is asked", || async { desk.service.asked().pop().map(drop).ok_or("not yet") }).await;
    desk.engine.inbound("SM-3", MIA, "STOP").await;
    eventually("the bot has ended", || async {
        let ended = desk.engine.metrics().await.contains("reason=\"OptedOut\"} 1");
        if ended { Ok(()) } else { Err("it runs") }
    })
    .await;
    desk.engine.inbound("SM-4", MIA, "START").await;
    desk.engine.inbound("SM-5", MIA, "hello").await;
    eventually("a new conversation begins", || async {
        let texts = desk.gateway.attempts().iter().filter(|attempt| attempt["text"] == QUESTION).count();
        if texts == 2 { Ok(()) } else { Err(texts) }
    })
    .await;
    assert!(desk.gateway.attempts().iter().all(|attempt| attempt["text"] != FOUND));
}
