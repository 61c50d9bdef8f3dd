//! The engine dies at any moment of conversations with bots, in each of their three slots: nothing is said twice, and nobody is lost.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    bots::{greeted, interaction, said},
    stream,
};
use crate::support::{engine::Engine, gateway_fake::FakeGateway, process::eventually};

const CUSTOMERS: usize = 12;

fn number(customer: usize) -> String {
    format!("+155598701{customer:02}")
}

/// Dies at a moment of which nobody knows beforehand what has been done by then.
struct Kills(fastrand::Rng);

impl Kills {
    fn new() -> Self {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        Self(fastrand::Rng::with_seed(seed))
    }

    async fn strike(&mut self, engine: &mut Engine) {
        tokio::time::sleep(Duration::from_micros(self.0.u64(..20_000))).await;
        engine.crash().await;
    }
}

#[tokio::test]
async fn of_a_bot_on_start() {
    let (mut kills, (mut engine, gateway)) = (Kills::new(), greeted().await);
    for (round, text) in ["hello", "what?", "1"].into_iter().enumerate() {
        for customer in 0..CUSTOMERS {
            engine.inbound(&format!("SM-{round}-{customer}"), &number(customer), text).await;
        }
        kills.strike(&mut engine).await;
        let question = "Orders (1) or something else (2)?";
        let again = format!("Please write 1 or 2.\n{question}");
        let all = ["Welcome to support.", question, &again, "Thank you."];
        for customer in 0..CUSTOMERS {
            said(&gateway, &number(customer), &all[..round + 2]).await;
        }
    }
    assert_eq!(engine.status().await["queue"]["waiting"], CUSTOMERS);
    let stored = engine.sqlite("SELECT count(*) AS n FROM message WHERE purpose = 'Bot'");
    assert_eq!(stored[0]["n"], 4 * CUSTOMERS);
}

const MARK: &str = "How did we do, from 1 to 5?";
const THANKS: &str = "Thank you!";

/// Asks, thanks and finishes.
fn survey() -> Value {
    json!({"name": "survey", "spec": {"steps": [
        {"name": "mark", "ask": {"text": MARK, "into": "mark", "matches": "[1-5]"}},
        {"name": "thanks", "say": {"text": THANKS}},
        {"name": "bye", "finish": {"note": "Mark: {{ mark }}"}},
    ]}})
}

#[tokio::test]
async fn of_a_bot_on_end() {
    let (mut kills, gateway) = (Kills::new(), FakeGateway::start().await);
    let mut engine = Engine::start(&gateway.url, |document| document["bots"] = json!({"onEnd": survey()})).await;
    let mut agents = stream::open(&engine, "ana", None).await;
    engine.presence("ana", true).await;
    for customer in 0..CUSTOMERS {
        engine.inbound(&format!("SM-1-{customer}"), &number(customer), "hello").await;
    }
    for customer in 0..CUSTOMERS {
        let open = owned(&engine, &number(customer)).await;
        let finish = format!("/v1/channels/support/interactions/{}/finish", open["id"]);
        let (status, finished) = engine.post("ana", &finish, json!({"epoch": open["epoch"]})).await;
        assert_eq!(status, 200, "{finished}");
        // Of the bots so far some have asked by then, some have not.
        if customer % 4 == 3 {
            kills.strike(&mut engine).await;
            agents = stream::open(&engine, "ana", None).await;
        }
    }
    drop(agents);
    for customer in 0..CUSTOMERS {
        said(&gateway, &number(customer), &[MARK]).await;
    }
    for customer in 0..CUSTOMERS {
        engine.inbound(&format!("SM-2-{customer}"), &number(customer), "5").await;
    }
    kills.strike(&mut engine).await;
    for customer in 0..CUSTOMERS {
        said(&gateway, &number(customer), &[MARK, THANKS]).await;
    }
    all_closed(&engine, CUSTOMERS).await;
    let notes = engine.sqlite("SELECT count(*) AS n FROM note WHERE bot = 'survey' AND text = 'Mark: 5'");
    assert_eq!(notes[0]["n"], CUSTOMERS);
}

const SORRY: &str = "Sorry. Shall we call you?";
const CALL: &str = "We will call you.";

/// Apologizes, and finishes or lets the customer wait on.
fn apology() -> Value {
    json!({"name": "apology", "spec": {"steps": [
        {"name": "sorry", "ask": {
            "text": SORRY, "into": "call", "answers": [{"value": "yes"}, {"value": "no"}], "attempts": 1, "onInvalid": "wait",
        }},
        {"name": "by-answer", "branch": {
            "cases": [{"name": "call", "when": [{"variable": "call", "equals": "yes"}], "next": "call"}], "otherwise": "wait",
        }},
        {"name": "wait", "handOff": {"priority": 1}},
        {"name": "call", "say": {"text": CALL}},
        {"name": "bye", "finish": {"note": "Wants to be called"}},
    ]}})
}

#[tokio::test]
async fn of_a_bot_on_queue_timeout() {
    let (mut kills, gateway) = (Kills::new(), FakeGateway::start().await);
    let mut engine = Engine::start(&gateway.url, |document| {
        document["bots"] = json!({"onQueueTimeout": apology()});
        document["maxQueueSeconds"] = json!(1);
    })
    .await;
    for customer in 0..CUSTOMERS {
        engine.inbound(&format!("SM-1-{customer}"), &number(customer), "hello").await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..3 {
        kills.strike(&mut engine).await;
    }
    for customer in 0..CUSTOMERS {
        said(&gateway, &number(customer), &[SORRY]).await;
    }
    // Every other one waits on.
    let goes = |customer: usize| customer.is_multiple_of(2);
    for customer in 0..CUSTOMERS {
        let answer = if goes(customer) { "yes" } else { "no" };
        engine.inbound(&format!("SM-2-{customer}"), &number(customer), answer).await;
    }
    kills.strike(&mut engine).await;
    for customer in 0..CUSTOMERS {
        let all = [SORRY, CALL];
        said(&gateway, &number(customer), if goes(customer) { &all } else { &all[..1] }).await;
    }
    all_closed(&engine, CUSTOMERS / 2).await;
    eventually("the others wait on", || async {
        let queue = engine.status().await["queue"].clone();
        if queue["waiting"] == CUSTOMERS / 2 { Ok(()) } else { Err(queue) }
    })
    .await;
}

/// The customer's interaction, when Ana has it.
async fn owned(engine: &Engine, customer: &str) -> Value {
    eventually("Ana has the interaction", || async {
        let open = interaction(engine, customer).await;
        if open["owner"] == "ana" { Ok(open) } else { Err(open) }
    })
    .await
}

/// Waits until so many interactions are closed.
async fn all_closed(engine: &Engine, count: usize) {
    eventually("they are closed", || async {
        let closed =
            engine.sqlite("SELECT count(*) AS n FROM interaction WHERE close_reason IS NOT NULL")[0]["n"].clone();
        if closed == count { Ok(()) } else { Err(closed) }
    })
    .await;
}
