//! The channel in numbers, and its agents.

use std::{collections::BTreeSet, ops::Bound};

use axum::{Json, extract::State};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{
    Shared,
    caller::{Agent, Supervisor},
    page::{Asked, PageQuery, limit},
    problem::Failure,
    view::{AgentsToday, NamedAgentToday, Statistics},
};
use crate::{
    engine::{core::ids::UserId, inbox::Inspection},
    wire::problem::Problem,
};

/// The channel in numbers, now and since midnight, and what you did since then.
#[utoipa::path(get, path = "/v1/channels/{channel}/statistics", tag = "statistics",
    responses((status = 200, body = Statistics)))]
pub(super) async fn statistics(State(shared): State<Shared>, agent: Agent) -> Result<Json<Statistics>, Failure> {
    let user = agent.user;
    Ok(Json(shared.engine.inspect(move |seen| of_channel(seen, &user)).await?))
}

fn of_channel(seen: &Inspection<'_>, user: &UserId) -> Statistics {
    let now = seen.state.statistics(seen.now);
    Statistics {
        waiting: now.waiting,
        oldest_wait_seconds: now.oldest_wait_seconds,
        active: now.active,
        transferring: now.transferring,
        agents_online: now.agents_online,
        agents_available: now.agents_available,
        outbox: now.outbox_waiting + now.outbox_in_flight,
        in_hours: now.in_hours,
        hours_change_at: seen.state.config().schedule.next_change(seen.now),
        service_level: now.service_level.into(),
        today: seen.state.today(seen.now).into(),
        mine: seen.state.agent_today(user, seen.now).into(),
    }
}

/// What each agent did since midnight in the campaign's time zone. Supervisors only.
#[utoipa::path(get, path = "/v1/channels/{channel}/statistics/agents", tag = "statistics", params(PageQuery),
    responses((status = 200, body = AgentsToday), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn agents(
    State(shared): State<Shared>,
    _: Supervisor,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<AgentsToday>, Failure> {
    let limit = limit(query.limit)?;
    let after = query.cursor.as_deref().map(read_cursor).transpose()?;
    let page = shared.engine.inspect(move |seen| of_agents(seen, after.as_ref(), limit as usize)).await?;
    Ok(Json(page))
}

/// Members, and those who did something today and are none any more, after this one.
fn of_agents(seen: &Inspection<'_>, after: Option<&UserId>, limit: usize) -> AgentsToday {
    let (state, now) = (seen.state, seen.now);
    let members = state.config().members.iter().map(|member| &member.user);
    let worked = state.agents_today(now).into_iter().flat_map(|agents| agents.keys());
    let all: BTreeSet<&UserId> = members.chain(worked).collect();
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = all.range::<&UserId, _>((from, Bound::Unbounded)).copied();
    let shown: Vec<&UserId> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    AgentsToday {
        date: state.config().schedule.date(now),
        next_cursor: shown.last().filter(|_| more).map(|last| BASE64_URL_SAFE_NO_PAD.encode(last.as_str())),
        items: shown
            .into_iter()
            .map(|user| NamedAgentToday {
                user: user.to_string(),
                member: state.config().members.get(user).is_some(),
                counts: state.agent_today(user, now).into(),
            })
            .collect(),
    }
}

fn read_cursor(cursor: &str) -> Result<UserId, Failure> {
    let name = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.map(UserId::from)
        .ok_or_else(|| Failure::invalid("?cursor", "not a cursor; use nextCursor of the page before, or leave it out"))
}
