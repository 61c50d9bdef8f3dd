//! The engine's HTTP interfaces: agents on one port, gateway and operator on another.

mod actions;
mod alive;
mod body;
mod bots;
mod caller;
mod canned_replies;
mod cors;
mod desk;
mod events;
mod interactions;
mod internal;
mod keyed;
mod messages;
mod offers;
mod openapi;
mod opt_outs;
mod page;
mod path;
mod problem;
mod read_limit;
mod statistics;
mod stream;
mod stream_limit;
mod supervisors;
mod tickets;
mod transfers;
mod view;

use std::{ops::Deref, sync::Arc};

use arc_swap::ArcSwap;
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post, put},
};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::field;

pub(super) use alive::Alive;
pub(crate) use openapi::openapi;
pub(super) use read_limit::ReadLimit;
pub(super) use stream_limit::StreamLimit;
pub(super) use tickets::Tickets;

use self::problem::Failure;
use super::{
    config::Settings, core::ids::UserId, feed::Feed, inbox::Handle, metrics::Metrics, store::error::StoreError,
    store::read::Reader,
};
use crate::{
    process::{self, bodies::Bodies, serve::Limits},
    wire::{inbound::MAX_DELIVERY_BYTES, mount::Mount, ports},
};

/// Agents: a stream and a request for each of the thousand that a campaign may have. Tokens of people may be long. 64 of the longest
/// bodies are read at once, or thousands of replies.
pub(super) const AGENTS: Limits =
    Limits { connections: 2048, head_bytes: 16 * 1024, bodies_bytes: 64 * body::MAX_BODY_BYTES };
/// The gateway, whose webhooks (512) may all be for this channel, and the operator beside it. Their tokens are the cluster's, of a kilobyte or two.
pub(super) const INTERNAL: Limits =
    Limits { connections: 544, head_bytes: 8 * 1024, bodies_bytes: 32 * MAX_DELIVERY_BYTES };

/// What the handlers work with. Each request has some clones of it.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Services>);

impl Deref for Shared {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

impl From<Services> for Shared {
    fn from(services: Services) -> Self {
        Self(Arc::new(services))
    }
}

/// What requests are answered from.
#[derive(Debug)]
pub(super) struct Services {
    /// The writer.
    pub(super) engine: Handle,
    /// Queries.
    pub(super) reader: Reader,
    /// Committed events.
    pub(super) feed: Feed,
    /// The configuration in force.
    pub(super) settings: Arc<ArcSwap<Settings>>,
    /// Where configurations come from: knows which was rejected.
    pub(super) mount: Arc<Mutex<Mount>>,
    /// The channel that this engine holds.
    pub(super) channel: Arc<str>,
    /// The store's id.
    pub(super) store_id: Arc<str>,
    /// When agents gave signs of life.
    pub(super) alive: Alive,
    /// How many streams agents may have open.
    pub(super) streams: StreamLimit,
    /// How many queries agents may have at once.
    pub(super) reads: ReadLimit,
    /// Tickets for streams.
    pub(super) tickets: Tickets,
    /// What the engine counts.
    pub(super) metrics: Metrics,
    /// The bodies of the agents' port.
    pub(super) agents_bodies: Bodies,
    /// The bodies of the internal port.
    pub(super) internal_bodies: Bodies,
    /// Ends streams.
    pub(super) shutdown: CancellationToken,
}

impl Shared {
    /// Queries the store for an agent, who has some queries at once and no more.
    async fn query_for<T: Send + 'static>(
        &self,
        user: &UserId,
        query: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let read = self.reads.begin(user).ok_or_else(|| {
            Failure::unavailable("You have asked for too much at once; ask for one thing after the other.")
        })?;
        // A caller who is gone does not end what was begun: it counts until it is over.
        self.query(move |reader| {
            let found = query(reader);
            drop(read);
            found
        })
        .await
    }

    /// Queries the store on a thread that may block.
    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let reader = self.reader.clone();
        let found = tokio::task::spawn_blocking(move || query(&reader)).await;
        match found {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::error!(%error, "the store cannot be read");
                Err(Failure::unavailable("The store cannot be read."))
            }
            Err(error) => {
                tracing::error!(%error, "a query was broken off");
                Err(Failure::unavailable("The query was broken off."))
            }
        }
    }
}

