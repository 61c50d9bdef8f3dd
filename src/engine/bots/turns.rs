//! Brings to each bot whose turn it is what it needs: its version, its variables, the texts that neither state nor events have, and the answers
//! of services.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::UnboundedSender;

use super::{calls::Calls, service::ServiceCall};
use crate::{
    bot::{self, CallResult, CompiledBot, Request, Values},
    engine::{
        config::Settings,
        core::{
            bot_run::{BotRun, RunTurn, TurnInput},
            command::{BotTexts, BotTurn, Command},
            ids::{BotVersion, InteractionId},
            state::State,
        },
        store::{Store, error::CommitError},
    },
};

/// Turns that are taken, or calls that begin, in one pass. It bounds how long others wait.
const AT_ONCE: usize = 16;
/// Bytes of variables and answers, as JSON, after which no further turn comes into the pass: in memory they take up to a hundred times as much.
const MAX_BYTES: usize = 256 << 10;

/// What it takes to bring turns.
#[derive(Debug)]
pub(in crate::engine) struct BotTurns {
    /// The versions that the configuration does not have any more and conversations keep to, compiled.
    old: HashMap<BotVersion, Arc<CompiledBot>>,
    calls: Calls,
}

/// Where a turn is looked up.
#[derive(Clone, Copy)]
struct Desk<'a> {
    state: &'a State,
    store: &'a Store,
    settings: &'a Settings,
}

/// The commands of one transaction, and what they take.
#[derive(Default)]
struct Pass {
    commands: Vec<Command>,
    /// Turns and calls.
    taken: usize,
    bytes: usize,
}

impl Pass {
    const fn has_room(&self) -> bool {
        self.taken < AT_ONCE && self.bytes < MAX_BYTES
    }

    fn take(&mut self, turn: Option<BotTurn>) {
        self.taken += 1;
        let Some(turn) = turn else { return };
        let answer = match &turn.called {
            Some(CallResult::Answered(body)) => body.len(),
            Some(CallResult::Failed(_)) | None => 0,
        };
        self.bytes += turn.values.bytes() + answer;
        self.commands.push(Command::BotTurn(Box::new(turn)));
    }
}

/// The run that waits for this turn of it.
fn run_at(state: &State, interaction: InteractionId, turn: RunTurn) -> Option<&BotRun> {
    state.interaction(interaction)?.bot().filter(|run| run.next_turn() == turn)
}

impl BotTurns {
    /// Calls go out by `outbound`.
    pub(in crate::engine) fn new(outbound: UnboundedSender<ServiceCall>) -> Self {
        Self { old: HashMap::new(), calls: Calls::new(outbound) }
    }

    /// Whether there is something to do now.
    pub(in crate::engine) fn are_due(&self, state: &State) -> bool {
        state.bot_turns().next().is_some() || (self.calls.has_answers() && state.may_bots_step()) || {
            self.calls.has_room() && state.bot_calls().any(|(id, run)| !self.calls.knows(id, run.next_turn()))
        }
    }

    /// Notes what came of a call. The turn that goes on with it is due then.
    pub(in crate::engine) fn called(&mut self, interaction: InteractionId, turn: RunTurn, result: CallResult) {
        self.calls.answered(interaction, turn, result);
    }

