//! The stream: committed events as server-sent events, numbered, resumed by `Last-Event-ID`.

use std::{
    convert::Infallible,
    time::{Duration, Instant, SystemTime},
};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{FromRequestParts, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Shared,
    alive::{BEAT, SILENCE},
    caller::{Agent, StreamAgent},
    page::Asked,
    problem::Failure,
    stream_limit::{LimitedStream, MOST},
    tickets::GOOD_FOR,
};
use crate::{
    engine::{feed::After, inbox::Online, shown},
    wire::problem::Problem,
};

/// Events that are read at once.
const PAGE: u32 = 256;
/// Whether the agent is still a member, and there, is looked at this often.
const CHECK: Duration = Duration::from_secs(1);

/// Where a stream begins.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct StreamQuery {
    /// As `Last-Event-ID`, which counts when both are there.
    last_event_id: Option<u64>,
}

/// A ticket for a stream.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StreamTicket {
    /// Goes into the stream's address as `ticket`. It opens one stream.
    pub ticket: String,
    /// Seconds for which it is good.
    pub expires_in_seconds: u64,
}

/// Get a ticket with which a browser opens a stream: it is good once, for 30 seconds, and for a stream of yours on this channel. It is kept in memory only, so it is
/// void when the engine starts again. You have at most 8 at a time: one more takes the place of the oldest.
#[utoipa::path(post, path = "/v1/channels/{channel}/stream-ticket", tag = "stream",
    responses((status = 201, body = StreamTicket), (status = 403, body = Problem)))]
pub(super) async fn ticket(State(shared): State<Shared>, agent: Agent) -> Result<Response, Failure> {
    let ticket = shared.tickets.issue(agent, Instant::now()).map_err(|error| {
        tracing::error!(%error, "no ticket can be made");
        Failure::unavailable("No ticket can be made.")
    })?;
    let ticket = StreamTicket { ticket, expires_in_seconds: GOOD_FOR.as_secs() };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(ticket)).into_response())
}

