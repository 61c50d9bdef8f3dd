//! Who calls, by the token shown.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use serde::Deserialize;

use super::{Shared, page::Asked, problem::Failure};
use crate::{
    engine::{config::Settings, core::ids::UserId},
    wire::{
        problem::Problem,
        tokens::{Identity, TokenError, bearer},
    },
};

/// A member of the campaign, or a supervisor.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub user: UserId,
    /// When the token expires.
    pub until: SystemTime,
}

/// An agent who opens a stream, by a token or by a ticket that they got for one.
#[derive(Clone, Debug)]
pub(super) struct StreamAgent(pub Agent);

/// What the query of a stream may name who asks with.
#[derive(Deserialize)]
struct TicketQuery {
    ticket: Option<String>,
}

/// A supervisor of the campaign.
#[derive(Clone, Debug)]
pub(super) struct Supervisor {
    pub user: UserId,
}

/// The connector's gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gateway;

/// The operator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator;

impl FromRequestParts<Shared> for Agent {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let (identity, until) = shared.settings.load().agents.verify_until(bearer(&parts.headers)?)?;
        let agent = Self { user: UserId::from(identity.user.as_str()), until };
        agent.serves(shared)?;
        Ok(agent)
    }
}

impl Agent {
    /// Lets members and supervisors in, and notes that they are there.
    fn serves(&self, shared: &Shared) -> Result<(), Failure> {
        if !shared.settings.load().serves(self.user.as_str()) {
            return Err(Failure::forbidden(format!(
                "{} is not a member of this channel's campaign; add the user to the Campaign's members or supervisors.",
                self.user
            )));
        }
        shared.alive.seen(&self.user);
        Ok(())
    }
}

impl FromRequestParts<Shared> for StreamAgent {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let Asked(TicketQuery { ticket }) = Asked::from_request_parts(parts, shared).await?;
        let Some(ticket) = ticket else { return Agent::from_request_parts(parts, shared).await.map(Self) };
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(Failure::bad_request("Show a token or a ticket, not both."));
        }
        let redeemed = shared.tickets.redeem(&ticket, Instant::now());
        let agent = redeemed.filter(|agent| SystemTime::now() < agent.until).ok_or_else(|| {
            Problem::new(401, "ticket-not-accepted", "The ticket is not accepted").detail(
                "It was used, is older than 30 seconds, or the engine has started again since; get a new one with POST …/stream-ticket.",
            )
        })?;
        agent.serves(shared)?;
        Ok(Self(agent))
    }
}

impl FromRequestParts<Shared> for Supervisor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let Agent { user, .. } = Agent::from_request_parts(parts, shared).await?;
        if shared.settings.load().supervises(user.as_str()) {
            return Ok(Self { user });
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
