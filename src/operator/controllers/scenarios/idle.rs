//! An engine with nothing to do is left alone while its gateway tells when a text comes.

use std::time::Duration;

use serde_json::json;

use super::World;
use crate::operator::{
    observed::{
        changes,
        scrape::{IDLE_REST, QUIET_REST, Rest, rest},
        targets::{Class, Next, Target},
    },
    runtime::cache::ObjectKey,
};

const SOON: Duration = Duration::from_millis(50);

impl World {
    fn rest(&self) -> Rest {
        let channel = self.context.cluster.channels.get(&ObjectKey::new("shop", "support")).unwrap();
        let seen = self.context.samples.engine(channel.metadata.uid.as_deref().unwrap());
        rest(&self.context, &channel, &seen)
    }

    fn gateway_is_silent_once(&self) {
        let uid = self.get("smsconnectors", "sim")["metadata"]["uid"].as_str().unwrap().to_owned();
        self.context.samples.gateway_said(&uid, Err("timeout".into()));
    }

    /// The next pod to be asked, if one is due soon.
    async fn next_asked(&self) -> Option<Target> {
        let next = self.context.targets.pop(Class::Answering);
        let next = tokio::time::timeout(SOON * 2, next).await.ok()?;
        self.context.targets.done(&next, Class::Answering, Next::Never);
        Some(next)
    }
}

#[tokio::test]
async fn an_engine_is_left_alone_only_while_it_is_idle_and_its_gateway_tells() {
    let world = World::at_work().await;
    world.gateway_says(json!({"traffic": {}}));
    assert_eq!(world.rest(), IDLE_REST);
    let busy = [
        json!({"outbox": {"waiting": 1, "inFlight": 0, "unknown": 0}}),
        json!({"queue": {"waiting": 0, "oldestWaitSeconds": 0, "withBot": 0, "active": 1, "waitingBeyondTarget": 0, "maxQueued": 0}}),
    ];
    for said in busy {
        world.engine_says("support", said);
        assert_eq!(world.rest(), QUIET_REST);
    }
    world.engine_says("support", json!({}));
    world.gateway_says(json!({}));
    assert_eq!(world.rest(), QUIET_REST, "it is of a version that does not tell");
    world.gateway_says(json!({"traffic": {}}));
    assert_eq!(world.rest(), IDLE_REST);
    world.gateway_is_silent_once();
    assert_eq!(world.rest(), QUIET_REST, "whether a text came, nobody knows");
    world.gateway_says(json!({"traffic": {}}));
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(20);
    world.engine_says("support", json!({"hoursChangeAt": soon}));
    let rest = world.rest().longest;
    assert!(rest > Duration::from_secs(15) && rest <= Duration::from_secs(20), "until its hours change: {rest:?}");
}

#[tokio::test]
async fn engines_are_asked_soon_when_their_gateway_tells_of_a_text_or_does_not_answer() {
    let world = World::at_work().await;
    while world.next_asked().await.is_some() {}
    let (connector, engine) = (ObjectKey::new("shop", "sim"), Target::Engine(ObjectKey::new("shop", "support")));
    let answered = |traffic: u64| {
        let news = world.gateway_says(json!({"traffic": {super::NUMBER: traffic}}));
        changes::gateway_said(&world.context, &connector, &news);
    };
    answered(1);
    assert_eq!(world.next_asked().await, Some(engine.clone()));
    answered(1);
    assert_eq!(world.next_asked().await, None, "nothing new came");
    answered(2);
    assert_eq!(world.next_asked().await, Some(engine.clone()));
    changes::gateway_missed(&world.context, &connector, SOON);
    assert_eq!(world.next_asked().await, Some(engine));
}
