//! Messages go out: committed, attempted within the number's limit, answered.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    clock::{earlier, later},
    command::{Answer, Refusal, SendResult},
    config::RateLimit,
    consent,
    customer::Customer,
    delivery::{DeliveryState, FailureClass, MessageStatus, SendOutcome},
    draft::Draft,
    event::{OptOutBy, OutboundEvent, Purpose},
    ids::{InteractionId, MessageId},
    outbox::Outbound,
    state::State,
};
use crate::sms::{self, MAX_SEGMENTS};

/// The gateway must have begun with an attempt so soon.
pub const BEGIN_WITHIN: SignedDuration = SignedDuration::from_secs(30);
/// The longest that a gateway can make a channel wait with one answer.
const LONGEST_HOLD: SignedDuration = SignedDuration::from_mins(10);

/// Commits a message of an agent.
///
/// # Errors
/// When the customer opted out or cannot receive, or the text cannot be sent.
pub(super) fn commit(
    draft: &mut Draft<'_>,
    customer: &Customer,
    interaction: Option<InteractionId>,
    purpose: Purpose,
    text: &Arc<str>,
) -> Result<MessageId, Refusal> {
    sendable(customer, &purpose, text)?;
    let segments = sms::segments(text);
    let message = draft.new_message(text);
    draft.push(OutboundEvent::OutboundCommitted {
        message,
        customer: customer.id,
        interaction,
        purpose,
        encoding: segments.encoding,
        segments: segments.count,
    });
    Ok(message)
}

/// Whether this may be said to this customer. Every outbound message passes here.
///
/// # Errors
/// What keeps it back: their consent, an address that cannot receive, or a text that is empty or too long.
pub(super) fn sendable(customer: &Customer, purpose: &Purpose, text: &str) -> Result<(), Refusal> {
    may_be_written_to(customer, purpose)?;
    if text.trim().is_empty() {
        return Err(Refusal::EmptyText);
    }
    match sms::segments(text).count {
        segments if segments > MAX_SEGMENTS => Err(Refusal::TextTooLong { segments, maximum: MAX_SEGMENTS }),
        _ => Ok(()),
    }
}

/// Whether this customer may be sent anything with this purpose.
///
/// # Errors
/// Their consent, or an address that cannot receive.
pub(super) fn may_be_written_to(customer: &Customer, purpose: &Purpose) -> Result<(), Refusal> {
    if customer.opted_out && !purpose.answers_opted_out() {
        return Err(Refusal::OptedOut);
    }
    if !customer.can_receive {
        return Err(Refusal::CannotReceive);
    }
    Ok(())
}

/// Commits a text that the engine sends by itself, if it may be sent to this customer.
pub(super) fn commit_automatic(
    draft: &mut Draft<'_>,
    customer: &Customer,
    interaction: Option<InteractionId>,
    purpose: Purpose,
    text: &str,
) {
    // Nobody is there to be told of a refusal: that the customer cannot be written to is known from their row.
    let _ = commit(draft, customer, interaction, purpose, &Arc::from(text));
}

/// Starts the next attempt, if one may start now.
pub(super) fn attempt_next(state: &State, now: Timestamp) -> Option<OutboundEvent> {
    let outbound = state.outbox.next()?;
    if next_attempt_at(state)? > now {
        return None;
    }
    let message = outbound.message;
    if !may_leave(state, outbound) {
        return Some(outbound.canceled());
    }
    let from = state.scalars.paced_until.max(now);
    Some(OutboundEvent::AttemptStarted {
        message,
        attempt: outbound.attempt.next(),
        deadline: later(now, BEGIN_WITHIN),
        paced_until: later(from, cost(state.config.per_number, outbound.segments)),
    })
}

/// When the next attempt may start; none when there is nothing to send, or nothing may be sent.
pub(super) fn next_attempt_at(state: &State) -> Option<Timestamp> {
    let outbound = state.outbox.next().filter(|_| state.storage_accepted && !state.sending_paused)?;
    Some(state.scalars.hold_until.max(paced(state, outbound.segments)))
}

/// Whether the customer still accepts this message.
fn may_leave(state: &State, outbound: &Outbound) -> bool {
    let opted_out = state.customer(outbound.customer).is_some_and(|customer| customer.opted_out);
    !opted_out || outbound.purpose.answers_opted_out()
}

