//! The stream: committed events as server-sent events, numbered, resumed by `Last-Event-ID`.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event as SentEvent, Sse},
};
use futures::stream::{self, Stream};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Shared,
    alive::{BEAT, SILENCE},
    caller::Agent,
    problem::Failure,
};
use crate::{
    engine::{
        core::event::Happened,
        feed::{After, Numbered},
    },
    wire::problem::Problem,
};

/// Events that are read at once.
const PAGE: u32 = 256;
/// Whether the agent is still a member, and there, is looked at this often.
const CHECK: Duration = Duration::from_secs(1);

/// Committed events as server-sent events. Each has the event's number as `id`, its type as `event` and the event as `data`:
/// ids and states, never texts or numbers of customers. A client that reconnects with `Last-Event-ID` misses nothing; without it
/// the stream begins now. The first event is `Opened`; `Reset` means that events are missing and everything is to be read anew.
///
/// An agent with an open stream is online, for as long as signs of life come: every 8 seconds the stream sends an event `Beat`
/// (without a number), which a client answers with `POST /v1/channels/{channel}/me/beat`. Any other request of the agent does as well. When none
/// came for 25 seconds the agent is offline and the stream ends; a client that is there opens it again.
#[utoipa::path(get, path = "/v1/channels/{channel}/stream", tag = "stream",
    params(("Last-Event-ID" = Option<u64>, Header, description = "Number of the last event that was seen")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub async fn stream(
    State(shared): State<Shared>,
    agent: Agent,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<SentEvent, Infallible>>>, Failure> {
    let last_seen = last_seen(&headers)?;
    let watch = shared.feed.watch();
    let newest = shared.feed.last();
    let (cursor, opening) = match last_seen {
        None => (newest, sent("Opened", newest, &json!({ "after": newest }))),
        Some(seen) if has_all_after(&shared, seen, newest).await? => {
            (seen, sent("Opened", seen, &json!({ "after": seen })))
        }
        Some(_) => (newest, sent("Reset", newest, &json!({ "after": newest }))),
    };
    let ended = CancellationToken::new();
    tokio::spawn(be_online(shared.clone(), agent, ended.clone()));
    let watcher = Watcher {
        cursor,
        ready: VecDeque::from([opening]),
        beat_at: Instant::now() + BEAT,
        watch,
        ended: ended.clone(),
        _end: ended.drop_guard(),
        shared,
    };
    let events = stream::unfold(watcher, async |mut watcher| watcher.next().await.map(|event| (Ok(event), watcher)));
    Ok(Sse::new(events))
}

/// Keeps an agent online until the stream ends, or ends it: the token is over, the agent is a member no more, or gives no sign of
/// life. It does not depend on anybody reading the stream.
async fn be_online(shared: Shared, agent: Agent, ended: CancellationToken) {
    let _online = shared.engine.online(agent.user.clone());
    let goes_on = || {
        SystemTime::now() < agent.until
            && shared.settings.load().member(agent.user.as_str()).is_some()
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

fn sent(name: &str, number: u64, data: &serde_json::Value) -> SentEvent {
    SentEvent::default().event(name).id(number.to_string()).data(data.to_string())
}

/// Asks for a sign of life. It bears no number: it is no event of the channel.
fn beat() -> SentEvent {
    SentEvent::default().event("Beat").data(json!({ "withinSeconds": SILENCE.as_secs() }).to_string())
}

/// One open stream.
struct Watcher {
    shared: Shared,
    cursor: u64,
    ready: VecDeque<SentEvent>,
    beat_at: Instant,
    watch: watch::Receiver<u64>,
    ended: CancellationToken,
    _end: DropGuard,
}

impl Watcher {
    /// The next event; none when the stream ends.
    async fn next(&mut self) -> Option<SentEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.ended.is_cancelled() {
                return None;
            }
            if Instant::now() >= self.beat_at {
                self.beat_at = Instant::now() + BEAT;
                return Some(beat());
            }
            // Marked as seen before looking, so that what comes meanwhile wakes us.
            self.watch.borrow_and_update();
            let events = self.more().await?;
            if events.is_empty() {
                tokio::select! {
                    () = self.ended.cancelled() => return None,
                    changed = self.watch.changed() => changed.ok()?,
                    () = tokio::time::sleep_until(self.beat_at.into()) => {}
                }
            }
            for (number, event) in events {
                self.cursor = number;
                if is_shown(&event.what) {
                    self.ready.push_back(sent(event.name(), number, &event.to_json()));
                }
            }
        }
    }

    async fn more(&self) -> Option<Vec<Numbered>> {
        let cursor = self.cursor;
        match self.shared.feed.after(cursor, PAGE as usize) {
            After::Events(events) => Some(events),
            After::Older => {
                let stored = self.shared.query(move |reader| reader.events_after(cursor, PAGE)).await.ok()?;
                Some(stored.into_iter().map(|stored| (stored.sequence, Arc::new(stored.event))).collect())
            }
        }
    }
}

/// Whether an event means something to an agent. The others are the engine's own bookkeeping.
const fn is_shown(what: &Happened) -> bool {
    match what {
        Happened::ConfigApplied { .. }
        | Happened::ClockSet { .. }
        | Happened::Disabled
        | Happened::Enabled
        | Happened::InboundRecorded { .. }
        | Happened::OptedOut { .. }
        | Happened::OptedIn { .. }
        | Happened::StartBlocked { .. }
        | Happened::InteractionOpened { .. }
        | Happened::InteractionQueued { .. }
        | Happened::InteractionAssigned { .. }
        | Happened::InteractionRequeued { .. }
        | Happened::InteractionClosed { .. }
        | Happened::OutboundCommitted { .. }
        | Happened::AttemptEnded { .. }
        | Happened::OutboundCanceled { .. }
        | Happened::ReceiptApplied { .. }
        | Happened::AgentOnline { .. }
        | Happened::AgentOffline { .. }
        | Happened::AgentPresenceSet { .. }
        | Happened::NoteAdded { .. } => true,
        Happened::EngineStarted { .. }
        | Happened::ClockLeapt { .. }
        | Happened::StorageAccepted { .. }
        | Happened::CustomerAdded { .. }
        | Happened::InboundDuplicated { .. }
        | Happened::ServiceLevelSampled { .. }
        | Happened::AttemptStarted { .. }
        | Happened::AttemptNotSent { .. }
        | Happened::ReceiptParked => false,
    }
}
