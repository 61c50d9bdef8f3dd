//! Bots begin, take their turns and end.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use super::{agents::completed, customers::with_customer};
use crate::engine::core::{
    bot_run::{BotRun, BotSlot, BotWaits, Question, TurnInput},
    customer::MetBots,
    event::{BotWait, FinishedBy, InteractionEvent},
    interaction::{Finished, Phase, Place},
    state::State,
};

pub(super) fn apply_to_bot(state: &mut State, event: &InteractionEvent, at: Timestamp) {
    match event {
        InteractionEvent::BotStarted { interaction, slot, bot, version, previous_agent, finished } => {
            if let Some(FinishedBy { owner, completed_on, .. }) = finished {
                completed(state, owner, Some(*completed_on), at);
            }
            if let (BotSlot::OnStart, Some(customer)) = (slot, state.interaction(*interaction).map(|it| it.customer)) {
                with_customer(state, customer, |customer| {
                    customer.met_bots = Some(MetBots::another(customer.met_bots, at));
                });
            }
            let begun = BotRun::begin(*slot, bot, version, at);
            state.with_interaction(*interaction, |interaction| match (slot, &mut interaction.phase) {
                (BotSlot::OnQueueTimeout, Phase::Queued { bot, .. }) => *bot = Some(begun),
                (BotSlot::OnQueueTimeout, _) => {}
                (BotSlot::OnStart | BotSlot::OnEnd, phase) => {
                    let finished = finished
                        .as_ref()
                        .map(|by| Finished { owner: by.owner.clone(), disposition: by.disposition.clone() });
                    *phase = Phase::Bot { run: begun, finished };
                    interaction.owned_since = None;
                    interaction.previous_agent.clone_from(previous_agent);
                }
            });
        }
        InteractionEvent::BotStepped { interaction, wait, .. } => {
            let now = state.scalars.clock.at(at);
            state.with_interaction(*interaction, |interaction| {
                let Some(run) = interaction.bot_mut() else { return };
                run.turn = run.turn.saturating_add(1);
                match wait {
                    Some(BotWait::Answer { step, attempt, seconds }) => {
                        let question = Question { step: step.clone(), attempt: *attempt };
                        let until = now.after(SignedDuration::from_secs((*seconds).into()));
                        run.waits = BotWaits::Answer { question, until };
                    }
                    Some(BotWait::Service { calls }) => {
                        run.waits = BotWaits::Turn { with: TurnInput::Called { step: calls.clone() } };
                    }
                    // The event of its end follows.
                    None => {}
                }
            });
        }
        InteractionEvent::BotTimedOut { interaction } => {
            state.with_interaction(*interaction, |interaction| {
                if let Some(run) = interaction.bot_mut() {
                    run.time_out();
                }
            });
        }
        InteractionEvent::BotEnded { interaction, priority, .. } => {
            state.with_interaction(*interaction, |interaction| {
                interaction.priority = interaction.priority.max(*priority);
                let rank = Reverse(interaction.priority);
                match &mut interaction.phase {
                    Phase::Queued { place: Place::Head(priority, _) | Place::Tail(priority, _), bot, .. } => {
                        (*priority, *bot) = (rank, None);
                    }
                    phase @ Phase::Bot { .. } => *phase = Phase::Opened,
                    Phase::Opened | Phase::Active { .. } => {}
                }
            });
        }
        _ => {}
    }
}