/// When the number's limit lets so many segments go: a token bucket that holds one period's worth, written as the instant at which
/// it will be full again. A message that is larger than the bucket goes when it is full, and later ones wait for it.
fn paced(state: &State, segments: u32) -> Timestamp {
    let limit = state.config.per_number;
    let period = period(limit);
    earlier(state.scalars.paced_until, period.saturating_sub(cost(limit, segments).min(period)))
}

/// Under one limit nothing waits longer than its period, or than its largest message takes. Who comes from a slower limit does
/// not serve the rest of its time.
pub(super) fn shortened_by_new_limit(state: &State, now: Timestamp) -> Option<Timestamp> {
    let limit = state.config.per_number;
    let longest = later(now, period(limit).max(cost(limit, MAX_SEGMENTS)));
    (state.scalars.paced_until > longest).then_some(longest)
}

fn period(limit: RateLimit) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(limit.per_seconds.get()).unwrap_or(i64::MAX))
}

/// How much time of the limit so many segments take, rounded up.
fn cost(limit: RateLimit, segments: u32) -> SignedDuration {
    let nanos = (period(limit).as_nanos() * i128::from(segments))
        .checked_add(i128::from(limit.segments.get()) - 1)
        .unwrap_or(i128::MAX)
        / i128::from(limit.segments.get());
    SignedDuration::try_from_nanos_i128(nanos).unwrap_or(SignedDuration::MAX)
}

/// Handles the gateway's answer to an attempt.
pub(super) fn send_result(draft: &mut Draft<'_>, result: &SendResult) -> Result<Answer, Refusal> {
    let state = draft.state;
    let &SendResult { message, attempt, ref outcome, ref parked } = result;
    let outbound = state
        .outbox
        .get(message)
        .filter(|outbound| outbound.is_in_flight() && outbound.attempt == attempt)
        .ok_or(Refusal::NotWaiting { message, attempt })?;
    let answered = match outcome {
        SendOutcome::NotSent { retry_after } if outbound.may_go_again() => {
            not_sent(draft, outbound, *retry_after);
            return Ok(Answer::Done);
        }
        SendOutcome::NotSent { .. } | SendOutcome::Unknown => MessageStatus::Unknown,
        SendOutcome::Accepted => MessageStatus::Accepted,
        // The text may have arrived before.
        SendOutcome::Refused(_) if outbound.resend => MessageStatus::Unknown,
        SendOutcome::Refused(class) => MessageStatus::Failed(*class),
    };
    // Receipts may have been faster than the answer; what is further along stays.
    let status = outbound.reached.map_or(answered, |reached| reached.further(answered));
    let after = if outbound.resend { MessageStatus::after_resend } else { MessageStatus::after };
    let status = parked.iter().fold(status, |status, receipt| after(status, receipt.state).unwrap_or(status));
    let customer = draft.known_customer(outbound.customer)?;
    draft.push(OutboundEvent::AttemptEnded { message, attempt, status });
    let refused_for_opt_out = *outcome == SendOutcome::Refused(FailureClass::OptedOut)
        || parked.iter().any(|receipt| receipt.state == DeliveryState::Failed(FailureClass::OptedOut));
    if refused_for_opt_out {
        consent::opt_out(draft, &customer, OptOutBy::Provider { message });
    }
    Ok(Answer::Done)
}

/// Nothing left the house: the message goes first when the channel goes on. The limit gets back what the attempt took, unless
/// another attempt came after it: the bucket may have been full in between, and what flowed over is gone.
fn not_sent(draft: &mut Draft<'_>, outbound: &Outbound, retry_after: SignedDuration) {
    let state = draft.state;
    let hold = retry_after.clamp(SignedDuration::ZERO, LONGEST_HOLD);
    let taken = if state.scalars.last_attempted == Some(outbound.message) {
        cost(state.config.per_number, outbound.segments)
    } else {
        SignedDuration::ZERO
    };
    draft.push(OutboundEvent::AttemptNotSent {
        message: outbound.message,
        attempt: outbound.attempt,
        hold_until: state.scalars.hold_until.max(later(draft.now, hold)),
        paced_until: earlier(state.scalars.paced_until, taken),
    });
    if !may_leave(state, outbound) {
        draft.push(outbound.canceled());
    }
}
