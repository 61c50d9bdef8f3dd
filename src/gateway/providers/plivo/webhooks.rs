//! What Plivo posts as forms: customers' messages to the address of the number's application, receipts to the address of the message.
//!
//! <https://www.plivo.com/docs/messaging/api/message/handling-incoming> and
//! <https://www.plivo.com/docs/messaging/api/message/message-status-callbacks>. Plivo joins the parts of long texts.

use axum::{
    http::StatusCode,
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

/// Files of one message at most.
const MOST_MEDIA: usize = 10;

/// Nothing to say: an answer without XML sends no reply.
pub(super) fn acknowledgement() -> Response {
    StatusCode::OK.into_response()
}

/// Parameters by name.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(call: &WebhookCall) -> Result<Self, Malformed> {
        let parameters = form::parse(&call.body, MAX_PARAMETERS);
        parameters.map(Self).ok_or_else(|| Malformed("too many parameters".into()))
    }

    /// The first value of a parameter that is not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Result<&str, Malformed> {
        self.get(name).ok_or_else(|| Malformed(format!("no parameter {name}")))
    }

    /// The files of an MMS: `Media0` or `Media1` and what follows, since Plivo's pages count from either. Their type is not said.
    fn media(&self) -> Vec<Media> {
        let files = (0..=MOST_MEDIA).filter_map(|at| self.get(&format!("Media{at}")));
        files.take(MOST_MEDIA).map(|url| Media { media_type: String::new(), url: url.to_owned() }).collect()
    }
}

/// What a call brings: one message, or a receipt that is news.
pub(super) fn items(call: &WebhookCall) -> Result<Vec<Item>, Malformed> {
    let parameters = Parameters::of(call)?;
    Ok(match call.head.hook {
        Hook::Inbound => vec![Item::Inbound(inbound(call, &parameters)?)],
        Hook::Status => receipt(call, &parameters)?.map(Item::Receipt).into_iter().collect(),
    })
}

fn inbound(call: &WebhookCall, parameters: &Parameters) -> Result<InboundMessage, Malformed> {
    let to = parameters.required("To")?;
    Ok(InboundMessage {
        provider_message_id: parameters.required("MessageUUID")?.to_owned(),
        // A number of another form belongs to no channel; it is kept as it came, and waits as unrouted.
        to: PhoneNumber::from_provider(to, None).map_or_else(|_| to.to_owned(), Into::into),
        from: Sender::from_provider(parameters.required("From")?, None).into(),
        // An MMS has its text elsewhere.
        text: parameters.get("Text").or_else(|| parameters.get("Body")).unwrap_or_default().to_owned(),
        media: parameters.media(),
        received_at: call.received_at,
        provider_opt_out: match parameters.get("MessageIntent") {
            Some("optout") => Some(ProviderOptOut::Stop),
            Some("optin") => Some(ProviderOptOut::Start),
            Some("help") => Some(ProviderOptOut::Help),
            Some(_) | None => None,
        },
        part: None,
    })
}

fn receipt(call: &WebhookCall, parameters: &Parameters) -> Result<Option<Receipt>, Malformed> {
    let word = parameters.required("Status")?;
    // "000" is none.
    let code = parameters.get("ErrorCode").filter(|code| code.chars().any(|digit| digit != '0'));
    let Some(state) = state(word, code) else {
        tracing::debug!(status = word, "a status that is no news");
        return Ok(None);
    };
    let from = parameters.get("From").unwrap_or_default();
    Ok(Some(Receipt {
        provider_message_id: parameters.required("MessageUUID")?.to_owned(),
        // A short code comes without its country: the callback URL knows better.
        from: match call.head.own_number() {
            Some(number) => number.into(),
            None => PhoneNumber::from_provider(from, None).map_or_else(|_| from.to_owned(), Into::into),
        },
        token: call.head.token(),
        state,
        class: state.is_failure().then(|| errors::refusal_class(code.unwrap_or_default())),
        provider_code: Some(code.map_or_else(|| word.to_owned(), |code| format!("{word} {code}"))),
        received_at: call.received_at,
    }))
}

