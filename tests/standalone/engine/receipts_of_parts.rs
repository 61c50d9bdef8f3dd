//! A long text that the provider sends in parts has an id for each: it is delivered when all parts are, and failed when one is.

use aldis::wire::ports;
use reqwest::Method;
use serde_json::{Value, json};

use super::MIA;
use crate::support::{
    engine::{Engine, GATEWAY, NUMBER, answer, internal},
    gateway_fake::{FakeGateway, Reply},
    process::eventually,
};

/// An engine where Ana has sent a text.
struct Desk {
    engine: Engine,
    _gateway: FakeGateway,
    message: Value,
}

impl Desk {
    /// Receipts that come before the gateway's answer, and then the answer with the ids of the parts.
    async fn start(early: &[(&str, &str)], ids: &[&str]) -> Self {
        let gateway = FakeGateway::start().await;
        let engine = Engine::start(&gateway.url, |_| {}).await;
        for (id, state) in early {
            report(&engine, id, state).await;
        }
        gateway.answer_with([Reply::Outcome(json!({ "outcome": "Accepted", "providerMessageIds": ids }))]);
        let body = json!({ "number": MIA, "text": "A text of several parts" });
        let (status, started) = engine.post("ana", "/v1/channels/support/interactions", body).await;
        assert_eq!(status, 201, "{started}");
        Self { engine, _gateway: gateway, message: started["message"].clone() }
    }

    async fn is(&self, status: &str) {
        let path = format!("/v1/channels/support/messages/{}", self.message);
        eventually(&format!("the message is {status}"), || async {
            let message = self.engine.get("ana", &path).await;
            if message["status"] == status { Ok(()) } else { Err(message) }
        })
        .await;
    }

    async fn reported(&self, id: &str, state: &str) {
        report(&self.engine, id, state).await;
    }
}

async fn report(engine: &Engine, id: &str, state: &str) {
    let receipt =
        json!({ "providerMessageId": id, "from": NUMBER, "state": state, "receivedAt": jiff::Timestamp::now() });
    let request = engine.as_role(GATEWAY, Method::POST, &internal(ports::RECEIPTS_PATH));
    assert_eq!(answer(request.json(&receipt)).await.0, 200);
}

#[tokio::test]
async fn a_message_is_delivered_when_its_last_part_is_whatever_the_order_and_over_a_crash() {
    let mut desk = Desk::start(&[], &["P-1", "P-2", "P-3"]).await;
    desk.is("Accepted").await;
    desk.reported("P-3", "Delivered").await;
    desk.is("Sent").await;
    // The same again is no other part.
    desk.reported("P-3", "Delivered").await;
    desk.reported("P-1", "Sent").await;
    desk.reported("P-1", "Delivered").await;
    desk.is("Sent").await;
    desk.engine.crash().await;
    desk.is("Sent").await;
    desk.reported("P-2", "Delivered").await;
    desk.is("Delivered").await;
}

#[tokio::test]
async fn a_part_that_fails_is_the_messages_failure_whatever_comes_after() {
    let desk = Desk::start(&[], &["P-1", "P-2"]).await;
    desk.is("Accepted").await;
    desk.reported("P-1", "Delivered").await;
    desk.is("Sent").await;
    desk.reported("P-2", "Failed").await;
    desk.is("Failed").await;
    desk.reported("P-2", "Delivered").await;
    desk.reported("P-1", "Delivered").await;
    desk.is("Failed").await;
}

#[tokio::test]
async fn parts_whose_receipts_come_before_the_answer_count() {
    let desk = Desk::start(&[("P-1", "Delivered")], &["P-1", "P-2"]).await;
    desk.is("Sent").await;
    desk.reported("P-2", "Delivered").await;
    desk.is("Delivered").await;

    let whole = Desk::start(&[("P-2", "Delivered"), ("P-1", "Delivered")], &["P-1", "P-2"]).await;
    whole.is("Delivered").await;
}

#[tokio::test]
async fn a_message_with_one_id_is_delivered_at_once() {
    let desk = Desk::start(&[], &["P-1"]).await;
    desk.is("Accepted").await;
    desk.reported("P-1", "Delivered").await;
    desk.is("Delivered").await;
}
