//! The internal API: what the gateway delivers and the operator asks for.

use axum::{
    Json,
    extract::{Query, Request, State},
};
use futures::future::join_all;
use tracing::field;

use super::{
    Shared, body,
    caller::{Gateway, Operator},
    problem::{Failure, of_refusal},
};
use crate::{
    engine::{
        core::command::{Answer, Refusal},
        core::event,
        inbox::{self, InboundRequest},
        status::{self, Beside},
    },
    wire::{
        delivery::{DeliveryAnswers, Item, MAX_DELIVERIES},
        inbound::{InboundAnswer, InboundMessage, InboundOutcome, InboundQuery, MAX_DELIVERY_BYTES},
        receipt::Receipt,
        status::{ConfigStatus, EngineStatus},
    },
};

/// A customer's message. Answered when it is on the disk.
pub(super) async fn inbound(
    State(shared): State<Shared>,
    _: Gateway,
    Query(InboundQuery { overtakes }): Query<InboundQuery>,
    request: Request,
) -> Result<Json<InboundAnswer>, Failure> {
    // It counts among the port's bodies until the message is on the disk.
    let bytes = body::bytes(request, MAX_DELIVERY_BYTES, &shared.internal_bodies).await?;
    Ok(Json(take_inbound(&shared, body::json(&bytes)?, overtakes).await?))
}

/// A delivery receipt. Answered when it is on the disk, whatever it led to.
pub(super) async fn receipt(
    State(shared): State<Shared>,
    _: Gateway,
    request: Request,
) -> Result<Json<serde_json::Value>, Failure> {
    let bytes = body::bytes(request, MAX_DELIVERY_BYTES, &shared.internal_bodies).await?;
    take_receipt(&shared, body::json(&bytes)?).await?;
    Ok(Json(serde_json::json!({})))
}

/// Several of both. Answered when each is on the disk or refused.
pub(super) async fn deliveries(
    State(shared): State<Shared>,
    _: Gateway,
    request: Request,
) -> Result<Json<DeliveryAnswers>, Failure> {
    let bytes = body::bytes(request, MAX_DELIVERY_BYTES, &shared.internal_bodies).await?;
    let deliveries: Vec<Item> = body::json(&bytes)?;
    if deliveries.len() > MAX_DELIVERIES {
        let detail = format!("There are {} deliveries; {MAX_DELIVERIES} can be brought at once.", deliveries.len());
        return Err(Failure::invalid("", detail));
    }
    let taken = join_all(deliveries.into_iter().map(async |delivery| match delivery {
        Item::Inbound(message) => take_inbound(&shared, message, false).await.map(drop),
        Item::Receipt(receipt) => take_receipt(&shared, receipt).await,
    }));
    Ok(Json(taken.await.into_iter().map(|taken| taken.err().map(|failure| failure.problem)).collect()))
}

#[tracing::instrument(
    level = "debug", name = "delivery", skip_all, fields(channel = &*shared.channel, kind = "Inbound", outcome = field::Empty)
)]
async fn take_inbound(shared: &Shared, message: InboundMessage, overtakes: bool) -> Result<InboundAnswer, Failure> {
    ours(shared, "/to", &message.to)?;
    let request = inbox::Request::Inbound(Box::new(InboundRequest { message, overtakes }));
    let outcome = match shared.engine.ask(request).await? {
        Ok(Answer::Inbound { outcome, .. }) => outcome.map_or(InboundOutcome::Duplicate, wire_outcome),
        Ok(Answer::OptedOutBefore) => InboundOutcome::OptedOut,
        Ok(Answer::PartKept) => InboundOutcome::PartKept,
        Ok(Answer::PartRepeated) => InboundOutcome::Duplicate,
        Ok(_) => return Err(Failure::unavailable("The engine gave an answer that it must not give.")),
        Err(Refusal::NoRoom) => return Err(inbox::Unavailable::Full.into()),
        Err(refusal) => return Err(of_refusal(&refusal).into()),
    };
    tracing::Span::current().record("outcome", field::debug(outcome));
    tracing::debug!("a delivery was taken");
    Ok(InboundAnswer { outcome })
}

#[tracing::instrument(
    level = "debug", name = "delivery", skip_all, fields(channel = &*shared.channel, kind = "Receipt", outcome = field::Empty)
)]
async fn take_receipt(shared: &Shared, receipt: Receipt) -> Result<(), Failure> {
    ours(shared, "/from", &receipt.from)?;
    match shared.engine.ask(inbox::Request::Receipt(receipt)).await? {
        Ok(answer) => {
            if let Answer::Receipt(outcome) = answer {
                tracing::Span::current().record("outcome", field::debug(outcome));
            }
            tracing::debug!("a delivery was taken");
            Ok(())
        }
        Err(refusal) => Err(of_refusal(&refusal).into()),
    }
}

/// The status that the operator samples.
pub(super) async fn status(State(shared): State<Shared>, _: Operator) -> Result<Json<EngineStatus>, Failure> {
    let (unknown, bot_failures) =
        shared.query(|reader| Ok((reader.unknown_messages()?, reader.bot_failures()?))).await?;
    let settings = shared.settings.load_full();
    // In force is what the writer works with; the mount may be a moment ahead.
    let config = ConfigStatus { hash: Some(settings.hash), rejected: shared.mount.lock().status().rejected.clone() };
    let store_id = shared.store_id.to_string();
    let full = shared.engine.is_full();
    let beside = Beside { config, store_id, unknown, bot_failures, full };
    Ok(Json(shared.engine.inspect(move |seen| status::status(seen, &settings, beside)).await?))
}

/// A message of another number came here by mistake: taking it would lose it.
fn ours(shared: &Shared, field: &str, number: &str) -> Result<(), Failure> {
    let settings = shared.settings.load();
    let ours = &settings.number;
    if number == ours.as_str() {
        return Ok(());
    }
    Err(Failure::invalid(field, format!("this channel has the number {ours}, not {number}")))
}

const fn wire_outcome(outcome: event::InboundOutcome) -> InboundOutcome {
    match outcome {
        event::InboundOutcome::OptedOut => InboundOutcome::OptedOut,
        event::InboundOutcome::OptedIn => InboundOutcome::OptedIn,
        event::InboundOutcome::Help => InboundOutcome::Help,
        event::InboundOutcome::Blocked => InboundOutcome::Blocked,
        event::InboundOutcome::Disabled => InboundOutcome::Disabled,
        event::InboundOutcome::Joined => InboundOutcome::Joined,
        event::InboundOutcome::OutOfHours => InboundOutcome::OutOfHours,
        event::InboundOutcome::QueueFull => InboundOutcome::QueueFull,
        event::InboundOutcome::Queued => InboundOutcome::Queued,
        event::InboundOutcome::Bot => InboundOutcome::Bot,
    }
}
