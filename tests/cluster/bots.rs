//! Bots on a real cluster: a channel names one, it is edited while it talks, and its engine dies meanwhile.

use serde_json::{Value, json};

use super::{
    kills::{ENGINE, signal},
    load::desk,
    quickstart::{NUMBER, Quickstart, Running},
};
use crate::support::{engine::sqlite, process::eventually};

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
async fn a_bot_is_edited_while_ten_conversations_keep_to_its_old_version_over_a_kill() {
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

    quickstart.put_in_force(|quickstart| quickstart.apply(&[welcome("Good day")])).await;
    let new = quickstart.field("bot/welcome", ".status.version");
    assert_ne!(new, old);
    write(&running, 10..11, "Good evening").await;
    hear(&running, 10..11, "Good day").await;
    hear(&running, 10..11, "1 or 2?").await;

    // What has a fault is not put in force, and says so at both objects.
    let mut bad = welcome("Good day");
    bad["spec"]["steps"][1]["ask"]["onTimeout"] = "nowhere".into();
    quickstart.apply(&[bad]);
    let message = until_condition(&quickstart, "smschannel/support", "Ready", "False", "BotInvalid").await;
    assert!(message.contains("step topic, ask.onTimeout: there is no step nowhere"), "{message}");
    until_condition(&quickstart, "bot/welcome", "Ready", "False", "FaultsFound").await;

    // Half of the ten answer an engine that is away.
    write(&running, 0..5, "2").await;
    hear(&running, 0..5, "Hello again, 2").await;
    let (_, restarts) = quickstart.incarnation(ENGINE.0);
    signal(&quickstart, ENGINE, "-KILL");
    write(&running, 5..11, "2").await;
    hear(&running, 5..10, "Hello again, 2").await;
    hear(&running, 10..11, "Good day again, 2").await;
    eventually("another process went on", || async {
        let now = quickstart.incarnation(ENGINE.0).1;
        if now > restarts { Ok(()) } else { Err(now) }
    })
    .await;
    for at in 0..11 {
        let version = if at < 10 { &old } else { &new };
        ended_with(&running, &customer(at), version).await;
    }

    // As soon as nobody talks to it and the channel does not name it, an old version is forgotten.
    let kept = || -> Vec<String> {
        let rows = sqlite(&quickstart.store(), "SELECT version FROM bot_version");
        rows.iter().map(|row| row["version"].as_str().unwrap().to_owned()).collect()
    };
    quickstart.put_in_force(|quickstart| quickstart.apply(&[welcome("Good night")])).await;
    until_condition(&quickstart, "smschannel/support", "Ready", "True", "Available").await;
    assert_eq!(kept(), [quickstart.field("bot/welcome", ".status.version")]);
}

/// The bot handed a customer over to Ana, and was of this version.
async fn ended_with(running: &Running, customer: &str, version: &str) {
    let given = running.ana.given(customer).await;
    let whole = running.ana.get(&format!("/interactions/{}", given["id"])).await;
    assert_eq!((&whole["notes"][0]["bot"], &whole["notes"][0]["text"]), (&json!("welcome"), &json!("Topic 2")));
    let trace = running.ana.get(&format!("/interactions/{}/bot", given["id"])).await;
    assert_eq!(
        (&trace["items"][0]["version"], &trace["items"][0]["endReason"]),
        (&json!(version), &json!("HandedOff"))
    );
    let sent = whole["messages"].as_array().unwrap().iter().filter(|message| message["direction"] == "Outbound");
    assert_eq!(sent.count(), 3, "each text once: {whole}");
}