/// Committed events as server-sent events. Each has the event's number as `id`, its type as `event` and the event as `data`:
/// ids and states, never texts or numbers of customers. A client that reconnects with `Last-Event-ID` misses nothing; without it
/// the stream begins now. The first event is `Opened`; `Reset` means that events are missing and everything is to be read anew.
///
/// An agent with an open stream is online, for as long as signs of life come: every 8 seconds the stream sends an event `Beat`
/// (without a number), which a client answers with `POST /v1/channels/{channel}/me/beat`. Any other request of the agent does as well. When none
/// came for 25 seconds the agent is offline and the stream ends; a client that is there opens it again.
///
/// An agent has at most 8 streams. One more ends the oldest of them, whose last event is `Ended` (without a number) with the data
/// `{"reason":"TooManyStreams","most":8}`: a client that gets it should not open the stream again by itself, or it ends another one.
///
/// A browser's `EventSource` sends no `Authorization` header. A page gets a ticket with `POST …/stream-ticket` and opens
/// `stream?ticket=…` instead. A ticket is good once, so when the stream ends the browser's own attempt to open it again is answered 401, and the
/// `EventSource` is over (`readyState` is `CLOSED` in its event `error`). The page then gets a new ticket and makes a new `EventSource`,
/// with the `lastEventId` of the last event that it saw in the query, since a new `EventSource` does not send `Last-Event-ID`:
/// `stream?ticket=…&lastEventId=…`. It waits a few seconds longer each time that this fails. A stream ends no later than the token with which
/// the ticket was got.
#[utoipa::path(get, path = "/v1/channels/{channel}/stream", tag = "stream", security(("bearer" = []), ("ticket" = [])),
    params(("Last-Event-ID" = Option<u64>, Header, description = "Number of the last event that was seen"), StreamQuery),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem),
              (status = 401, body = Problem, description = "No token, or a ticket that was used, is too old, or of before the engine's last start"),
              (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn stream(
    State(shared): State<Shared>,
    LastSeen(last_seen): LastSeen,
    StreamAgent(agent): StreamAgent,
) -> Result<Response, Failure> {
    let watch = shared.feed.watch();
    let newest = shared.feed.last();
    let (cursor, opening) = match last_seen {
        None => (newest, opening("Opened", newest)),
        Some(seen) if has_all_after(&shared, seen, newest).await? => (seen, opening("Opened", seen)),
        Some(_) => (newest, opening("Reset", newest)),
    };
    let displaced = CancellationToken::new();
    let ended = displaced.child_token();
    // Before the oldest one ends: with one of them open the agent is online all the while.
    let online = shared.engine.online(agent.user.clone());
    let (open, displaces) = shared.streams.open(&agent.user, displaced.clone());
    if displaces {
        tracing::debug!(most = MOST, "an agent opened one stream too many: the oldest ends");
        shared.metrics.stream_displaced();
    }
    tokio::spawn(be_online(shared.clone(), agent, (online, open), ended.clone()));
    let watcher = Watcher {
        cursor,
        opening: Some(opening),
        beat_at: Instant::now() + first_beat(),
        watch,
        displaced: Some(displaced),
        ended: ended.clone(),
        _end: ended.drop_guard(),
        shared,
    };
    let events = stream::unfold(watcher, async |mut watcher| {
        watcher.next().await.map(|events| (Ok::<_, Infallible>(events), watcher))
    });
    let head = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    Ok((head, Body::from_stream(events)).into_response())
}

/// Keeps an agent online until the stream ends, or ends it: the token is over, the agent is a member no more, or gives no sign of
/// life. It does not depend on anybody reading the stream.
async fn be_online(shared: Shared, agent: Agent, _open: (Online, LimitedStream), ended: CancellationToken) {
    let goes_on = || {
        SystemTime::now() < agent.until
            && shared.settings.load().serves(agent.user.as_str())
            && !shared.alive.is_silent(&agent.user, SILENCE)
    };
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            () = shared.shutdown.cancelled() => break,
            () = tokio::time::sleep(CHECK) => {}
        }
        if !goes_on() {
            break;
        }
    }
    ended.cancel();
    shared.alive.forget_silent();
}

/// The number of the last event that was seen. It is read before a ticket is: one that stands beside an unreadable number is not used up.
pub(super) struct LastSeen(Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for LastSeen {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Asked(query) = Asked::<StreamQuery>::from_request_parts(parts, state).await?;
        // What the browser says is newer than the address that a page gave it.
        Ok(Self(last_seen(&parts.headers)?.or(query.last_event_id)))
    }
}

fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Failure::bad_request("Last-Event-ID is not the number of an event."))
}

/// Whether every event after `seen` is still there: it is when that event is. One that is not is forgotten, or of another store, or
/// of a life that a restored copy knows nothing of. 0 stands before the oldest event that is kept.
async fn has_all_after(shared: &Shared, seen: u64, newest: u64) -> Result<bool, Failure> {
    if seen == 0 || seen >= newest {
        return Ok(seen == 0 || seen == newest);
    }
    shared.query(move |reader| reader.has_event(seen)).await
}

/// The `data` of `Opened` and of `Reset`.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StreamOpened {
    /// The number of the event after which the stream goes on; it is also the `id` of this one.
    pub after: u64,
}

/// The `data` of `Beat`.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StreamBeat {
    /// Seconds without a sign of life after which the agent is offline.
    pub within_seconds: u64,
}

/// The `data` of `Ended`.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StreamEnded {
    /// Why the stream ends.
    pub reason: StreamEndReason,
    /// Streams that an agent may have at a time.
    pub most: usize,
}

/// Why a stream ends by itself.
#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
pub(super) enum StreamEndReason {
    /// The agent opened another one, and had as many as one may have.
    TooManyStreams,
}

