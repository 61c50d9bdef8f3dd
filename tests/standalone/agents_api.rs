//! The agents' API as its OpenAPI document describes it, asked by Schemathesis: no fault of the engine, no status that is not documented,
//! no answer that is not of its schema.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    path::Path,
    process::Output,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    desk::{Desk, Open},
    engine::{CHANNEL, DESK, Engine},
    gateway_fake::FakeGateway,
    peers,
};
use aldis::wire::ports;

/// Rounds of [`SECONDS`], each with seeds of its own, until each operation has met a moment at which it could do something.
const ROUNDS: usize = 5;
/// For how long each caller asks; `make api-campaign` asks for longer.
const SECONDS: &str = "25";
const CUSTOMERS: u32 = 40;

/// What is done at least once, whatever is generated.
const DONE: [&str; 21] = [
    "GET /v1/me",
    "GET /v1/channels/{channel}/agents",
    "GET /v1/channels/{channel}/canned-replies",
    "GET /v1/channels/{channel}/customers/{number}/messages",
    "GET /v1/channels/{channel}/dispositions",
    "GET /v1/channels/{channel}/interactions",
    "GET /v1/channels/{channel}/interactions/{id}",
    "GET /v1/channels/{channel}/interactions/{id}/bot",
    "GET /v1/channels/{channel}/messages/{id}",
    "GET /v1/channels/{channel}/opt-outs",
    "GET /v1/channels/{channel}/statistics",
    "POST /v1/channels/{channel}/interactions",
    "POST /v1/channels/{channel}/interactions/{id}/assign",
    "POST /v1/channels/{channel}/interactions/{id}/close",
    "POST /v1/channels/{channel}/interactions/{id}/note",
    "POST /v1/channels/{channel}/interactions/{id}/reply",
    "POST /v1/channels/{channel}/interactions/{id}/transfer",
    "POST /v1/channels/{channel}/me/beat",
    "POST /v1/channels/{channel}/messages/{id}/resend",
    "POST /v1/channels/{channel}/stream-ticket",
    "PUT /v1/channels/{channel}/me/presence",
];

struct Called {
    engine: Engine,
    _gateway: FakeGateway,
    _streams: Vec<Open>,
}

impl Called {
    /// An engine with agents, a supervisor, dispositions and a bot, customers who wait, and some who are served.
    async fn start() -> Self {
        let gateway = FakeGateway::start().await;
        gateway.lose_each(2);
        let mut engine = Engine::start(&gateway.url, |document| {
            document["campaign"]["supervisors"] = json!(["eva"]);
            document["campaign"]["dispositions"] = json!([{ "name": "done", "path": "Orders/Done" }]);
            document["bots"] = json!({ "onStart": { "name": "greeting", "spec": { "idleSeconds": 10, "steps": [
                { "name": "topic", "ask": { "text": "Orders or something else?", "into": "topic", "matches": "order" } },
                { "name": "agent", "handOff": { "priority": 2, "note": "Topic {{ topic }}" } },
            ] } } });
        })
        .await;
        let url = format!("http://{}:{}", engine.address, ports::PUBLIC);
        let desk = |user: &str| Desk::new(&url, CHANNEL, &engine.issuer.token(user, DESK));
        let streams = ["ana", "bo", "eva"].map(|user| desk(user).be_online()).into_iter().collect();
        for user in ["ana", "bo"] {
            engine.presence(user, true).await;
        }
        for customer in 0..CUSTOMERS {
            if customer == CUSTOMERS / 3 {
                // Those before have an agent; the others are offered to all.
                let asking = |document: &mut Value| {
                    document["strategy"] = json!("RingAll");
                    document["offerTimeoutSeconds"] = json!(3_600);
                };
                engine.configure(asking).await;
            }
            for text in ["hello", "order"] {
                let (id, from) = (format!("SM-{text}-{customer}"), format!("+1555987{customer:04}"));
                assert_eq!(engine.inbound(&id, &from, text).await.0, 200);
            }
        }
        Self { engine, _gateway: gateway, _streams: streams }
    }

    /// Customers write, opt out and in, and answer bots, for as long as somebody looks.
    async fn customers_write(&self) -> Infallible {
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        let mut texts = 0_u64;
        loop {
            pace.tick().await;
            texts += 1;
            let from = format!("+1555987{:04}", fastrand::u32(..CUSTOMERS));
            let words = ["hello", "order", "order", "and another thing", "STOP", "START", "HELP"];
            let text = words[fastrand::usize(..words.len())];
            let (status, answer) = self.engine.inbound(&format!("SM-later-{texts}"), &from, text).await;
            assert_eq!(status, 200, "{answer}");
        }
    }

    async fn judged(&self, user: &str, seed: u32) -> Output {
        let mut python = peers::python();
        let seconds = std::env::var("ALDIS_API_SECONDS").unwrap_or_else(|_| SECONDS.into());
        // It leaves files where it runs.
        python
            .current_dir(self.engine.dir.path())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/agents_api.py"))
            .arg(format!("http://{}:{}", self.engine.address, ports::PUBLIC))
            .args([user, &seed.to_string(), &seconds]);
        let token = self.engine.issuer.token(user, DESK);
        tokio::task::spawn_blocking(move || peers::outcome(python, &format!("{token}\n"))).await.unwrap()
    }

    /// Asks as an agent and as a supervisor while customers write; the operations that did what they were asked for.
    async fn round(&self) -> BTreeSet<String> {
        let seeds = [fastrand::u32(..), fastrand::u32(..)];
        println!("seeds {seeds:?}");
        let judged = async { tokio::join!(self.judged("ana", seeds[0]), self.judged("eva", seeds[1])) };
        let (agent, supervisor) = tokio::select! {
            judged = judged => judged,
            never = self.customers_write() => match never {},
        };
        let mut done = BTreeSet::new();
        for (user, judged) in [("ana", agent), ("eva", supervisor)] {
            let said = String::from_utf8_lossy(&judged.stdout);
            let wrong = String::from_utf8_lossy(&judged.stderr);
            assert!(judged.status.success(), "as {user}, seeds {seeds:?}:\n{said}\n{wrong}");
            let answers: BTreeMap<String, u64> = serde_json::from_str(said.lines().last().unwrap()).unwrap();
            println!("as {user}: {} answers", answers.values().sum::<u64>());
            done.extend(
                answers
                    .into_keys()
                    .filter_map(|answer| answer.rsplit_once(" 2").map(|(operation, _)| operation.to_owned())),
            );
        }
        done
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_agents_and_supervisors_are_answered_is_as_the_document_says() {
    let called = Called::start().await;
    let mut done = BTreeSet::new();
    let mut missing = DONE.to_vec();
    for _ in 0..ROUNDS {
        done.extend(called.round().await);
        missing.retain(|operation| !done.contains(*operation));
        if missing.is_empty() {
            break;
        }
    }
    // It got beyond what is refused at once.
    println!("{} operations did what they were asked for: {done:#?}", done.len());
    assert!(missing.is_empty(), "these never did what they were asked for: {missing:#?}");
}
