//! A bot sums up what the engines of its channels say: once per interval, and not for nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::{NUMBER, World, path};
use crate::operator::{
    controllers::plan_tests::settings,
    observed::changes::{self, TOGETHER},
    runtime::cache::{Change, ObjectKey},
};

/// Longer than the interval in which sums are written.
const LATER: Duration = Duration::from_secs(61);

impl World {
    /// A channel `support` at work whose conversations begin with the bot `greeting`.
    async fn with_greeting() -> Self {
        Self::new().and_greeting().await
    }

    async fn and_greeting(self) -> Self {
        let world = self;
        let steps = json!([{"name": "hello", "say": {"text": "Hello"}}, {"name": "end", "handOff": {}}]);
        world.put("bots", "greeting", json!({ "steps": steps }));
        let spec = json!({"campaignRef": {"name": "support"}, "connectorRef": {"name": "sim"}, "number": NUMBER,
                          "automations": {"onStart": {"name": "greeting"}}});
        world.put("smschannels", "support", spec);
        world.run("support").await;
        world.reconcile_bot("greeting").await.unwrap();
        world.api.writes();
        world
    }

    fn bot_says(&self, running: u64, failures: Value) {
        let conversations = json!([{"version": "0a1b2c3d4e5f", "count": running}]);
        self.engine_says(
            "support",
            json!({"bots": [{"name": "greeting", "conversations": conversations, "failures": failures}],
                   "sampledAt": jiff::Timestamp::now()}),
        );
    }

    fn engine_is_silent(&self) {
        let uid = self.get("smschannels", "support")["metadata"]["uid"].as_str().unwrap().to_owned();
        for _ in 0..3 {
            changes::engine_said(&self.context, &ObjectKey::new("shop", "support"), &uid, Err("timeout".into()));
        }
    }

    /// Reconciles the bot, also a second time; how often its status was written.
    async fn writes_of_bot(&self) -> usize {
        for _ in 0..2 {
            self.reconcile_bot("greeting").await.unwrap();
        }
        let written = self.api.writes();
        assert!(written.iter().all(|(_, path)| path.ends_with("/bots/greeting/status")), "{written:?}");
        written.len()
    }

    /// Whether the bot is looked at again soon. What it is looked at for is done then.
    async fn wakes_greeting(&self) -> bool {
        let bots = &self.context.queues.bots;
        let next = tokio::time::timeout(TOGETHER + Duration::from_millis(500), bots.pop()).await.ok();
        next.iter().for_each(|key| bots.done(key, None));
        next == Some(ObjectKey::new("shop", "greeting"))
    }

    fn status_of_bot(&self) -> Value {
        self.get("bots", "greeting")["status"].clone()
    }
}

fn failed(step: &str, reason: &str) -> Value {
    json!([{"step": step, "reason": reason, "count": 3, "since": "2026-01-01T00:00:00Z", "at": jiff::Timestamp::now()}])
}

#[tokio::test]
async fn what_changes_is_written_once_per_interval_and_nothing_for_nothing() {
    let world = World::with_greeting().await;
    let status = world.status_of_bot();
    assert_eq!((&status["running"], &status["channels"]["total"]), (&json!(0), &json!(1)), "{status}");
    world.bot_says(2, json!([]));
    assert_eq!(world.writes_of_bot().await, 0, "engines are asked first");
    let due = world.reconcile_bot("greeting").await.unwrap();
    assert!(due.is_some_and(|due| due > Duration::ZERO && due < LATER), "{due:?}");
    world.context.figures.pass_for_test(LATER);
    assert_eq!(world.writes_of_bot().await, 1);
    let status = world.status_of_bot();
    assert_eq!((&status["running"], &status["channels"]), (&json!(2), &json!({"total": 1, "silent": 0})), "{status}");
    assert_eq!(status["conversations"], json!([{"version": "0a1b2c3d4e5f", "count": 2, "channels": 1}]));
    assert_eq!(world.reconcile_bot("greeting").await.unwrap(), None, "nothing is left to do");
    for running in 3..9 {
        world.bot_says(running, json!([]));
        assert_eq!(world.writes_of_bot().await, 0, "the interval is not over");
    }
    world.context.figures.pass_for_test(LATER);
    assert_eq!(world.writes_of_bot().await, 1);
    assert_eq!(world.status_of_bot()["running"], 8);
    world.context.figures.pass_for_test(LATER);
    world.bot_says(8, json!([]));
    assert_eq!(world.writes_of_bot().await, 0, "the same again");
}

