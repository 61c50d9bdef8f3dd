//! What Vonage brings: a customer's message or a part of one, or a receipt. Which of them is told by the parameters and not by the address: the
//! address is not signed.
//!
//! <https://developer.vonage.com/messaging/sms/guides/inbound-sms> and <https://developer.vonage.com/messaging/sms/guides/delivery-receipts>.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;

use super::{errors, parameters::Parameters};
use crate::{
    gateway::providers::{Malformed, reference},
    sms::{Part, PhoneNumber, Sender},
    wire::{
        delivery::Item,
        inbound::InboundMessage,
        receipt::{DeliveryState, Receipt},
    },
};

/// Nothing to say.
pub(super) fn acknowledgement() -> Response {
    StatusCode::OK.into_response()
}

/// What a call brings: a message, a receipt that is news, or nothing.
pub(super) fn items(parameters: &Parameters, received_at: Timestamp) -> Result<Vec<Item>, Malformed> {
    Ok(match (parameters.get("status"), parameters.get("type")) {
        (Some(word), _) => receipt(parameters, word, received_at)?.map(Item::Receipt).into_iter().collect(),
        (None, Some(_)) => vec![Item::Inbound(inbound(parameters, received_at)?)],
        (None, None) => return Err(Malformed("neither a message nor a receipt: no type and no status".into())),
    })
}

fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, Malformed> {
    parameters.get(name).ok_or_else(|| Malformed(format!("no parameter {name}")))
}

fn inbound(parameters: &Parameters, received_at: Timestamp) -> Result<InboundMessage, Malformed> {
    let to = required(parameters, "to")?;
    Ok(InboundMessage {
        // Each part has its own.
        provider_message_id: required(parameters, "messageId")?.to_owned(),
        // A number of another form belongs to no channel; it is kept as it came, and waits as unrouted.
        to: PhoneNumber::from_provider(to, None).map_or_else(|_| to.to_owned(), Into::into),
        from: Sender::from_provider(required(parameters, "msisdn")?, None).into(),
        // A binary message has none.
        text: parameters.get("text").unwrap_or_default().to_owned(),
        media: Vec::new(),
        received_at,
        provider_opt_out: None,
        part: part(parameters),
    })
}

/// Which part of a longer text this is. One that cannot be is shown as a text of its own.
fn part(parameters: &Parameters) -> Option<Part> {
    parameters.get("concat").filter(|concat| concat.eq_ignore_ascii_case("true"))?;
    let number = |name| parameters.get(name).and_then(|value| value.parse().ok());
    Part::new(part_reference(parameters.get("concat-ref")?), number("concat-total")?, number("concat-part")?)
}

/// "All parts of this message share this value": it is a text, though what is seen are numbers.
fn part_reference(text: &str) -> u16 {
    let folded = || text.bytes().fold(0_u16, |folded, byte| folded.rotate_left(5) ^ u16::from(byte));
    text.parse().unwrap_or_else(|_| folded())
}

fn receipt(parameters: &Parameters, word: &str, received_at: Timestamp) -> Result<Option<Receipt>, Malformed> {
    let Some(state) = state(word) else {
        tracing::debug!(status = word, "a status that is no news");
        return Ok(None);
    };
    let code = parameters.get("err-code").filter(|code| *code != "0");
    let (token, number) = reference::read(parameters.get("client-ref").unwrap_or_default());
    Ok(Some(Receipt {
        provider_message_id: required(parameters, "messageId")?.to_owned(),
        // `to` is the sender of the message; a short code comes without its country.
        from: match number {
            Some(number) => number.into(),
            None => {
                let to = required(parameters, "to")?;
                PhoneNumber::from_provider(to, None).map_or_else(|_| to.to_owned(), Into::into)
            }
        },
        token,
        state,
        class: state.is_failure().then(|| errors::refusal_class(code.unwrap_or_default())),
        provider_code: Some(code.map_or_else(|| word.to_owned(), |code| format!("{word} {code}"))),
        received_at,
    }))
}

