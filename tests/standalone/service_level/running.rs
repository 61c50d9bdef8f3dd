//! A running engine, over HTTP: what its agents and the operator are told is what its store's events add up to.

use aldis::wire::{
    config::ConfigHash,
    ports::{self, CHANNEL_PATH, of_channel},
};
use serde_json::{Value, json};

use super::{Record, reckoned};
use crate::support::{
    desk::{Desk, Open},
    engine::{CHANNEL, DESK, Engine},
    gateway_fake::FakeGateway,
    process::eventually,
};

const ROUNDS: usize = 14;
const LONG: u32 = 3_600;
const CUSTOMERS: u32 = 12;

struct Running {
    engine: Engine,
    random: fastrand::Rng,
    record: Record,
    texts: u32,
    _streams: Vec<Open>,
    _gateway: FakeGateway,
}

fn below(path: &str) -> String {
    format!("{}{path}", of_channel(CHANNEL_PATH, CHANNEL))
}

fn bot(name: &str, last: Value) -> Value {
    json!({"name": name, "spec": {"idleSeconds": 300, "steps": [
        {"name": "topic", "ask": {"text": "About what?", "into": "topic", "answers": [{"value": "order"}, {"value": "hello"}]}},
        last,
    ]}})
}

/// Hands on to an agent, who may be needed again after the end; finishes with who has waited for too long.
fn bots() -> Value {
    json!({
        "onStart": bot("greeting", json!({"name": "on", "handOff": {}})),
        "onQueueTimeout": {"name": "sorry", "spec": {"steps": [{"name": "end", "finish": {}}]}},
        "onEnd": bot("survey", json!({"name": "again", "handOff": {}})),
    })
}

impl Running {
    async fn start(random: fastrand::Rng) -> Self {
        let gateway = FakeGateway::start().await;
        let engine = Engine::start(&gateway.url, |document| {
            document["campaign"]["supervisors"] = json!(["eva"]);
            for member in document["campaign"]["members"].as_array_mut().unwrap() {
                member["maxInteractions"] = json!(3);
            }
        })
        .await;
        let url = format!("http://{}:{}", engine.address, ports::PUBLIC);
        let desk = |user| Desk::new(&url, CHANNEL, &engine.issuer.token(user, DESK));
        let streams = ["ana", "bo", "eva"].map(|user| desk(user).be_online());
        for user in ["ana", "bo"] {
            engine.presence(user, true).await;
        }
        let _streams = streams.into_iter().collect();
        let mut running = Self { engine, random, record: Record::default(), texts: 0, _streams, _gateway: gateway };
        running.note_goal();
        running
    }

    /// Notes what the configuration in force promises, under its hash.
    fn note_goal(&mut self) {
        let document = &self.engine.document;
        let promised = &document["serviceLevel"];
        let goal = json!({
            "targetSeconds": promised["targetSeconds"], "windowSeconds": promised["windowSeconds"],
            "answeredBy": promised.get("answeredBy").unwrap_or(&json!("Reply")),
        });
        let hash = ConfigHash::of(document.to_string().as_bytes()).to_string();
        self.record.goals.insert(hash, goal);
    }

    async fn configure(&mut self, change: impl FnOnce(&mut Value)) {
        // Known before it is in force.
        change(&mut self.engine.document);
        self.note_goal();
        self.engine.configure(|_| {}).await;
    }

    /// Another promise, and other ways in which customers find agents.
    async fn edit(&mut self, target_seconds: u32) {
        let answered_by = if self.random.bool() { "Accept" } else { "Reply" };
        let asks = self.random.bool().then_some(300);
        let bots = if self.random.u32(..3) == 0 { bots() } else { json!({}) };
        self.configure(|document| {
            document["serviceLevel"]["targetSeconds"] = json!(target_seconds);
            document["serviceLevel"]["answeredBy"] = json!(answered_by);
            document["offerTimeoutSeconds"] = json!(asks);
            document["bots"] = bots;
        })
        .await;
    }

    async fn interactions(&self, state: &str) -> Vec<Value> {
        let page = self.engine.get("eva", &below(&format!("/interactions?limit=100&state={state}"))).await;
        page["items"].as_array().unwrap().clone()
    }

    async fn one(&mut self, state: &str) -> Option<Value> {
        let items = self.interactions(state).await;
        let place = self.random.usize(..).checked_rem(items.len())?;
        Some(items[place].clone())
    }

    async fn text(&mut self, customer: u32, text: &str) {
        self.texts += 1;
        let (id, from) = (format!("SM-{}", self.texts), format!("+1555987{customer:04}"));
        assert_eq!(self.engine.inbound(&id, &from, text).await.0, 200);
    }

    /// Whoever does it may not be allowed to: another one was first. Anything else is a fault.
    async fn act(&self, user: &str, interaction: &Value, action: &str, mut body: Value) {
        body["epoch"] = interaction["epoch"].clone();
        let path = below(&format!("/interactions/{}/{action}", interaction["id"]));
        let (status, answer) = self.engine.post(user, &path, body).await;
        assert!(matches!(status, 200..=202 | 409 | 422), "{action}: {status} {answer}");
    }

