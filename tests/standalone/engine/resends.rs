//! A message of which nobody knows whether it was sent goes once more when a person says so, and once for each time.

use aldis::wire::ports;
use reqwest::Method;
use serde_json::{Value, json};

use super::MIA;
use crate::support::{
    engine::{Engine, GATEWAY, NUMBER, answer, internal},
    gateway_fake::{FakeGateway, Reply},
    process::eventually,
};

/// An engine where Ana has an interaction whose message is `Unknown`; eva is a supervisor.
struct Desk {
    engine: Engine,
    gateway: FakeGateway,
    started: Value,
}

impl Desk {
    async fn start() -> Self {
        let gateway = FakeGateway::start().await;
        let engine = Engine::start(&gateway.url, |document| document["campaign"]["supervisors"] = json!(["eva"])).await;
        gateway.answer_with([unknown()]);
        let body = json!({ "number": MIA, "text": "Are you there?" });
        let (status, started) = engine.post("ana", "/v1/channels/support/interactions", body).await;
        assert_eq!(status, 201, "{started}");
        let desk = Self { engine, gateway, started };
        desk.is("Unknown").await;
        desk
    }

    fn path(&self) -> String {
        format!("/v1/channels/support/messages/{}", self.started["message"])
    }

    async fn is(&self, status: &str) {
        eventually(&format!("the message is {status}"), || async {
            let message = self.engine.get("ana", &self.path()).await;
            if message["status"] == status { Ok(()) } else { Err(message) }
        })
        .await;
    }

    async fn resend(&self, user: &str, key: &str, epoch: u32) -> (u16, Value) {
        let request = self.engine.agent(user, Method::POST, &(self.path() + "/resend"));
        answer(request.header("Idempotency-Key", key).json(&json!({ "epoch": epoch }))).await
    }

    /// The attempts at the gateway by their numbers.
    fn attempts(&self) -> Vec<u64> {
        self.gateway.attempts().iter().map(|attempt| attempt["attempt"].as_u64().unwrap()).collect()
    }

    /// A receipt of the first attempt.
    async fn receipt(&self, state: &str) {
        self.receipt_of(0, state).await;
    }

    async fn receipt_of(&self, attempt: usize, state: &str) {
        let token = self.gateway.attempts()[attempt]["receiptToken"].clone();
        let receipt = json!({
            "providerMessageId": "SM-late", "from": NUMBER, "token": token, "state": state,
            "receivedAt": jiff::Timestamp::now(),
        });
        let request = self.engine.as_role(GATEWAY, Method::POST, &internal(ports::RECEIPTS_PATH));
        assert_eq!(answer(request.json(&receipt)).await.0, 200);
    }
}

fn unknown() -> Reply {
    Reply::Outcome(json!({ "outcome": "Unknown", "message": "timeout" }))
}

fn problem(reason: &str) -> Value {
    json!(format!("urn:aldis:problem:{reason}"))
}

#[tokio::test]
async fn it_goes_once_more_and_a_repeated_request_sends_nothing_again() {
    let mut desk = Desk::start().await;
    let first = desk.resend("ana", "k-1", 1).await;
    assert_eq!(first, (202, json!({ "attempt": 2 })));
    desk.is("Accepted").await;
    assert_eq!(desk.resend("ana", "k-1", 1).await, first);
    desk.engine.crash().await;
    assert_eq!(desk.resend("ana", "k-1", 1).await, first, "kept over a restart");
    let (status, refused) = desk.resend("ana", "k-2", 1).await;
    assert_eq!((status, &refused["type"]), (409, &problem("not-unknown")), "{refused}");
    let texts: Vec<_> = desk.gateway.attempts().iter().map(|attempt| attempt["text"].clone()).collect();
    assert_eq!((desk.attempts(), texts), (vec![1, 2], vec![json!("Are you there?"); 2]));
    let metrics = desk.engine.metrics().await;
    assert!(metrics.contains("aldis_engine_resends_total{"), "{metrics}");
}

#[tokio::test]
async fn a_kill_before_its_outcome_makes_no_further_attempt() {
    let mut desk = Desk::start().await;
    desk.gateway.answer_with([Reply::Silence]);
    assert_eq!(desk.resend("eva", "k-1", 1).await.0, 202, "a supervisor may");
    desk.gateway.wait_for(2).await;
    desk.engine.crash().await;
    desk.is("Accepted").await;
    assert_eq!(desk.attempts(), [1, 2, 2], "the same attempt was asked for again");
    assert!(desk.gateway.attempts()[2]["askedBefore"].as_bool().unwrap());
    let requested = desk.engine.sqlite(
        "SELECT value ->> 'user' AS user FROM event, json_each(body) WHERE value ->> 'type' = 'ResendRequested'",
    );
    assert_eq!(requested, [json!({ "user": "eva" })]);
}

