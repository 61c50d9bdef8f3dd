//! Posting to engines.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode, header};
use tracing::field;

use crate::{
    gateway::settings::Route,
    process::http_client::{self, ClientError, chain},
    wire::{
        delivery::{DeliveryAnswers, Item},
        inbound::InboundQuery,
        ports::{DELIVERIES_PATH, INBOUND_PATH, RECEIPTS_PATH, of_channel},
        problem::{Problem, STORAGE_FULL},
        tokens::TokenFile,
    },
};

/// Engines are in the same cluster.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(800);
/// Longer than an engine keeps idle connections is of no use.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Why an engine has not taken an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    /// It cannot take any now: not reachable, busy, not ready, or it does not know us (yet).
    #[error("{0}")]
    Unavailable(String),
    /// It has no room for anything new. Of customers' messages it takes only those that change a customer's consent.
    #[error("{0}")]
    NoRoom(String),
    /// Something went wrong that may be due to this very item: a broken connection, or a fault that is no plain "not now".
    #[error("{0}")]
    Doubtful(String),
    /// It will not take this item: its form is not acceptable.
    #[error("{0}")]
    Refused(String),
}

/// Whether earlier messages of a customer are brought before an item. Receipts have no such order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// They are.
    InOrder,
    /// They may wait: it is taken only if it changes the customer's consent.
    Overtaking,
}

impl NotTaken {
    const fn name(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "Unavailable",
            Self::NoRoom(_) => "NoRoom",
            Self::Doubtful(_) => "Doubtful",
            Self::Refused(_) => "Refused",
        }
    }
}

/// The engines, as far as the gateway speaks to them.
#[derive(Clone, Debug)]
pub(crate) struct Engines {
    client: reqwest::Client,
    token: TokenFile,
}

impl Engines {
    /// Shows the token in `token`.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub(crate) fn new(token: TokenFile) -> Result<Self, ClientError> {
        let builder = http_client::within_the_cluster();
        let client = builder.connect_timeout(CONNECT_TIMEOUT).pool_idle_timeout(IDLE_TIMEOUT).build()?;
        Ok(Self { client, token })
    }

    /// Posts an item, and waits until the engine has it on its disk or `deadline` is over.
    ///
    /// # Errors
    /// Whether it is worth trying again.
    #[tracing::instrument(name = "delivery", skip_all, fields(channel = route.channel, kind = item.kind(), outcome = field::Empty))]
    pub(crate) async fn post(
        &self,
        route: &Route,
        item: &Item,
        turn: Turn,
        deadline: Duration,
    ) -> Result<(), NotTaken> {
        let result = self.post_once(route, item, turn, deadline).await;
        record(&result);
        result
    }

    /// As [`Engines::post`], in the caller's span.
    ///
    /// # Errors
    /// Whether it is worth trying again.
    pub(super) async fn post_once(
        &self,
        route: &Route,
        item: &Item,
        turn: Turn,
        deadline: Duration,
    ) -> Result<(), NotTaken> {
        let token = self.token.current().map_err(|error| NotTaken::Unavailable(error.to_string()))?;
        let url = |pattern| format!("{}{}", route.engine_url, of_channel(pattern, &route.channel));
        let request = match item {
            Item::Inbound(message) => {
                let request = self.client.post(url(INBOUND_PATH)).json(message);
                match turn {
                    Turn::InOrder => request,
                    Turn::Overtaking => request.query(&InboundQuery { overtakes: true }),
                }
            }
            Item::Receipt(receipt) => self.client.post(url(RECEIPTS_PATH)).json(receipt),
        };
        // The status alone says it; the body is read so that the connection can serve again.
        let (status, body) = answer(request.bearer_auth(token).timeout(deadline)).await?;
        delivery_result(status, &body)
    }

    /// Posts items of one channel together, `list` as a JSON array of them, and waits until the engine has looked at all or `deadline` is over. What became
    /// of each, in their order.
    ///
    /// # Errors
    /// When they are to be posted one by one.
    pub(super) async fn post_together(
        &self,
        route: &Route,
        list: Vec<u8>,
        count: usize,
        deadline: Duration,
    ) -> Result<Vec<Result<(), NotTaken>>, Apart> {
        let all = |reason: NotTaken| vec![Err(reason); count];
        let token = match self.token.current() {
            Ok(token) => token,
            Err(error) => return Ok(all(NotTaken::Unavailable(error.to_string()))),
        };
        let url = format!("{}{}", route.engine_url, of_channel(DELIVERIES_PATH, &route.channel));
        let request = self.client.post(url).header(header::CONTENT_TYPE, "application/json").body(list);
        match answer(request.bearer_auth(token).timeout(deadline)).await {
            Ok((status, body)) => results_together(status, &body, count),
            Err(reason) => Ok(all(reason)),
        }
    }
}

/// An engine does not take these items together: it is of an older version, or one of them is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Apart;

/// Says in the span of a delivery what became of it.
pub(super) fn record(result: &Result<(), NotTaken>) {
    let outcome = result.as_ref().map_or_else(NotTaken::name, |()| "Delivered");
    tracing::Span::current().record("outcome", outcome);
    tracing::debug!(reason = result.as_ref().err().map(field::display), "an engine was asked to take an item");
}

