//! Receipts: how far a message came.

use super::{
    command::{Answer, Content, Receipt, ReceiptAnswer, Refusal},
    consent,
    delivery::{DeliveryState, FailureClass, ParkedReceipt},
    draft::Draft,
    event::{OptOutBy, OutboundEvent},
};

/// Moves a message forward. A receipt for a message that nobody knows waits for the gateway's answer to name it.
pub(super) fn receipt(draft: &mut Draft<'_>, receipt: &Receipt) -> Result<Answer, Refusal> {
    let Some(known) = receipt.message else {
        draft.push(OutboundEvent::ReceiptParked);
        draft.add(Content::ParkedReceipt {
            provider_message_id: receipt.provider_message_id.clone(),
            receipt: ParkedReceipt { state: receipt.state },
        });
        return Ok(Answer::Receipt(ReceiptAnswer::Parked));
    };
    let Some(status) = known.status.after(receipt.state) else {
        return Ok(Answer::Receipt(ReceiptAnswer::Ignored));
    };
    let customer = draft.known_customer(known.customer)?;
    draft.push(OutboundEvent::ReceiptApplied { message: known.message, status });
    if receipt.state == DeliveryState::Failed(FailureClass::OptedOut) {
        consent::opt_out(draft, &customer, OptOutBy::Provider { message: known.message });
    }
    Ok(Answer::Receipt(ReceiptAnswer::Applied))
}