#[tokio::test]
async fn what_was_settled_or_may_not_be_said_is_refused() {
    let desk = Desk::start().await;
    let reason = async |user: &str, key: &str, epoch: u32| {
        let (status, refused) = desk.resend(user, key, epoch).await;
        (status, refused["type"].clone())
    };
    assert_eq!(reason("bo", "k-1", 1).await, (409, problem("not-owner")));
    assert_eq!(reason("ana", "k-2", 0).await, (409, problem("stale-epoch")));
    assert_eq!(reason("mallory", "k-3", 1).await, (403, problem("forbidden")));
    let nothing = "/v1/channels/support/messages/1/resend";
    assert_eq!(desk.engine.post("ana", nothing, json!({ "epoch": 1 })).await.0, 404);
    assert_eq!(desk.engine.post("ana", &(desk.path() + "/resend"), json!({})).await.1["field"], "/epoch");
    desk.receipt("Delivered").await;
    assert_eq!(reason("ana", "k-4", 1).await, (409, problem("not-unknown")));

    let desk = Desk::start().await;
    desk.engine.inbound("SM-1", MIA, "STOP").await;
    let (status, refused) = desk.resend("ana", "k-1", 1).await;
    assert_eq!((status, &refused["type"]), (409, &problem("opted-out")));
}

#[tokio::test]
async fn that_one_attempt_failed_says_nothing_of_the_other() {
    let desk = Desk::start().await;
    assert_eq!(desk.resend("ana", "k-1", 1).await.0, 202);
    desk.is("Accepted").await;
    desk.receipt_of(0, "Failed").await;
    desk.is("Accepted").await;
    desk.receipt_of(1, "Failed").await;
    desk.is("Unknown").await;

    desk.gateway.answer_with([Reply::Outcome(
        json!({ "outcome": "Refused", "class": "Filtered", "providerCode": "30007", "message": "spam" }),
    )]);
    assert_eq!(desk.resend("ana", "k-2", 1).await.0, 202);
    eventually("it was refused", || async {
        let message = desk.engine.get("ana", &desk.path()).await;
        if message["providerCode"] == "30007" { Ok(()) } else { Err(message) }
    })
    .await;
    desk.is("Unknown").await;
    desk.receipt_of(0, "Delivered").await;
    desk.is("Delivered").await;
}

#[tokio::test]
async fn a_repeated_receipt_of_an_older_attempt_says_nothing_of_the_newest() {
    let desk = Desk::start().await;
    assert_eq!(desk.resend("ana", "k-1", 1).await.0, 202);
    desk.is("Accepted").await;
    desk.receipt_of(1, "Failed").await;
    desk.is("Unknown").await;
    assert_eq!(desk.resend("ana", "k-2", 1).await.0, 202);
    desk.is("Accepted").await;
    for attempt in [0, 1] {
        desk.receipt_of(attempt, "Failed").await;
        desk.is("Accepted").await;
    }
    desk.receipt_of(2, "Failed").await;
    desk.is("Unknown").await;
}

#[tokio::test]
async fn an_opt_out_that_a_receipt_reports_before_the_gateways_answer_counts_though_that_is_lost() {
    let desk = Desk::start().await;
    desk.gateway.answer_with([Reply::Silence]);
    assert_eq!(desk.resend("ana", "k-1", 1).await.0, 202);
    desk.gateway.wait_for(2).await;
    let token = desk.gateway.attempts()[1]["receiptToken"].clone();
    let receipt = json!({
        "providerMessageId": "SM-late", "from": NUMBER, "token": token, "state": "Failed", "class": "OptedOut",
        "receivedAt": jiff::Timestamp::now(),
    });
    let request = desk.engine.as_role(GATEWAY, Method::POST, &internal(ports::RECEIPTS_PATH));
    assert_eq!(answer(request.json(&receipt)).await.0, 200);
    let listed = desk.engine.get("eva", "/v1/channels/support/opt-outs").await;
    assert_eq!(listed["items"][0]["number"], MIA, "{listed}");
}

#[tokio::test]
async fn a_late_receipt_of_the_first_attempt_settles_it_for_good() {
    let desk = Desk::start().await;
    desk.gateway.answer_with([Reply::Status(503), Reply::Status(503)]);
    assert_eq!(desk.resend("ana", "k-1", 1).await.0, 202);
    desk.gateway.wait_for(2).await;
    desk.receipt("Delivered").await;
    desk.gateway.wait_for(4).await;
    eventually("nothing is at the gateway", || async {
        let outbox = desk.engine.status().await["outbox"].clone();
        if outbox["inFlight"] == 0 { Ok(()) } else { Err(outbox) }
    })
    .await;
    desk.is("Delivered").await;
    let reply = format!("/v1/channels/support/interactions/{}/reply", desk.started["interaction"]);
    assert_eq!(desk.engine.post("ana", &reply, json!({ "epoch": 1, "text": "Good." })).await.0, 202);
    assert_eq!(desk.gateway.wait_for(5).await[4]["text"], "Good.", "what comes later is sent as ever");
}
