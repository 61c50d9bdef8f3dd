//! What follows from a command: events, and an answer. Nothing is changed here.

use jiff::{SignedDuration, Timestamp};

use super::{
    assembling, bot_turn,
    command::{Answer, Command, Decision, Refusal},
    draft::Draft,
    event::{ClockEvent, EngineEvent},
    importing, offering, presence, receipt, receiving, reply, resend, sending, start,
    state::State,
    supervising, transferring,
};

/// Decides what follows from a command. `now` counts as no earlier than the last event.
///
/// What follows from the passing of time or from the new state (an assignment, an attempt to send) comes from
/// [`due`](super::due::due); [`State::execute`](super::state::State::execute) does both.
pub fn decide(state: &State, command: &Command, now: Timestamp) -> Decision {
    let mut draft = Draft::new(state, now);
    let answer = answer(&mut draft, command);
    draft.into_decision(answer)
}

fn answer(draft: &mut Draft<'_>, command: &Command) -> Result<Answer, Refusal> {
    match command {
        Command::Started { ids_from, leapt } => {
            // Before anything is due: what passed is no time that anybody waited.
            if let Some(by) = leapt {
                draft.push(leap(*by));
            }
            draft.push(EngineEvent::EngineStarted { ids_from: *ids_from });
            begin_day(draft);
            presence::release_removed(draft);
        }
        Command::ConfigChanged { hash } => {
            let paced_until = sending::shortened_by_new_limit(draft.state, draft.now);
            draft.push(EngineEvent::ConfigApplied { hash: hash.clone(), paced_until });
            begin_day(draft);
            presence::release_removed(draft);
        }
        Command::StorageAccepted => draft.storage_accepted(),
        Command::ClockLeapt { by } => draft.push(leap(*by)),
        Command::SetClock { to } => draft.push(ClockEvent::ClockSet { to: *to }),
        Command::Tick => {}
        Command::Inbound(message) => return receiving::receive(draft, message),
        Command::PartsTimedOut(parts) => return assembling::timed_out(draft, parts),
        Command::SendResult(result) => return sending::send_result(draft, result),
        Command::Receipt(receipt) => return receipt::receipt(draft, receipt),
        Command::AgentOnline { user } => return presence::online(draft, user),
        Command::AgentOffline { user } => presence::offline(draft, user),
        Command::SetPresence { user, present } => return presence::set_presence(draft, user, *present),
        Command::Accept { user, interaction, offer } => return offering::accept(draft, user, *interaction, *offer),
        Command::Decline { user, interaction, offer } => return offering::decline(draft, user, *interaction, *offer),
        Command::Reply { user, interaction, epoch, text } => {
            return reply::reply(draft, user, *interaction, *epoch, text);
        }
        Command::Resend { user, message, epoch, sent } => {
            return resend::resend(draft, user, *message, *epoch, sent.as_ref());
        }
        Command::Transfer { user, interaction, epoch, to } => {
            return transferring::transfer(draft, user, *interaction, *epoch, to);
        }
        Command::CancelTransfer { user, interaction, epoch } => {
            return transferring::cancel(draft, user, *interaction, *epoch);
        }
        Command::Assign { user, interaction, epoch, to } => {
            return supervising::assign(draft, user, *interaction, *epoch, to);
        }
        Command::Close { user, interaction, epoch, disposition } => {
            return supervising::close(draft, user, *interaction, *epoch, disposition.as_ref());
        }
        Command::BotTurn(turn) => return bot_turn::turn(draft, turn),
        Command::Finish { user, interaction, epoch, disposition } => {
            return reply::finish(draft, user, *interaction, *epoch, disposition.as_ref());
        }
        Command::Note { user, interaction, epoch, text } => {
            return reply::note(draft, user, *interaction, *epoch, text);
        }
        Command::ImportOptOuts { user, source, opt_outs } => return importing::import(draft, user, source, opt_outs),
        Command::Start { user, contact, text } => return start::start(draft, user, contact, text),
    }
    Ok(Answer::Done)
}

fn leap(by: SignedDuration) -> ClockEvent {
    ClockEvent::ClockLeapt { millis: u64::try_from(by.as_millis()).unwrap_or(0) }
}

/// What a command does before anything is due counts for the day on which it does it.
fn begin_day(draft: &mut Draft<'_>) {
    if let Some(on) = draft.state.begins(draft.now) {
        draft.push(ClockEvent::DayBegan { on });
    }
}
