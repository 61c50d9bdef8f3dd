//! What the model knows of messages to customers.

use jiff::{SignedDuration, Timestamp};

use super::model::Model;
use crate::engine::core::{
    config::ChannelConfig,
    event::{Event, Happened, OutboundEvent, Purpose},
    ids::{Attempt, CustomerId, MessageId},
};

/// An outbound message as the events tell of it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) customer: CustomerId,
    pub(super) purpose: Purpose,
    segments: u32,
    attempt: Attempt,
    pub(super) in_flight: bool,
    pub(super) over: bool,
    /// Nobody knows what came of it.
    pub(super) unknown: bool,
    /// It was sent once more.
    pub(super) resent: bool,
}

impl Model {
    pub(super) fn committed(
        &mut self,
        message: MessageId,
        customer: CustomerId,
        purpose: &Purpose,
        segments: u32,
        at: Timestamp,
    ) {
        assert!(!self.inbound.contains(&message), "an id was used twice");
        let heard = self.customer(customer);
        assert!(heard.can_receive);
        if *purpose == Purpose::OptOutConfirmation {
            assert!(heard.opted_out && heard.confirmations_owed == 1, "confirmed without need");
            heard.confirmations_owed = 0;
        } else {
            assert!(*purpose == Purpose::Help || !heard.opted_out, "{purpose:?} to who opted out");
        }
        let notice = match purpose {
            Purpose::OutOfHours => Some("hours"),
            Purpose::QueueFull => Some("full"),
            _ => None,
        };
        if let Some(last) = notice.and_then(|notice| heard.notices.insert(notice, at)) {
            assert!(at.duration_since(last) >= SignedDuration::from_hours(1), "told twice within an hour");
        }
        let (purpose, attempt) = (purpose.clone(), Attempt::default());
        let sent =
            Sent { customer, purpose, segments, attempt, in_flight: false, over: false, unknown: false, resent: false };
        assert!(self.messages.insert(message, sent).is_none(), "an id was used twice");
    }

    pub(super) fn attempted(&mut self, message: MessageId, attempt: Attempt, at: Timestamp) {
        let sent = self.messages.get_mut(&message).unwrap();
        assert!(!sent.over && !sent.in_flight && attempt == sent.attempt.next(), "sent twice: {message}");
        (sent.in_flight, sent.attempt) = (true, attempt);
        let (customer, segments, resent) = (sent.customer, sent.segments, sent.resent);
        let confirmation = matches!(sent.purpose, Purpose::OptOutConfirmation | Purpose::Help);
        let heard = self.customer(customer);
        assert!(heard.in_flight.insert(message) && heard.in_flight.len() == 1, "more than one message in flight");
        assert!(resent || heard.last_attempted.is_none_or(|last| last <= message), "out of order");
        heard.last_attempted = heard.last_attempted.max(Some(message));
        assert!(confirmation || !heard.opted_out, "sent to who opted out: {message}");
        self.departures.insert((message, attempt), (at, segments));
    }

    /// Whether it was to be sent once more.
    pub(super) fn is_resent(&self, message: MessageId) -> bool {
        self.messages[&message].resent
    }

    /// Only what nobody knows the end of goes once more, and only because somebody who may do so asked.
    pub(super) fn resent(&mut self, event: &Event, config: &ChannelConfig) {
        let Happened::Outbound(OutboundEvent::ResendRequested {
            message,
            customer,
            interaction,
            purpose,
            attempt,
            user,
            ..
        }) = &event.what
        else {
            panic!("{event:?}")
        };
        let owner = self.interaction(*interaction).owner.clone();
        assert!(owner.as_ref() == Some(user) || config.supervisors.contains(user), "{event:?}");
        assert!(!self.disabled && !self.customer(*customer).opted_out, "{event:?}");
        let sent = self.messages.get_mut(message).unwrap();
        assert!(std::mem::replace(&mut sent.unknown, false) && sent.over && !sent.in_flight, "{event:?}");
        assert_eq!((&sent.customer, &sent.purpose, &sent.attempt), (customer, purpose, attempt), "{event:?}");
        (sent.over, sent.resent) = (false, true);
    }

    pub(super) fn answered(&mut self, message: MessageId, attempt: Attempt, over: bool) {
        let sent = self.messages.get_mut(&message).unwrap();
        assert!(sent.in_flight && sent.attempt == attempt);
        (sent.in_flight, sent.over) = (false, over);
        let customer = sent.customer;
        self.customer(customer).in_flight.remove(&message);
    }

    /// No stretch of time saw more segments leave than a full bucket and what flowed in meanwhile. A message that is larger than
    /// the bucket may overdraw it by what it is larger.
    pub(super) fn check_limit(&self, config: &ChannelConfig) {
        let (bucket, period) =
            (i128::from(config.per_number.segments.get()), i128::from(config.per_number.per_seconds.get()));
        let mut departures: Vec<_> = self.departures.values().copied().collect();
        departures.sort();
        for (first, (from, _)) in departures.iter().enumerate() {
            let mut segments = 0;
            for (at, more) in &departures[first..] {
                // The last one counts with what the bucket must have held for it, not with what it overdraws.
                let needed = segments + i128::from(*more).min(bucket);
                let nanos = at.as_nanosecond() - from.as_nanosecond();
                let allowed = bucket * period * 1_000_000_000 + bucket * nanos;
                assert!(needed * period * 1_000_000_000 <= allowed, "{needed} segments in {nanos} ns");
                segments += i128::from(*more);
            }
        }
    }
}
