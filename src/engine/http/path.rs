//! What a path names.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use super::problem::Failure;
use crate::{engine::core::ids::InteractionId, sms::PhoneNumber};

/// The interaction in `/v1/interactions/{id}`.
#[derive(Clone, Copy, Debug)]
pub struct OfInteraction(pub InteractionId);

/// The customer in `/v1/customers/{number}`.
#[derive(Clone, Debug)]
pub struct OfCustomer(pub PhoneNumber);

impl<S: Send + Sync> FromRequestParts<S> for OfInteraction {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let id = name(parts, state).await?;
        // What is no number is the id of no interaction.
        let found = id.parse().map(InteractionId).map(Self);
        found.map_err(|_| Failure::not_found(format!("There is no interaction {id:?}.")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfCustomer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let number = name(parts, state).await?;
        number.parse().map(Self).map_err(|error| Failure::invalid("{number}", format!("{error}")))
    }
}

async fn name<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Failure> {
    let Path(name) = Path::<String>::from_request_parts(parts, state)
        .await
        .map_err(|rejection| Failure::bad_request(rejection.body_text()))?;
    Ok(name)
}
