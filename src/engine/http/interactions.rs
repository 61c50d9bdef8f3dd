//! Lists of interactions: what is open, and the history.

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::{
    Shared,
    caller::Agent,
    page::{Asked, limit, read_place, write_place},
    problem::Failure,
    view::{self, Interaction, Interactions},
};
use crate::{
    engine::{
        core::{event::CloseReason, ids::UserId},
        store::read::{InteractionFilter, InteractionState},
    },
    sms::{PhoneNumber, Sender},
    wire::problem::Problem,
};

/// Filter and page of a list of interactions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct InteractionsQuery {
    /// Only those in this state.
    state: Option<view::State>,
    /// Only those of this owner, or whose last owner they were when they ended; `me` is you.
    owner: Option<String>,
    /// Only those with this customer: a number, E.164 (its `+` is `%2B` in a query).
    customer: Option<String>,
    /// Only those that ended for this reason.
    #[param(schema_with = close_reason)]
    close_reason: Option<CloseReason>,
    /// Only those that arrived then or later: RFC 3339, as `2026-11-22T00:00:00Z`.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those that arrived before then.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// `newest` first instead of oldest first.
    order: Option<Order>,
    /// Rows of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A reason for which an interaction ends, as events say it.
fn close_reason() -> Schema {
    let names = [
        CloseReason::Finished,
        CloseReason::OutOfHours,
        CloseReason::Idle,
        CloseReason::OptedOut,
        CloseReason::BySupervisor,
        CloseReason::BotFinished,
        CloseReason::QueueTimeout,
    ];
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names.map(|reason| json!(reason)))).into()
}

/// In which order.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Order {
    /// Oldest first.
    Oldest,
    /// Newest first.
    Newest,
}

impl InteractionsQuery {
    fn filter(&self, agent: &Agent) -> Result<InteractionFilter, Failure> {
        let customer = self.customer.as_deref().map(|number| {
            let number = number.parse::<PhoneNumber>();
            number.map_err(|error| Failure::invalid("?customer", format!("{error}; write its + as %2B")))
        });
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(Failure::invalid("?to", "nothing arrives before it and after ?from; it must be later"));
        }
        Ok(InteractionFilter {
            state: self.state.map(InteractionState::from),
            owner: self.owner.as_deref().map(|owner| match owner {
                "me" => agent.user.clone(),
                owner => UserId::from(owner),
            }),
            customer: customer.transpose()?.map(Sender::from),
            close_reason: self.close_reason,
            from: self.from,
            to: self.to,
            newest_first: matches!(self.order, Some(Order::Newest)),
        })
    }
}

/// List interactions, also those that have ended, in the order in which they arrived. All filters together hold for each. Among much that is
/// not asked for a page may have fewer rows than its limit, or none, though others follow: go on while there is a `nextCursor`.
#[utoipa::path(get, path = "/v1/channels/{channel}/interactions", tag = "interactions", params(InteractionsQuery),
    responses((status = 200, body = Interactions), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn interactions(
    State(shared): State<Shared>,
    agent: Agent,
    Asked(query): Asked<InteractionsQuery>,
) -> Result<Json<Interactions>, Failure> {
    let filter = query.filter(&agent)?;
    let limit = limit(query.limit)?;
    let after = query.cursor.as_deref().map(read_place).transpose()?;
    let page = shared.query_for(&agent.user, move |reader| reader.interactions(&filter, after, limit)).await?;
    Ok(Json(Interactions {
        items: page.items.into_iter().map(Interaction::from).collect(),
        next_cursor: page.next.map(write_place),
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use crate::engine::http::openapi::openapi;

    #[test]
    fn the_document_says_which_values_a_query_may_have() {
        let document = openapi();
        let path = "/v1/channels/{channel}/interactions";
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let schema = |name: &str| &parameters.iter().find(|parameter| parameter["name"] == name).unwrap()["schema"];
        for name in ["from", "to"] {
            assert_eq!(schema(name)["format"], "date-time", "{name}");
        }
        let asked: BTreeSet<&str> =
            schema("closeReason")["enum"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let reasons = document["components"]["schemas"]["CloseReason"]["oneOf"].as_array().unwrap();
        let said: BTreeSet<&str> = reasons.iter().filter_map(|reason| reason["const"].as_str()).collect();
        assert_eq!(asked, said, "those of events");
    }
}
