//! Who calls, by the token shown.

use std::{sync::Arc, time::SystemTime};

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Shared, problem::Failure};
use crate::{
    engine::{config::Settings, core::ids::UserId},
    wire::tokens::{Identity, TokenError, bearer},
};

/// A member of the campaign, or a supervisor.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub user: UserId,
    /// When the token expires.
    pub until: SystemTime,
}

/// A supervisor of the campaign.
#[derive(Clone, Copy, Debug)]
pub(super) struct Supervisor;

/// The connector's gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gateway;

/// The operator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator;

impl FromRequestParts<Shared> for Agent {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let settings = shared.settings.load();
        let (identity, until) = settings.agents.verify_until(bearer(&parts.headers)?)?;
        if !settings.serves(&identity.user) {
            return Err(Failure::forbidden(format!(
                "{} is not a member of this channel's campaign; add the user to the Campaign's members or supervisors.",
                identity.user
            )));
        }
        let user = UserId::from(identity.user.as_str());
        shared.alive.seen(&user);
        Ok(Self { user, until })
    }
}

impl FromRequestParts<Shared> for Supervisor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let Agent { user, .. } = Agent::from_request_parts(parts, shared).await?;
        if shared.settings.load().supervises(user.as_str()) {
            return Ok(Self);
        }
        Err(Failure::forbidden(format!(
            "{user} is not a supervisor of this channel's campaign; add the user to the Campaign's supervisors."
        )))
    }
}

impl FromRequestParts<Shared> for Gateway {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let settings = shared.settings.load();
        let user = &role(parts, &settings)?.user;
        if *user == settings.gateway.user {
            return Ok(Self);
        }
        Err(Failure::forbidden(format!("{user} is not the gateway of this channel's connector.")))
    }
}

impl FromRequestParts<Shared> for Operator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let settings = shared.settings.load();
        let user = &role(parts, &settings)?.user;
        if *user == settings.operator_user {
            return Ok(Self);
        }
        Err(Failure::forbidden(format!("{user} is not the operator.")))
    }
}

fn role(parts: &Parts, settings: &Settings) -> Result<Arc<Identity>, TokenError> {
    settings.roles.verify(bearer(&parts.headers)?)
}
