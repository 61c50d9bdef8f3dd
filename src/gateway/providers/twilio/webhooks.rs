//! What Twilio posts: customers' messages and receipts, as forms or as JSON objects with the same names.
//!
//! <https://www.twilio.com/docs/messaging/guides/webhook-request> and
//! <https://www.twilio.com/docs/messaging/guides/track-outbound-message-status>. New parameters may appear at any time.

use axum::{
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use super::errors;
use crate::{
    gateway::{
        providers::{MAX_PARAMETERS, Malformed, WebhookCall, form},
        public_url::Hook,
    },
    sms::{PhoneNumber, Sender},
    wire::{
        delivery::Item,
        inbound::{InboundMessage, Media, ProviderOptOut},
        receipt::{DeliveryState, Receipt},
    },
};

/// Files of one message at most: Twilio has never more than ten.
const MOST_MEDIA: usize = 10;

/// Whether the body is a form, by its media type.
pub(super) fn is_form(call: &WebhookCall) -> bool {
    let media_type = call.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// An answer in TwiML that does nothing.
pub(super) fn acknowledgement() -> Response {
    ([(CONTENT_TYPE, "text/xml")], "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>").into_response()
}

/// Parameters by name.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(call: &WebhookCall) -> Result<Self, Malformed> {
        if is_form(call) {
            let parameters = form::parse(&call.body, MAX_PARAMETERS);
            return parameters.map(Self).ok_or_else(|| Malformed("too many parameters".into()));
        }
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&call.body)
            .map_err(|error| Malformed(format!("neither a form nor a JSON object: {error}")))?;
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        Ok(Self(object.into_iter().map(|(name, value)| (name, text(value))).collect()))
    }

    /// The first value of a parameter that is not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    fn required(&self, names: &[&str]) -> Result<&str, Malformed> {
        names
            .iter()
            .find_map(|name| self.get(name))
            .ok_or_else(|| Malformed(format!("no parameter {}", names.join(" or "))))
    }

    /// The files of an MMS.
    fn media(&self) -> Vec<Media> {
        let count = self.get("NumMedia").and_then(|count| count.parse().ok()).unwrap_or(0);
        let part = |name: &str, at: usize| self.get(&format!("{name}{at}")).unwrap_or_default().to_owned();
        (0..MOST_MEDIA.min(count))
            .map(|at| Media { media_type: part("MediaContentType", at), url: part("MediaUrl", at) })
            .collect()
    }

    /// Our own number; short codes come without their country, which stands beside them.
    fn own_number(&self, name: &str) -> Result<String, Malformed> {
        let raw = self.required(&[name])?;
        let country = self.get(&format!("{name}Country")).and_then(|country| country.parse().ok());
        // A number of another form belongs to no channel; it is kept as it came, and waits as unrouted.
        Ok(PhoneNumber::from_provider(raw, country).map_or_else(|_| raw.to_owned(), Into::into))
    }
}

/// What a call brings: one message, or a receipt that is news.
pub(super) fn items(call: &WebhookCall) -> Result<Vec<Item>, Malformed> {
    Ok(match call.head.hook {
        Hook::Inbound => vec![Item::Inbound(inbound(call)?)],
        Hook::Status => receipt(call)?.map(Item::Receipt).into_iter().collect(),
    })
}

/// The customer's message.
fn inbound(call: &WebhookCall) -> Result<InboundMessage, Malformed> {
    let parameters = Parameters::of(call)?;
    let country = parameters.get("FromCountry").and_then(|country| country.parse().ok());
    let opt_out = match parameters.get("OptOutType") {
        Some("STOP") => Some(ProviderOptOut::Stop),
        Some("START") => Some(ProviderOptOut::Start),
        Some("HELP") => Some(ProviderOptOut::Help),
        Some(_) | None => None,
    };
    Ok(InboundMessage {
        provider_message_id: parameters.required(&["MessageSid", "SmsMessageSid", "SmsSid"])?.to_owned(),
        to: parameters.own_number("To")?,
        from: Sender::from_provider(parameters.required(&["From"])?, country).into(),
        text: parameters.get("Body").unwrap_or_default().to_owned(),
        media: parameters.media(),
        received_at: call.received_at,
        provider_opt_out: opt_out,
        part: None,
    })
}

