//! What conditions say of what was not looked at.

use serde_json::json;

use super::{World, path};
use crate::operator::{
    controllers::plan_tests::settings,
    observed::{
        changes,
        targets::{Class, Target},
    },
    runtime::{
        cache::{Change, ObjectKey},
        settings::Settings,
    },
};

fn generation(world: &World, type_: &str) -> Option<i64> {
    let conditions = world.conditions("smschannels", "support");
    conditions.into_iter().find(|condition| condition.type_ == type_).unwrap().observed_generation
}

#[tokio::test]
async fn what_was_not_judged_keeps_the_generation_that_it_speaks_of() {
    let world = World::at_work().await;
    world.calling_bot("greeting");
    world.edit(&path("smschannels", "support"), |channel| {
        channel["metadata"]["generation"] = 2.into();
        channel["spec"]["automations"] = json!({"onStart": {"name": "greeting"}});
    });
    world.reconcile_channel("support").await.unwrap_err();
    world.expect("smschannels", "support", "Ready", "False", "BotInvalid");
    assert_eq!(generation(&world, "Ready"), Some(2));
    assert_eq!(generation(&world, "Stalled"), Some(2));
    assert_eq!(generation(&world, "ConfigApplied"), Some(1), "nothing was applied of this generation");
    assert_eq!(generation(&world, "EngineAvailable"), Some(2), "the engine was asked");
}

#[tokio::test]
async fn an_edit_is_judged_as_a_whole() {
    let world = World::at_work().await;
    world.edit(&path("smschannels", "support"), |channel| {
        channel["metadata"]["generation"] = 2.into();
        channel["spec"]["maxQueued"] = 3.into();
    });
    world.reconcile_channel("support").await.unwrap();
    world.engine_says("support", json!({}));
    world.reconcile_channel("support").await.unwrap();
    let conditions = world.conditions("smschannels", "support");
    assert!(conditions.iter().all(|condition| condition.observed_generation == Some(2)), "{conditions:#?}");
}

#[tokio::test]
async fn a_paused_object_is_neither_stalled_nor_of_a_generation_that_nobody_looked_at() {
    let world = World::at_work().await;
    world.edit(&path("smschannels", "support"), |channel| {
        channel["metadata"]["generation"] = 2.into();
        channel["metadata"]["annotations"] = json!({"aldis.dev/reconcile": "disabled"});
        channel["spec"]["maxQueued"] = 3.into();
    });
    world.reconcile_channel("support").await.unwrap();
    world.expect("smschannels", "support", "Ready", "Unknown", "Paused");
    assert_eq!(world.condition("smschannels", "support", "Stalled"), None);
    assert_eq!(world.condition("smschannels", "support", "Reconciling"), None);
    assert_eq!(world.get("smschannels", "support")["status"]["observedGeneration"], 1);
    assert_eq!(generation(&world, "Ready"), Some(1));
    world.written();
    world.reconcile_channel("support").await.unwrap();
    assert!(world.written().is_empty(), "a paused object that was reported is left alone");
}

#[tokio::test]
async fn an_engine_is_asked_although_its_channel_cannot_be_planned() {
    let world = World::at_work().await;
    // A new leader knows nothing of what pods said.
    let next = World::on(world.api.clone());
    next.api.remove(&path("campaigns", "support"));
    next.relist();
    next.reconcile_channel("support").await.unwrap();
    let asked =
        tokio::time::timeout(std::time::Duration::from_secs(5), next.context.targets.pop(Class::Answering)).await;
    assert!(matches!(asked, Ok(Target::Engine(key)) if key.name() == "support"));
}

/// Why a channel cannot be planned, and what makes it so.
type Case<'a> = (&'a str, &'a dyn Fn(&World));