/// A server-sent event of the stream's own. One with a number is where a client goes on.
fn own_event(name: &str, id: Option<u64>, data: &impl Serialize) -> Bytes {
    // It is made of strings and numbers: it can always be written.
    let data = serde_json::to_string(data).unwrap_or_default();
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

fn opening(name: &str, after: u64) -> Bytes {
    own_event(name, Some(after), &StreamOpened { after })
}

/// Until a stream's first beat. It is not the same for all: after a restart of the engine all streams open at once, and would have all
/// agents' clients answer at the same moment for ever.
fn first_beat() -> Duration {
    BEAT / 2 + (BEAT / 2).mul_f64(fastrand::f64())
}

/// Asks for a sign of life. It bears no number: it is no event of the channel.
fn beat() -> Bytes {
    own_event("Beat", None, &StreamBeat { within_seconds: SILENCE.as_secs() })
}

/// Says why the stream ends. It bears no number either.
fn too_many() -> Bytes {
    own_event("Ended", None, &StreamEnded { reason: StreamEndReason::TooManyStreams, most: MOST })
}

/// One open stream.
struct Watcher {
    shared: Shared,
    cursor: u64,
    opening: Option<Bytes>,
    beat_at: Instant,
    watch: watch::Receiver<u64>,
    /// Cancelled when the agent opened too many; none once that was said.
    displaced: Option<CancellationToken>,
    /// It ends, for this or any other reason.
    ended: CancellationToken,
    _end: DropGuard,
}

impl Watcher {
    /// The next events; none when the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        loop {
            if self.ended.is_cancelled() {
                return self.last_word();
            }
            if Instant::now() >= self.beat_at {
                self.beat_at = Instant::now() + BEAT;
                return Some(beat());
            }
            // Marked as seen before looking, so that what comes meanwhile wakes us.
            self.watch.borrow_and_update();
            let before = self.cursor;
            let events = self.more().await?;
            if !events.is_empty() {
                return Some(events);
            }
            if self.cursor == before {
                tokio::select! {
                    () = self.ended.cancelled() => {}
                    changed = self.watch.changed() => changed.ok()?,
                    () = tokio::time::sleep_until(self.beat_at.into()) => {}
                }
            }
        }
    }

    /// Why it ends, said once.
    fn last_word(&mut self) -> Option<Bytes> {
        self.displaced.take().filter(CancellationToken::is_cancelled).map(|_| too_many())
    }

    /// What is there after the cursor, which moves on.
    async fn more(&mut self) -> Option<Bytes> {
        match self.shared.feed.after(self.cursor) {
            After::Sent(events, last) => {
                self.cursor = last;
                Some(events)
            }
            After::Nothing => Some(Bytes::new()),
            After::Older => self.stored().await,
        }
    }

    /// What the feed has no more.
    async fn stored(&mut self) -> Option<Bytes> {
        let cursor = self.cursor;
        let stored = self.shared.query(move |reader| reader.events_after(cursor, PAGE)).await.ok()?;
        let mut sent = Vec::new();
        for numbered in stored {
            self.cursor = numbered.sequence;
            shown::encode(numbered.sequence, &numbered.event, &mut sent);
        }
        Some(sent.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_whose_machine_is_gone_is_offline_within_thirty_seconds() {
        assert!(SILENCE + CHECK <= Duration::from_secs(30), "{SILENCE:?} of silence, seen after {CHECK:?} at most");
        assert!(BEAT * 3 <= SILENCE, "an answer or two may be lost on the way");
    }

    #[test]
    fn streams_that_open_at_once_beat_at_different_times_within_the_interval() {
        let first: Vec<_> = (0..1000).map(|_| first_beat()).collect();
        assert!(first.iter().all(|wait| (BEAT / 2..=BEAT).contains(wait)));
        // Four seconds are spread over: each eighth of them has some.
        for eighth in 0..8 {
            let from = BEAT / 2 + BEAT / 16 * eighth;
            assert!(first.iter().any(|wait| (from..from + BEAT / 16).contains(wait)), "from {from:?}");
        }
    }
}
