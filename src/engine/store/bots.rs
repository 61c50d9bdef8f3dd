//! What bots need beyond the state, and what they did.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, Transaction, codec, error::CommitError};
use crate::{
    api::BotSpec,
    bot::{CompiledBot, Values},
    engine::core::{
        bot_run::TurnInput,
        command::BotTexts,
        customer::Customer,
        event::{InteractionEvent, Origin},
        ids::{BotVersion, InteractionId, MessageId},
        interaction::Interaction,
    },
};

impl Store {
    /// The variables of the bot that runs in an interaction; none when this engine cannot read them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn bot_values(&self, interaction: InteractionId) -> Result<Option<Values>, CommitError> {
        let json = self
            .connection
            .prepare_cached("SELECT json FROM bot_values WHERE interaction = ?")?
            .query_row([codec::column(interaction.0)], |row| row.get::<_, String>(0))
            .optional()?;
        // One conversation whose bot is lost is better than an engine that ends at each start.
        let read = |json: String| {
            let read = serde_json::from_str(&json);
            read.inspect_err(|error| tracing::error!(%interaction, %error, "a bot's variables cannot be read")).ok()
        };
        Ok(json.map_or_else(|| Some(Values::default()), read))
    }

    /// The texts that a bot's turn needs, but for the names of channel and campaign.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn bot_texts(
        &self,
        interaction: &Interaction,
        customer: &Customer,
        input: &TurnInput,
    ) -> Result<BotTexts, CommitError> {
        let sql = &self.connection;
        let customer_number = sql
            .prepare_cached("SELECT address FROM customer WHERE id = ?")?
            .query_row([codec::column(customer.id.0)], |row| row.get(0))?;
        let answer = match input {
            TurnInput::Answer { message, .. } => text(sql, *message)?,
            TurnInput::Begin | TurnInput::TimedOut { .. } | TurnInput::Called { .. } => String::new(),
        };
        Ok(BotTexts { customer_number, first_message: first_text(sql, interaction)?, answer, ..BotTexts::default() })
    }

    /// The steps of a version to which a conversation keeps.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn bot_version(&self, version: &BotVersion) -> Result<Option<BotSpec>, CommitError> {
        let spec = self
            .connection
            .prepare_cached("SELECT spec FROM bot_version WHERE version = ?")?
            .query_row([version.as_str()], |row| row.get::<_, String>(0))
            .optional()?;
        // What this engine cannot read is not there for it: the conversation goes on without.
        let read = |spec: String| {
            let read = serde_json::from_str(&spec);
            read.inspect_err(|error| tracing::error!(%version, %error, "a bot's version cannot be read")).ok()
        };
        Ok(spec.and_then(read))
    }
}

fn text(sql: &Connection, message: MessageId) -> Result<String, CommitError> {
    let text = sql
        .prepare_cached("SELECT text FROM message WHERE id = ?")?
        .query_row([codec::column(message.0)], |row| row.get(0))
        .optional()?;
    Ok(text.unwrap_or_default())
}

/// The text with which the customer began an interaction; empty when an agent did.
fn first_text(sql: &Connection, interaction: &Interaction) -> Result<String, CommitError> {
    if interaction.origin != Origin::Customer {
        return Ok(String::new());
    }
    let first = sql
        .prepare_cached("SELECT first_message FROM interaction WHERE id = ?")?
        .query_row([codec::column(interaction.id.0)], |row| row.get(0))?;
    text(sql, MessageId(codec::id(first)))
}

impl Transaction<'_> {
    /// Keeps the versions that conversations begin with from now on, and forgets those that nothing needs any more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn keep_bot_versions(
        &mut self,
        versions: &BTreeMap<BotVersion, (BotSpec, Arc<CompiledBot>)>,
    ) -> Result<(), CommitError> {
        let kept = {
            let mut statement = self.sql.prepare_cached("SELECT version FROM bot_version")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            rows.collect::<Result<Vec<_>, _>>()?
        };
        for (version, (spec, _)) in versions {
            if !kept.iter().any(|kept| kept == version.as_str()) {
                self.dirty = true;
                self.sql
                    .prepare_cached("INSERT INTO bot_version (version, spec) VALUES (?, ?)")?
                    .execute(params![version.as_str(), codec::json(spec)?])?;
            }
        }
        for version in kept.iter().filter(|kept| !versions.contains_key(&BotVersion::from(kept.as_str()))) {
            let forgotten = self
                .sql
                .prepare_cached(
                    "DELETE FROM bot_version WHERE version = ?1 AND NOT EXISTS (
                         SELECT 1 FROM interaction
                         WHERE state IN ('Bot', 'Queued') AND closed_at IS NULL AND bot ->> 'version' = ?1)",
                )?
                .execute([version])?;
            self.dirty |= forgotten > 0;
        }
        Ok(())
    }

    pub(super) fn keep_values(&self, interaction: InteractionId, values: &Values) -> Result<(), CommitError> {
        self.sql
            .prepare_cached(
                "INSERT INTO bot_values (interaction, json) VALUES (?, ?) ON CONFLICT (interaction) DO UPDATE SET json = excluded.json",
            )?
            .execute(params![codec::column(interaction.0), codec::json(values)?])?;
        Ok(())
    }

    pub(super) fn forget_values(&self, interaction: InteractionId) -> Result<(), CommitError> {
        self.sql
            .prepare_cached("DELETE FROM bot_values WHERE interaction = ?")?
            .execute([codec::column(interaction.0)])?;
        Ok(())
    }

    /// Notes what a bot did.
    pub(super) fn trace(
        &self,
        interaction: InteractionId,
        event: &InteractionEvent,
        at: Timestamp,
    ) -> Result<(), CommitError> {
        self.sql
            .prepare_cached(
                "INSERT INTO bot_trace (interaction, n, at, body)
                 VALUES (?1, 1 + (SELECT coalesce(max(n), 0) FROM bot_trace WHERE interaction = ?1), ?2, ?3)",
            )?
            .execute(params![codec::column(interaction.0), codec::nanos(at), codec::json(event)?])?;
        Ok(())
    }
}
