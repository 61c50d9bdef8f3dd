//! A long text comes in parts while processes die between them: agents see one whole text, and nothing is lost or doubled.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    kills::world::World,
    support::{
        engine::NUMBER,
        process::{eventually, ready},
        wall_clock::WallClock,
    },
};

const MIA: &str = "+15559870101";
const TOM: &str = "+15559870102";

/// The texts of a customer as agents see them: what each says, of how many parts it was, and which are missing.
async fn texts(world: &World, customer: &str) -> Vec<(Value, Value, Value)> {
    let messages = world.desk().messages(customer).await;
    messages.iter().map(|it| (it["text"].clone(), it["parts"].clone(), it["incomplete"]["missing"].clone())).collect()
}

async fn until_texts(world: &World, customer: &str, expected: &[(&str, Value, Value)]) {
    let expected: Vec<_> =
        expected.iter().map(|(text, parts, missing)| (json!(text), parts.clone(), missing.clone())).collect();
    eventually("the customer's texts are these", || async {
        let texts = texts(world, customer).await;
        if texts == expected { Ok(()) } else { Err(texts) }
    })
    .await;
}

fn waiting(world: &World) -> usize {
    world.engine.sqlite("SELECT sequence FROM part WHERE text IS NOT NULL").len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_make_one_text_though_engine_and_gateway_die_between_them() {
    let mut world = World::start().await;
    let fault = json!({ "route": "Inbound", "action": { "Duplicate": { "copies": 1 } } });
    world.carrier.control(reqwest::Method::POST, "/control/faults", &fault).await;
    let part = async |world: &World, sequence: u16, text: &str| {
        world.carrier.customer_writes_part(MIA, NUMBER, [7, 5, sequence], text).await;
        world.carrier.settle().await;
    };
    part(&world, 4, "four ").await;
    world.engine.crash().await;
    part(&world, 2, "two ").await;
    world.gateway.kill_and_restart();
    part(&world, 1, "one ").await;
    assert_eq!((waiting(&world), texts(&world, MIA).await.len()), (3, 0));
    // What comes while the engine is away waits in the spool, also while the gateway dies.
    world.engine.role.kill();
    part(&world, 5, "five").await;
    world.gateway.kill_and_restart();
    world.engine.role.start_again();
    ready(world.engine.address).await;
    part(&world, 3, "three ").await;
    until_texts(&world, MIA, &[("one two three four five", json!(5), Value::Null)]).await;
    world.engine.crash().await;
    world.settle().await;
    until_texts(&world, MIA, &[("one two three four five", json!(5), Value::Null)]).await;
    assert_eq!(waiting(&world), 0);
    // The same reference is another text's now; a word counts in the whole text only.
    part(&world, 4, "").await;
    world.carrier.customer_writes_part(TOM, NUMBER, [7, 2, 1], "STOP").await;
    world.carrier.customer_writes_part(TOM, NUMBER, [7, 2, 2], "PING is near").await;
    until_texts(&world, TOM, &[("STOPPING is near", json!(2), Value::Null)]).await;
    let metrics = world.engine.metrics().await;
    for line in [
        "inbound_joined_total{channel=\"support\",outcome=\"Whole\"} 1",
        "inbound_parts_total{channel=\"support\",outcome=\"Kept\"} 2",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_does_not_become_whole_is_shown_with_its_gap_after_ten_minutes() {
    let mut world = World::start().await;
    let clock = WallClock::new();
    world.engine.crash_into_clock(&clock).await;
    world.carrier.customer_writes_part(MIA, NUMBER, [7, 3, 1], "one ").await;
    world.carrier.settle().await;
    world.engine.crash().await;
    world.carrier.customer_writes_part(MIA, NUMBER, [7, 3, 3], "three").await;
    world.carrier.settle().await;
    // A clock that goes ahead by more at once has leapt, and waits measure none of it.
    for step in 1..=13 {
        if step == 12 {
            assert_eq!(waiting(&world), 2, "not yet");
        }
        let wrong_by = SignedDuration::from_secs(50 * step);
        clock.set_wrong_by(wrong_by);
        eventually("the engine has seen the time", || async {
            let now: jiff::Timestamp = world.engine.status().await["sampledAt"].as_str().unwrap().parse().unwrap();
            let ahead = now.duration_since(jiff::Timestamp::now());
            if ahead > wrong_by - SignedDuration::from_secs(5) { Ok(()) } else { Err(ahead) }
        })
        .await;
    }
    until_texts(&world, MIA, &[("one […]three", json!(3), json!([2]))]).await;
    // What comes too late waits for its others, and is not lost; a repeated one is known.
    world.carrier.customer_writes_part(MIA, NUMBER, [7, 3, 2], "two ").await;
    world.carrier.settle().await;
    assert_eq!(waiting(&world), 1);
    assert_eq!(world.engine.sqlite("SELECT provider_id FROM dedup").len(), 2, "both parts are known by their ids");
}
