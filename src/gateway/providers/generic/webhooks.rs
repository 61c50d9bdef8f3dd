//! What the carrier brings.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::repeats::Repeats;
use crate::{
    carrier::{DeliveryState as Reported, Fields, Webhooks},
    gateway::{
        providers::{MAX_PARAMETERS, Malformed, WebhookCall, form, only},
        public_url::Hook,
    },
    sms::{PhoneNumber, Sender},
    wire::{
        delivery::Item,
        inbound::InboundMessage,
        outbound::RefusalClass,
        receipt::{DeliveryState, Receipt},
    },
};

/// What the carrier takes for "I have it".
pub(super) fn acknowledgement(webhooks: &Webhooks) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], webhooks.acknowledgement.clone())
        .into_response()
}

/// A message, a receipt that is news, or nothing.
pub(super) fn items(webhooks: &Webhooks, repeats: &Repeats, call: &WebhookCall) -> Result<Vec<Item>, Malformed> {
    let fields = fields(webhooks, call)?;
    Ok(match call.head.hook {
        Hook::Inbound => vec![Item::Inbound(inbound(webhooks, repeats, &fields, call)?)],
        Hook::Status => receipt(webhooks, &fields, call)?.map(Item::Receipt).into_iter().collect(),
    })
}

/// The fields that the proof covers.
fn fields(webhooks: &Webhooks, call: &WebhookCall) -> Result<Fields, Malformed> {
    let parse = |text: &[u8]| {
        let too_many = || Malformed(format!("more than {MAX_PARAMETERS} parameters"));
        form::parse(text, MAX_PARAMETERS).ok_or_else(too_many)
    };
    let media_type = only(&call.head.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
    let is_json = media_type.contains("json") || call.body.trim_ascii_start().starts_with(b"{");
    let mut fields = Fields::default();
    if webhooks.proof.covers_query() {
        fields.named = parse(call.head.query.as_deref().unwrap_or_default().as_bytes())?;
    }
    if is_json {
        fields.document =
            serde_json::from_slice(&call.body).map_err(|error| Malformed(format!("the body is no JSON: {error}")))?;
        // Of the second and later ones nothing would be read.
        if fields.document.as_array().is_some_and(|list| list.len() > 1) {
            return Err(Malformed("the body is a list: the carrier must bring one message in each call".into()));
        }
    } else {
        fields.named.extend(parse(&call.body)?);
    }
    Ok(fields)
}

fn inbound(
    webhooks: &Webhooks,
    repeats: &Repeats,
    fields: &Fields,
    call: &WebhookCall,
) -> Result<InboundMessage, Malformed> {
    let message = webhooks.read_inbound(fields).map_err(Malformed)?;
    Ok(InboundMessage {
        provider_message_id: message.id.clone().unwrap_or_else(|| repeats.id(&message, call.received_at)),
        // A number of another form belongs to no channel; it is kept as it came, and waits as unrouted.
        to: PhoneNumber::from_provider(&message.to, None).map_or(message.to, Into::into),
        from: Sender::from_provider(&message.from, None).into(),
        text: message.text,
        media: Vec::new(),
        received_at: call.received_at,
        provider_opt_out: None,
        part: None,
    })
}

fn receipt(webhooks: &Webhooks, fields: &Fields, call: &WebhookCall) -> Result<Option<Receipt>, Malformed> {
    let receipt = webhooks.read_receipt(fields).map_err(Malformed)?;
    let Some(state) = receipt.state.map(state) else {
        tracing::debug!(state = receipt.word, "a state that is no news");
        return Ok(None);
    };
    let token = call.head.token();
    let own_number = || call.head.own_number().map(Into::into);
    let from = receipt.from.map(|from| PhoneNumber::from_provider(&from, None).map_or(from, Into::into));
    let nobody = || Malformed("neither the callback address nor webhooks.status.from names our number".into());
    let nothing = || Malformed("neither the callback address nor webhooks.status.id names the message".into());
    Ok(Some(Receipt {
        provider_message_id: receipt.id.or_else(|| token.clone()).ok_or_else(nothing)?,
        from: own_number().or(from).ok_or_else(nobody)?,
        token,
        state,
        provider_code: Some(receipt.word),
        class: state.is_failure().then_some(RefusalClass::Failed),
        received_at: call.received_at,
    }))
}

const fn state(reported: Reported) -> DeliveryState {
    match reported {
        Reported::Queued => DeliveryState::Queued,
        Reported::Sent => DeliveryState::Sent,
        Reported::Delivered => DeliveryState::Delivered,
        Reported::Failed => DeliveryState::Failed,
        Reported::Expired => DeliveryState::Expired,
        Reported::Rejected => DeliveryState::Rejected,
    }
}

#[cfg(test)]
#[path = "webhooks_tests.rs"]
mod tests;
