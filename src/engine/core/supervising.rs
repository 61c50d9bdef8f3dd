//! Supervisors give interactions to agents, take them over and close them.

use super::{
    agent::Agent,
    bot_lifecycle, closing,
    command::{Answer, Refusal},
    draft::Draft,
    event::{BotEndReason, CloseReason, InteractionEvent, SampleResult, TransferEndReason},
    ids::{DispositionName, Epoch, InteractionId, UserId},
    ownership, service_level, transferring,
};

/// An interaction goes to an agent, or to the supervisor, whoever has it and whether or not they have room for another one.
pub(super) fn assign(
    draft: &mut Draft<'_>,
    user: &UserId,
    id: InteractionId,
    epoch: Epoch,
    to: &UserId,
) -> Result<Answer, Refusal> {
    supervises(draft, user)?;
    let interaction = ownership::at_epoch(draft, id, epoch)?;
    if !draft.config().enabled {
        return Err(Refusal::Disabled);
    }
    if interaction.owner() == Some(to) {
        return Err(Refusal::AlreadyTheirs(to.clone()));
    }
    if to != user {
        transferring::is_there(draft, to)?;
    } else if !draft.state.agent(user).is_some_and(Agent::is_online) {
        return Err(Refusal::NoStream);
    }
    let epoch = interaction.epoch.next();
    draft.push_all(transferring::ended(interaction, TransferEndReason::Assigned));
    draft.push_all(bot_lifecycle::ended(interaction, BotEndReason::Assigned, 0));
    draft.push(InteractionEvent::InteractionAssigned {
        interaction: id,
        user: to.clone(),
        epoch,
        position: None,
        offer: None,
        previous: false,
        from: interaction.owner().cloned(),
        by: Some(user.clone()),
    });
    draft.push_all(service_level::accepted(draft.state, interaction, draft.now));
    Ok(Answer::Accepted { epoch })
}

/// An interaction ends, whoever has it. A wait that no reply ended counts as when an agent finishes it.
pub(super) fn close(
    draft: &mut Draft<'_>,
    user: &UserId,
    id: InteractionId,
    epoch: Epoch,
    disposition: Option<&DispositionName>,
) -> Result<Answer, Refusal> {
    supervises(draft, user)?;
    let interaction = ownership::at_epoch(draft, id, epoch)?;
    draft.has_disposition(disposition)?;
    service_level::sample(draft, interaction, SampleResult::NoReply);
    draft.push_all(closing::ended(interaction, BotEndReason::Closed));
    draft.push(closing::closed_by(interaction, CloseReason::BySupervisor, Some(user), disposition));
    Ok(Answer::Done)
}

/// Refuses who is no supervisor.
pub(super) fn supervises(draft: &Draft<'_>, user: &UserId) -> Result<(), Refusal> {
    let is_one = draft.config().supervisors.contains(user);
    is_one.then_some(()).ok_or_else(|| Refusal::NotASupervisor(user.clone()))
}
