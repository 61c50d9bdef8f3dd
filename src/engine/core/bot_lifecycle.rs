//! A bot begins to talk, and talks no more.

use super::{
    bot_run::{BotRef, BotSlot},
    customer::Customer,
    draft::Draft,
    event::{BotEndReason, FinishedBy, InteractionEvent},
    ids::{InteractionId, UserId},
    interaction::Interaction,
    state::State,
};

/// Whether a bot may begin to talk to this customer: they can be answered, and it could take its first step now.
pub(super) fn may_meet(state: &State, customer: &Customer) -> bool {
    customer.can_receive && !customer.opted_out && state.may_bots_step()
}

/// A bot begins to talk.
pub(super) fn started(
    interaction: InteractionId,
    slot: BotSlot,
    bot: &BotRef,
    previous_agent: Option<UserId>,
    finished: Option<FinishedBy>,
) -> InteractionEvent {
    InteractionEvent::BotStarted {
        interaction,
        slot,
        bot: bot.name.clone(),
        version: bot.version.clone(),
        previous_agent,
        finished,
    }
}

/// A bot talks no more, if one did. `priority` is the place in the queue that it asks for; 0 = no other one than before.
pub(super) fn end(draft: &mut Draft<'_>, interaction: &Interaction, reason: BotEndReason, priority: u8) {
    if let Some(run) = interaction.bot() {
        let (interaction, bot) = (interaction.id, run.bot.clone());
        draft.push(InteractionEvent::BotEnded { interaction, bot, reason, priority });
    }
}
