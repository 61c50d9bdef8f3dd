//! A bot begins to talk, and talks no more.

use super::{
    bot_run::{BotRef, BotSlot},
    customer::Customer,
    event::{BotEndReason, FinishedBy, InteractionEvent},
    ids::{InteractionId, UserId},
    interaction::Interaction,
    state::State,
};
use crate::bot::Failure;

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
pub(super) fn ended(interaction: &Interaction, reason: BotEndReason, priority: u8) -> Option<InteractionEvent> {
    let bot = interaction.bot()?.bot.clone();
    Some(InteractionEvent::BotEnded { interaction: interaction.id, bot, reason, step: None, priority })
}

/// A bot talks no more, because it failed at this step.
pub(super) fn failed(interaction: &Interaction, failure: Failure, step: Option<String>) -> Option<InteractionEvent> {
    let bot = interaction.bot()?.bot.clone();
    Some(InteractionEvent::BotEnded { interaction: interaction.id, bot, reason: failure.into(), step, priority: 0 })
}
