//! Files that come with a text are not carried, and are not lost from sight either.

use aldis::wire::ports;
use reqwest::Method;
use serde_json::json;

use super::{MIA, desk};
use crate::support::engine::{GATEWAY, answer, inbound, internal};

#[tokio::test]
async fn agents_see_that_files_came_and_an_opt_out_word_beside_one_counts() {
    let (engine, _gateway) = desk().await;
    let picture = json!([{"mediaType": "image/jpeg", "url": "https://api.twilio.com/ME1"}]);
    for (id, text, outcome) in [("MM1", "", "Queued"), ("MM2", "Look", "Joined"), ("MM3", "STOP", "OptedOut")] {
        let mut message = inbound(id, MIA, text);
        message["media"] = picture.clone();
        let taken = answer(engine.as_role(GATEWAY, Method::POST, &internal(ports::INBOUND_PATH)).json(&message)).await;
        assert_eq!(taken, (200, json!({ "outcome": outcome })));
    }
    let messages = engine.get("ana", &format!("/v1/channels/support/customers/{MIA}/messages")).await;
    let texts: Vec<_> = messages["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|m| m["direction"] == "Inbound")
        .map(|m| m["text"].clone())
        .collect();
    let note = "[file: image/jpeg https://api.twilio.com/ME1]";
    assert_eq!(json!(texts), json!([format!("STOP\n{note}"), format!("Look\n{note}"), note]), "{messages:#}");
}
