//! A message of which nobody knows whether it was sent goes once more, because a person says so.

use super::{
    command::{Answer, Refusal, SentMessage},
    delivery::MessageStatus,
    draft::Draft,
    event::{OutboundEvent, Purpose},
    ids::{Epoch, MessageId, UserId},
    ownership, sending,
};
use crate::sms::Sender;

/// The owner of the interaction, or a supervisor, has a message sent once more. It keeps its id: a receipt of the first attempt that comes
/// after all settles it, and takes it back if it has not left yet.
pub(super) fn resend(
    draft: &mut Draft<'_>,
    user: &UserId,
    message: MessageId,
    epoch: Epoch,
    sent: Option<&SentMessage>,
) -> Result<Answer, Refusal> {
    let sent = sent.ok_or(Refusal::NoSuchMessage(message))?;
    let interaction = sent.interaction.filter(|_| is_written(&sent.purpose)).ok_or(Refusal::NotResendable(message))?;
    let interaction = if draft.config().supervisors.contains(user) {
        ownership::at_epoch(draft, interaction, epoch)?
    } else {
        ownership::owned(draft, user, interaction, epoch)?
    };
    if sent.status != MessageStatus::Unknown {
        return Err(Refusal::NotUnknown { message, status: sent.status });
    }
    if !draft.config().enabled {
        return Err(Refusal::Disabled);
    }
    let customer = draft.known_customer(interaction.customer)?;
    sending::may_be_written_to(&customer, &sent.purpose)?;
    // Sent once more, it would begin what may not be begun any more.
    if let (Purpose::Start { .. }, Sender::Number(number)) = (&sent.purpose, &sent.to)
        && draft.config().blocklist.blocks_outbound(number, draft.now)
    {
        return Err(Refusal::Blocked);
    }
    draft.push(OutboundEvent::ResendRequested {
        message,
        customer: customer.id,
        interaction: interaction.id,
        purpose: sent.purpose.clone(),
        segments: sent.segments,
        attempt: sent.attempt,
        user: user.clone(),
    });
    Ok(Answer::Resent { attempt: sent.attempt.next() })
}

/// What agents and bots say to the customer. The engine's own texts are about a moment that has passed.
const fn is_written(purpose: &Purpose) -> bool {
    match purpose {
        Purpose::Reply { .. } | Purpose::Start { .. } | Purpose::Bot => true,
        Purpose::OutOfHours
        | Purpose::QueueFull
        | Purpose::OptOutConfirmation
        | Purpose::OptInConfirmation
        | Purpose::Help => false,
    }
}