#[tokio::test]
async fn steps_that_fail_are_said_and_forgiven_after_an_hour() {
    let world = World::with_greeting().await;
    world.expect("bots", "greeting", "StepsSucceed", "Unknown", "MetricsUnavailable");
    world.context.figures.pass_for_test(LATER);
    world.bot_says(0, json!([]));
    world.reconcile_bot("greeting").await.unwrap();
    world.expect("bots", "greeting", "StepsSucceed", "True", "NoStepFailed");
    world.context.figures.pass_for_test(LATER);
    world.api.writes();
    world.bot_says(0, failed("hello", "CallStatus"));
    assert_eq!(world.writes_of_bot().await, 1);
    let message = world.expect("bots", "greeting", "StepsSucceed", "False", "StepsFail");
    assert!(message.contains("hello (CallStatus)"), "{message}");
    world.expect("bots", "greeting", "Ready", "True", "Compiled");
    let listed = &world.status_of_bot()["lastFailures"][0];
    assert_eq!(
        (&listed["step"], &listed["channel"], &listed["count"]),
        (&json!("hello"), &json!("support"), &json!(3))
    );
    let due = world.reconcile_bot("greeting").await.unwrap();
    assert!(due.is_some_and(|due| due > Duration::from_secs(3500)), "it is looked at again then: {due:?}");
    let hour_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let mut old = failed("hello", "CallStatus");
    old[0]["at"] = json!(hour_ago);
    world.context.figures.pass_for_test(LATER);
    world.bot_says(0, old);
    world.reconcile_bot("greeting").await.unwrap();
    world.expect("bots", "greeting", "StepsSucceed", "True", "NoStepFailed");
    assert_eq!(world.status_of_bot()["failureCount"], 1, "it stays listed");
}

#[tokio::test]
async fn what_a_silent_engine_said_last_counts_until_its_channel_is_gone() {
    let world = World::with_greeting().await;
    world.bot_says(4, json!([]));
    world.context.figures.pass_for_test(LATER);
    world.reconcile_bot("greeting").await.unwrap();
    world.engine_is_silent();
    world.context.figures.pass_for_test(LATER);
    world.reconcile_bot("greeting").await.unwrap();
    let status = world.status_of_bot();
    assert_eq!((&status["running"], &status["channels"]), (&json!(4), &json!({"total": 1, "silent": 1})), "{status}");

    let channel = ObjectKey::new("shop", "support");
    let gone = world.context.cluster.channels.get(&channel);
    world.api.remove(&path("smschannels", "support"));
    world.relist();
    world.context.figures.pass_for_test(LATER);
    changes::channel(&world.context, &Change { old: gone, new: None, echo: false });
    let woken = tokio::time::timeout(TOGETHER + Duration::from_secs(5), world.context.queues.bots.pop()).await;
    assert_eq!(woken, Ok(ObjectKey::new("shop", "greeting")));
    world.reconcile_bot("greeting").await.unwrap();
    let status = world.status_of_bot();
    assert_eq!((&status["running"], &status["channels"]), (&json!(0), &json!({"total": 0, "silent": 0})), "{status}");
}

#[tokio::test]
async fn an_engine_that_does_not_tell_of_bots_is_silent() {
    let world = World::with_greeting().await;
    world.engine_says("support", json!({}));
    world.context.figures.pass_for_test(LATER);
    world.reconcile_bot("greeting").await.unwrap();
    assert_eq!(world.status_of_bot()["channels"], json!({"total": 1, "silent": 1}));
    world.expect("bots", "greeting", "StepsSucceed", "Unknown", "MetricsUnavailable");
    world.expect("bots", "greeting", "Ready", "True", "Compiled");
}

