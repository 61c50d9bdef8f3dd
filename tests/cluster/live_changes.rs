//! Hours, blocklist and limits change under load: the desk behaves so in a second or two, no pod restarts, nothing is lost.

use std::time::Duration;

use aldis::simulator::{Entry, Event};
use serde_json::{Value, json};

use super::{
    load::{desk, incarnations, nothing_is_lost_or_repeated},
    quickstart::{NUMBER, Quickstart, Running},
};
use crate::support::{
    process::eventually,
    traffic::{Pace, Traffic},
};

pub(super) const CLOSED: &str = "We are closed.";
pub(super) const FULL: &str = "Too many are waiting.";
const PACE: Pace =
    Pace { customers: 4, customer_pause: Duration::from_millis(400), agent_pause: Duration::from_millis(100) };

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_applied_is_in_force_without_a_restart_or_a_loss() {
    let (mut quickstart, running) = desk(Quickstart::new()).await;
    let before = incarnations(&quickstart);
    let traffic = Traffic::start(&running.carrier, &running.ana, NUMBER, PACE);
    let mut strangers = Strangers { running: &running, last: 0 };

    hours(&mut quickstart, &mut strangers).await;
    blocklist(&quickstart, &mut strangers).await;
    max_queued(&mut quickstart, &mut strangers).await;
    per_number_limit(&mut quickstart, &running).await;

    nothing_is_lost_or_repeated(&quickstart, &running, traffic, 0).await;
    assert_eq!(incarnations(&quickstart), before, "no pod was replaced or restarted");
    assert_eq!(before.map(|(_, restarts)| restarts), [0, 0]);
}

/// Limits that the load does not reach, and texts to say.
pub(super) fn roomy(quickstart: &mut Quickstart) {
    let fast = json!({"segments": 10_000, "perSeconds": 1});
    quickstart
        .change("connector", |connector| connector["spec"]["limits"] = json!({"account": fast, "perNumber": fast}));
    quickstart.change("campaign", |campaign| campaign["spec"]["members"][0]["maxInteractions"] = json!(100));
    quickstart.change("channel", |channel| {
        channel["spec"]["outOfHours"] = json!({"message": CLOSED});
        channel["spec"]["queueFullMessage"] = json!(FULL);
    });
}

/// Customers who write for the first time.
struct Strangers<'a> {
    running: &'a Running,
    last: u64,
}

impl Strangers<'_> {
    /// One stranger after the other writes, until one of them finds it so; gives that one's number.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> String {
        let last = std::cell::Cell::new(self.last);
        let running = self.running;
        let found = eventually(what, || async {
            // Not too many: each one becomes a conversation of Ana's, until she has enough.
            tokio::time::sleep(Duration::from_millis(300)).await;
            last.set(last.get() + 1);
            let stranger = format!("+1555986{:04}", last.get());
            running.carrier.customer_writes(&stranger, NUMBER, "Is anybody there?").await;
            let outcome = running.outcome(&stranger).await;
            if is_so(&outcome) { Ok(stranger) } else { Err(outcome) }
        })
        .await;
        self.last = last.get();
        found
    }

    /// Ana is done with all of them.
    async fn leave(&self) {
        for interaction in self.running.ana.interactions().await {
            if interaction["customer"].as_str().is_some_and(|customer| customer.starts_with("+1555986")) {
                self.running.ana.finish(&interaction).await;
            }
        }
    }
}

impl Running {
    /// What became of the last text of a customer.
    async fn outcome(&self, customer: &str) -> Value {
        eventually("the text is recorded", || async {
            let messages = self.ana.messages(customer).await;
            let outcome = messages.iter().rev().find_map(|message| message.get("outcome")).cloned();
            outcome.ok_or(messages)
        })
        .await
    }

    /// Waits until nothing is under way; gives everything that the simulator saw.
    pub(super) async fn settle(&self) -> Vec<Entry> {
        eventually("nothing waits at the engine", || async {
            let statistics = self.ana.get("/statistics").await;
            if statistics["outbox"] == 0 { Ok(()) } else { Err(statistics) }
        })
        .await;
        self.carrier.settle().await;
        self.carrier.ledger().await
    }
}

fn sent(entries: &[Entry]) -> Vec<String> {
    let texts = entries.iter().filter_map(|entry| match &entry.event {
        Event::ApiRequest { message: Some(message), text: Some(text), .. } if message.message_id.is_some() => {
            Some(text.clone())
        }
        _ => None,
    });
    texts.collect()
}