    async fn step(&mut self) {
        let (user, customer) = (["ana", "bo"][self.random.usize(..2)], self.random.u32(..CUSTOMERS));
        match self.random.u32(..100) {
            0..40 => {
                let text = ["hello", "order", "and another thing"][self.random.usize(..3)];
                self.text(customer, text).await;
            }
            40..46 => self.text(customer, "STOP").await,
            46..50 => self.text(customer, "START").await,
            50..60 => {
                let Some(queued) = self.one("Queued").await else { return };
                for user in queued["offer"]["to"].as_array().cloned().unwrap_or_default() {
                    let answer = if self.random.u32(..4) > 0 { "accept" } else { "decline" };
                    let path = below(&format!("/interactions/{}/{answer}", queued["id"]));
                    let body = json!({ "offer": queued["offer"]["id"] });
                    let (status, said) = self.engine.post(user.as_str().unwrap(), &path, body).await;
                    assert!(matches!(status, 200 | 409), "{answer}: {status} {said}");
                }
            }
            60..95 => {
                let Some(active) = self.one("Active").await else { return };
                let owner = active["owner"].as_str().unwrap();
                let (action, body) = match self.random.u32(..10) {
                    0..5 => ("reply", json!({ "text": "Hello, this is support." })),
                    5..8 => ("finish", json!({})),
                    8 => ("transfer", json!({ "to": "queue" })),
                    _ => ("transfer", json!({ "to": { "agent": user } })),
                };
                self.act(owner, &active, action, body).await;
            }
            95..98 => {
                let state = ["Queued", "Active"][self.random.usize(..2)];
                let Some(open) = self.one(state).await else { return };
                self.act("eva", &open, "assign", json!({ "to": { "agent": user } })).await;
            }
            _ => {
                let state = ["Queued", "Active"][self.random.usize(..2)];
                let Some(open) = self.one(state).await else { return };
                self.act("eva", &open, "close", json!({})).await;
            }
        }
    }

    /// Waits until everybody who waits has waited for longer than the target of a second.
    async fn until_late(&self) {
        eventually("who waits has waited too long", || async {
            let late = self.engine.status().await["queue"]["waitingBeyondTarget"].as_u64();
            let mut waiting = 0;
            for state in ["Queued", "Active"] {
                let interactions = self.interactions(state).await;
                waiting += interactions.iter().filter(|item| item.get("waitingSince").is_some()).count() as u64;
            }
            if late == Some(waiting) { Ok(()) } else { Err((late, waiting)) }
        })
        .await;
    }

    /// What agents have is closed for silence, and who waits for it, as soon as the configuration says so.
    async fn until_closed(&mut self) {
        self.configure(|document| document["sessionIdleSeconds"] = json!(1)).await;
        eventually("nobody has anything", || async {
            let active = self.interactions("Active").await;
            if active.is_empty() { Ok(()) } else { Err(active) }
        })
        .await;
        self.configure(|document| document["sessionIdleSeconds"] = json!(86_400)).await;
    }

    /// Who waits is told so by a bot, which finishes with them.
    async fn until_timed_out(&mut self) {
        self.configure(|document| {
            document["bots"] = bots();
            document["maxQueueSeconds"] = json!(1);
            document["offerTimeoutSeconds"] = Value::Null;
        })
        .await;
        // Those who are offered to agents, and whom a bot may not answer, go on waiting.
        eventually("nobody waits whom the bot may meet", || async {
            let mut queued = self.interactions("Queued").await;
            queued.retain(|item| item.get("offer").is_none() && item["optedOut"] == false);
            if queued.is_empty() { Ok(()) } else { Err(queued) }
        })
        .await;
        self.configure(|document| document["maxQueueSeconds"] = json!(0)).await;
    }

    fn last(&self) -> u64 {
        self.engine.sqlite("SELECT max(last) AS last FROM event")[0]["last"].as_u64().unwrap()
    }

    /// Notes what it says while nothing happens.
    async fn check(&mut self) {
        let (last, status, statistics) = eventually("nothing happens", || async {
            let before = self.last();
            let status = self.engine.status().await;
            let statistics = self.engine.get("ana", &below("/statistics")).await;
            let after = self.last();
            if before == after { Ok((before, status, statistics)) } else { Err((before, after)) }
        })
        .await;
        // A percentage of nothing is absent.
        let [mut said, to_agents] = [&status, &statistics].map(|told| {
            let mut level = told["serviceLevel"].clone();
            for percent in ["percent", "percentWithAbandoned"] {
                level[percent] = level.get(percent).cloned().unwrap_or_default();
            }
            level
        });
        assert_eq!(said, to_agents, "agents and operator are told the same");
        said["waitingBeyondTarget"] = status["queue"]["waitingBeyondTarget"].clone();
        self.record.checks.push(json!({ "last": last, "now": status["sampledAt"] }));
        self.record.said.push(said);
    }
}

#[tokio::test]
async fn a_running_engine_says_what_its_events_add_up_to() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut running = Running::start(fastrand::Rng::with_seed(seed)).await;
    for round in 0..ROUNDS {
        let target = if round % 2 == 0 { LONG } else { 1 };
        running.edit(target).await;
        for _ in 0..30 {
            running.step().await;
        }
        match round {
            3 | 8 => running.engine.crash().await,
            5 => running.until_closed().await,
            11 => running.until_timed_out().await,
            _ if target == 1 => {
                running.until_late().await;
                running.check().await;
                for _ in 0..10 {
                    running.step().await;
                }
            }
            _ => {}
        }
        running.check().await;
    }
    let reckoned = reckoned(&running.record.line(&running.engine.store())).remove(0);
    for ((said, level), check) in running.record.said.iter().zip(&reckoned.levels).zip(&running.record.checks) {
        assert_eq!(said, level, "seed {seed}, at {check}");
    }
    println!("samples {:?}", reckoned.kinds);
    assert!(
        reckoned.kinds.values().sum::<u64>() > 15 && reckoned.kinds.len() >= 3,
        "seed {seed}: {:?}",
        reckoned.kinds
    );
}