/// The receipt; `None` for states that say nothing about an outbound message.
fn receipt(call: &WebhookCall) -> Result<Option<Receipt>, Malformed> {
    let parameters = Parameters::of(call)?;
    let word = parameters.required(&["MessageStatus", "SmsStatus"])?;
    let code = parameters.get("ErrorCode").filter(|code| *code != "0");
    let Some(state) = state(word, code) else {
        tracing::debug!(status = word, "a status that is not of an outbound message");
        return Ok(None);
    };
    Ok(Some(Receipt {
        provider_message_id: parameters.required(&["MessageSid", "SmsSid"])?.to_owned(),
        // A receipt of a short code names it without its country: the callback URL knows better.
        from: match call.head.own_number() {
            Some(number) => number.into(),
            None => parameters.own_number("From")?,
        },
        token: call.head.token(),
        state,
        provider_code: Some(code.map_or_else(|| word.to_owned(), |code| format!("{word} {code}"))),
        class: state
            .is_failure()
            .then(|| errors::refusal_class(code.and_then(|code| code.parse().ok()).unwrap_or_default())),
        received_at: call.received_at,
    }))
}

/// Statuses: <https://www.twilio.com/docs/messaging/api/message-resource#message-status-values>.
fn state(word: &str, code: Option<&str>) -> Option<DeliveryState> {
    match word {
        "accepted" | "scheduled" | "queued" => Some(DeliveryState::Queued),
        "sending" | "sent" => Some(DeliveryState::Sent),
        "delivered" | "read" => Some(DeliveryState::Delivered),
        "failed" | "undelivered" if code == Some(errors::VALIDITY_EXPIRED) => Some(DeliveryState::Expired),
        "failed" | "undelivered" => Some(DeliveryState::Failed),
        "canceled" => Some(DeliveryState::Rejected),
        // `receiving` and `received` are of inbound messages; the list grows.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::providers::CallHead;
    use crate::wire::outbound::RefusalClass;
    use axum::http::{HeaderMap, Method};

    fn call(media_type: &str, query: Option<&str>, body: &str) -> WebhookCall {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, media_type.parse().unwrap());
        let head = CallHead {
            hook: Hook::Inbound,
            method: Method::POST,
            url: "https://sms.example.com/hooks/inbound".into(),
            query: query.map(str::to_owned),
            headers,
        };
        WebhookCall { head, body: body.to_owned().into(), received_at: "2026-01-02T03:04:05Z".parse().unwrap() }
    }

    fn form(body: &str) -> WebhookCall {
        call("application/x-www-form-urlencoded; charset=utf-8", None, body)
    }

    #[test]
    fn messages_are_read() {
        let message = inbound(&form(
            "ToCountry=US&SmsMessageSid=SM1&NumMedia=0&SmsSid=SM1&FromCountry=US&Body=+Hello%0A&To=%2B15551230001&MessageSid=SM1\
             &AccountSid=AC1&From=%2B15559870001&ApiVersion=2010-04-01",
        ))
        .unwrap();
        assert_eq!(
            message,
            InboundMessage {
                provider_message_id: "SM1".into(),
                to: "+15551230001".into(),
                from: "+15559870001".into(),
                text: " Hello\n".into(),
                media: Vec::new(),
                received_at: "2026-01-02T03:04:05Z".parse().unwrap(),
                provider_opt_out: None,
                part: None,
            }
        );
        let json = call(
            "application/json",
            None,
            r#"{"MessageSid":"SM1","To":"+15551230001","From":"+15559870001","Body":" Hello\n","NumMedia":0,"MessagingServiceSid":null}"#,
        );
        assert_eq!(inbound(&json).unwrap(), message);
    }

    #[test]
    fn files_of_an_mms_are_named() {
        let mms = inbound(&form(
            "MessageSid=MM1&To=%2B15551230001&From=%2B15559870001&Body=&NumMedia=2&MediaContentType0=image%2Fjpeg\
             &MediaUrl0=https%3A%2F%2Fapi.twilio.com%2FME1&MediaContentType1=text%2Fvcard",
        ))
        .unwrap();
        assert_eq!((&*mms.text, mms.media.len()), ("", 2));
        let note = mms.note().unwrap();
        assert_eq!(note, "[file: image/jpeg https://api.twilio.com/ME1]\n[file: text/vcard]");
        for none in ["", "&NumMedia=0", "&NumMedia=x"] {
            let text = inbound(&form(&format!("MessageSid=SM1&To=%2B15551230001&From=x&Body=Hi{none}"))).unwrap();
            assert_eq!(text.note(), None);
        }
        let lie = "MessageSid=SM1&To=%2B15551230001&From=x&NumMedia=99999999";
        assert_eq!(inbound(&form(lie)).unwrap().media.len(), MOST_MEDIA);
    }

    #[test]
    fn odd_messages_are_kept() {
        let short = inbound(&form("MessageSid=SM1&To=72345&ToCountry=US&From=MYBANK&OptOutType=STOP")).unwrap();
        assert_eq!((&*short.to, &*short.from, &*short.text), ("US:72345", "MYBANK", ""));
        assert_eq!(short.provider_opt_out, Some(ProviderOptOut::Stop));
        let unknown =
            inbound(&form("SmsSid=SM1&To=whatsapp:%2B1555&From=72346&FromCountry=GB&Body=x&OptOutType=NEW")).unwrap();
        assert_eq!((&*unknown.to, &*unknown.from), ("whatsapp:+1555", "GB:72346"));
        assert_eq!(unknown.provider_opt_out, None);
        for (body, message) in [
            ("To=%2B15551230001&From=x", "no parameter MessageSid or SmsMessageSid or SmsSid"),
            ("MessageSid=SM1&From=x", "no parameter To"),
            ("MessageSid=SM1&To=%2B15551230001&From=", "no parameter From"),
        ] {
            assert_eq!(inbound(&form(body)).unwrap_err().to_string(), message);
        }
        assert!(inbound(&call("application/json", None, "[]")).is_err());
    }

    #[test]
    fn a_receipt_belongs_to_the_number_of_its_callback_url() {
        let from = |query: &str, from: &str| {
            let body = format!("MessageSid=SM1&To=%2B15559870001&From={from}&MessageStatus=sent");
            receipt(&call("application/x-www-form-urlencoded", Some(query), &body)).unwrap().unwrap().from
        };
        let cases = [
            (("t=7.abc&n=US%3A72345", "72345"), "US:72345"),
            (("t=7.abc&n=%2B15551230001", "%2B15551230001"), "+15551230001"),
            // Callback URLs that the provider has from before.
            (("t=7.abc", "%2B15551230001"), "+15551230001"),
            (("t=7.abc", "72345&FromCountry=US"), "US:72345"),
            (("t=7.abc", "72345"), "72345"),
            // Nothing that is a number of ours.
            (("t=7.abc&n=72345", "%2B15551230001"), "+15551230001"),
        ];
        for ((query, said), expected) in cases {
            assert_eq!(from(query, said), expected, "{query} {said}");
        }
    }

    #[test]
    fn receipts_are_read() {
        let read = |status: &str| {
            let body = format!("MessageSid=SM1&To=%2B15559870001&From=%2B15551230001&{status}");
            receipt(&call("application/x-www-form-urlencoded", Some("x=1&t=7.ab%2Fc"), &body)).unwrap()
        };
        let cases = [
            ("MessageStatus=queued", Some((DeliveryState::Queued, "queued", None))),
            ("MessageStatus=sending", Some((DeliveryState::Sent, "sending", None))),
            ("SmsStatus=sent", Some((DeliveryState::Sent, "sent", None))),
            ("MessageStatus=delivered", Some((DeliveryState::Delivered, "delivered", None))),
            ("MessageStatus=read", Some((DeliveryState::Delivered, "read", None))),
            (
                "MessageStatus=failed&ErrorCode=30036",
                Some((DeliveryState::Expired, "failed 30036", Some(RefusalClass::Failed))),
            ),
            (
                "MessageStatus=undelivered&ErrorCode=30006",
                Some((DeliveryState::Failed, "undelivered 30006", Some(RefusalClass::InvalidNumber))),
            ),
            ("MessageStatus=undelivered", Some((DeliveryState::Failed, "undelivered", Some(RefusalClass::Failed)))),
            ("MessageStatus=canceled", Some((DeliveryState::Rejected, "canceled", Some(RefusalClass::Failed)))),
            ("MessageStatus=receiving", None),
            ("MessageStatus=new", None),
        ];
        for (status, expected) in cases {
            let receipt = read(status);
            let seen = receipt
                .as_ref()
                .map(|receipt| (receipt.state, receipt.provider_code.as_deref().unwrap(), receipt.class));
            assert_eq!(seen, expected, "{status}");
            if let Some(receipt) = receipt {
                assert_eq!((receipt.token.as_deref(), &*receipt.from), (Some("7.ab/c"), "+15551230001"));
            }
        }
    }
}
