//! What tests of the delivery bring.

use crate::wire::inbound::InboundMessage;

/// The number that [`message`] goes to.
pub(super) const NUMBER: &str = "+15551230001";

/// A customer's text.
pub(super) fn message(text: &str) -> InboundMessage {
    InboundMessage {
        provider_message_id: "SM1".into(),
        to: NUMBER.into(),
        from: "+15551230002".into(),
        text: text.into(),
        media: Vec::new(),
        received_at: "2026-11-26T21:00:00Z".parse().unwrap(),
        provider_opt_out: None,
        part: None,
    }
}
