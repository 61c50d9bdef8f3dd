//! The simulator's provider protocol: JSON over HTTP, as the gateway's `simulator` provider speaks it.
//!
//! Requests carry `Authorization: Bearer <token>`; the token says which account they are for. What fails is answered with
//! a [`Problem`]. The simulator calls webhooks with a signature, see [`signature`], and takes any 2xx as an
//! acknowledgement. Like most providers it knows no idempotency: a message posted twice is sent twice.

pub mod signature;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// `GET`: the account behind the token, as [`Account`]. The cheapest call that checks credentials.
pub const ACCOUNT_PATH: &str = "/v1/account";
/// `GET`: the account's numbers, as [`NumberPage`]; query `page` as given by `nextPage`, `pageSize` from 1 to 1000.
pub const NUMBERS_PATH: &str = "/v1/numbers";
/// `POST`: a [`SendMessage`], answered 201 with a [`SentMessage`].
pub const MESSAGES_PATH: &str = "/v1/messages";

/// Longest text that is taken, in Unicode characters.
pub const MAX_TEXT: usize = 1600;
/// Longest `clientRef`, in bytes.
pub const MAX_CLIENT_REF: usize = 200;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its name, unique at this simulator.
    pub account: String,
}

/// One page of an account's numbers, in the order of the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberPage {
    /// The numbers.
    pub numbers: Vec<ServiceNumber>,
    /// What to pass as `page` for the next ones; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page: Option<String>,
}

/// A number that an account owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceNumber {
    /// In canonical form: `+15551230001` or `US:72345`.
    pub number: String,
    /// Whether it can send and receive text messages.
    pub sms_capable: bool,
    /// Where inbound messages are posted, exactly as configured; absent when nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendMessage {
    /// A number of the account.
    pub from: String,
    /// The recipient's number.
    pub to: String,
    /// Not empty, at most [`MAX_TEXT`] characters.
    pub text: String,
    /// Where [`Receipt`]s are posted; none are when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_callback: Option<String>,
    /// The sender's own name for the message, repeated in receipts; at most [`MAX_CLIENT_REF`] bytes. It need not be
    /// unique and changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ref: Option<String>,
}

/// The answer to a message that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentMessage {
    /// The simulator's name for the message.
    pub id: String,
    /// Always [`MessageStatus::Accepted`].
    pub status: MessageStatus,
    /// How many segments it takes.
    pub segments: u32,
}

/// How far a message has come. A message only moves forward: `Accepted`, `Sent`, then one of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MessageStatus {
    /// The simulator has it.
    Accepted,
    /// It is on the air.
    Sent,
    /// The handset has it.
    Delivered,
    /// The handset could not be reached. Final.
    Undelivered,
    /// It was refused after having been accepted. Final.
    Failed,
}

impl MessageStatus {
    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Accepted | Self::Sent => false,
            Self::Delivered | Self::Undelivered | Self::Failed => true,
        }
    }
}

/// The body of the inbound webhook: a customer's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboundMessage {
    /// The simulator's name for the message; the same in every delivery of it.
    pub id: String,
    /// The account that owns the number.
    pub account: String,
    /// The sender: mostly a number in canonical form; a name such as `MYBANK` is possible.
    pub from: String,
    /// The account's number that it was sent to.
    pub to: String,
    /// The message's text.
    pub text: String,
    /// When the simulator got it.
    pub received_at: Timestamp,
    /// Set when the text is one part of a longer one. As on the air, nobody has looked whether there can be such a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<ClaimedPart>,
}

/// What the header of a short message says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimedPart {
    /// The same in all parts of a text.
    pub reference: u16,
    /// How many parts the text has.
    pub total: u8,
    /// Which of them this is, from 1.
    pub sequence: u8,
}

/// The body of the status callback: news of a sent message. Receipts may come twice and out of order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The simulator's name for the message, as in [`SentMessage`].
    pub id: String,
    /// The account that sent it.
    pub account: String,
    /// What the sender called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ref: Option<String>,
    /// `Sent` or a final status.
    pub status: MessageStatus,
    /// Why it was not delivered; present with `Undelivered` and `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ReceiptError>,
    /// When the message came into this status.
    pub at: Timestamp,
}

/// Why a message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptError {
    /// What kind of reason it is.
    pub class: ProblemClass,
    /// The reason in words.
    pub detail: String,
}

/// What kind of reason a refusal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProblemClass {
    /// No token, or one of no account (HTTP 401).
    Credentials,
    /// The request itself is wrong: malformed, too long, unknown path (HTTP 400, 404, 405, 413).
    InvalidRequest,
    /// The recipient is no number that can be sent to (HTTP 422).
    InvalidNumber,
    /// The recipient has opted out of messages from this number (HTTP 422).
    OptedOut,
    /// The network keeps such messages from the recipient (HTTP 422).
    Blocked,
    /// The sender is not a number of the account, or cannot send text messages (HTTP 422).
    Sender,
    /// The recipient's handset is switched off or out of reach. In receipts only.
    Unreachable,
    /// Too many requests; nothing was taken (HTTP 429, with `Retry-After`).
    RateLimited,
    /// The simulator's own fault; nothing was taken unless its answer was lost (HTTP 500, 502, 503).
    Temporary,
}

impl ProblemClass {
    /// The HTTP status that a problem of this class is answered with, unless it has a more exact one.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Credentials => 401,
            Self::InvalidRequest => 400,
            Self::InvalidNumber | Self::OptedOut | Self::Blocked | Self::Sender | Self::Unreachable => 422,
            Self::RateLimited => 429,
            Self::Temporary => 503,
        }
    }
}

impl fmt::Display for ProblemClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The body of every answer that is not 2xx: RFC 9457, media type `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:aldis:simulator:<class>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The class again, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The reason's kind; clients decide by it and not by the words.
    pub class: ProblemClass,
    /// How long to wait before another try; repeats `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// A problem of this class, with the class's HTTP status.
    pub fn new(class: ProblemClass, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:aldis:simulator:{class}"),
            title: class.to_string(),
            status: class.http_status(),
            detail: detail.into(),
            class,
            retry_after_seconds: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_look_as_documented() {
        let sent = SendMessage {
            from: "+15551230001".into(),
            to: "+15559870001".into(),
            text: "Hello".into(),
            status_callback: Some("https://sms.example.com/hooks/status?t=1".into()),
            client_ref: Some("m-1/1".into()),
        };
        insta::assert_json_snapshot!(sent, @r#"
        {
          "from": "+15551230001",
          "to": "+15559870001",
          "text": "Hello",
          "statusCallback": "https://sms.example.com/hooks/status?t=1",
          "clientRef": "m-1/1"
        }
        "#);
        let receipt = Receipt {
            id: "SM1".into(),
            account: "demo".into(),
            client_ref: Some("m-1/1".into()),
            status: MessageStatus::Undelivered,
            error: Some(ReceiptError { class: ProblemClass::Unreachable, detail: "switched off".into() }),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        insta::assert_json_snapshot!(receipt, @r#"
        {
          "id": "SM1",
          "account": "demo",
          "clientRef": "m-1/1",
          "status": "Undelivered",
          "error": {
            "class": "Unreachable",
            "detail": "switched off"
          },
          "at": "2026-01-02T03:04:05Z"
        }
        "#);
        insta::assert_json_snapshot!(Problem::new(ProblemClass::OptedOut, "this customer opted out"), @r#"
        {
          "type": "urn:aldis:simulator:OptedOut",
          "title": "OptedOut",
          "status": 422,
          "detail": "this customer opted out",
          "class": "OptedOut"
        }
        "#);
    }
}
