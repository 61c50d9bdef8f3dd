//! News for pages that are open: server-sent events.

use super::{
    Simulator,
    carrier::{Message, Webhook},
    control::AccountView,
};
use axum::{
    Extension, Router,
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures::{Stream, StreamExt, stream};
use serde::Serialize;
use std::{convert::Infallible, sync::Arc};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// One piece of news: what it is about, and how that is now, as JSON.
#[derive(Clone, Debug)]
pub(super) struct Change {
    topic: &'static str,
    json: Arc<str>,
}

pub(super) fn router(shutdown: CancellationToken) -> Router<Simulator> {
    Router::new().route("/control/events", get(events)).layer(Extension(shutdown))
}

/// First `snapshot`; then `accounts`, `handsets`, `faults` (the whole list), `message`, `webhook` (the one). A page that
/// cannot keep up gets a new `snapshot`.
async fn events(State(simulator): State<Simulator>, Extension(shutdown): Extension<CancellationToken>) -> Response {
    let events =
        simulator.news().map(|change| Ok::<_, Infallible>(Event::default().event(change.topic).data(change.json)));
    Sse::new(events.take_until(shutdown.cancelled_owned())).keep_alive(KeepAlive::default()).into_response()
}

impl Change {
    fn new(topic: &'static str, about: &impl Serialize) -> Self {
        // Our own documents are always JSON.
        Self { topic, json: serde_json::to_string(about).unwrap_or_default().into() }
    }
}

impl Simulator {
    fn news(&self) -> impl Stream<Item = Change> + use<> {
        // Subscribed before the snapshot is taken: news may come twice, none is missed.
        let changes = self.changes.subscribe();
        let first = Change::new("snapshot", &self.snapshot());
        let simulator = self.clone();
        let later = stream::unfold((simulator, changes), async |(simulator, mut changes)| {
            let change = match changes.recv().await {
                Ok(change) => change,
                Err(RecvError::Lagged(_)) => {
                    changes = changes.resubscribe();
                    Change::new("snapshot", &simulator.snapshot())
                }
                Err(RecvError::Closed) => return None,
            };
            Some((change, (simulator, changes)))
        });
        stream::once(async { first }).chain(later)
    }

    fn show(&self, topic: &'static str, about: &impl Serialize) {
        if self.changes.receiver_count() > 0 {
            // It fails when the last page has just been closed.
            let _ = self.changes.send(Change::new(topic, about));
        }
    }

    pub(super) fn show_message(&self, message: &Message) {
        self.show("message", message);
    }

    pub(super) fn show_accounts(&self) {
        let accounts: Vec<AccountView> = self.carrier.lock().accounts.values().map(AccountView::of).collect();
        self.show("accounts", &accounts);
    }

    pub(super) fn show_handsets(&self) {
        if self.changes.receiver_count() > 0 {
            let handsets: Vec<_> = self.carrier.lock().handsets.values().cloned().collect();
            self.show("handsets", &handsets);
        }
    }

    pub(super) fn show_faults(&self) {
        let faults = self.faults.lock().list().to_vec();
        self.show("faults", &faults);
    }

    /// Changes a webhook, and shows what changed.
    pub(super) fn change_webhook(&self, id: &str, change: impl FnOnce(&mut Webhook)) -> Option<Webhook> {
        let changed = self.carrier.lock().change_webhook(id, change);
        let (webhook, message) = changed?;
        self.show("webhook", &webhook);
        if let Some(message) = message {
            self.show("message", &message);
        }
        Some(webhook)
    }
}
