//! The service level: how many customers had their first reply in time.
//!
//! The clock starts when an interaction enters the queue. Each gives at most one sample: answered, when the first reply is
//! committed (with `answeredBy: Accept`, when an agent has it); unanswered, when the system closes it first; abandoned, when the customer opts out first; no reply, when its agent
//! finishes it first. A sample is judged by the target in force when it is taken, inclusive, and is never taken again.
//!
//! What an agent finishes within the target without a reply (there was nothing to answer) counts in no percentage. Finished later it
//! counts as missed, as it did while it waited: finishing what is late raises no percentage.

use jiff::{SignedDuration, Timestamp};

use super::{
    config::AnsweredBy,
    draft::Draft,
    event::{InteractionEvent, SampleResult},
    figures::Counts,
    interaction::Interaction,
    state::State,
};

/// Ends the wait of an interaction, if one is being measured.
pub(super) fn sample(draft: &mut Draft<'_>, interaction: &Interaction, result: SampleResult) {
    if let Some(what) = sampled(draft.state, interaction, result, draft.now) {
        draft.push(what);
    }
}

/// An agent has got the interaction from the queue, which ends its wait if that counts as the answer.
pub(super) fn accepted(state: &State, interaction: &Interaction, now: Timestamp) -> Option<InteractionEvent> {
    match state.config.service_level.answered_by {
        AnsweredBy::Reply => None,
        AnsweredBy::Accept => sampled(state, interaction, SampleResult::Answered, now),
    }
}

pub(super) fn sampled(
    state: &State,
    interaction: &Interaction,
    result: SampleResult,
    now: Timestamp,
) -> Option<InteractionEvent> {
    let waited = now.duration_since(interaction.waiting_since?);
    let target = state.config.service_level.target;
    Some(InteractionEvent::ServiceLevelSampled {
        interaction: interaction.id,
        result,
        waited_millis: u64::try_from(waited.as_millis()).unwrap_or(0),
        target_seconds: u64::try_from(target.as_secs()).unwrap_or(0),
        in_target: waited <= target,
    })
}

/// The service level over its window, or of a day. Sums over channels are right when counts are added, never percentages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceLevel {
    /// Interactions that an agent answered: replied to or, with `answeredBy: Accept`, had.
    pub answered: u64,
    /// Of these, in target.
    pub answered_in_target: u64,
    /// Interactions whose customer opted out before.
    pub abandoned: u64,
    /// Of these, in target.
    pub abandoned_in_target: u64,
    /// Interactions that the system closed before.
    pub unanswered: u64,
    /// Interactions that an agent finished before without a reply.
    pub no_reply: u64,
    /// Of these, in target.
    pub no_reply_in_target: u64,
    /// Interactions that wait for the answer, and have for longer than the target.
    pub waiting_beyond_target: u64,
    /// `answered_in_target / (answered + unanswered + no_reply - no_reply_in_target)`, floored; none without a sample.
    pub percent: Option<u64>,
    /// `(answered_in_target + abandoned_in_target) / (answered + unanswered + no_reply - no_reply_in_target + abandoned)`, floored;
    /// none without a sample.
    pub percent_with_abandoned: Option<u64>,
}

impl State {
    /// The service level at an instant: the samples younger than the window.
    pub fn service_level(&self, now: Timestamp) -> ServiceLevel {
        let window = self.config.service_level.window;
        let mut counts = Counts::default();
        for sample in self.samples.iter().filter(|sample| now.duration_since(sample.at) < window) {
            counts.add(sample.result, sample.in_target);
        }
        self.service_level_of(counts, now)
    }

    /// The service level that these waits make, with those who wait at an instant.
    pub(super) fn service_level_of(&self, counts: Counts, now: Timestamp) -> ServiceLevel {
        let Counts {
            answered,
            answered_in_target,
            abandoned,
            abandoned_in_target,
            unanswered,
            no_reply,
            no_reply_in_target,
        } = counts;
        let decided = answered + unanswered + no_reply - no_reply_in_target;
        ServiceLevel {
            answered,
            answered_in_target,
            abandoned,
            abandoned_in_target,
            unanswered,
            no_reply,
            no_reply_in_target,
            waiting_beyond_target: self.waiting_beyond(self.config.service_level.target, now),
            percent: percent(answered_in_target, decided),
            percent_with_abandoned: percent(answered_in_target + abandoned_in_target, decided + abandoned),
        }
    }

    fn waiting_beyond(&self, target: SignedDuration, now: Timestamp) -> u64 {
        self.interactions
            .values()
            .filter(|interaction| interaction.waiting_since.is_some_and(|since| now.duration_since(since) > target))
            .count() as u64
    }
}

fn percent(part: u64, whole: u64) -> Option<u64> {
    part.saturating_mul(100).checked_div(whole)
}
