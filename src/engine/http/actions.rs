//! What agents do.

use axum::{Json, extract::State, response::Response};
use serde::Deserialize;

use super::{
    Shared, body,
    caller::Agent,
    keyed::{Change, done, recorded},
    path::OfInteraction,
    problem::{Failure, of_refusal},
    view::{Done, Noted, Presence, Replied, Started},
};
use crate::{
    engine::{
        core::{
            command::{Answer, Command},
            ids::{DispositionName, Epoch},
        },
        inbox::Request,
    },
    sms::PhoneNumber,
    wire::problem::Problem,
};

/// The first message to a customer.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartBody {
    /// To whom, E.164 or a short code as `US:72345`.
    #[schema(value_type = String, example = "+15559870001")]
    pub number: PhoneNumber,
    /// What is said; at most 10 segments.
    pub text: String,
}

/// A reply.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplyBody {
    /// The interaction's `epoch` as the agent knows it; another one means that it has changed hands.
    pub epoch: u32,
    /// What is said; at most 10 segments.
    pub text: String,
}

/// The end of an interaction.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FinishBody {
    /// The interaction's `epoch` as the agent knows it.
    pub epoch: u32,
    /// The outcome: a `name` of `GET …/dispositions`. It must be there if the campaign asks for it.
    #[serde(default)]
    pub disposition: Option<String>,
}

/// A note that the customer does not see.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NoteBody {
    /// The interaction's `epoch`, when the note must only be taken while the agent has it.
    #[serde(default)]
    pub epoch: Option<u32>,
    /// The note.
    pub text: String,
}

/// Start an interaction: write to a customer first.
#[utoipa::path(post, path = "/v1/channels/{channel}/interactions", tag = "interactions", request_body = StartBody,
    params(("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 201, body = Started), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn start(State(shared): State<Shared>, change: Change<StartBody>) -> Result<Response, Failure> {
    let request = Request::Start {
        user: change.agent.user.clone(),
        number: change.body.number.clone(),
        text: change.body.text.as_str().into(),
    };
    change
        .ask(&shared, request, |outcome| {
            recorded(outcome, |answer| {
                let Answer::Started { interaction, epoch, message } = answer else { return None };
                Some((201, Started { interaction: interaction.0, epoch: epoch.0, message: message.0 }))
            })
        })
        .await
}

/// Reply to the customer.
#[utoipa::path(post, path = "/v1/channels/{channel}/interactions/{id}/reply", tag = "interactions", request_body = ReplyBody,
    params(("id" = u64, Path, description = "The interaction"),
           ("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 202, body = Replied, description = "Committed; it will be sent"), (status = 404, body = Problem),
              (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn reply(
    State(shared): State<Shared>,
    OfInteraction(interaction): OfInteraction,
    change: Change<ReplyBody>,
) -> Result<Response, Failure> {
    let request = Request::Command(Command::Reply {
        user: change.agent.user.clone(),
        interaction,
        epoch: Epoch(change.body.epoch),
        text: change.body.text.as_str().into(),
    });
    change
        .ask(&shared, request, |outcome| {
            recorded(outcome, |answer| {
                let Answer::Replied { message } = answer else { return None };
                Some((202, Replied { message: message.0 }))
            })
        })
        .await
}

/// Finish an interaction.
#[utoipa::path(post, path = "/v1/channels/{channel}/interactions/{id}/finish", tag = "interactions", request_body = FinishBody,
    params(("id" = u64, Path, description = "The interaction"),
           ("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 200, body = Done), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn finish(
    State(shared): State<Shared>,
    OfInteraction(interaction): OfInteraction,
    change: Change<FinishBody>,
) -> Result<Response, Failure> {
    let request = Request::Command(Command::Finish {
        user: change.agent.user.clone(),
        interaction,
        epoch: Epoch(change.body.epoch),
        disposition: change.body.disposition.as_deref().map(DispositionName::from),
    });
    change.ask(&shared, request, done).await
}

/// Leave a note that the customer does not see.
#[utoipa::path(post, path = "/v1/channels/{channel}/interactions/{id}/note", tag = "interactions", request_body = NoteBody,
    params(("id" = u64, Path, description = "The interaction"),
           ("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 201, body = Noted), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn note(
    State(shared): State<Shared>,
    OfInteraction(interaction): OfInteraction,
    change: Change<NoteBody>,
) -> Result<Response, Failure> {
    let request = Request::Command(Command::Note {
        user: change.agent.user.clone(),
        interaction,
        epoch: change.body.epoch.map(Epoch),
        text: change.body.text.as_str().into(),
    });
    change
        .ask(&shared, request, |outcome| {
            recorded(outcome, |answer| {
                let Answer::Noted { note } = answer else { return None };
                Some((201, Noted { note: note.0 }))
            })
        })
        .await
}

/// Say whether you take interactions.
#[utoipa::path(put, path = "/v1/channels/{channel}/me/presence", tag = "me", request_body = Presence,
    responses((status = 200, body = Presence), (status = 422, body = Problem)))]
pub(super) async fn set_presence(
    State(shared): State<Shared>,
    agent: Agent,
    request: axum::extract::Request,
) -> Result<Json<Presence>, Failure> {
    let bytes = body::bytes(request, body::MAX_BODY_BYTES, &shared.agents_bodies).await?;
    let presence: Presence = body::json(&bytes)?;
    let command = Command::SetPresence { user: agent.user, present: presence.present };
    match shared.engine.ask(Request::Command(command)).await? {
        Ok(_) => Ok(Json(presence)),
        Err(refusal) => Err(of_refusal(&refusal).into()),
    }
}
