//! What an agent does with an interaction: reply, finish, note.

use std::sync::Arc;

use super::{
    bot_lifecycle,
    bot_run::BotSlot,
    command::{Answer, Refusal},
    draft::Draft,
    event::{CloseReason, FinishedBy, InteractionEvent, Purpose, SampleResult, TransferEndReason},
    ids::{DispositionName, Epoch, InteractionId, UserId},
    ownership, sending, service_level, transferring,
};

/// The owner answers the customer.
pub(super) fn reply(
    draft: &mut Draft<'_>,
    user: &UserId,
    interaction: InteractionId,
    epoch: Epoch,
    text: &Arc<str>,
) -> Result<Answer, Refusal> {
    let interaction = ownership::owned(draft, user, interaction, epoch)?;
    if !draft.config().enabled {
        return Err(Refusal::Disabled);
    }
    let customer = draft.known_customer(interaction.customer)?;
    let purpose = Purpose::Reply { user: user.clone() };
    let message = sending::commit(draft, &customer, Some(interaction.id), purpose, text)?;
    service_level::sample(draft, interaction, SampleResult::Answered);
    Ok(Answer::Replied { message })
}

/// The owner ends the interaction. A wait that no reply ended is counted as such.
pub(super) fn finish(
    draft: &mut Draft<'_>,
    user: &UserId,
    interaction: InteractionId,
    epoch: Epoch,
    disposition: Option<&DispositionName>,
) -> Result<Answer, Refusal> {
    let interaction = ownership::owned(draft, user, interaction, epoch)?;
    let config = draft.config();
    draft.has_disposition(disposition)?;
    if disposition.is_none() && config.disposition_required {
        return Err(Refusal::DispositionMissing);
    }
    service_level::sample(draft, interaction, SampleResult::NoReply);
    draft.push_all(transferring::ended(interaction, TransferEndReason::Closed));
    let completed_on = config.schedule.date(draft.now);
    let may_meet = draft
        .state
        .customer(interaction.customer)
        .is_some_and(|customer| bot_lifecycle::may_meet(draft.state, customer));
    if let Some(bot) = config.bots.on_end.as_ref().filter(|_| may_meet) {
        let finished = FinishedBy { owner: user.clone(), completed_on, disposition: disposition.cloned() };
        draft.push(bot_lifecycle::started(interaction.id, BotSlot::OnEnd, bot, None, Some(finished)));
        return Ok(Answer::Done);
    }
    draft.push(InteractionEvent::InteractionClosed {
        interaction: interaction.id,
        reason: CloseReason::Finished,
        owner: Some(user.clone()),
        completed_on: Some(completed_on),
        disposition: disposition.cloned(),
        by: None,
    });
    Ok(Answer::Done)
}

/// A member leaves a note.
pub(super) fn note(
    draft: &mut Draft<'_>,
    user: &UserId,
    interaction: InteractionId,
    epoch: Option<Epoch>,
    text: &Arc<str>,
) -> Result<Answer, Refusal> {
    let open = match epoch {
        Some(epoch) => ownership::owned(draft, user, interaction, epoch)?,
        None => {
            draft.serving(user)?;
            ownership::open(draft, interaction)?
        }
    };
    if text.trim().is_empty() {
        return Err(Refusal::EmptyText);
    }
    let note = draft.new_note(text);
    draft.push(InteractionEvent::NoteAdded { note, interaction: open.id, user: user.clone() });
    Ok(Answer::Noted { note })
}
