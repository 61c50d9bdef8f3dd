//! Who has opted out: supervisors list and import it. Nobody takes an opt-out back but the customer (decision 0026).

use axum::{Json, extract::State, response::Response};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    Shared,
    caller::Supervisor,
    keyed::{Change, recorded},
    page::{Asked, PageQuery, limit, read_cursor, write_cursor},
    problem::Failure,
    view::{OptOut, OptOutImport, OptOutImports, OptOuts, OptOutsImported},
};
use crate::{
    engine::{
        core::{command::Answer, ids::CustomerId},
        inbox::{ListedOptOut, Request},
    },
    sms::PhoneNumber,
    wire::problem::Problem,
};

/// Entries of one import: each changes a row of the store, and all do in one transaction, for which others wait.
const MOST_AT_ONCE: usize = 500;
/// Characters of a source.
const LONGEST_SOURCE: usize = 200;

/// Customers who opted out elsewhere.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportBody {
    /// Where the list comes from, for the record: 1 to 200 characters.
    #[schema(example = "channel sales-us")]
    pub source: String,
    /// The list: 1 to 500 entries. Those of `GET …/opt-outs` are understood; what else stands in them is left out.
    pub opt_outs: Vec<ImportedOptOut>,
}

/// A customer who opted out elsewhere.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportedOptOut {
    /// The customer's number, E.164 or a short code as `US:72345`.
    #[schema(value_type = String, example = "+15559870001")]
    pub number: PhoneNumber,
    /// When they opted out there, RFC 3339; the time of the import when absent. A START that came before it does not opt them in.
    #[serde(default, deserialize_with = "time")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opted_out_at: Option<Timestamp>,
}

/// A time, with words for who wrote something else.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let time = text.parse().map_err(|error| {
        D::Error::custom(format_args!(
            "{text:?} is no time: {error}; write it as 2026-01-02T03:04:05Z, or leave it out"
        ))
    });
    time.map(Some)
}

impl ImportBody {
    /// # Errors
    /// When the source or the list is empty or too long.
    fn check(&self) -> Result<(), Failure> {
        let characters = self.source.chars().count();
        if self.source.trim().is_empty() || characters > LONGEST_SOURCE {
            let detail = format!(
                "{characters} characters; say in 1 to {LONGEST_SOURCE} where the list comes from, as \"channel sales-us\""
            );
            return Err(Failure::invalid("/source", detail));
        }
        match self.opt_outs.len() {
            0 => Err(Failure::invalid("/optOuts", "the list is empty; give at least one number")),
            1..=MOST_AT_ONCE => Ok(()),
            more => Err(Failure::invalid(
                "/optOuts",
                format!("{more} entries; give at most {MOST_AT_ONCE}, and the others in further requests"),
            )),
        }
    }
}

/// Who has opted out, and how that came about. Supervisors only.
#[utoipa::path(get, path = "/v1/channels/{channel}/opt-outs", tag = "supervisors", params(PageQuery),
    responses((status = 200, body = OptOuts), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn opt_outs(
    State(shared): State<Shared>,
    Supervisor { user }: Supervisor,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<OptOuts>, Failure> {
    let limit = limit(query.limit)?;
    let after = query.cursor.as_deref().map(read_cursor).transpose()?.map(CustomerId);
    let page = shared.query_for(&user, move |reader| reader.opt_outs(after, limit)).await?;
    tracing::info!(%user, listed = page.items.len(), "a supervisor was given opt-outs");
    Ok(Json(OptOuts {
        items: page.items.into_iter().map(OptOut::from).collect(),
        next_cursor: page.next.map(|next| write_cursor(next.0)),
    }))
}

/// Bring along who opted out elsewhere: all of the list are opted out, or none. Supervisors only. It does what a customer's STOP does, but
/// for the confirmation. Nobody is opted in by it, and nothing changes for who had opted out before; an opt-out ends with the customer's START
/// only.
#[utoipa::path(post, path = "/v1/channels/{channel}/opt-outs", tag = "supervisors", request_body = ImportBody,
    params(("Idempotency-Key" = String, Header, description = "Names the request; the same key gets the same answer for 24 hours")),
    responses((status = 200, body = OptOutsImported), (status = 403, body = Problem), (status = 422, body = Problem),
              (status = 503, body = Problem)))]
pub(super) async fn import(State(shared): State<Shared>, change: Change<ImportBody>) -> Result<Response, Failure> {
    change.body.check()?;
    let listed = |entry: &ImportedOptOut| ListedOptOut { number: entry.number.clone(), at: entry.opted_out_at };
    let request = Request::ImportOptOuts {
        user: change.agent.user.clone(),
        source: change.body.source.as_str().into(),
        opt_outs: change.body.opt_outs.iter().map(listed).collect(),
    };
    change
        .ask(&shared, request, |outcome| {
            recorded(outcome, |answer| {
                let Answer::OptOutsImported { opted_out, before } = *answer else { return None };
                Some((200, OptOutsImported { opted_out, already_opted_out: before }))
            })
        })
        .await
}

/// What supervisors imported, newest first: who, when, how many, and where it came from. Supervisors only.
#[utoipa::path(get, path = "/v1/channels/{channel}/opt-out-imports", tag = "supervisors", params(PageQuery),
    responses((status = 200, body = OptOutImports), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn imports(
    State(shared): State<Shared>,
    Supervisor { user }: Supervisor,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<OptOutImports>, Failure> {
    let limit = limit(query.limit)?;
    let before = query.cursor.as_deref().map(read_cursor).transpose()?;
    let page = shared.query_for(&user, move |reader| reader.opt_out_imports(before, limit)).await?;
    Ok(Json(OptOutImports {
        items: page.items.into_iter().map(OptOutImport::from).collect(),
        next_cursor: page.next.map(write_cursor),
    }))
}
