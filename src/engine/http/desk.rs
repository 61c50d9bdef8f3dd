//! What agents look at.

use axum::{Json, extract::State, http::StatusCode};

use super::{
    Shared,
    caller::Agent,
    page::{Asked, PageQuery, limit, read_cursor, write_cursor},
    path::OfInteraction,
    problem::Failure,
    view::{BlockedStart, BlockedStarts, Conversation, Disposition, Dispositions, Me, MyChannel, MyOffer},
};
use crate::{
    engine::{core, inbox::Inspection},
    wire::{config::engine as document, problem::Problem},
};

/// Who you are, your channels, and what you have there.
#[utoipa::path(get, path = "/v1/me", tag = "me", responses((status = 200, body = Me), (status = 403, body = Problem)))]
pub(super) async fn me(State(shared): State<Shared>, agent: Agent) -> Result<Json<Me>, Failure> {
    let user = agent.user.clone();
    let (present, online, interactions, offers) = shared
        .engine
        .inspect(move |seen| {
            seen.state.agent(&user).map_or((false, false, Vec::new(), Vec::new()), |agent| {
                let interactions = agent.open.iter().map(|interaction| interaction.0).collect();
                (agent.present, agent.is_online(), interactions, my_offers(seen, agent))
            })
        })
        .await?;
    let settings = shared.settings.load();
    // A supervisor who is no member is given nothing.
    let member = settings.member(agent.user.as_str());
    let channel = MyChannel {
        channel: shared.channel.to_string(),
        number: settings.number.to_string(),
        present,
        online,
        receive: member.is_some_and(|member| member.receive),
        initiate: member.is_some_and(|member| member.initiate),
        supervises: settings.supervises(agent.user.as_str()),
        max_interactions: member.map_or(0, |member| member.max_interactions),
        interactions,
        offers,
    };
    Ok(Json(Me { user: agent.user.into(), channels: vec![channel] }))
}

fn my_offers(seen: &Inspection<'_>, agent: &core::agent::Agent) -> Vec<MyOffer> {
    let now = seen.state.scalars().clock.at(seen.now);
    let offers = agent.offers.iter().filter_map(|id| {
        let interaction = seen.state.interaction(*id)?;
        let (offer, until) = match interaction.recipient() {
            Some((_, offer)) => (offer, interaction.transfer()?.until),
            None => interaction.offer().map(|offer| (offer.id, Some(offer.until)))?,
        };
        Some(MyOffer {
            interaction: id.0,
            offer: offer.0,
            from: interaction.owner().map(ToString::to_string),
            seconds_left: until.map(|until| u64::try_from(until.since(now).as_secs()).unwrap_or(0)),
        })
    });
    offers.collect()
}

/// Say that you are there: the answer to an event `Beat` on the stream.
#[utoipa::path(post, path = "/v1/channels/{channel}/me/beat", tag = "stream", responses((status = 204), (status = 403, body = Problem)))]
pub(super) async fn beat(_: Agent) -> StatusCode {
    // The token was checked, and that it was shown was noted.
    StatusCode::NO_CONTENT
}

/// An interaction with its messages and notes.
#[utoipa::path(get, path = "/v1/channels/{channel}/interactions/{id}", tag = "interactions", params(("id" = u64, Path, description = "The interaction")),
    responses((status = 200, body = Conversation), (status = 404, body = Problem)))]
pub(super) async fn interaction(
    State(shared): State<Shared>,
    agent: Agent,
    OfInteraction(id): OfInteraction,
) -> Result<Json<Conversation>, Failure> {
    let found = shared.query_for(&agent.user, move |reader| reader.interaction(id)).await?;
    found.map(|detail| Json(detail.into())).ok_or_else(|| Failure::not_found(format!("There is no interaction {id}.")))
}

/// What agents may choose as the outcome of an interaction, as the campaign has it.
#[utoipa::path(get, path = "/v1/channels/{channel}/dispositions", tag = "interactions", responses((status = 200, body = Dispositions)))]
pub(super) async fn dispositions(State(shared): State<Shared>, _: Agent) -> Json<Dispositions> {
    let settings = shared.settings.load();
    let shown = |it: &document::Disposition| Disposition { name: it.name.clone(), path: it.path.clone() };
    let items = settings.dispositions.iter().map(shown).collect();
    Json(Dispositions { items, required: settings.channel.disposition_required })
}

/// The starts of interactions that a blocklist stopped, newest first: who tried, when, with which number.
#[utoipa::path(get, path = "/v1/channels/{channel}/blocked-starts", tag = "interactions", params(PageQuery),
    responses((status = 200, body = BlockedStarts), (status = 422, body = Problem)))]
pub(super) async fn blocked_starts(
    State(shared): State<Shared>,
    agent: Agent,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<BlockedStarts>, Failure> {
    let limit = limit(query.limit)?;
    let before = query.cursor.as_deref().map(read_cursor).transpose()?;
    let page = shared.query_for(&agent.user, move |reader| reader.blocked_starts(before, limit)).await?;
    Ok(Json(BlockedStarts {
        items: page.items.into_iter().map(BlockedStart::from).collect(),
        next_cursor: page.next.map(write_cursor),
    }))
}
