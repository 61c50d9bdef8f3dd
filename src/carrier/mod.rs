//! A carrier with a plain HTTP API, as `spec.provider.http` describes it: checked, and made into what the gateway works with. The operator says
//! by it what is wrong with a spec, and the gateway uses it.

mod answers;
mod calls;
mod template;
mod webhooks;

use std::{collections::BTreeSet, fmt};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};

pub use answers::{Answers, MessageId};
pub use calls::{Body, Call, Check, Send};
pub use template::{Values, encoded};
pub use webhooks::{Fields, Inbound, Proof, Receipt, Receipts, Webhooks};

use crate::api::provider::{Http, HttpAuthentication};
pub use crate::api::provider::{
    HttpAlgorithm as Algorithm, HttpCovered as Covered, HttpDeliveryState as DeliveryState, HttpEncoding as Encoding,
    HttpMeaning as Meaning,
};

/// What a pattern may take when compiled.
const PATTERN_BYTES: usize = 256 << 10;
/// Key of the Secret that proves webhooks.
pub const WEBHOOK_SECRET: &str = "webhookSecret";
/// Keys of the Secret with [`HttpAuthentication::Basic`].
pub const BASIC: [&str; 2] = ["username", "password"];

/// A carrier with a plain HTTP API.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// As it was written.
    spec: Http,
    /// How a message is sent.
    pub send: Send,
    /// How the carrier is asked about the credentials.
    pub check: Option<Check>,
    /// How the carrier calls the gateway; none when no call is believed.
    pub webhooks: Option<Webhooks>,
    keys: BTreeSet<String>,
}

/// What is wrong with a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, below the member.
    pub field: String,
    /// What is wrong, and what to write.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl Fault {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl Carrier {
    /// Reads a spec.
    ///
    /// # Errors
    /// The first fault.
    pub fn new(spec: Http) -> Result<Self, Fault> {
        let send = Send::new(&spec.send)?;
        let check = spec.check.as_ref().map(Check::new).transpose()?;
        let webhooks = spec.webhooks.as_ref().map(Webhooks::new).transpose()?;
        let mut keys: BTreeSet<String> = send.keys().chain(check.iter().flat_map(Check::keys)).collect();
        keys.extend(webhooks.iter().map(|_| WEBHOOK_SECRET.to_owned()));
        if spec.authentication == HttpAuthentication::Basic {
            keys.extend(BASIC.map(str::to_owned));
        }
        let carrier = Self { spec, send, check, webhooks, keys };
        carrier.check_receipts()?;
        Ok(carrier)
    }

    /// Receipts must come to us, and find their message and its number.
    fn check_receipts(&self) -> Result<(), Fault> {
        let receipts = self.webhooks.as_ref().and_then(|webhooks| webhooks.receipts.as_ref());
        match (receipts, self.send.says_callback()) {
            (None, true) => Err(Fault::new(
                "webhooks.status",
                "send names {{callback}}, and nothing says how to read a receipt: set it",
            )),
            (Some(receipts), false) if !receipts.name_message_and_number() => Err(Fault::new(
                "webhooks.status",
                "receipts do not find their message: send {{callback}}, or set id and from",
            )),
            (_, _) => Ok(()),
        }
    }

    /// Address of the API, as it was written.
    pub fn base_url(&self) -> &str {
        &self.spec.base_url
    }

    /// Whether calls carry HTTP's own authentication.
    pub fn is_basic(&self) -> bool {
        self.spec.authentication == HttpAuthentication::Basic
    }

    /// Keys of the Secret that are needed.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }
}

impl PartialEq for Carrier {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl Eq for Carrier {}

impl<'de> Deserialize<'de> for Carrier {
    /// Reads what a gateway's document has: the member without its Secret.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut document = Value::deserialize(deserializer)?;
        if let Value::Object(members) = &mut document {
            members.entry("credentialsSecretRef").or_insert_with(|| json!({"name": ""}));
        }
        let spec: Http = serde_json::from_value(document).map_err(D::Error::custom)?;
        Self::new(spec).map_err(D::Error::custom)
    }
}

/// Compiles a regular expression.
fn pattern(field: &str, text: &str) -> Result<Regex, Fault> {
    RegexBuilder::new(text).size_limit(PATTERN_BYTES).nest_limit(50).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Fault::new(field, "the pattern is too large: use smaller repetitions"),
        error => {
            // The last line says what is wrong; those before it draw an arrow.
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Fault::new(field, format!("the pattern is not valid: {last}"))
        }
    })
}

/// Whether this is a JSON pointer.
fn check_pointer(field: &str, pointer: &str) -> Result<(), Fault> {
    let escapes_are_right = pointer.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if pointer.starts_with('/') && escapes_are_right {
        return Ok(());
    }
    Err(Fault::new(
        field,
        format!("{pointer:?} is no JSON pointer: write it as /messages/0/id, with ~1 for / and ~0 for ~ in a name"),
    ))
}

/// What stands at a JSON pointer, as text.
fn at_pointer(document: &Value, pointer: &str) -> Option<String> {
    match document.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
