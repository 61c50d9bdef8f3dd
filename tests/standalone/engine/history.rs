//! What has ended is found again: by customer, owner, reason and time.

use reqwest::Method;
use serde_json::{Value, json};

use super::{MIA, TOM, desk, given};
use crate::support::engine::{Engine, answer};

const PATH: &str = "/v1/channels/support/interactions";

/// The ids of all interactions that a query finds, over all pages.
async fn found(engine: &Engine, user: &str, query: &str) -> Vec<u64> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = engine.get(user, &format!("{PATH}?limit=2&{query}{cursor}")).await;
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()));
        let Some(next) = page["nextCursor"].as_str() else { return ids };
        cursor = format!("&cursor={next}");
    }
}

fn number(number: &str) -> String {
    number.replace('+', "%2B")
}

/// Mia was served twice by Ana, Tom opted out, and a third customer waits.
async fn history() -> (Engine, [u64; 4], Value) {
    let (engine, gateway) = desk().await;
    let mut ids = Vec::new();
    let mut first_arrival = Value::Null;
    for text in ["first", "second"] {
        let stream = super::stream::open(&engine, "ana", None).await;
        engine.inbound(&format!("SM-{text}"), MIA, text).await;
        let interaction = given(&engine, "ana").await;
        let finish = format!("{PATH}/{}/finish", interaction["id"]);
        assert_eq!(engine.post("ana", &finish, json!({ "epoch": interaction["epoch"] })).await.0, 200);
        if ids.is_empty() {
            first_arrival = interaction["arrivedAt"].clone();
        }
        ids.push(interaction["id"].as_u64().unwrap());
        drop(stream);
    }
    engine.presence("ana", false).await;
    engine.inbound("SM-3", TOM, "third").await;
    engine.inbound("SM-4", TOM, "STOP").await;
    engine.inbound("SM-5", "+15559870003", "fourth").await;
    let all = found(&engine, "ana", "").await;
    assert_eq!((all.len(), &all[..2]), (4, &ids[..]), "oldest first");
    drop(gateway);
    (engine, all.try_into().unwrap(), first_arrival)
}

#[tokio::test]
async fn the_history_is_searched_by_any_of_its_filters_together() {
    let (engine, [first, second, third, fourth], first_arrival) = history().await;
    let (mia, tom) = (number(MIA), number(TOM));
    let first_arrival = first_arrival.as_str().unwrap();
    let second_arrival = engine.get("ana", &format!("{PATH}/{second}")).await["arrivedAt"].as_str().unwrap().to_owned();
    let cases: [(String, &[u64]); 17] = [
        ("order=newest".into(), &[fourth, third, second, first]),
        (format!("customer={mia}"), &[first, second]),
        (format!("customer={mia}&order=newest"), &[second, first]),
        (format!("customer={tom}&closeReason=OptedOut"), &[third]),
        (format!("customer={mia}&closeReason=OptedOut"), &[]),
        (format!("customer={mia}&state=Active"), &[]),
        (format!("customer={}", number("+15559879999")), &[]),
        ("owner=me".into(), &[first, second]),
        ("owner=ana&closeReason=Finished&order=newest".into(), &[second, first]),
        ("owner=ana&closeReason=Idle".into(), &[]),
        ("owner=bo".into(), &[]),
        ("closeReason=Finished".into(), &[first, second]),
        ("closeReason=Finished&state=Queued".into(), &[]),
        ("state=Closed".into(), &[first, second, third]),
        (format!("to={second_arrival}"), &[first]),
        (format!("from={second_arrival}&state=Queued"), &[fourth]),
        (format!("from={first_arrival}&to={second_arrival}&owner=ana&customer={mia}"), &[first]),
    ];
    for (query, expected) in &cases {
        assert_eq!(found(&engine, "ana", query).await, *expected, "{query}");
    }
    let others = found(&engine, "bo", &format!("customer={mia}")).await;
    assert_eq!(others, [first, second], "members see every conversation of the channel");
    assert_eq!(answer(engine.agent("mallory", Method::GET, PATH)).await.0, 403);
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_named() {
    let (engine, _gateway) = desk().await;
    let cases = [
        ("customer=5551", 422, Some("?customer")),
        ("customer=+15559870001", 422, Some("?customer")),
        ("closeReason=Bored", 422, Some("?closeReason")),
        ("from=yesterday", 422, Some("?from")),
        ("from=2026-11-22T00:00:00Z&to=2026-11-22T00:00:00Z", 422, Some("?to")),
        ("cursor=x", 422, Some("?cursor")),
        ("limit=x", 422, Some("?limit")),
        ("state=Gone", 422, Some("?state")),
    ];
    for (query, status, field) in cases {
        let (found, problem) = answer(engine.agent("ana", Method::GET, &format!("{PATH}?{query}"))).await;
        assert_eq!((found, problem["field"].as_str()), (status, field), "{query}: {problem}");
    }
}
