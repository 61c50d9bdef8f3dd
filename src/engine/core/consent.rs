//! What an opt-out does to what is open.

use super::{
    closing,
    customer::Customer,
    draft::Draft,
    event::{BotEndReason, CloseReason, CustomerEvent, OptOutBy, OutboundEvent, Purpose, SampleResult},
    outbox::Outbound,
    service_level,
};

/// Records that a customer opted out: what waits to be sent to them is given up, but for the help that they asked for, the wait is over, and the interaction leaves
/// the queue. One that an agent has stays with the agent, who sees it and finishes it. Nothing happens when they had opted out before.
///
/// A message that says so is settled by whoever found that.
pub(super) fn opt_out(draft: &mut Draft<'_>, customer: &Customer, by: OptOutBy) {
    if customer.opted_out {
        return;
    }
    let said_by = match &by {
        OptOutBy::Keyword { message } | OptOutBy::Provider { message } => Some(*message),
        OptOutBy::Import { .. } => None,
    };
    draft.push(CustomerEvent::OptedOut { customer: customer.id, by });
    let waiting: Vec<OutboundEvent> = draft
        .state
        .outbox
        .of(customer.id)
        .filter(|outbound| {
            !outbound.is_in_flight() && Some(outbound.message) != said_by && outbound.purpose != Purpose::Help
        })
        .map(Outbound::canceled)
        .collect();
    waiting.into_iter().for_each(|canceled| draft.push(canceled));
    let Some(interaction) = customer.open.and_then(|open| draft.state.interaction(open)) else { return };
    service_level::sample(draft, interaction, SampleResult::Abandoned);
    if interaction.owner().is_none() {
        draft.push_all(closing::ended(interaction, BotEndReason::OptedOut));
        draft.push(closing::closed(interaction, CloseReason::OptedOut));
    }
}