fn state(word: &str, code: Option<&str>) -> Option<DeliveryState> {
    match word {
        "queued" => Some(DeliveryState::Queued),
        "sent" => Some(DeliveryState::Sent),
        "delivered" => Some(DeliveryState::Delivered),
        "failed" | "undelivered" if code.is_some_and(errors::is_expired) => Some(DeliveryState::Expired),
        "failed" | "undelivered" => Some(DeliveryState::Failed),
        "rejected" => Some(DeliveryState::Rejected),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gateway::providers::CallHead, wire::outbound::RefusalClass};
    use axum::http::{HeaderMap, Method};

    fn read(hook: Hook, query: Option<&str>, body: &str) -> Result<Vec<Item>, Malformed> {
        let (url, query) = (String::new(), query.map(str::to_owned));
        let head = CallHead { hook, method: Method::POST, url, query, headers: HeaderMap::new() };
        let received_at = "2026-01-02T03:04:05Z".parse().unwrap();
        items(&WebhookCall { head, body: body.to_owned().into(), received_at })
    }

    fn message(body: &str) -> InboundMessage {
        match read(Hook::Inbound, None, body).unwrap().pop() {
            Some(Item::Inbound(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn messages_are_read_with_their_files() {
        let sms = message("From=15559870001&To=15551230001&Type=sms&Text=Gr%C3%BC%C3%9Fe+%2B&MessageUUID=M1&Units=1");
        assert_eq!((&*sms.provider_message_id, &*sms.to, &*sms.from), ("M1", "+15551230001", "+15559870001"));
        assert_eq!((&*sms.text, sms.note(), sms.provider_opt_out), ("Grüße +", None, None));
        let mms = message(
            "From=15559870001&To=15551230001&Type=mms&Body=Look&MessageUUID=M2&MediaCount=2&Media1=https%3A%2F%2Fm.example%2F1&Media2=https%3A%2F%2Fm.example%2F2",
        );
        assert_eq!(
            (&*mms.text, &*mms.note().unwrap()),
            ("Look", "[file: https://m.example/1]\n[file: https://m.example/2]")
        );
        for lacking in ["From", "To", "MessageUUID"] {
            let all = [("From", "1"), ("To", "2"), ("MessageUUID", "3")];
            let kept = all.iter().filter(|(name, _)| *name != lacking).map(|(name, value)| format!("{name}={value}"));
            assert!(read(Hook::Inbound, None, &kept.collect::<Vec<_>>().join("&")).is_err(), "{lacking}");
        }
    }

    #[test]
    fn opt_out_words_are_plivos_to_answer_when_it_says_so() {
        let intent =
            |word: &str| message(&format!("From=1&To=2&MessageUUID=3&Text=x&MessageIntent={word}")).provider_opt_out;
        assert_eq!(intent("optout"), Some(ProviderOptOut::Stop));
        assert_eq!(intent("optin"), Some(ProviderOptOut::Start));
        assert_eq!(intent("help"), Some(ProviderOptOut::Help));
        assert_eq!(intent(""), None);
    }

    #[test]
    fn receipts_are_read() {
        let cases = [
            ("queued", "", Some((DeliveryState::Queued, "queued", None))),
            ("sent", "000", Some((DeliveryState::Sent, "sent", None))),
            ("delivered", "000", Some((DeliveryState::Delivered, "delivered", None))),
            ("failed", "200", Some((DeliveryState::Failed, "failed 200", Some(RefusalClass::OptedOut)))),
            ("undelivered", "30", Some((DeliveryState::Failed, "undelivered 30", Some(RefusalClass::Filtered)))),
            ("failed", "420", Some((DeliveryState::Expired, "failed 420", Some(RefusalClass::Failed)))),
            ("undelivered", "", Some((DeliveryState::Failed, "undelivered", Some(RefusalClass::Failed)))),
            ("rejected", "", Some((DeliveryState::Rejected, "rejected", Some(RefusalClass::Failed)))),
            ("read", "", None),
        ];
        for (status, code, expected) in cases {
            let body = format!("MessageUUID=M1&From=72345&To=15559870001&Status={status}&ErrorCode={code}");
            let items = read(Hook::Status, Some("t=7.abc&n=US%3A72345"), &body).unwrap();
            let seen = items.first().map(|item| match item {
                Item::Receipt(receipt) => {
                    assert_eq!((receipt.token.as_deref(), &*receipt.from), (Some("7.abc"), "US:72345"));
                    (receipt.state, receipt.provider_code.as_deref().unwrap(), receipt.class)
                }
                Item::Inbound(message) => panic!("{message:?}"),
            });
            assert_eq!(seen, expected, "{status} {code}");
        }
        assert!(read(Hook::Status, None, "Status=sent").is_err());
    }
}
