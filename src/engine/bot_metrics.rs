//! What the engine counts and measures of bots. Series of steps, bots and versions that there are no more are dropped: people rename steps.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    core::{
        bot_run::BotSlot,
        event::{BotEndReason, InteractionEvent},
        ids::{BotName, BotVersion},
    },
    metric_name::Name,
};
use crate::bot::{self, Taken};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfBot {
    bot: String,
    slot: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BotEnd {
    bot: String,
    reason: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfVersion {
    bot: String,
    version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BotStep {
    bot: String,
    step: String,
    outcome: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BotCallFailure {
    bot: String,
    step: String,
    failure: Name,
}

/// The steps to which conversations can still come, by the names of their bots.
pub(super) type StepsInUse = BTreeMap<String, BTreeSet<String>>;

/// Series that can be dropped again.
#[derive(Clone, Debug)]
struct Series<L, M> {
    family: Family<L, M>,
    known: Arc<Mutex<HashSet<L>>>,
}

impl<L: Clone + Hash + Eq, M: Default> Default for Series<L, M> {
    fn default() -> Self {
        Self { family: Family::default(), known: Arc::default() }
    }
}

impl<L: Clone + Hash + Eq, M: Default + Clone> Series<L, M> {
    fn get(&self, labels: &L) -> M {
        if let Some(known) = self.family.get(labels) {
            return known.clone();
        }
        self.known.lock().insert(labels.clone());
        self.family.get_or_create(labels).clone()
    }

    fn retain(&self, keep: impl Fn(&L) -> bool) {
        self.known.lock().retain(|labels| {
            let is_kept = keep(labels);
            if !is_kept {
                self.family.remove(labels);
            }
            is_kept
        });
    }
}

/// What the engine counts and measures of bots. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct BotMetrics {
    started: Series<OfBot, Counter>,
    ended: Series<BotEnd, Counter>,
    conversations: Series<OfVersion, Gauge>,
    steps: Series<BotStep, Counter>,
    call_failures: Series<BotCallFailure, Counter>,
    call: Histogram,
}

impl Default for BotMetrics {
    fn default() -> Self {
        Self {
            started: Series::default(),
            ended: Series::default(),
            conversations: Series::default(),
            steps: Series::default(),
            call_failures: Series::default(),
            // The last bucket of what a step may take ends at 30 s.
            call: Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0]),
        }
    }
}

impl BotMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Conversations that bots began, by when they run";
        registry.register("bots_started", help, self.started.family.clone());
        let help = "Conversations that bots ended, or that ended with them, by what ended them";
        registry.register("bots_ended", help, self.ended.family.clone());
        let help = "Conversations that run with a version of a bot";
        registry.register("bot_conversations", help, self.conversations.family.clone());
        registry.register("bot_steps", "Steps that bots took, by what came of them", self.steps.family.clone());
        let help = "Calls of services that failed, by why";
        registry.register("bot_call_failures", help, self.call_failures.family.clone());
        let help = "Time from making a call of a service to its result, with all tries";
        registry.register_with_unit("bot_call_duration", help, Unit::Seconds, self.call.clone());
    }

    /// Measures a call of a service.
    pub(super) fn call_took(&self, took: Duration) {
        self.call.observe(took.as_secs_f64());
    }

    /// Counts what a bot did.
    pub(super) fn count(&self, event: &InteractionEvent) {
        match event {
            InteractionEvent::BotStarted { bot, slot, .. } => {
                let (bot, slot) = (bot.as_str().into(), Name(slot_name(*slot)));
                self.started.get(&OfBot { bot, slot }).inc();
            }
            InteractionEvent::BotStepped { bot, taken, .. } => {
                for Taken { step, outcome, failure, .. } in taken {
                    let (bot, step) = (bot.as_str().to_owned(), step.clone());
                    if let Some(failure) = failure {
                        let (bot, step, failure) = (bot.clone(), step.clone(), Name(call_failure_name(*failure)));
                        self.call_failures.get(&BotCallFailure { bot, step, failure }).inc();
                    }
                    let outcome = Name(step_outcome_name(*outcome));
                    self.steps.get(&BotStep { bot, step, outcome }).inc();
                }
            }
            InteractionEvent::BotEnded { bot, reason, .. } => {
                let (bot, reason) = (bot.as_str().into(), Name(bot_end_name(*reason)));
                self.ended.get(&BotEnd { bot, reason }).inc();
            }
            _ => {}
        }
    }

    /// Shows how many conversations run with each version of each bot.
    pub(super) fn show(&self, conversations: &BTreeMap<(BotName, BotVersion), u64>) {
        self.conversations
            .retain(|of| conversations.contains_key(&(of.bot.as_str().into(), of.version.as_str().into())));
        for ((bot, version), count) in conversations {
            let of = OfVersion { bot: bot.as_str().into(), version: version.as_str().into() };
            self.conversations.get(&of).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }

    /// Drops the series of all other bots and steps.
    pub(super) fn keep(&self, in_use: &StepsInUse) {
        let is_bot = |bot: &String| in_use.contains_key(bot);
        let is_step = |bot: &String, step: &String| in_use.get(bot).is_some_and(|steps| steps.contains(step));
        self.started.retain(|of| is_bot(&of.bot));
        self.ended.retain(|of| is_bot(&of.bot));
        self.steps.retain(|of| is_step(&of.bot, &of.step));
        self.call_failures.retain(|of| is_step(&of.bot, &of.step));
    }
}