#[tokio::test]
async fn a_new_operator_leaves_what_stands_until_it_has_asked_the_engines() {
    let world = World::with_greeting().await;
    world.bot_says(4, json!([]));
    world.context.figures.pass_for_test(LATER);
    world.reconcile_bot("greeting").await.unwrap();
    let next = World::on(world.api.clone());
    next.api.writes();
    assert_eq!(next.writes_of_bot().await, 0);
    next.bot_says(5, json!([]));
    next.context.figures.pass_for_test(LATER);
    assert_eq!(next.writes_of_bot().await, 1);
    assert_eq!(next.status_of_bot()["running"], 5);
}

#[tokio::test]
async fn a_bot_is_looked_at_when_an_engine_says_something_new_of_it_and_not_otherwise() {
    let world = World::with_greeting().await;
    world.context.figures.pass_for_test(LATER);
    while world.wakes_greeting().await {}
    world.bot_says(1, json!([]));
    assert!(world.wakes_greeting().await);
    world.bot_says(1, json!([]));
    assert!(!world.wakes_greeting().await, "the same again");
    world.engine_is_silent();
    assert!(world.wakes_greeting().await, "nobody can tell any more");
}

#[tokio::test]
async fn a_bot_that_a_channel_names_no_more_is_looked_at_when_the_engine_falls_silent() {
    let world = World::with_greeting().await;
    world.bot_says(1, json!([]));
    world.edit(&path("smschannels", "support"), |channel| channel["spec"]["automations"] = Value::Null);
    world.context.figures.pass_for_test(LATER);
    while world.wakes_greeting().await {}
    world.engine_is_silent();
    assert!(world.wakes_greeting().await);
    world.reconcile_bot("greeting").await.unwrap();
    assert_eq!(world.status_of_bot()["channels"], json!({"total": 1, "silent": 1}));
}

#[tokio::test]
async fn an_engine_whose_pod_is_gone_is_silent_unless_another_one_answers_in_time() {
    let mut settings = settings();
    settings.sample_interval_seconds = 3;
    let world = World::new_with(settings).and_greeting().await;
    world.context.figures.pass_for_test(LATER);
    world.bot_says(1, json!([]));
    world.context.figures.pass_for_test(LATER);
    world.reconcile_bot("greeting").await.unwrap();
    assert_eq!(world.status_of_bot()["channels"], json!({"total": 1, "silent": 0}));
    for returns in [true, false] {
        world.context.figures.pass_for_test(LATER);
        while world.wakes_greeting().await {}
        world.api.writes();
        let gone = world.context.cluster.pods.get(&ObjectKey::new("shop", "sms-support-0"));
        assert!(gone.is_some());
        changes::pod(&world.context, &Change { old: gone, new: None, echo: false });
        assert!(!world.wakes_greeting().await, "pods are replaced all the time");
        if returns {
            world.bot_says(1, json!([]));
        }
        assert!(world.wakes_greeting().await || world.wakes_greeting().await);
        assert_eq!(world.writes_of_bot().await, usize::from(!returns));
    }
    assert_eq!(world.status_of_bot()["channels"], json!({"total": 1, "silent": 1}));
}

#[tokio::test]
async fn an_engine_that_has_no_bots_yet_is_not_silent() {
    let world = World::with_greeting().await;
    world.context.figures.pass_for_test(LATER);
    while world.wakes_greeting().await {}
    world.engine_says("support", json!({"bots": []}));
    assert!(world.wakes_greeting().await);
    world.reconcile_bot("greeting").await.unwrap();
    assert_eq!(world.status_of_bot()["channels"], json!({"total": 1, "silent": 0}));
    world.expect("bots", "greeting", "StepsSucceed", "True", "NoStepFailed");
}
