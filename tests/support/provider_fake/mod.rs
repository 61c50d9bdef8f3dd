//! A provider that remembers: an account with numbers and messages, and faults on demand. What its API looks like is a [`Dialect`]: one file
//! for each provider.

mod bandwidth;
mod http;
mod infobip;
mod messagebird;
mod plivo;
pub mod server;
mod sinch;
mod telnyx;
mod vonage;

use std::{collections::VecDeque, fmt, time::Duration};

use axum::http::{HeaderMap, Method};
use serde_json::Value;

/// All dialects.
pub const DIALECTS: &[&dyn Dialect] = &[
    &bandwidth::Bandwidth,
    &http::Http,
    &infobip::Infobip,
    &messagebird::MessageBird,
    &plivo::Plivo,
    &sinch::Sinch,
    &telnyx::Telnyx,
    &vonage::Vonage,
];

/// What a provider's API looks like.
pub trait Dialect: Send + Sync {
    /// The member of `spec.provider`.
    fn member(&self) -> &'static str;

    /// The member's fields, without `baseUrl` and the Secret.
    fn settings(&self) -> Value;

    /// Whether a field names the account: where the credentials alone say which it is, none does.
    fn names_its_account(&self) -> bool {
        true
    }

    /// The field that names the account, and the name of another one.
    fn other_account(&self) -> (&'static str, &'static str);

    /// Keys and values of the Secret.
    fn secret(&self) -> Vec<(&'static str, &'static str)>;

    /// The key of the Secret without which, and with another value of which, the provider refuses the gateway.
    fn deciding_key(&self) -> &'static str;

    /// Whether a request shows the right credentials.
    fn admits(&self, request: &Request) -> bool;

    /// What somebody is told who does not.
    fn refusal(&self) -> Reply;

    /// What a request asks for.
    fn asked(&self, request: &Request) -> Asked;

    /// Whether the provider says that it has suspended an account, other than by refusing its credentials.
    fn shows_suspension(&self) -> bool {
        true
    }

    /// That the account is in use, or suspended.
    fn account(&self, suspended: bool) -> Reply;

    /// Whether the provider can be asked which numbers the account has. Where it cannot, those that a connector declares are believed.
    fn lists_numbers(&self) -> bool {
        true
    }

    /// The numbers that a request asks for, two of them at most if the provider's API has pages.
    fn numbers(&self, numbers: &[Number], request: &Request) -> Reply;

    /// That a message was taken.
    fn taken(&self, sent: &Sent) -> Reply;

    /// That the receiver opted out, if the provider says so when a message is sent.
    fn opted_out(&self) -> Option<Reply>;

    /// The script of `tests/peers/signatures/` that asks the provider's own SDK whom it believes, if it has one that verifies webhooks.
    fn sdk_script(&self) -> Option<&'static str> {
        None
    }

    /// Whether what proves a webhook covers its body.
    fn signs_the_body(&self) -> bool {
        true
    }

    /// The webhook of a customer's message, as it reaches the gateway.
    fn inbound(&self, public_url: &str, message: &Inbound) -> Call;

    /// The webhook of a receipt, as it reaches the gateway.
    fn receipt(&self, public_url: &str, sent: &Sent, state: Reported) -> Call;
}

impl fmt::Debug for dyn Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.member())
    }
}

/// A request to the provider's API.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    /// Without the query.
    pub path: String,
    /// Names and values.
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Whether the credentials are good.
    Account,
    /// The numbers.
    Numbers,
    /// A message is to be sent.
    Message(Wanted),
    /// Nothing that the provider has.
    Nothing,
}

/// A message that is to be sent.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub from: String,
    pub to: String,
    pub text: String,
    /// What the provider gives back in receipts: the address that it calls, or what it was told to repeat.
    pub callback: String,
}

/// A message that the provider took.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The provider's id.
    pub id: String,
    pub wanted: Wanted,
}

/// A number of the account.
#[derive(Clone, Debug)]
pub struct Number {
    /// E.164.
    pub number: String,
    pub sms: bool,
    /// The address that is called for its messages.
    pub webhook: Option<String>,
}

/// A customer's message.
#[derive(Clone, Debug)]
pub struct Inbound {
    pub id: String,
    pub from: String,
    pub to: String,
    pub text: String,
}

/// What a receipt reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// On its way.
    Sent,
    /// With the customer.
    Delivered,
    /// It could not be delivered.
    Failed,
}

/// A call of a webhook.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    /// What follows the public URL: path and query.
    pub path_and_query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An answer of the provider's API.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub media_type: &'static str,
    pub body: Vec<u8>,
}

impl Reply {
    /// JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, media_type: "application/json", body: body.to_string().into_bytes() }
    }
}

impl Request {
    /// The body as JSON, null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What the provider does wrong with the next message.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Takes it and breaks off its answer.
    TakeAndDrop,
    /// Does not take it, and answers so.
    Answer(Reply),
}

/// What the provider has.
#[derive(Debug, Default)]
pub struct Account {
    pub numbers: Vec<Number>,
    pub suspended: bool,
    /// Messages taken, in order.
    pub sent: Vec<Sent>,
    /// Faults of the next messages.
    pub faults: VecDeque<Fault>,
    /// Every answer takes so long.
    pub delay: Duration,
    /// Every answer has this status and nothing else.
    pub broken: Option<u16>,
}
