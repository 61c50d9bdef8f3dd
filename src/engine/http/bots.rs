//! What bots did in an interaction, for agents and for those who write bots.

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::Serialize;

use super::{Shared, caller::Agent, path::OfInteraction, problem::Failure};
use crate::{
    bot::{CallFailure, Outcome, Taken},
    engine::core::{
        bot_run::BotSlot,
        event::{BotEndReason, InteractionEvent},
    },
    wire::problem::Problem,
};

/// The bots that ran in an interaction.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BotRuns {
    /// The bots, in the order in which they began. Of very long conversations the newest 1000 turns.
    pub items: Vec<BotRun>,
}

/// A bot that ran, or runs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BotRun {
    /// Whether it runs on start, on a queue timeout or on end.
    pub slot: BotSlot,
    /// The bot.
    pub bot: String,
    /// The version that the conversation keeps to: the Bot's `status.version` when it began.
    pub version: String,
    /// When the conversation with it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// What ended it: `HandedOff`, `Finished`, a failure (`NoAnswer`, `TimedOut`, `TooManyVariables`, `TooManyTurns`, `Lost`), or what came between (`OptedOut`,
    /// `Assigned`, `Closed`); absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "HandedOff")]
    pub end_reason: Option<BotEndReason>,
    /// The steps that it took.
    pub steps: Vec<BotStep>,
}

/// A step that a bot took.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BotStep {
    /// The step's name in the Bot.
    pub step: String,
    /// What the step led to.
    pub outcome: Outcome,
    /// The case that held, of a branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// What was wrong with a call; absent for all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<CallFailure>,
    /// When the engine took it.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// The bots that ran in an interaction, and the steps that they took. What was said is in the interaction itself.
#[utoipa::path(get, path = "/v1/channels/{channel}/interactions/{id}/bot", tag = "interactions", params(("id" = u64, Path, description = "The interaction")),
    responses((status = 200, body = BotRuns), (status = 404, body = Problem)))]
pub(super) async fn bot(
    State(shared): State<Shared>,
    agent: Agent,
    OfInteraction(id): OfInteraction,
) -> Result<Json<BotRuns>, Failure> {
    let events = shared.query_for(&agent.user, move |reader| reader.bot_trace(id)).await?;
    let events = events.ok_or_else(|| Failure::not_found(format!("There is no interaction {id}.")))?;
    Ok(Json(BotRuns { items: runs(events) }))
}

fn runs(events: Vec<(Timestamp, InteractionEvent)>) -> Vec<BotRun> {
    let mut runs: Vec<BotRun> = Vec::new();
    for (at, event) in events {
        match (event, runs.last_mut()) {
            (InteractionEvent::BotStarted { slot, bot, version, .. }, _) => runs.push(BotRun {
                slot,
                bot: bot.into(),
                version: version.into(),
                started_at: at,
                ended_at: None,
                end_reason: None,
                steps: Vec::new(),
            }),
            (InteractionEvent::BotStepped { taken, .. }, Some(run)) => {
                let step = |Taken { step, outcome, case, failure }| BotStep { step, outcome, case, failure, at };
                run.steps.extend(taken.into_iter().map(step));
            }
            (InteractionEvent::BotEnded { reason, .. }, Some(run)) => {
                (run.ended_at, run.end_reason) = (Some(at), Some(reason));
            }
            _ => {}
        }
    }
    runs
}
