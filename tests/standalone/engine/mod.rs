//! The engine as a process, over its HTTP interfaces.

mod access;
mod bot_answers;
mod bot_kills;
mod bot_services;
mod bots;
mod canned_replies;
mod clock;
mod configuration;
mod conversation;
mod disk;
mod dispositions;
mod full;
mod history;
mod logs;
mod media;
mod messages;
mod offers;
mod opt_outs;
mod origins;
mod outbound;
mod presence;
mod receipts_of_parts;
mod repetition;
mod resends;
mod restored;
mod statistics;
mod stream;
mod streams_at_once;
mod supervisors;
mod tickets;
mod transfers;

use serde_json::{Value, json};

use crate::support::{engine::Engine, gateway_fake::FakeGateway, process::eventually};

pub(crate) const MIA: &str = "+15559870001";
pub(crate) const TOM: &str = "+15559870002";

/// An engine with ana present, and its gateway.
async fn desk() -> (Engine, FakeGateway) {
    let gateway = FakeGateway::start().await;
    let engine = Engine::start(&gateway.url, |_| {}).await;
    engine.presence("ana", true).await;
    (engine, gateway)
}

/// Waits until an agent has an interaction; gives it as `GET /v1/channels/support/interactions/{id}` shows it.
async fn given(engine: &Engine, user: &str) -> Value {
    let path = format!("/v1/channels/support/interactions?owner={user}&state=Active");
    let id = eventually("the agent has an interaction", || async {
        let page = engine.get(user, &path).await;
        page["items"][0]["id"].as_u64().ok_or(page)
    })
    .await;
    engine.get(user, &format!("/v1/channels/support/interactions/{id}")).await
}

/// Answers an interaction.
async fn reply(engine: &Engine, user: &str, interaction: &Value, text: &str) -> (u16, Value) {
    let path = format!("/v1/channels/support/interactions/{}/reply", interaction["id"]);
    engine.post(user, &path, json!({ "epoch": interaction["epoch"], "text": text })).await
}
