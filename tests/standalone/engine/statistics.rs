//! The channel in numbers since midnight: everybody sees the channel's and their own, supervisors see everybody's.

use serde_json::{Value, json};

use super::{MIA, TOM, given, reply, stream};
use crate::support::{engine::Engine, gateway_fake::FakeGateway};

const STATISTICS: &str = "/v1/channels/support/statistics";
const AGENTS: &str = "/v1/channels/support/statistics/agents";

/// The figures that are not nought, without times.
fn said(counts: &Value) -> Value {
    let counts = counts.as_object().unwrap().iter();
    let counts = counts.filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0));
    Value::Object(counts.map(|(name, count)| (name.clone(), count.clone())).collect())
}

#[tokio::test]
async fn what_was_done_today_is_counted_for_each_and_outlives_a_restart() {
    let gateway = FakeGateway::start().await;
    let mut engine = Engine::start(&gateway.url, |document| {
        document["strategy"] = json!("Linear");
        document["campaign"]["supervisors"] = json!(["eva"]);
        // In some zone it is never midnight while this runs; here it is noon.
        document["campaign"]["timeZone"] = json!(zone_at_noon());
    })
    .await;
    engine.presence("ana", true).await;
    let ana_at_desk = stream::open(&engine, "ana", None).await;
    for (id, customer) in [("SM-1", MIA), ("SM-2", TOM)] {
        assert_eq!(engine.inbound(id, customer, "hello").await.0, 200);
    }
    let first = given(&engine, "ana").await;
    assert_eq!(reply(&engine, "ana", &first, "hi").await.0, 202);
    assert_eq!(reply(&engine, "ana", &first, "what is it?").await.0, 202);
    gateway.wait_for(1).await;
    let finish = format!("/v1/channels/support/interactions/{}/finish", first["id"]);
    assert_eq!(engine.post("ana", &finish, json!({ "epoch": first["epoch"] })).await.0, 200);

    let mine = json!({ "taken": 2, "answered": 1, "finished": 1, "replies": 2 });
    let seen = engine.get("ana", STATISTICS).await;
    assert_eq!(said(&seen["mine"]), mine);
    assert_eq!((&seen["mine"]["firstReplies"]["count"], &seen["mine"]["handled"]["count"]), (&json!(1), &json!(1)));
    assert_eq!(said(&seen["today"]), json!({ "texts": 2, "opened": 2, "closed": 1, "replies": 2 }));
    let level = &seen["today"]["serviceLevel"];
    assert_eq!((&level["answered"], &level["percent"]), (&json!(1), &json!(100)));
    assert_eq!(said(&engine.get("bo", STATISTICS).await["mine"]), json!({}), "theirs alone");
    drop(ana_at_desk);
    engine.crash().await;

    // Who was removed worked today all the same.
    engine.configure(|document| drop(document["campaign"]["members"].as_array_mut().unwrap().remove(0))).await;
    let first = engine.get("eva", &format!("{AGENTS}?limit=1")).await;
    let next = first["nextCursor"].as_str().unwrap();
    let second = engine.get("eva", &format!("{AGENTS}?limit=1&cursor={next}")).await;
    assert_eq!(first["date"], seen["today"]["date"]);
    let row = |page: &Value| json!([page["items"][0]["user"], page["items"][0]["member"], said(&page["items"][0])]);
    assert_eq!(row(&first), json!(["ana", false, mine]));
    assert_eq!((row(&second), second["nextCursor"].clone()), (json!(["bo", true, {}]), Value::Null));
    assert_eq!(first["items"].as_array().unwrap().len(), 1);

    for (user, path, status) in [
        ("bo", AGENTS.to_owned(), 403),
        ("eva", format!("{AGENTS}?limit=201"), 422),
        ("eva", format!("{AGENTS}?cursor=*"), 422),
    ] {
        let answer = engine.agent(user, reqwest::Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{user} {path}");
    }
}

/// A time zone where it is about noon.
fn zone_at_noon() -> String {
    let hour = i64::from(jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour());
    // In these names east of Greenwich is minus.
    let west = hour - 12;
    if west == 0 { "UTC".into() } else { format!("Etc/GMT{west:+}") }
}
