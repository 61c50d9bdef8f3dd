//! Bots on a real cluster: a channel names one, and it is edited while it talks.

use serde_json::{Value, json};

use super::{
    load::desk,
    quickstart::{NUMBER, Quickstart, Running},
};
use crate::support::process::eventually;

/// Greets, asks for a topic, and hands off.
fn welcome(hello: &str) -> Value {
    json!({
        "apiVersion": "aldis.dev/v1alpha1", "kind": "Bot", "metadata": {"name": "welcome"},
        "spec": {"steps": [
            {"name": "hello", "say": {"text": hello}},
            {"name": "topic", "ask": {"text": "1 or 2?", "into": "topic", "answers": [{"value": "1"}, {"value": "2"}]}},
            {"name": "thanks", "say": {"text": format!("{hello} again, {{{{ topic }}}}")}},
            {"name": "agent", "handOff": {"note": "Topic {{ topic }}"}},
        ]},
    })
}

fn customer(at: usize) -> String {
    format!("+1555985{at:04}")
}

/// These customers write.
async fn write(running: &Running, customers: std::ops::Range<usize>, text: &str) {
    for at in customers {
        running.carrier.customer_writes(&customer(at), NUMBER, text).await;
    }
}

async fn hear(running: &Running, customers: std::ops::Range<usize>, text: &str) {
    for at in customers {
        running.carrier.until_delivered(&customer(at), text).await;
    }
}

async fn until_condition(quickstart: &Quickstart, object: &str, type_: &str, status: &str, reason: &str) -> String {
    eventually("the condition is so", || async {
        let [found, why, message] = quickstart.condition(object, type_);
        if found == status && why == reason { Ok(message) } else { Err([found, why, message]) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_is_edited_while_ten_conversations_keep_to_its_old_version() {
    let (mut quickstart, running) = desk(Quickstart::new()).await;
    let _online = running.ana.be_online();
    quickstart.change("channel", |channel| channel["spec"]["automations"] = json!({"onStart": {"name": "welcome"}}));
    quickstart.apply_file("channel");
    until_condition(&quickstart, "smschannel/support", "Ready", "False", "BotNotFound").await;
    quickstart.apply(&[welcome("Hello")]);
    until_condition(&quickstart, "smschannel/support", "Ready", "True", "Available").await;

    write(&running, 0..10, "Good morning").await;
    hear(&running, 0..10, "Hello").await;
    hear(&running, 0..10, "1 or 2?").await;
    let old = quickstart.field("bot/welcome", ".status.version");

    quickstart.apply(&[welcome("Good day")]);
    eventually("the engine has the new version", || async {
        let [ready, ..] = quickstart.condition("smschannel/support", "ConfigApplied");
        let new = quickstart.field("bot/welcome", ".status.version");
        if ready == "True" && new != old { Ok(()) } else { Err((ready, new)) }
    })
    .await;
    eventually("new conversations begin with it", || async {
        let customer = format!("+1555984{:04}", fastrand::u32(..10_000));
        running.carrier.customer_writes(&customer, NUMBER, "Good evening").await;
        running.carrier.until_delivered(&customer, "1 or 2?").await;
        let said: Vec<Value> = running.ana.messages(&customer).await.iter().map(|it| it["text"].clone()).collect();
        if said.contains(&json!("Good day")) { Ok(()) } else { Err(said) }
    })
    .await;

    // What has a fault is not put in force, and says so at both objects.
    let mut bad = welcome("Good day");
    bad["spec"]["steps"][1]["ask"]["onTimeout"] = "nowhere".into();
    quickstart.apply(&[bad]);
    let message = until_condition(&quickstart, "smschannel/support", "Ready", "False", "BotInvalid").await;
    assert!(message.contains("step topic, ask.onTimeout: there is no step nowhere"), "{message}");
    until_condition(&quickstart, "bot/welcome", "Ready", "False", "FaultsFound").await;

    write(&running, 0..10, "2").await;
    hear(&running, 0..10, "Hello again, 2").await;
    let given = running.ana.given(&customer(3)).await;
    let whole = running.ana.get(&format!("/interactions/{}", given["id"])).await;
    assert_eq!((&whole["notes"][0]["bot"], &whole["notes"][0]["text"]), (&json!("welcome"), &json!("Topic 2")));
    let trace = running.ana.get(&format!("/interactions/{}/bot", given["id"])).await;
    assert_eq!((&trace["items"][0]["version"], &trace["items"][0]["endReason"]), (&json!(old), &json!("HandedOff")));

    quickstart.apply(&[welcome("Good day")]);
    until_condition(&quickstart, "smschannel/support", "Ready", "True", "Available").await;
}