#[tokio::test]
async fn what_an_engine_says_of_its_queue_is_told_although_its_channel_cannot_be_planned() {
    let well = json!({"serviceLevel": {
        "answered": 100, "answeredInTarget": 100, "abandoned": 0, "abandonedInTarget": 0, "unanswered": 0}});
    let badly = json!({
        "queue": {"waiting": 30, "oldestWaitSeconds": 900, "withBot": 0, "active": 0, "waitingBeyondTarget": 30, "maxQueued": 0},
        "serviceLevel": {
            "answered": 100, "answeredInTarget": 10, "abandoned": 0, "abandonedInTarget": 0, "unanswered": 0},
    });
    let without_its_campaign = |world: &World| {
        world.api.remove(&path("campaigns", "support"));
        world.relist();
    };
    let with_an_invalid_bot = |world: &World| {
        world.calling_bot("greeting");
        world.edit(&path("smschannels", "support"), |channel| {
            channel["spec"]["automations"] = json!({"onStart": {"name": "greeting"}})
        });
    };
    let cases: [Case<'_>; 2] = [("CampaignNotFound", &without_its_campaign), ("BotInvalid", &with_an_invalid_bot)];
    for (reason, break_plan) in cases {
        let world = World::at_work().await;
        world.engine_says("support", well.clone());
        world.reconcile_channel("support").await.unwrap();
        world.expect("smschannels", "support", "ServiceLevelMet", "True", "ObjectiveMet");
        world.expect("smschannels", "support", "QueueHealthy", "True", "QueueMoving");

        // A new leader knows nothing of what pods said.
        let next = World::with(world.api.clone(), Settings { condition_hold_seconds: 0, ..settings() });
        break_plan(&next);
        let _ = next.reconcile_channel("support").await;
        next.expect("smschannels", "support", "ServiceLevelMet", "True", "ObjectiveMet");
        next.engine_says("support", badly.clone());
        let _ = next.reconcile_channel("support").await;
        next.expect("smschannels", "support", "Ready", "False", reason);
        next.expect("smschannels", "support", "ServiceLevelMet", "False", "BelowObjective");
        next.expect("smschannels", "support", "QueueHealthy", "False", "NoAgentAvailable");
    }
}

#[tokio::test]
async fn a_fault_of_the_server_that_lasts_is_said_with_its_words() {
    let world = World::at_work().await;
    let words = "failed calling webhook \"check.example.com\": connection refused";
    world.edit("/api/v1/namespaces/shop/services/sms-support", |service| service["spec"]["type"] = "NodePort".into());
    world.api.refuse(axum::http::Method::PATCH, "/services/", 500, words);
    for tries in 1..=5 {
        world.work_channel("support").await;
        let passing = tries < 5;
        let is_said = world.condition("smschannels", "support", "Reconciling").is_some();
        assert_eq!(is_said, !passing, "after {tries} tries");
    }
    let message = world.expect("smschannels", "support", "Reconciling", "True", "TransientError");
    assert!(message.contains(words), "{message}");
    assert!(world.api.events().contains(&"TransientError".to_owned()), "{:?}", world.api.events());
    world.written();
    world.work_channel("support").await;
    assert!(!world.written().iter().any(|write| write.ends_with("/status")), "said once");
    world.api.refuse_nothing();
    world.work_channel("support").await;
    world.expect("smschannels", "support", "Ready", "True", "Available");
    assert_eq!(world.condition("smschannels", "support", "Reconciling"), None);
}

#[tokio::test]
async fn a_channel_says_of_its_bots_what_keeps_them_from_running_and_hears_when_they_are_mended() {
    let world = World::at_work().await;
    let name_bot = |channel: &mut serde_json::Value| {
        channel["metadata"]["generation"] = 2.into();
        channel["spec"]["automations"] = json!({"onStart": {"name": "greeting"}});
    };
    world.edit(&path("smschannels", "support"), name_bot);
    world.reconcile_channel("support").await.unwrap();
    let message = world.expect("smschannels", "support", "Ready", "False", "BotNotFound");
    assert_eq!(message, "spec.automations.onStart: bot greeting does not exist in this namespace");

    world.put("bots", "greeting", json!({"steps": [{"name": "hello", "say": {"text": "Hello"}}]}));
    let queue = &world.context.queues.channels;
    // What its engine said has been looked at.
    queue.done(&queue.pop().await, None);
    assert_eq!(queue.depth(), 0);
    let new = world.context.cluster.bots.get(&ObjectKey::new("shop", "greeting"));
    changes::bot(&world.context, &Change { old: None, new, echo: false });
    assert_eq!(queue.pop().await, ObjectKey::new("shop", "support"), "it hears of the bot");
    world.reconcile_channel("support").await.unwrap_err();
    let message = world.expect("smschannels", "support", "Ready", "False", "BotInvalid");
    assert!(
        message.starts_with(
            "spec.automations.onStart: bot greeting has faults: step hello, next: the last step leads nowhere"
        ),
        "{message}"
    );

    let asks = |word: &str| {
        let ask = json!({"text": "Which?", "into": "which", "answers": [{ "value": word }]});
        json!({"steps": [{"name": "hello", "ask": ask}, {"name": "end", "finish": {}}]})
    };
    world.put("bots", "greeting", asks("Baja"));
    world.edit(&path("smschannels", "support"), |channel| {
        channel["spec"]["optOut"] = json!({"keywords": {"stop": ["BAJA"]}});
    });
    world.reconcile_channel("support").await.unwrap_err();
    let message = world.expect("smschannels", "support", "Ready", "False", "BotInvalid");
    assert!(message.contains("\"Baja\" is a word by which customers opt out"), "{message}");

    // The engine keeps what it has meanwhile.
    let before = world.api.get("/api/v1/namespaces/shop/configmaps/sms-support").unwrap();
    assert!(!before["data"]["config.json"].as_str().unwrap().contains("bots"));
    world.put("bots", "greeting", asks("1"));
    world.reconcile_channel("support").await.unwrap();
    let config = world.api.get("/api/v1/namespaces/shop/configmaps/sms-support").unwrap();
    let document: serde_json::Value = serde_json::from_str(config["data"]["config.json"].as_str().unwrap()).unwrap();
    assert_eq!(document["bots"]["onStart"]["spec"]["steps"][0]["ask"]["text"], "Which?");
}
