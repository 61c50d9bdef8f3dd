//! Messages: one, those of a customer, and one that is sent once more.

use axum::{Json, extract::State, response::Response};
use serde::Deserialize;

use super::{
    Shared,
    caller::Agent,
    keyed::{Change, recorded},
    page::{Asked, limit, read_cursor, write_cursor},
    path::{OfCustomer, OfMessage},
    problem::Failure,
    view::{Message, Messages, Resent},
};
use crate::{
    engine::{
        core::{
            command::Answer,
            ids::{Epoch, MessageId},
        },
        inbox::Request,
    },
    sms::Sender,
    wire::problem::Problem,
};

/// Page of a list of messages.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessagesQuery {
    /// Rows of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// The `id` of a message: only newer ones, oldest first. For the next page pass the `id` of the last message. Not together with `cursor`.
    after: Option<u64>,
}

/// Which messages of a customer are asked for.
enum Which {
    /// The newest, before this one.
    Before(Option<MessageId>),
    /// The oldest after this one.
    After(MessageId),
}

impl MessagesQuery {
    fn which(&self) -> Result<Which, Failure> {
        match (self.after, self.cursor.as_deref()) {
            (Some(_), Some(_)) => Err(Failure::bad_request(
                "after goes from old to new and cursor from new to old: leave one of them out.",
            )),
            (Some(after), None) => Ok(Which::After(MessageId(after))),
            (None, cursor) => Ok(Which::Before(cursor.map(read_cursor).transpose()?.map(MessageId))),
        }
    }
}

/// A message. An event on the stream that names it says that it is new or that its `status` has changed.
#[utoipa::path(get, path = "/v1/channels/{channel}/messages/{id}", tag = "messages", params(("id" = u64, Path, description = "The message")),
    responses((status = 200, body = Message), (status = 404, body = Problem)))]
pub(super) async fn message(
    State(shared): State<Shared>,
    agent: Agent,
    OfMessage(id): OfMessage,
) -> Result<Json<Message>, Failure> {
    let found = shared.query_for(&agent.user, move |reader| reader.message(id)).await?;
    found.map(|row| Json(row.into())).ok_or_else(|| Failure::not_found(format!("There is no message {id}.")))
}

/// A customer's messages over all interactions: newest first, or with `after` what is newer than a message that is known.
#[utoipa::path(get, path = "/v1/channels/{channel}/customers/{number}/messages", tag = "customers",
    params(("number" = String, Path, description = "The customer's number, E.164"), MessagesQuery),
    responses((status = 200, body = Messages), (status = 400, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn of_customer(
    State(shared): State<Shared>,
    agent: Agent,
    OfCustomer(number): OfCustomer,
    Asked(query): Asked<MessagesQuery>,
) -> Result<Json<Messages>, Failure> {
    let (limit, which) = (limit(query.limit)?, query.which()?);
    let customer = Sender::from(number.clone());
    let found = shared
        .query_for(&agent.user, move |reader| match which {
            Which::Before(before) => {
                let page = reader.customer_messages(&customer, before, limit)?;
                Ok(page.map(|page| (page.items, page.next.map(|next| write_cursor(next.0)))))
            }
            Which::After(after) => {
                let newer = reader.customer_messages_after(&customer, after, limit)?;
                Ok(newer.map(|newer| (newer, None)))
            }
        })
        .await?;
    let (items, next_cursor) =
        found.ok_or_else(|| Failure::not_found(format!("Nothing was ever exchanged with {number}.")))?;
    Ok(Json(Messages { items: items.into_iter().map(Message::from).collect(), next_cursor }))
}

/// A message is to be sent once more.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResendBody {
    /// The `epoch` of the message's interaction as the agent knows it; another one means that it has changed hands.
    pub epoch: u32,
}

/// Send a message once more whose `status` is `Unknown`: nobody knows whether it was sent, so the customer may get it twice. The agent who has its
/// interaction may do so, or a supervisor, while the interaction is open: 409 `not-open` afterwards. Only what agents and bots wrote can be sent once
/// more, and what began an interaction only to a number that may be written to first. The message keeps its id; it is `Waiting` again, and a delivery
/// receipt of the first attempt that says that it was sent settles it all the same. That one attempt failed says nothing of the other: the message is
/// `Unknown` then, never `Failed`.
#[utoipa::path(post, path = "/v1/channels/{channel}/messages/{id}/resend", tag = "messages", request_body = ResendBody,
    params(("id" = u64, Path, description = "The message"),
           ("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 202, body = Resent, description = "Committed; it will be sent once more"), (status = 404, body = Problem),
              (status = 409, body = Problem, description = "It is known what came of it, or it may not be sent; `type` says which"), (status = 422, body = Problem)))]
pub(super) async fn resend(
    State(shared): State<Shared>,
    OfMessage(message): OfMessage,
    change: Change<ResendBody>,
) -> Result<Response, Failure> {
    let request = Request::Resend { user: change.agent.user.clone(), message, epoch: Epoch(change.body.epoch) };
    change
        .ask(&shared, request, |outcome| {
            recorded(outcome, |answer| {
                let Answer::Resent { attempt } = answer else { return None };
                Some((202, Resent { attempt: attempt.0 }))
            })
        })
        .await
}
