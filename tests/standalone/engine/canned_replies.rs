//! Texts that agents have at hand.

use reqwest::Method;
use serde_json::{Value, json};

use super::desk;
use crate::support::engine::answer;

const PATH: &str = "/v1/channels/support/canned-replies";

#[tokio::test]
async fn agents_get_the_campaigns_texts_as_they_stand_and_as_they_change() {
    let (mut engine, _gateway) = desk().await;
    assert_eq!(engine.get("ana", PATH).await, json!({ "items": [] }));
    let of_campaign = json!([
        { "shortcut": "hours", "text": "We open at {{ nine }}, {name}.", "title": "Opening hours", "language": "en-GB" },
        { "shortcut": "thanks", "text": "Thank you!" },
    ]);
    engine
        .configure(|document| {
            document["campaign"]["cannedReplies"] = of_campaign.clone();
            document["campaign"]["supervisors"] = json!(["eva"]);
        })
        .await;
    for user in ["ana", "eva"] {
        assert_eq!(engine.get(user, PATH).await["items"], of_campaign, "to {user}");
    }
    let (status, problem) = answer(engine.agent("mallory", Method::GET, PATH)).await;
    assert_eq!((status, &problem["items"]), (403, &Value::Null));
}
