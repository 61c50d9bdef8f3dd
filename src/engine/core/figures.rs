//! Figures that are kept: how often what happened, and how long it took.

use jiff::{SignedDuration, civil::Date};
use serde::{Deserialize, Serialize};

use super::event::SampleResult;

/// How often something was measured, and how long it took in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Measured {
    /// So often.
    pub count: u64,
    /// The sum, in milliseconds.
    pub millis: u64,
}

impl Measured {
    pub(super) fn add(&mut self, took: SignedDuration) {
        self.count += 1;
        self.millis = self.millis.saturating_add(u64::try_from(took.as_millis()).unwrap_or(0));
    }
}

/// The channel on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelDay {
    /// The date in the campaign's time zone.
    pub on: Date,
    /// What happened on it.
    #[serde(flatten)]
    pub counts: ChannelCounts,
}

/// What happened in a channel on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChannelCounts {
    /// Customers' texts, but for those that came twice.
    pub texts: u64,
    /// Interactions that a customer began.
    pub opened: u64,
    /// Interactions that an agent began.
    pub started: u64,
    /// Interactions that ended, for whatever reason.
    pub closed: u64,
    /// Agents' replies.
    pub replies: u64,
    /// From entering the queue to the first reply, of those whose wait counts in the service level.
    pub first_replies: Measured,
    /// Waits that ended, as the service level counts them.
    pub samples: Counts,
}

/// What an agent did on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentCounts {
    /// Interactions that they got: accepted, or given to them by strategy, agent or supervisor.
    pub taken: u64,
    /// Interactions that they began.
    pub started: u64,
    /// Waits that they ended, by what counts as the answer.
    pub answered: u64,
    /// Interactions that they finished.
    pub finished: u64,
    /// Offers, and interactions handed over to them, that they let pass.
    pub missed: u64,
    /// Offers, and interactions handed over to them, that they declined.
    pub declined: u64,
    /// Interactions that another agent took from them when they handed them over.
    pub transferred: u64,
    /// Their replies.
    pub replies: u64,
    /// From entering the queue to the first reply, where that was theirs.
    pub first_replies: Measured,
    /// From getting an interaction to not having it any more.
    pub handled: Measured,
}

/// Waits that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
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
}

impl Counts {
    pub(super) fn add(&mut self, result: SampleResult, in_target: bool) {
        let (count, of_target) = match result {
            SampleResult::Answered => (&mut self.answered, Some(&mut self.answered_in_target)),
            SampleResult::Abandoned => (&mut self.abandoned, Some(&mut self.abandoned_in_target)),
            SampleResult::NoReply => (&mut self.no_reply, Some(&mut self.no_reply_in_target)),
            SampleResult::Unanswered => (&mut self.unanswered, None),
        };
        *count += 1;
        if let Some(of_target) = of_target {
            *of_target += u64::from(in_target);
        }
    }
}
