//! The service level of any history, by its rule and from the events alone.

use jiff::Timestamp;

use super::model::{Model, Told};
use crate::engine::core::{
    config::ChannelConfig, event::SampleResult, ids::InteractionId, service_level::ServiceLevel,
};

impl Model {
    pub(super) fn sample(&mut self, id: InteractionId, result: SampleResult, at: Timestamp, config: &ChannelConfig) {
        let told = self.interaction(id);
        let Some(entered) = told.entered.filter(|_| !told.sampled) else { return };
        told.sampled = true;
        let in_target = at.as_nanosecond() - entered.as_nanosecond() <= config.service_level.target.as_nanos();
        self.samples.push((at, id, result, in_target));
    }

    /// The service level of an instant, by the rule and from the events.
    pub(super) fn service_level(&self, config: &ChannelConfig, now: Timestamp) -> ServiceLevel {
        assert_eq!(self.told_samples, self.samples, "each sample is told once, as it is");
        let since = now.as_nanosecond() - config.service_level.window.as_nanos();
        let count = |result, only_in_target: bool| {
            let of_window = self.samples.iter().filter(|(at, ..)| at.as_nanosecond() > since);
            of_window.filter(|(_, _, found, in_target)| *found == result && (*in_target || !only_in_target)).count()
                as u64
        };
        let answered = count(SampleResult::Answered, false);
        let answered_in_target = count(SampleResult::Answered, true);
        let abandoned = count(SampleResult::Abandoned, false);
        let abandoned_in_target = count(SampleResult::Abandoned, true);
        let unanswered = count(SampleResult::Unanswered, false);
        let no_reply = count(SampleResult::NoReply, false);
        let no_reply_in_target = count(SampleResult::NoReply, true);
        let decided = answered + unanswered + (no_reply - no_reply_in_target);
        let floor = |part: u64, whole: u64| {
            (whole > 0).then(|| (1..=100).take_while(|percent| percent * whole <= part * 100).last().unwrap_or(0))
        };
        let target = config.service_level.target.as_nanos();
        let beyond = |told: &&Told| {
            !told.sampled && told.entered.is_some_and(|at| now.as_nanosecond() - at.as_nanosecond() > target)
        };
        ServiceLevel {
            answered,
            answered_in_target,
            abandoned,
            abandoned_in_target,
            unanswered,
            no_reply,
            no_reply_in_target,
            waiting_beyond_target: self.interactions.values().filter(beyond).count() as u64,
            percent: floor(answered_in_target, decided),
            percent_with_abandoned: floor(answered_in_target + abandoned_in_target, decided + abandoned),
        }
    }
}