fn state(word: &str) -> Option<DeliveryState> {
    match word {
        // The carrier took it; the carrier keeps it for later.
        "accepted" | "buffered" => Some(DeliveryState::Sent),
        "delivered" => Some(DeliveryState::Delivered),
        "failed" | "undelivered" => Some(DeliveryState::Failed),
        "expired" => Some(DeliveryState::Expired),
        "rejected" => Some(DeliveryState::Rejected),
        // `unknown`: "no useful information available".
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::outbound::RefusalClass;

    fn read(pairs: &[(&str, &str)]) -> Result<Vec<Item>, Malformed> {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        items(&Parameters(owned), "2026-01-02T03:04:05Z".parse().unwrap())
    }

    fn message(more: &[(&'static str, &'static str)]) -> InboundMessage {
        let mut pairs = vec![
            ("type", "unicode"),
            ("to", "15551230001"),
            ("msisdn", "15559870001"),
            ("messageId", "M1"),
            ("text", "Grüße"),
            ("keyword", "GRÜSSE"),
        ];
        pairs.extend(more);
        match read(&pairs).unwrap().pop() {
            Some(Item::Inbound(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn messages_are_read() {
        let read = message(&[]);
        assert_eq!((&*read.provider_message_id, &*read.to, &*read.from), ("M1", "+15551230001", "+15559870001"));
        assert_eq!((&*read.text, read.part), ("Grüße", None));
    }

    #[test]
    fn parts_of_a_longer_text_are_told() {
        let part = |reference, total, sequence| {
            let pairs =
                [("concat", "true"), ("concat-ref", reference), ("concat-total", total), ("concat-part", sequence)];
            message(&pairs).part
        };
        assert_eq!(part("7", "3", "2"), Part::new(7, 3, 2));
        assert_eq!(part("65535", "2", "1"), Part::new(65_535, 2, 1));
        // No number, and the same one for each part.
        let (first, second) = (part("08b5-x", "2", "1").unwrap(), part("08b5-x", "2", "2").unwrap());
        assert_eq!(first.reference(), second.reference());
        assert_eq!(part("7", "1", "1"), None);
        assert_eq!(part("7", "x", "1"), None);
        assert_eq!(
            message(&[("concat", "false"), ("concat-ref", "7"), ("concat-total", "2"), ("concat-part", "1")]).part,
            None
        );
    }

    #[test]
    fn what_is_neither_is_malformed() {
        assert!(read(&[("messageId", "M1"), ("to", "15551230001"), ("msisdn", "15559870001")]).is_err());
        assert!(read(&[("type", "text"), ("to", "15551230001"), ("msisdn", "15559870001")]).is_err());
        assert!(read(&[("status", "delivered"), ("to", "15551230001")]).is_err());
    }

    #[test]
    fn receipts_are_read() {
        let cases = [
            ("accepted", "0", Some((DeliveryState::Sent, "accepted", None))),
            ("buffered", "0", Some((DeliveryState::Sent, "buffered", None))),
            ("delivered", "0", Some((DeliveryState::Delivered, "delivered", None))),
            ("failed", "9", Some((DeliveryState::Failed, "failed 9", Some(RefusalClass::OptedOut)))),
            ("rejected", "9", Some((DeliveryState::Rejected, "rejected 9", Some(RefusalClass::OptedOut)))),
            ("rejected", "6", Some((DeliveryState::Rejected, "rejected 6", Some(RefusalClass::Filtered)))),
            ("expired", "2", Some((DeliveryState::Expired, "expired 2", Some(RefusalClass::Failed)))),
            ("failed", "3", Some((DeliveryState::Failed, "failed 3", Some(RefusalClass::InvalidNumber)))),
            ("unknown", "1", None),
            ("something new", "0", None),
        ];
        for (status, code, expected) in cases {
            let pairs = [
                ("msisdn", "15559870001"),
                ("to", "72345"),
                ("messageId", "M1"),
                ("status", status),
                ("err-code", code),
                ("client-ref", "7-1.abc~US:72345"),
            ];
            let items = read(&pairs).unwrap();
            let seen = items.first().map(|item| match item {
                Item::Receipt(receipt) => {
                    assert_eq!((receipt.token.as_deref(), &*receipt.from), (Some("7-1.abc"), "US:72345"));
                    (receipt.state, receipt.provider_code.as_deref().unwrap(), receipt.class)
                }
                Item::Inbound(message) => panic!("{message:?}"),
            });
            assert_eq!(seen, expected, "{status}");
        }
    }

    #[test]
    fn a_receipt_without_our_reference_belongs_to_its_sender() {
        let items = read(&[("to", "15551230001"), ("messageId", "M1"), ("status", "delivered")]).unwrap();
        let [Item::Receipt(receipt)] = &*items else { panic!("{items:?}") };
        assert_eq!((&*receipt.from, receipt.token.as_deref()), ("+15551230001", None));
    }
}