/// Serves agents until `shutdown`.
pub(super) async fn serve_agents(listener: TcpListener, shared: Shared) {
    let channel = Router::new()
        .route("/me/presence", put(actions::set_presence))
        .route("/me/beat", post(desk::beat))
        .route("/interactions", get(interactions::interactions).post(actions::start))
        .route("/interactions/{id}", get(desk::interaction))
        .route("/interactions/{id}/reply", post(actions::reply))
        .route("/interactions/{id}/finish", post(actions::finish))
        .route("/interactions/{id}/note", post(actions::note))
        .route("/interactions/{id}/accept", post(offers::accept))
        .route("/interactions/{id}/decline", post(offers::decline))
        .route("/interactions/{id}/transfer", post(transfers::transfer))
        .route("/interactions/{id}/cancel-transfer", post(transfers::cancel))
        .route("/customers/{number}/messages", get(messages::of_customer))
        .route("/messages/{id}", get(messages::message))
        .route("/messages/{id}/resend", post(messages::resend))
        .route("/interactions/{id}/assign", post(supervisors::assign))
        .route("/interactions/{id}/close", post(supervisors::close))
        .route("/interactions/{id}/bot", get(bots::bot))
        .route("/agents", get(supervisors::agents))
        .route("/opt-outs", get(opt_outs::opt_outs).post(opt_outs::import))
        .route("/opt-out-imports", get(opt_outs::imports))
        .route("/dispositions", get(desk::dispositions))
        .route("/canned-replies", get(canned_replies::canned_replies))
        .route("/blocked-starts", get(desk::blocked_starts))
        .route("/statistics", get(statistics::statistics))
        .route("/statistics/agents", get(statistics::agents))
        .route("/stream", get(stream::stream))
        .route("/stream-ticket", post(stream::ticket))
        .route_layer(middleware::from_fn_with_state(shared.clone(), path::is_held));
    let router = Router::new()
        .route("/v1/me", get(desk::me))
        .nest(ports::CHANNEL_PATH, channel)
        .route("/openapi.json", get(openapi::served))
        .layer(middleware::from_fn_with_state(shared.clone(), observed));
    // Around everything, so that a page may read a failure as well.
    let router = whole(router).layer(middleware::from_fn_with_state(shared.clone(), cors::cross_origin));
    serve(listener, router, AGENTS, shared).await;
}

/// Serves gateway and operator until `shutdown`.
pub(super) async fn serve_internal(listener: TcpListener, shared: Shared) {
    let router = Router::new()
        .route(ports::INBOUND_PATH, post(internal::inbound))
        .route(ports::RECEIPTS_PATH, post(internal::receipt))
        .route(ports::DELIVERIES_PATH, post(internal::deliveries))
        .route(ports::CHANNEL_STATUS_PATH, get(internal::status))
        .route_layer(middleware::from_fn_with_state(shared.clone(), path::is_held));
    serve(listener, whole(router), INTERNAL, shared).await;
}

/// Puts a span around a request of an agent. It names the route, since a path may have a customer's number.
#[tracing::instrument(
    name = "request",
    skip_all,
    fields(
        channel = &*shared.channel,
        method = request.method().as_str(),
        route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str),
        interaction = field::Empty,
        status = field::Empty,
    )
)]
async fn observed(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    tracing::Span::current().record("status", response.status().as_u16());
    tracing::debug!("a request was answered");
    response
}

/// With what is answered where nothing else is.
fn whole(router: Router<Shared>) -> Router<Shared> {
    router
        .fallback(async || Failure::not_found("No such path; /openapi.json lists those that agents may use."))
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
}

async fn serve(listener: TcpListener, router: Router<Shared>, limits: Limits, shared: Shared) {
    let shutdown = shared.shutdown.clone();
    process::serve::serve(listener, router.with_state(shared), limits, shutdown).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin;

    #[test]
    fn clients_can_make_all_ports_hold_little_of_what_the_container_has() {
        let all = [AGENTS, INTERNAL, admin::LIMITS].iter().map(Limits::most_bytes).sum::<usize>();
        assert!(all <= process::serve::ALL_PORTS_BYTES, "{} KiB", all / 1024);
    }
}
