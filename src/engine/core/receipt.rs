//! Receipts: how far a message came.

use super::{
    command::{Answer, Content, KnownMessage, Receipt, ReceiptAnswer, Refusal},
    consent,
    customer::Customer,
    delivery::{DeliveryState, FailureClass, MessageStatus, ParkedReceipt},
    draft::Draft,
    event::{OptOutBy, OutboundEvent},
    outbox::Outbound,
};

/// What a receipt makes of its message.
enum Effect {
    /// It is there already or further.
    None,
    /// What it means is seen when the gateway's answer names it.
    Parked,
    Moved(MessageStatus),
}

/// Moves a message forward. A receipt for a message that nobody knows waits for the gateway's answer to name it.
pub(super) fn receipt(draft: &mut Draft<'_>, receipt: &Receipt) -> Result<Answer, Refusal> {
    let Some(known) = receipt.message else { return Ok(park(draft, receipt)) };
    let customer = draft.known_customer(known.customer)?;
    let (answer, speaks) = match effect(draft, receipt, known) {
        // What the provider says of the customer counts, whichever sending it is about.
        Effect::None => (ReceiptAnswer::Ignored, known.resent_after.is_some()),
        Effect::Parked => {
            // The gateway's answer may be lost, and with it what was parked.
            say_opted_out(draft, receipt, known, &customer);
            return Ok(park(draft, receipt));
        }
        Effect::Moved(status) => {
            draft.push(OutboundEvent::ReceiptApplied { message: known.message, status });
            (ReceiptAnswer::Applied, true)
        }
    };
    if speaks {
        say_opted_out(draft, receipt, known, &customer);
    }
    Ok(Answer::Receipt(answer))
}

fn say_opted_out(draft: &mut Draft<'_>, receipt: &Receipt, known: KnownMessage, customer: &Customer) {
    if receipt.state == DeliveryState::Failed(FailureClass::OptedOut) {
        consent::opt_out(draft, customer, OptOutBy::Provider { message: known.message });
    }
}

/// That one sending of a message failed says nothing of another one.
fn effect(draft: &Draft<'_>, receipt: &Receipt, known: KnownMessage) -> Effect {
    let moved = |status: Option<MessageStatus>| status.map_or(Effect::None, Effect::Moved);
    let (Some(before), DeliveryState::Failed(_)) = (known.resent_after, receipt.state) else {
        return moved(known.status.after(receipt.state));
    };
    if receipt.attempt.is_some_and(|attempt| attempt <= before) {
        return Effect::None;
    }
    if draft.state.outbox.get(known.message).is_some_and(Outbound::is_in_flight) {
        return Effect::Parked;
    }
    moved(known.status.after_resend(receipt.state))
}

fn park(draft: &mut Draft<'_>, receipt: &Receipt) -> Answer {
    draft.push(OutboundEvent::ReceiptParked);
    draft.add(Content::ParkedReceipt {
        provider_message_id: receipt.provider_message_id.clone(),
        receipt: ParkedReceipt { state: receipt.state },
    });
    Answer::Receipt(ReceiptAnswer::Parked)
}
