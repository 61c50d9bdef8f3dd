//! What an event adds to the figures of the day. It is counted before the event changes anything: the state still says who had what, and since
//! when.

use jiff::Timestamp;

use crate::engine::core::{
    event::{
        CloseReason, Happened, InboundEvent, InteractionEvent, Origin, OutboundEvent, Purpose, SampleResult,
        TransferEndReason, WithdrawalReason,
    },
    ids::{Epoch, InteractionId, UserId},
    interaction::Interaction,
    state::State,
};

pub(super) fn count(state: &mut State, what: &Happened, at: Timestamp) {
    match what {
        Happened::Inbound(InboundEvent::InboundRecorded { .. }) => state.count(|day| day.texts += 1),
        Happened::Outbound(OutboundEvent::OutboundCommitted {
            interaction, purpose: Purpose::Reply { user }, ..
        }) => replied(state, *interaction, user, at),
        Happened::Interaction(event) => count_interaction(state, event, at),
        Happened::Engine(_)
        | Happened::Clock(_)
        | Happened::Customer(_)
        | Happened::Inbound(
            InboundEvent::InboundDuplicated { .. }
            | InboundEvent::PartKept { .. }
            | InboundEvent::PartRepeated { .. }
            | InboundEvent::PartsTimedOut { .. },
        )
        | Happened::Outbound(_)
        | Happened::Agent(_) => {}
    }
}

fn replied(state: &mut State, interaction: Option<InteractionId>, user: &UserId, at: Timestamp) {
    let since = interaction.and_then(|id| state.interaction(id)).and_then(|interaction| interaction.unreplied_since);
    let waited = since.map(|since| at.duration_since(since));
    state.count(|day| {
        day.replies += 1;
        waited.into_iter().for_each(|waited| day.first_replies.add(waited));
    });
    state.count_of(user, |agent| {
        agent.replies += 1;
        waited.into_iter().for_each(|waited| agent.first_replies.add(waited));
    });
}

fn count_interaction(state: &mut State, event: &InteractionEvent, at: Timestamp) {
    match event {
        InteractionEvent::InteractionOpened { origin: Origin::Customer, .. } => state.count(|day| day.opened += 1),
        InteractionEvent::InteractionOpened { origin: Origin::Agent { user }, .. } => {
            state.count(|day| day.started += 1);
            state.count_of(user, |agent| agent.started += 1);
        }
        InteractionEvent::InteractionAssigned { interaction, user, from, by, .. } => {
            handled(state, *interaction, at);
            if let (Some(from), None) = (from, by) {
                state.count_of(from, |agent| agent.transferred += 1);
            }
            if !state.interaction(*interaction).is_some_and(is_being_started) {
                state.count_of(user, |agent| agent.taken += 1);
            }
        }
        InteractionEvent::OfferDeclined { user, .. }
        | InteractionEvent::TransferEnded { to: Some(user), reason: TransferEndReason::Declined, .. } => {
            state.count_of(user, |agent| agent.declined += 1);
        }
        InteractionEvent::OfferWithdrawn { users, reason: WithdrawalReason::TimedOut, .. } => {
            users.iter().for_each(|user| state.count_of(user, |agent| agent.missed += 1));
        }
        InteractionEvent::TransferEnded { to: Some(user), reason: TransferEndReason::TimedOut, .. } => {
            state.count_of(user, |agent| agent.missed += 1);
        }
        InteractionEvent::InteractionRequeued { interaction, .. } => drop(handled(state, *interaction, at)),
        InteractionEvent::BotStarted { interaction, finished: Some(finished), .. } => {
            handled(state, *interaction, at);
            state.count_of(&finished.owner, |agent| agent.finished += 1);
        }
        InteractionEvent::InteractionClosed { interaction, reason, .. } => {
            state.count(|day| day.closed += 1);
            // What a bot ends now was finished by its agent before.
            if let Some(owner) = handled(state, *interaction, at).filter(|_| *reason == CloseReason::Finished) {
                state.count_of(&owner, |agent| agent.finished += 1);
            }
        }
        InteractionEvent::ServiceLevelSampled { interaction, result, in_target, .. } => {
            state.count(|day| day.samples.add(*result, *in_target));
            let owner = state.interaction(*interaction).and_then(Interaction::owner).cloned();
            if let (SampleResult::Answered, Some(owner)) = (result, owner) {
                state.count_of(&owner, |agent| agent.answered += 1);
            }
        }
        InteractionEvent::InteractionQueued { .. }
        | InteractionEvent::BotStarted { finished: None, .. }
        | InteractionEvent::BotStepped { .. }
        | InteractionEvent::BotTimedOut { .. }
        | InteractionEvent::BotEnded { .. }
        | InteractionEvent::BotNoted { .. }
        | InteractionEvent::QueueTimedOut { .. }
        | InteractionEvent::InteractionOffered { .. }
        | InteractionEvent::OfferExtended { .. }
        | InteractionEvent::OfferWithdrawn { .. }
        | InteractionEvent::OfferRested { .. }
        | InteractionEvent::TransferStarted { .. }
        | InteractionEvent::TransferEnded { .. }
        | InteractionEvent::NoteAdded { .. } => {}
    }
}

/// An agent who writes first has the interaction from its beginning.
fn is_being_started(interaction: &Interaction) -> bool {
    interaction.epoch == Epoch::default() && matches!(interaction.origin, Origin::Agent { .. })
}

/// Its owner, if it has one, has it no more; gives them.
fn handled(state: &mut State, id: InteractionId, at: Timestamp) -> Option<UserId> {
    let interaction = state.interaction(id)?;
    let (owner, since) = (interaction.owner()?.clone(), interaction.owned_since);
    if let Some(since) = since {
        state.count_of(&owner, |agent| agent.handled.add(at.duration_since(since)));
    }
    Some(owner)
}
