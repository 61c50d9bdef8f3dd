//! What the channels of a campaign come to together.

use std::borrow::Borrow;

use jiff::Timestamp;

use crate::{
    api::{
        SmsChannel,
        campaign::ChannelCounts,
        sms_channel::{QueueStatus, ServiceLevelStatus},
    },
    operator::observed::changes::is_ready,
};

/// The sums over the channels of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// How many channels there are.
    pub channels: ChannelCounts,
    /// Their queues; none while no channel was sampled.
    pub queue: Option<QueueStatus>,
    /// Their service level: counts are summed, percentages made of the sums. None while no channel was sampled.
    pub service_level: Option<ServiceLevelStatus>,
    /// The oldest sample among them.
    pub sampled_at: Option<Timestamp>,
}

/// Sums up the channels of a campaign, as their status says.
pub(crate) fn sum<C: Borrow<SmsChannel>>(channels: impl IntoIterator<Item = C>) -> Sums {
    let mut sums = Sums::default();
    for channel in channels {
        let channel = channel.borrow();
        sums.channels.total += 1;
        sums.channels.ready += i64::from(is_ready(channel));
        let Some(status) = &channel.status else { continue };
        if let Some(queue) = &status.queue {
            add_queue(sums.queue.get_or_insert_default(), queue);
        }
        if let Some(level) = &status.service_level {
            add_service_level(sums.service_level.get_or_insert_default(), level);
        }
        sums.sampled_at = match (sums.sampled_at, status.sampled_at) {
            (Some(oldest), Some(sampled)) => Some(oldest.min(sampled)),
            (oldest, sampled) => oldest.or(sampled),
        };
    }
    if let Some(level) = &mut sums.service_level {
        let decided = level.answered + level.unanswered + level.no_reply - level.no_reply_in_target;
        level.percent = percent(level.answered_in_target, decided);
        level.percent_with_abandoned =
            percent(level.answered_in_target + level.abandoned_in_target, decided + level.abandoned);
    }
    sums
}

fn add_queue(sum: &mut QueueStatus, queue: &QueueStatus) {
    sum.waiting += queue.waiting;
    sum.oldest_wait_seconds = sum.oldest_wait_seconds.max(queue.oldest_wait_seconds);
    sum.with_bot += queue.with_bot;
    sum.active += queue.active;
}

fn add_service_level(sum: &mut ServiceLevelStatus, level: &ServiceLevelStatus) {
    sum.answered += level.answered;
    sum.answered_in_target += level.answered_in_target;
    sum.abandoned += level.abandoned;
    sum.abandoned_in_target += level.abandoned_in_target;
    sum.unanswered += level.unanswered;
    sum.no_reply += level.no_reply;
    sum.no_reply_in_target += level.no_reply_in_target;
}

/// Rounded down, so that 100 is said of nothing less.
fn percent(part: i64, whole: i64) -> Option<i32> {
    if whole <= 0 { None } else { i32::try_from(part.saturating_mul(100) / whole).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn channel(status: Value) -> SmsChannel {
        serde_json::from_value(json!({
            "apiVersion": "aldis.dev/v1alpha1", "kind": "SmsChannel", "metadata": {"name": "a", "generation": 2},
            "spec": {"campaignRef": {"name": "support"}, "connectorRef": {"name": "demo"}, "number": "+15551230001"},
            "status": status,
        }))
        .unwrap()
    }

    fn ready_since(generation: i64) -> Value {
        json!([{
            "type": "Ready", "status": "True", "reason": "Available", "message": "",
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
        }])
    }

    #[test]
    fn percentages_are_made_of_sums() {
        // 100 % of one and 0 % of nine are not 50 %, but 10 %.
        let good = channel(json!({
            "conditions": ready_since(2), "queue": {"waiting": 1, "oldestWaitSeconds": 5, "withBot": 1, "active": 2},
            "serviceLevel": {"percent": 100, "answered": 1, "answeredInTarget": 1}, "sampledAt": "2026-01-01T00:01:00Z",
        }));
        let bad = channel(json!({
            "conditions": ready_since(1), "queue": {"waiting": 2, "oldestWaitSeconds": 90, "withBot": 0, "active": 3},
            "serviceLevel": {"percent": 0, "answered": 7, "unanswered": 1, "noReply": 3, "noReplyInTarget": 2, "abandoned": 2, "abandonedInTarget": 1},
            "sampledAt": "2026-01-01T00:00:00Z",
        }));
        let silent = channel(json!({}));
        let sums = sum([&good, &bad, &silent]);
        assert_eq!(sums.channels, ChannelCounts { total: 3, ready: 1 });
        assert_eq!(sums.queue, Some(QueueStatus { waiting: 3, oldest_wait_seconds: 90, with_bot: 1, active: 5 }));
        let level = sums.service_level.unwrap();
        assert_eq!((level.percent, level.percent_with_abandoned), (Some(10), Some(16)));
        assert_eq!((level.no_reply, level.no_reply_in_target), (3, 2));
        assert_eq!(sums.sampled_at, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn nothing_sampled_says_nothing() {
        assert_eq!(sum::<SmsChannel>([]), Sums::default());
        let level = sum([&channel(json!({"serviceLevel": {}}))]).service_level.unwrap();
        assert_eq!((level.percent, level.percent_with_abandoned), (None, None));
    }
}