    /// The turns that are due, as commands; and begins the calls that are due.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(in crate::engine) fn due(
        &mut self,
        state: &State,
        store: &Store,
        settings: &Settings,
    ) -> Result<Vec<Command>, CommitError> {
        let desk = Desk { state, store, settings };
        let mut pass = Pass::default();
        let mut answered = HashSet::new();
        while pass.has_room()
            && let Some((interaction, turn, result)) = self.answer(state)
        {
            answered.insert(interaction);
            if let Some(run) = run_at(state, interaction, turn) {
                pass.take(self.turn(desk, interaction, run, Some(result))?);
            }
        }
        for (interaction, run) in state.bot_turns() {
            if !pass.has_room() {
                break;
            }
            pass.take(self.turn(desk, interaction, run, None)?);
        }
        for (interaction, run) in state.bot_calls() {
            if !self.calls.has_room() || !pass.has_room() {
                break;
            }
            // The state still waits for what has just been answered.
            if !self.calls.knows(interaction, run.next_turn()) && !answered.contains(&interaction) {
                self.call(desk, interaction, run, &mut pass)?;
            }
        }
        Ok(pass.commands)
    }

    /// An answer whose turn is due, or never will be. While bots may take no steps they are kept.
    fn answer(&mut self, state: &State) -> Option<(InteractionId, RunTurn, CallResult)> {
        if !self.calls.has_answers() {
            return None;
        }
        let may_step = state.may_bots_step();
        self.calls.take_answer(|id, turn| !may_step && run_at(state, id, turn).is_some())
    }

    /// The turn with all that it needs, unless it is not due.
    fn turn(
        &mut self,
        desk: Desk<'_>,
        id: InteractionId,
        run: &BotRun,
        called: Option<CallResult>,
    ) -> Result<Option<BotTurn>, CommitError> {
        let Desk { state, store, settings } = desk;
        let (Some(interaction), Some(input)) = (state.interaction(id), run.input()) else { return Ok(None) };
        let Some(customer) = state.customer(interaction.customer) else { return Ok(None) };
        let texts = BotTexts {
            channel_name: settings.channel_name.clone(),
            channel_number: settings.number.to_string(),
            campaign_name: settings.campaign_name.clone(),
            ..store.bot_texts(interaction, customer, input)?
        };
        let (bot, values) = match store.bot_values(id)? {
            Some(values) => (self.version(&run.version, store, settings)?, values),
            // The turn says that the bot is lost.
            None => (None, Values::default()),
        };
        Ok(Some(BotTurn { interaction: id, turn: run.next_turn(), bot, values, texts, called }))
    }

    /// Begins a call. One that cannot be made has failed at once.
    fn call(&mut self, desk: Desk<'_>, id: InteractionId, run: &BotRun, pass: &mut Pass) -> Result<(), CommitError> {
        let Some(mut turn) = self.turn(desk, id, run, None)? else { return Ok(()) };
        let request = turn.bot.as_deref().and_then(|bot| {
            let Some(TurnInput::Called { step }) = run.input() else { return None };
            // Texts do not depend on the hours.
            bot::request(bot, bot.find(step)?, &turn.values, &turn.texts.given(id, false))
        });
        match request {
            Some(Ok(request)) => {
                pass.taken += 1;
                pass.bytes += turn.values.bytes();
                let key = idempotency_key(desk.store.identity().origin(), id, turn.turn, &request);
                self.calls.begin(id, turn.turn, key, request);
            }
            Some(Err(failure)) => {
                turn.called = Some(CallResult::Failed(failure));
                pass.take(Some(turn));
            }
            // The version or its step is lost: the turn says so.
            None => pass.take(Some(turn)),
        }
        Ok(())
    }

    fn version(
        &mut self,
        version: &BotVersion,
        store: &Store,
        settings: &Settings,
    ) -> Result<Option<Arc<CompiledBot>>, CommitError> {
        if let Some((_, compiled)) = settings.bots.get(version) {
            return Ok(Some(Arc::clone(compiled)));
        }
        if let Some(compiled) = self.old.get(version) {
            return Ok(Some(Arc::clone(compiled)));
        }
        let Some(spec) = store.bot_version(version)? else {
            tracing::error!(%version, "a bot's version is not in the store: the conversation goes on as if the bot had failed");
            return Ok(None);
        };
        let compiled = bot::compile(&spec, &|_| Ok(()));
        let Ok(compiled) = compiled.map_err(|faults| {
            let first = faults.first().map(ToString::to_string).unwrap_or_default();
            tracing::error!(%version, first, "a bot's version is refused by this engine: the conversation goes on as if the bot had failed");
        }) else {
            return Ok(None);
        };
        let compiled = Arc::new(compiled);
        self.old.insert(version.clone(), Arc::clone(&compiled));
        Ok(Some(compiled))
    }

    /// Forgets what no conversation keeps to any more.
    pub(in crate::engine) fn forget(&mut self, state: &State) {
        self.old.retain(|version, _| {
            state.interactions().any(|open| open.bot().is_some_and(|run| run.version == *version))
        });
    }
}

/// The same for each try of one run of a step, also after a restart; another one for everything else. A restored copy that comes to the same
/// turn with other variables has another key too.
fn idempotency_key(store: &str, interaction: InteractionId, turn: RunTurn, request: &Request) -> String {
    let mut digest = Sha256::new();
    let RunTurn { begun_at, turn } = turn;
    let (interaction, begun_at, turn) = (interaction.0.to_string(), begun_at.to_string(), turn.to_string());
    let method = format!("{:?}", request.method);
    for part in [store, &interaction, &begun_at, &turn, &method, &request.origin, &request.path] {
        digest.update(part.as_bytes());
        // None of the parts before the last holds a blank.
        digest.update(b" ");
    }
    digest.update(request.body.as_deref().unwrap_or_default());
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
