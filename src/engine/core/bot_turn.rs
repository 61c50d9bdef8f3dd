//! A bot takes its turn: what it says goes out, and the interaction goes where the bot says.

use super::{
    bot_lifecycle,
    bot_run::{BotSlot, Question, TurnInput},
    closing,
    command::{Answer, BotTurn, Content, Refusal},
    draft::Draft,
    event::{BotEndReason, BotWait, CloseReason, InteractionEvent, Purpose, SampleResult},
    interaction::Interaction,
    sending, service_level,
};
use crate::bot::{self, CompiledBot, Failure, Input, Position, StepId, Then, Turn};

/// Turns that a bot takes in one conversation at most: a customer who is a machine would answer for ever.
const MAX_TURNS: u32 = 100;

/// Takes a turn, unless it was taken already or the bot runs no more.
pub(super) fn turn(draft: &mut Draft<'_>, turn: &BotTurn) -> Result<Answer, Refusal> {
    let interaction = draft.state.interaction(turn.interaction).ok_or(Refusal::NotOpen(turn.interaction))?;
    let due = draft.state.due_turn(turn.interaction).filter(|run| run.next_turn() == turn.turn);
    let Some((run, input)) = due.and_then(|run| Some((run, run.input()?))) else { return Ok(Answer::Done) };
    let customer = draft.known_customer(interaction.customer)?;
    let given = turn.texts.given(interaction.id, draft.config().schedule.is_open(draft.now));
    let mut values = turn.values.clone();
    let taken = turn.bot.as_deref().filter(|_| run.turn < MAX_TURNS).and_then(|bot| {
        let input = input_of(bot, input, turn)?;
        Some(bot::run(bot, input, &mut values, &given))
    });
    let failure = if run.turn < MAX_TURNS { Failure::Lost } else { Failure::TooManyTurns };
    let failed = || Turn { texts: Vec::new(), taken: Vec::new(), then: Then::Fail(failure), at: None };
    let Turn { texts, taken, then, at } = taken.unwrap_or_else(failed);
    let wait = turn.bot.as_deref().and_then(|bot| wait_of(bot, &then));
    draft.push(InteractionEvent::BotStepped {
        interaction: interaction.id,
        bot: run.bot.clone(),
        turn: run.turn,
        taken,
        wait,
    });
    for text in texts {
        sending::commit_automatic(draft, &customer, Some(interaction.id), Purpose::Bot, &text);
    }
    let slot = run.slot;
    match then {
        Then::Wait { .. } | Then::Call { .. } => draft.add(Content::BotValues { interaction: interaction.id, values }),
        Then::HandOff { priority, note } => {
            add_note(draft, interaction, note.as_deref());
            let priority = u8::try_from(priority).unwrap_or(u8::MAX);
            draft.push_all(bot_lifecycle::ended(interaction, BotEndReason::HandedOff, priority));
            hand_off(draft, interaction, slot);
        }
        Then::Finish { note } => {
            add_note(draft, interaction, note.as_deref());
            draft.push_all(bot_lifecycle::ended(interaction, BotEndReason::Finished, 0));
            close(draft, interaction, slot);
        }
        Then::Fail(failure) => {
            let step = at.and_then(|at| name_of(turn.bot.as_deref()?, at)).or_else(|| waited_at(input).cloned());
            draft.push_all(bot_lifecycle::failed(interaction, failure, step));
            match slot {
                BotSlot::OnStart => hand_off(draft, interaction, slot),
                BotSlot::OnQueueTimeout | BotSlot::OnEnd => close(draft, interaction, slot),
            }
        }
    }
    Ok(Answer::Done)
}

fn input_of<'t>(bot: &CompiledBot, input: &TurnInput, turn: &'t BotTurn) -> Option<Input<'t>> {
    let at = |question: &Question| Some(Position { step: bot.find(&question.step)?, attempt: question.attempt });
    Some(match input {
        TurnInput::Begin => Input::Begin,
        TurnInput::Answer { question, .. } => Input::Answer(at(question)?, &turn.texts.answer),
        TurnInput::TimedOut { question } => Input::TimedOut(at(question)?),
        TurnInput::Called { step } => Input::Called(bot.find(step)?, turn.called.as_ref()?),
    })
}

fn name_of(bot: &CompiledBot, step: StepId) -> Option<String> {
    bot.step(step).map(|step| step.name.clone())
}

/// The step at which it waited; none when it begins.
const fn waited_at(input: &TurnInput) -> Option<&String> {
    match input {
        TurnInput::Begin => None,
        TurnInput::Answer { question, .. } | TurnInput::TimedOut { question } => Some(&question.step),
        TurnInput::Called { step } => Some(step),
    }
}

/// What it waits for; none when it ends.
fn wait_of(bot: &CompiledBot, then: &Then) -> Option<BotWait> {
    match then {
        Then::Wait { at, seconds } => {
            Some(BotWait::Answer { step: name_of(bot, at.step)?, attempt: at.attempt, seconds: *seconds })
        }
        Then::Call { step } => Some(BotWait::Service { calls: name_of(bot, *step)? }),
        Then::HandOff { .. } | Then::Finish { .. } | Then::Fail(_) => None,
    }
}

fn add_note(draft: &mut Draft<'_>, interaction: &Interaction, text: Option<&str>) {
    if let (Some(text), Some(run)) = (text, interaction.bot()) {
        let note = draft.new_note(&text.into());
        draft.push(InteractionEvent::BotNoted { note, interaction: interaction.id, bot: run.bot.clone() });
    }
}

/// It goes to the queue, or goes on waiting there.
fn hand_off(draft: &mut Draft<'_>, interaction: &Interaction, slot: BotSlot) {
    let measured = match slot {
        BotSlot::OnStart => true,
        // Its wait is over and counted already.
        BotSlot::OnEnd => false,
        BotSlot::OnQueueTimeout => return,
    };
    let previous_agent = interaction.previous_agent.clone();
    draft.push(InteractionEvent::InteractionQueued { interaction: interaction.id, measured, previous_agent });
}

fn close(draft: &mut Draft<'_>, interaction: &Interaction, slot: BotSlot) {
    let reason = match slot {
        BotSlot::OnStart => CloseReason::BotFinished,
        BotSlot::OnQueueTimeout => {
            service_level::sample(draft, interaction, SampleResult::Unanswered);
            CloseReason::QueueTimeout
        }
        BotSlot::OnEnd => CloseReason::Finished,
    };
    draft.push(closing::closed(interaction, reason));
}
