//! Agents answer what they are offered.

use axum::{extract::State, response::Response};
use serde::Deserialize;

use super::{
    Shared,
    keyed::{Change, accepted, done},
    path::OfInteraction,
    problem::Failure,
    view::{Accepted, Done},
};
use crate::{
    engine::{
        core::{command::Command, ids::OfferId},
        inbox::Request,
    },
    wire::problem::Problem,
};

/// The answer to an offer.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfferBody {
    /// The offer's `id` as the agent knows it; another one means that it is over.
    pub offer: u64,
}

/// Accept an interaction that you are asked about: that the strategy offers (`offer.mode: Ask`), or that another agent hands over to you. The first agent
/// to do so has it; the others are told that the offer is over.
#[utoipa::path(post, path = "/v1/channels/{channel}/interactions/{id}/accept", tag = "interactions", request_body = OfferBody,
    params(("id" = u64, Path, description = "The interaction"),
           ("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 200, body = Accepted, description = "It is yours"), (status = 404, body = Problem),
              (status = 409, body = Problem, description = "The offer is over, or the channel is disabled"), (status = 422, body = Problem)))]
pub(super) async fn accept(
    State(shared): State<Shared>,
    OfInteraction(interaction): OfInteraction,
    change: Change<OfferBody>,
) -> Result<Response, Failure> {
    let (user, offer) = (change.agent.user.clone(), OfferId(change.body.offer));
    let request = Request::Command(Command::Accept { user, interaction, offer });
    change.ask(&shared, request, accepted).await
}

/// Decline an interaction that you are asked about. Of what the strategy offers another agent is asked, and you only when nobody else is available, after
/// the offer's time; what another agent hands over to you stays theirs.
#[utoipa::path(post, path = "/v1/channels/{channel}/interactions/{id}/decline", tag = "interactions", request_body = OfferBody,
    params(("id" = u64, Path, description = "The interaction"),
           ("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 200, body = Done), (status = 404, body = Problem), (status = 409, body = Problem, description = "The offer is over"),
              (status = 422, body = Problem)))]
pub(super) async fn decline(
    State(shared): State<Shared>,
    OfInteraction(interaction): OfInteraction,
    change: Change<OfferBody>,
) -> Result<Response, Failure> {
    let (user, offer) = (change.agent.user.clone(), OfferId(change.body.offer));
    let request = Request::Command(Command::Decline { user, interaction, offer });
    change.ask(&shared, request, done).await
}
