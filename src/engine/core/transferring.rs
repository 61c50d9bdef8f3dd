//! Agents hand interactions over, and take that back.

use super::{
    agent::Agent,
    command::{Answer, Refusal, TransferTo},
    draft::Draft,
    event::{InteractionEvent, TransferEndReason},
    ids::{Epoch, InteractionId, OfferId, UserId},
    interaction::Interaction,
    ownership,
};

/// The owner hands an interaction over. It stays theirs until somebody has taken it.
pub(super) fn transfer(
    draft: &mut Draft<'_>,
    user: &UserId,
    id: InteractionId,
    epoch: Epoch,
    to: &TransferTo,
) -> Result<Answer, Refusal> {
    let interaction = ownership::owned(draft, user, id, epoch)?;
    if !draft.config().enabled {
        return Err(Refusal::Disabled);
    }
    if interaction.transfer().is_some() {
        return Err(Refusal::InTransfer);
    }
    let (to, offer) = match to {
        TransferTo::Queue => (None, None),
        TransferTo::Agent(recipient) => {
            may_be_asked(draft, user, recipient)?;
            (Some(recipient.clone()), Some(OfferId(interaction.offers + 1)))
        }
    };
    let timeout_seconds = draft.config().max_transfer.map(|limit| u32::try_from(limit.as_secs()).unwrap_or(u32::MAX));
    draft.push(InteractionEvent::TransferStarted { interaction: id, user: user.clone(), to, offer, timeout_seconds });
    Ok(Answer::Done)
}

/// Whether an agent is there to be asked. Room for another one they need not have: they may take it all the same, or wait until they finish
/// something.
fn may_be_asked(draft: &Draft<'_>, user: &UserId, recipient: &UserId) -> Result<(), Refusal> {
    if recipient == user {
        return Err(Refusal::TransferToOneself);
    }
    is_there(draft, recipient)
}

/// Whether an agent is there to be given something.
pub(super) fn is_there(draft: &Draft<'_>, recipient: &UserId) -> Result<(), Refusal> {
    let member = draft.config().members.get(recipient).ok_or_else(|| Refusal::NoSuchMember(recipient.clone()))?;
    let agent = draft.state.agent(recipient);
    if !member.receive {
        return Err(Refusal::MayNotReceive(recipient.clone()));
    }
    if !agent.is_some_and(Agent::is_online) {
        return Err(Refusal::AgentOffline(recipient.clone()));
    }
    if !agent.is_some_and(|agent| agent.present) {
        return Err(Refusal::AgentNotPresent(recipient.clone()));
    }
    Ok(())
}

/// The owner keeps the interaction after all.
pub(super) fn cancel(draft: &mut Draft<'_>, user: &UserId, id: InteractionId, epoch: Epoch) -> Result<Answer, Refusal> {
    let interaction = ownership::owned(draft, user, id, epoch)?;
    let ended = ended(interaction, TransferEndReason::Canceled).ok_or(Refusal::NotInTransfer)?;
    draft.push(ended);
    Ok(Answer::Done)
}

/// Nobody takes what is handed over, if it is.
pub(super) fn ended(interaction: &Interaction, reason: TransferEndReason) -> Option<InteractionEvent> {
    interaction.transfer()?;
    let to = interaction.recipient().map(|(user, _)| user.clone());
    Some(InteractionEvent::TransferEnded { interaction: interaction.id, to, reason })
}