async fn answer(request: RequestBuilder) -> Result<(StatusCode, String), NotTaken> {
    match request.send().await {
        Ok(response) => Ok((response.status(), response.text().await.unwrap_or_default())),
        // A busy engine is slow with everything.
        Err(error) if error.is_connect() || error.is_timeout() => Err(NotTaken::Unavailable(chain(&error))),
        Err(error) => Err(NotTaken::Doubtful(chain(&error))),
    }
}

/// What an engine's answer says about so many items that were posted together.
fn results_together(status: StatusCode, body: &str, count: usize) -> Result<Vec<Result<(), NotTaken>>, Apart> {
    match status.as_u16() {
        200..=299 => {
            let answers: DeliveryAnswers = serde_json::from_str(body).map_err(|_| Apart)?;
            if answers.len() != count {
                return Err(Apart);
            }
            Ok(answers.into_iter().map(|problem| problem.map_or(Ok(()), |problem| of_problem(&problem))).collect())
        }
        400 | 404 | 405 | 413 | 415 | 422 => Err(Apart),
        _ => Ok(vec![delivery_result(status, body); count]),
    }
}

/// What a problem says about the item that has it.
fn of_problem(problem: &Problem) -> Result<(), NotTaken> {
    let body = serde_json::to_string(problem).unwrap_or_default();
    match StatusCode::from_u16(problem.status) {
        Ok(status) if !status.is_success() => delivery_result(status, &body),
        Ok(_) | Err(_) => Err(NotTaken::Doubtful(body)),
    }
}

/// What an engine's answer says about the item. Only what speaks of the form of one item is final.
fn delivery_result(status: StatusCode, body: &str) -> Result<(), NotTaken> {
    let said = || format!("HTTP {}: {}", status.as_u16(), body.chars().take(300).collect::<String>());
    match status.as_u16() {
        200..=299 => Ok(()),
        400 | 413 | 415 | 422 => Err(NotTaken::Refused(said())),
        503 if serde_json::from_str::<Problem>(body).is_ok_and(|problem| problem.is(STORAGE_FULL)) => {
            Err(NotTaken::NoRoom(said()))
        }
        // Not known (yet), not found or misdirected (another process answers), busy, being replaced.
        300..=399 | 401 | 403 | 404 | 405 | 407 | 408 | 409 | 421 | 425 | 429 | 502..=504 => {
            Err(NotTaken::Unavailable(said()))
        }
        _ => Err(NotTaken::Doubtful(said())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_of_several_has_its_own_answer_or_goes_by_itself() {
        let taken: Result<(), NotTaken> = Ok(());
        let cases = [
            (200, "[null,null]", Ok(vec![taken.clone(), taken.clone()])),
            (200, "[null]", Err(Apart)),
            (200, "{}", Err(Apart)),
            (404, "", Err(Apart)),
            (422, "", Err(Apart)),
        ];
        for (status, body, expected) in cases {
            assert_eq!(results_together(StatusCode::from_u16(status).unwrap(), body, 2), expected, "{status} {body}");
        }
        let problems = r#"[null,{"type":"urn:aldis:problem:storage-full","title":"","status":503},{"type":"a","title":"","status":422},
                           {"type":"a","title":"","status":200}]"#;
        let results = results_together(StatusCode::OK, problems, 4).unwrap();
        assert!(
            matches!(
                &results[..],
                [Ok(()), Err(NotTaken::NoRoom(_)), Err(NotTaken::Refused(_)), Err(NotTaken::Doubtful(_))]
            ),
            "{results:?}"
        );
        let busy = results_together(StatusCode::SERVICE_UNAVAILABLE, "", 2).unwrap();
        assert!(matches!(&busy[..], [Err(NotTaken::Unavailable(_)), Err(NotTaken::Unavailable(_))]), "{busy:?}");
    }

    #[test]
    fn only_answers_on_the_form_of_the_item_are_final() {
        for status in [200, 201, 204] {
            assert_eq!(delivery_result(StatusCode::from_u16(status).unwrap(), ""), Ok(()));
        }
        for status in [400, 413, 422] {
            assert!(
                matches!(delivery_result(StatusCode::from_u16(status).unwrap(), "why"), Err(NotTaken::Refused(_))),
                "{status}"
            );
        }
        for status in [302, 401, 403, 404, 409, 421, 429, 503] {
            assert!(
                matches!(delivery_result(StatusCode::from_u16(status).unwrap(), ""), Err(NotTaken::Unavailable(_))),
                "{status}"
            );
        }
        let full = r#"{"type":"urn:aldis:problem:storage-full","title":"","status":503}"#;
        assert!(matches!(delivery_result(StatusCode::SERVICE_UNAVAILABLE, full), Err(NotTaken::NoRoom(_))));
        for status in [410, 500, 501] {
            assert!(
                matches!(delivery_result(StatusCode::from_u16(status).unwrap(), ""), Err(NotTaken::Doubtful(_))),
                "{status}"
            );
        }
    }
}
