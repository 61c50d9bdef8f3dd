//! Brings to each bot whose turn it is what it needs: its version, its variables, and the texts that neither state nor events have.

use std::{collections::HashMap, sync::Arc};

use super::{
    config::Settings,
    core::{
        command::{BotTexts, BotTurn, Command},
        ids::BotVersion,
        state::State,
    },
    store::{Store, error::CommitError},
};
use crate::bot::{self, CompiledBot};

/// Turns that are taken in one transaction. It bounds how long others wait, and the memory for variables.
const AT_ONCE: usize = 16;

/// The versions that conversations keep to, compiled.
#[derive(Debug, Default)]
pub(super) struct BotTurns {
    /// Those that the configuration does not have any more.
    old: HashMap<BotVersion, Arc<CompiledBot>>,
}

impl BotTurns {
    /// The turns that are due, as commands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn due(
        &mut self,
        state: &State,
        store: &Store,
        settings: &Settings,
    ) -> Result<Vec<Command>, CommitError> {
        let mut commands = Vec::new();
        for (id, run) in state.bot_turns().take(AT_ONCE) {
            let (Some(interaction), Some(input)) = (state.interaction(id), run.input()) else { continue };
            let Some(customer) = state.customer(interaction.customer) else { continue };
            let texts = BotTexts {
                channel_name: settings.channel_name.clone(),
                channel_number: settings.number.to_string(),
                campaign_name: settings.campaign_name.clone(),
                ..store.bot_texts(interaction, customer, input)?
            };
            let (bot, values) = (self.version(&run.version, store, settings)?, store.bot_values(id)?);
            commands.push(Command::BotTurn(Box::new(BotTurn { interaction: id, turn: run.turn, bot, values, texts })));
        }
        Ok(commands)
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
    pub(super) fn forget(&mut self, state: &State) {
        self.old.retain(|version, _| {
            state.interactions().any(|open| open.bot().is_some_and(|run| run.version == *version))
        });
    }
}
