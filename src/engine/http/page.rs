//! Pages of lists: how many, and from where on.

use std::{error::Error as _, iter};

use axum::{
    extract::{FromRequestParts, Query, rejection::QueryRejection},
    http::request::Parts,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{
    Deserialize,
    de::{DeserializeOwned, value},
};

use super::problem::Failure;
use crate::engine::{
    core::ids::{InteractionId, MessageId},
    store::read::{InteractionPlace, LONGEST_PAGE},
};

/// Rows of a page when nothing is said.
pub(super) const DEFAULT_LIMIT: u32 = 50;

/// Page of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageQuery {
    /// Rows of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// The query of a request.
#[derive(Clone, Debug)]
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(unreadable(&rejection)),
        }
    }
}

/// Names the field that cannot be read.
fn unreadable(rejection: &QueryRejection) -> Failure {
    let mut causes = iter::successors(rejection.source(), |cause| (*cause).source());
    let fault = causes.find_map(|cause| cause.downcast_ref::<serde_path_to_error::Error<value::Error>>());
    let Some(fault) = fault else { return Failure::bad_request(rejection.body_text()) };
    let message = fault.inner().to_string();
    // One that is there twice has no place of its own: the message names it.
    let twice = message.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`'));
    match (fault.path().to_string().as_str(), twice) {
        (_, Some(field)) => Failure::invalid(&format!("?{field}"), "it stands there twice"),
        // The query as a whole.
        (".", None) => Failure::bad_request(rejection.body_text()),
        (field, None) => Failure::invalid(&format!("?{field}"), &*message),
    }
}

/// Rows of the page that is asked for.
///
/// # Errors
/// When it is none or too many.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Failure> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=LONGEST_PAGE => Ok(limit),
        limit => Err(Failure::invalid("?limit", format!("{limit} is not from 1 to {LONGEST_PAGE}"))),
    }
}

/// A cursor as callers see it: opaque, so that they do not count with it.
pub(super) fn write_cursor(id: u64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(id.to_string())
}

/// The id in a cursor.
///
/// # Errors
/// When it is not one of ours.
pub(super) fn read_cursor(cursor: &str) -> Result<u64, Failure> {
    BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|digits| digits.parse().ok())
        .filter(|id| has_column(*id))
        .ok_or_else(no_cursor)
}

/// A place in a list of interactions, as callers see it.
pub(super) fn write_place(place: InteractionPlace) -> String {
    let message = place.message.map(|message| format!(".{message}")).unwrap_or_default();
    BASE64_URL_SAFE_NO_PAD.encode(format!("{}.{}{message}", place.at.as_nanosecond(), place.id))
}

/// The place in a cursor of a list of interactions.
///
/// # Errors
/// When it is not one of ours.
pub(super) fn read_place(cursor: &str) -> Result<InteractionPlace, Failure> {
    let place = || {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (at, ids) = text.split_once('.')?;
        let at = Timestamp::from_nanosecond(at.parse().ok()?).ok()?;
        let id = |digits: &str| digits.parse().ok().filter(|id| has_column(*id));
        let (interaction, message) = match ids.split_once('.') {
            Some((interaction, message)) => (interaction, Some(MessageId(id(message)?))),
            None => (ids, None),
        };
        Some(InteractionPlace { at, id: InteractionId(id(interaction)?), message })
    };
    place().ok_or_else(no_cursor)
}

/// Whether the store can have such an id: its integers are signed.
fn has_column(id: u64) -> bool {
    i64::try_from(id).is_ok()
}

fn no_cursor() -> Failure {
    Failure::invalid("?cursor", "not a cursor of this list; use nextCursor of the page before, or leave it out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_others_are_refused() {
        let largest = i64::MAX.cast_unsigned();
        assert_eq!(read_cursor(&write_cursor(largest)).unwrap(), largest);
        assert!(read_cursor(&write_cursor(largest + 1)).is_err(), "no id of a store is so large");
        let at = "1960-01-01T00:00:00.5Z".parse().unwrap();
        let place = InteractionPlace { at, id: InteractionId(7), message: None };
        assert_eq!(read_place(&write_place(place)).unwrap(), place);
        let at_message = InteractionPlace { message: Some(MessageId(9)), ..place };
        assert_eq!(read_place(&write_place(at_message)).unwrap(), at_message);
        let at_none = InteractionPlace { message: Some(MessageId(largest + 1)), ..place };
        assert!(read_place(&write_place(at_none)).is_err());
        let too_large = InteractionPlace { id: InteractionId(largest + 1), ..place };
        assert!(read_place(&write_place(too_large)).is_err());
        assert!(read_place(&write_cursor(7)).is_err() && read_cursor(&write_place(place)).is_err(), "of another list");
        let more = BASE64_URL_SAFE_NO_PAD.encode("0.7.9.1");
        for bad in ["", "7", "!!", "LTE", &more] {
            assert!(read_place(bad).is_err(), "{bad}");
            assert_eq!(read_cursor(bad).unwrap_err().problem.field.as_deref(), Some("?cursor"), "{bad}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_of_a_query_is_named() {
        let asked = async |query: &str| {
            let (mut parts, ()) = axum::http::Request::get(format!("/?{query}")).body(()).unwrap().into_parts();
            Asked::<PageQuery>::from_request_parts(&mut parts, &()).await
        };
        for query in ["limit=x", "cursor=a&limit=-1", "limit=99999999999", "limit=", "limit=1&limit=1"] {
            let problem = asked(query).await.unwrap_err().problem;
            assert_eq!((problem.status, problem.field.as_deref()), (422, Some("?limit")), "{query}: {problem:?}");
        }
        let Asked(PageQuery { limit, cursor }) = asked("limit=7&other=%FF").await.unwrap();
        assert_eq!((limit, cursor), (Some(7), None), "what is unknown is tolerated");
    }

    #[test]
    fn pages_have_bounds() {
        assert_eq!(limit(None).unwrap(), DEFAULT_LIMIT);
        assert_eq!(limit(Some(LONGEST_PAGE)).unwrap(), LONGEST_PAGE);
        assert!(limit(Some(0)).is_err() && limit(Some(LONGEST_PAGE + 1)).is_err());
    }
}
