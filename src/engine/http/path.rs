//! What a path names.

use axum::{
    extract::{FromRequestParts, RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::request::Parts,
    middleware::Next,
    response::Response,
};

use super::{Shared, problem::Failure};
use crate::{
    engine::core::ids::{InteractionId, MessageId},
    sms::PhoneNumber,
};

/// Lets a request through when its path names the channel that this engine holds, whoever asks.
///
/// # Errors
/// 421 for another channel: its engine has another address. 400 when the path cannot be read.
pub(super) async fn is_held(
    State(shared): State<Shared>,
    names: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let names = names.map_err(|rejection| Failure::bad_request(rejection.body_text()))?;
    match names.iter().find(|(name, _)| *name == "channel") {
        Some((_, channel)) if channel != &*shared.channel => Err(Failure::misdirected(channel)),
        Some(_) | None => Ok(next.run(request).await),
    }
}

/// The interaction in `/v1/channels/{channel}/interactions/{id}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfInteraction(pub InteractionId);

/// The message in `/v1/channels/{channel}/messages/{id}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfMessage(pub MessageId);

/// The customer in `/v1/channels/{channel}/customers/{number}`.
#[derive(Clone, Debug)]
pub(super) struct OfCustomer(pub PhoneNumber);

impl<S: Send + Sync> FromRequestParts<S> for OfInteraction {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let id = name(parts, state, "id").await?;
        // What is no number is the id of no interaction.
        let id = id.parse().map_err(|_| Failure::not_found(format!("There is no interaction {id:?}.")))?;
        tracing::Span::current().record("interaction", id);
        Ok(Self(InteractionId(id)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfMessage {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let id = name(parts, state, "id").await?;
        let id = id.parse().map_err(|_| Failure::not_found(format!("There is no message {id:?}.")))?;
        Ok(Self(MessageId(id)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfCustomer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let number = name(parts, state, "number").await?;
        number.parse().map(Self).map_err(|error| Failure::invalid("{number}", format!("{error}")))
    }
}

/// What the path has in the place of `{name}`.
async fn name<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<String, Failure> {
    let names = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|rejection| Failure::bad_request(rejection.body_text()))?;
    let found = names.iter().find(|(found, _)| *found == name);
    found.map(|(_, value)| value.to_owned()).ok_or_else(|| Failure::not_found("No such path."))
}