async fn hours(quickstart: &mut Quickstart, strangers: &mut Strangers<'_>) {
    quickstart.change("campaign", |campaign| campaign["spec"]["schedule"] = json!({"weekly": {}}));
    quickstart.apply_file("campaign");
    let stranger = strangers.until("closed", |outcome| outcome == "OutOfHours").await;
    strangers.running.carrier.until_delivered(&stranger, CLOSED).await;
    eventually("kubectl get shows that it is closed", || async {
        let condition = quickstart.condition("smschannel/support", "InHours");
        if condition[0] == "False" { Ok(()) } else { Err(condition) }
    })
    .await;
    let [ready, ..] = quickstart.condition("smschannel/support", "Ready");
    assert_eq!(ready, "True", "a closed channel is not a broken one");

    quickstart.change("campaign", |campaign| drop(campaign["spec"].as_object_mut().unwrap().remove("schedule")));
    quickstart.apply_file("campaign");
    let stranger = strangers.until("open again", |outcome| outcome == "Queued").await;
    strangers.running.ana.given(&stranger).await;
    strangers.leave().await;
}

async fn blocklist(quickstart: &Quickstart, strangers: &mut Strangers<'_>) {
    let running = strangers.running;
    let (pest, text) = ("+15559850001", "Buy this!");
    let list = |entries: Value| json!({"apiVersion": "aldis.dev/v1alpha1", "kind": "Blocklist", "metadata": {"name": "spam"}, "spec": {"entries": entries}});
    quickstart.apply(&[list(json!([{"number": pest, "reason": "Spam"}]))]);
    eventually("the pest is blocked", || async {
        running.carrier.customer_writes(pest, NUMBER, text).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let outcome = running.outcome(pest).await;
        // An interaction that began before would take their texts on and on.
        for interaction in running.ana.interactions().await {
            if interaction["customer"] == pest {
                running.ana.finish(&interaction).await;
            }
        }
        if outcome == "Blocked" { Ok(()) } else { Err(outcome) }
    })
    .await;
    let (status, refused) =
        running.ana.post("/interactions", "to the pest", &json!({"number": pest, "text": "Hello"})).await;
    assert_eq!(status, 409, "nobody starts a conversation with a blocked number: {refused}");
    strangers.until("others are heard", |outcome| outcome == "Queued").await;

    quickstart.apply(&[list(json!([]))]);
    eventually("the pest is heard again", || async {
        running.carrier.customer_writes(pest, NUMBER, text).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let outcome = running.outcome(pest).await;
        if outcome == "Blocked" { Err(outcome) } else { Ok(()) }
    })
    .await;
    running.ana.given(pest).await;
}

async fn max_queued(quickstart: &mut Quickstart, strangers: &mut Strangers<'_>) {
    let running = strangers.running;
    // She keeps those she has and takes nobody else, so that strangers wait.
    running.ana.set_presence(false).await;
    strangers.until("a stranger waits", |outcome| outcome == "Queued").await;
    quickstart.change("channel", |channel| channel["spec"]["maxQueued"] = json!(1));
    quickstart.apply_file("channel");
    let stranger = strangers.until("the queue is full", |outcome| outcome == "QueueFull").await;
    running.carrier.until_delivered(&stranger, FULL).await;

    quickstart.change("channel", |channel| channel["spec"]["maxQueued"] = json!(0));
    quickstart.apply_file("channel");
    let stranger = strangers.until("there is room again", |outcome| outcome == "Queued").await;
    running.ana.set_presence(true).await;
    running.ana.given(&stranger).await;
    strangers.leave().await;
}

/// With one segment an hour the replies pile up, and leave as soon as the limit is lifted.
async fn per_number_limit(quickstart: &mut Quickstart, running: &Running) {
    let slow = |quickstart: &mut Quickstart, rate: Value| {
        quickstart.change("connector", |connector| connector["spec"]["limits"]["perNumber"] = rate);
        quickstart.apply_file("connector");
    };
    slow(quickstart, json!({"segments": 1, "perSeconds": 3600}));
    let piled_up = |at_least: u64| {
        eventually("replies pile up", move || async move {
            let statistics = running.ana.get("/statistics").await;
            if statistics["outbox"].as_u64() >= Some(at_least) { Ok(()) } else { Err(statistics) }
        })
    };
    piled_up(30).await;
    let before = sent(&running.carrier.ledger().await).len();
    piled_up(60).await;
    let after = sent(&running.carrier.ledger().await).len();
    assert!(after - before <= 1, "{} left under a limit of one an hour", after - before);
    slow(quickstart, json!({"segments": 10_000, "perSeconds": 1}));
    eventually("the replies leave", || async {
        let statistics = running.ana.get("/statistics").await;
        if statistics["outbox"].as_u64() < Some(20) { Ok(()) } else { Err(statistics) }
    })
    .await;
}
