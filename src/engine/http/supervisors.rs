//! What supervisors see and do.

use std::collections::BTreeSet;

use axum::{Json, extract::State, response::Response};
use serde::Deserialize;

use super::{
    Shared,
    caller::Supervisor,
    keyed::{Change, accepted, done},
    path::OfInteraction,
    problem::Failure,
    view::{Accepted, AgentAtWork, Agents, Done},
};
use crate::{
    engine::{
        core::{
            self,
            agent::Agent,
            command::Command,
            ids::{DispositionName, Epoch, UserId},
        },
        inbox::Request,
    },
    wire::problem::Problem,
};

/// To whom an interaction goes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssignBody {
    /// The interaction's `epoch` as the supervisor knows it; another one means that it has changed hands.
    pub epoch: u32,
    /// The agent or supervisor who gets it.
    pub to: AssignTo,
}

/// Who gets an interaction.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssignTo {
    /// The agent, as the campaign's members are written; or the supervisor's own name, to take it over.
    pub agent: String,
}

/// The end of an interaction.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CloseBody {
    /// The interaction's `epoch` as the supervisor knows it.
    pub epoch: u32,
    /// The outcome: a `name` of `GET …/dispositions`. Supervisors need not choose one.
    #[serde(default)]
    pub disposition: Option<String>,
}

/// Give an interaction to an agent, or take it over. Supervisors only. It may wait or be somebody else's; it is theirs at once, whether or not they
/// have room for another one. An agent must be online and present, a supervisor who takes it over online.
#[utoipa::path(post, path = "/v1/channels/{channel}/interactions/{id}/assign", tag = "supervisors", request_body = AssignBody,
    params(("id" = u64, Path, description = "The interaction"),
           ("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 200, body = Accepted, description = "It is theirs"), (status = 403, body = Problem), (status = 404, body = Problem),
              (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn assign(
    State(shared): State<Shared>,
    OfInteraction(interaction): OfInteraction,
    change: Change<AssignBody>,
) -> Result<Response, Failure> {
    let (user, epoch) = (change.agent.user.clone(), Epoch(change.body.epoch));
    let to = UserId::from(change.body.to.agent.as_str());
    let request = Request::Command(Command::Assign { user, interaction, epoch, to });
    change.ask(&shared, request, accepted).await
}

/// Close an interaction, whoever has it. Supervisors only.
#[utoipa::path(post, path = "/v1/channels/{channel}/interactions/{id}/close", tag = "supervisors", request_body = CloseBody,
    params(("id" = u64, Path, description = "The interaction"),
           ("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 200, body = Done), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn close(
    State(shared): State<Shared>,
    OfInteraction(interaction): OfInteraction,
    change: Change<CloseBody>,
) -> Result<Response, Failure> {
    let (user, epoch) = (change.agent.user.clone(), Epoch(change.body.epoch));
    let disposition = change.body.disposition.as_deref().map(DispositionName::from);
    let request = Request::Command(Command::Close { user, interaction, epoch, disposition });
    change.ask(&shared, request, done).await
}

/// The agents of the channel, and what they have. Supervisors only.
#[utoipa::path(get, path = "/v1/channels/{channel}/agents", tag = "supervisors",
    responses((status = 200, body = Agents), (status = 403, body = Problem)))]
pub(super) async fn agents(State(shared): State<Shared>, _: Supervisor) -> Result<Json<Agents>, Failure> {
    let items = shared
        .engine
        .inspect(|seen| {
            let config = seen.state.config();
            let has_something = |agent: &Agent| agent.is_online() || !agent.open.is_empty() || !agent.offers.is_empty();
            let supervisors =
                config.supervisors.iter().filter(|user| seen.state.agent(user).is_some_and(has_something));
            let users: BTreeSet<&UserId> =
                config.members.iter().map(|member| &member.user).chain(supervisors).collect();
            users.into_iter().map(|user| at_work(seen.state, user)).collect()
        })
        .await?;
    Ok(Json(Agents { items }))
}

fn at_work(state: &core::state::State, user: &UserId) -> AgentAtWork {
    let (member, agent) = (state.config().members.get(user), state.agent(user));
    AgentAtWork {
        user: user.to_string(),
        online: agent.is_some_and(Agent::is_online),
        present: agent.is_some_and(|agent| agent.present),
        receive: member.is_some_and(|member| member.receive),
        supervises: state.config().supervisors.contains(user),
        max_interactions: member.map_or(0, |member| member.max_interactions),
        interactions: agent.iter().flat_map(|agent| &agent.open).map(|id| id.0).collect(),
        offers: agent.iter().flat_map(|agent| &agent.offers).map(|id| id.0).collect(),
        last_finish: agent.and_then(|agent| agent.last_finish),
    }
}
