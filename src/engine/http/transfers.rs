//! Agents hand interactions over.

use axum::{extract::State, response::Response};
use serde::Deserialize;

use super::{
    Shared,
    keyed::{Change, done},
    path::OfInteraction,
    problem::Failure,
    view::{Done, TransferTo},
};
use crate::{
    engine::{
        core::{
            command::{self, Command},
            ids::{Epoch, UserId},
        },
        inbox::Request,
    },
    wire::problem::Problem,
};

/// A transfer.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransferBody {
    /// The interaction's `epoch` as the agent knows it; another one means that it has changed hands.
    pub epoch: u32,
    /// To whom: `"queue"`, or `{"agent": "<user>"}`.
    pub to: TransferTo,
}

/// The end of a transfer.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelTransferBody {
    /// The interaction's `epoch` as the agent knows it; another one means that somebody has taken it.
    pub epoch: u32,
}

/// Transfer an interaction to another agent or to the queue. Until somebody has taken it, it stays yours: it keeps its slot, and you alone may reply,
/// finish it or take it back (`cancel-transfer`). After `maxTransferSeconds`, when the other agent declines or when they are gone, it is
/// yours alone again (event `TransferEnded`).
#[utoipa::path(post, path = "/v1/channels/{channel}/interactions/{id}/transfer", tag = "interactions", request_body = TransferBody,
    params(("id" = u64, Path, description = "The interaction"),
           ("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 200, body = Done), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn transfer(
    State(shared): State<Shared>,
    OfInteraction(interaction): OfInteraction,
    change: Change<TransferBody>,
) -> Result<Response, Failure> {
    let to = match &change.body.to {
        TransferTo::Agent(user) => command::TransferTo::Agent(UserId::from(user.as_str())),
        TransferTo::Queue => command::TransferTo::Queue,
    };
    let (user, epoch) = (change.agent.user.clone(), Epoch(change.body.epoch));
    let request = Request::Command(Command::Transfer { user, interaction, epoch, to });
    change.ask(&shared, request, done).await
}

/// Take back a transfer that nobody has taken yet.
#[utoipa::path(post, path = "/v1/channels/{channel}/interactions/{id}/cancel-transfer", tag = "interactions", request_body = CancelTransferBody,
    params(("id" = u64, Path, description = "The interaction"),
           ("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 200, body = Done), (status = 404, body = Problem),
              (status = 409, body = Problem, description = "Somebody has taken it, or it is not being transferred"), (status = 422, body = Problem)))]
pub(super) async fn cancel(
    State(shared): State<Shared>,
    OfInteraction(interaction): OfInteraction,
    change: Change<CancelTransferBody>,
) -> Result<Response, Failure> {
    let (user, epoch) = (change.agent.user.clone(), Epoch(change.body.epoch));
    let request = Request::Command(Command::CancelTransfer { user, interaction, epoch });
    change.ask(&shared, request, done).await
}