const fn slot_name(slot: BotSlot) -> &'static str {
    match slot {
        BotSlot::OnStart => "OnStart",
        BotSlot::OnQueueTimeout => "OnQueueTimeout",
        BotSlot::OnEnd => "OnEnd",
    }
}

const fn bot_end_name(reason: BotEndReason) -> &'static str {
    match reason {
        BotEndReason::HandedOff => "HandedOff",
        BotEndReason::Finished => "Finished",
        BotEndReason::NoAnswer => "NoAnswer",
        BotEndReason::TimedOut => "TimedOut",
        BotEndReason::TooManyVariables => "TooManyVariables",
        BotEndReason::TooManyTurns => "TooManyTurns",
        BotEndReason::Lost => "Lost",
        BotEndReason::OptedOut => "OptedOut",
        BotEndReason::Assigned => "Assigned",
        BotEndReason::Closed => "Closed",
    }
}

const fn step_outcome_name(outcome: bot::Outcome) -> &'static str {
    match outcome {
        bot::Outcome::Said => "Said",
        bot::Outcome::Blank => "Blank",
        bot::Outcome::Asked => "Asked",
        bot::Outcome::Answered => "Answered",
        bot::Outcome::Invalid => "Invalid",
        bot::Outcome::NoAnswer => "NoAnswer",
        bot::Outcome::TimedOut => "TimedOut",
        bot::Outcome::Case => "Case",
        bot::Outcome::Otherwise => "Otherwise",
        bot::Outcome::Set => "Set",
        bot::Outcome::Open => "Open",
        bot::Outcome::Closed => "Closed",
        bot::Outcome::Called => "Called",
        bot::Outcome::CallFailed => "CallFailed",
        bot::Outcome::HandedOff => "HandedOff",
        bot::Outcome::Finished => "Finished",
    }
}

const fn call_failure_name(failure: bot::CallFailure) -> &'static str {
    match failure {
        bot::CallFailure::TimedOut => "TimedOut",
        bot::CallFailure::Unreachable => "Unreachable",
        bot::CallFailure::Status => "Status",
        bot::CallFailure::TooLong => "TooLong",
        bot::CallFailure::NotJson => "NotJson",
        bot::CallFailure::Address => "Address",
        bot::CallFailure::NoSecret => "NoSecret",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::ids::InteractionId;

    #[test]
    fn series_of_steps_and_versions_go_with_them() {
        let mut registry = Registry::default();
        let metrics = BotMetrics::default();
        metrics.register(&mut registry);
        let has = |series: &str| {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text.contains(series)
        };
        let stepped = |step: &str| {
            let failure = Some(bot::CallFailure::Status);
            let taken = vec![Taken { step: step.into(), outcome: bot::Outcome::CallFailed, case: None, failure }];
            metrics.count(&InteractionEvent::BotStepped {
                interaction: InteractionId(1),
                bot: "greeting".into(),
                turn: 0,
                taken,
                wait: None,
            });
        };
        stepped("look-up");
        stepped("renamed");
        let of = |step: &str| {
            [
                format!("bot_steps_total{{bot=\"greeting\",step=\"{step}\""),
                format!("bot_call_failures_total{{bot=\"greeting\",step=\"{step}\""),
            ]
        };
        assert!(of("renamed").iter().all(|series| has(series)));
        metrics.keep(&[("greeting".to_owned(), ["look-up".to_owned()].into())].into());
        assert!(!of("renamed").iter().any(|series| has(series)));
        assert!(of("look-up").iter().all(|series| has(series)));
        metrics.keep(&StepsInUse::new());
        assert!(!of("look-up").iter().any(|series| has(series)), "the bot is gone");
        stepped("look-up");
        assert!(has("step=\"look-up\",outcome=\"CallFailed\"} 1\n"), "and is back");

        let running = |version: &str, count| [(("greeting".into(), version.into()), count)].into();
        metrics.show(&running("old", 2));
        assert!(has("bot_conversations{bot=\"greeting\",version=\"old\"} 2\n"));
        metrics.show(&running("new", 1));
        assert!(!has("version=\"old\"") && has("version=\"new\"} 1\n"));
    }
}
