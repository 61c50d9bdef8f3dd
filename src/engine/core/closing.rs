//! An interaction closes: whatever runs in it ends before.

use super::{
    bot_lifecycle,
    event::{BotEndReason, CloseReason, InteractionEvent, TransferEndReason},
    ids::{DispositionName, UserId},
    interaction::Interaction,
    transferring,
};

/// The event with which an interaction closes, by itself or by its bot. Whose it is, and its outcome, are those of its agent, also when a bot talked to
/// the customer after them.
pub(super) fn closed(interaction: &Interaction, reason: CloseReason) -> InteractionEvent {
    closed_by(interaction, reason, None, None)
}

/// The same, where a supervisor may do so, and say an outcome that comes before the agent's.
pub(super) fn closed_by(
    interaction: &Interaction,
    reason: CloseReason,
    supervisor: Option<&UserId>,
    said: Option<&DispositionName>,
) -> InteractionEvent {
    let finished = interaction.finished();
    InteractionEvent::InteractionClosed {
        interaction: interaction.id,
        reason,
        owner: interaction.owner().or(finished.map(|finished| &finished.owner)).cloned(),
        completed_on: None,
        disposition: said.or(finished.and_then(|finished| finished.disposition.as_ref())).cloned(),
        by: supervisor.cloned(),
    }
}

/// What ends in an interaction before it closes: its transfer, and its bot for this reason.
pub(super) fn ended(interaction: &Interaction, bot: BotEndReason) -> impl Iterator<Item = InteractionEvent> {
    let transfer = transferring::ended(interaction, TransferEndReason::Closed);
    transfer.into_iter().chain(bot_lifecycle::ended(interaction, bot, 0))
}
