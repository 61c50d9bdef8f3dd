//! What a conversation's variables hold, and texts with them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::template::{Piece, Template};
/// Characters that a text may have.
const MAX_CHARS: usize = 1600;
/// Lists and objects within one another that a variable may have: one less than serde_json reads, for the variables are an object themselves.
const MAX_DEPTH: usize = 126;
/// Bytes that all variables of a conversation may take as JSON.
const MAX_BYTES: usize = 256 << 10;

/// What is always there; no step can set it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given<'a> {
    /// `customer.number`: in E.164, or what the provider calls the sender.
    pub customer_number: &'a str,
    /// `channel.name`.
    pub channel_name: &'a str,
    /// `channel.number`, in E.164.
    pub channel_number: &'a str,
    /// `campaign.name`.
    pub campaign_name: &'a str,
    /// `interaction.id`.
    pub interaction_id: String,
    /// `message.text`: the customer's first text in the interaction; empty when there was none.
    pub message_text: &'a str,
    /// Whether the campaign is within its hours.
    pub is_open: bool,
}

impl Given<'_> {
    fn text(&self, path: &str) -> Option<&str> {
        match path {
            "customer.number" => Some(self.customer_number),
            "channel.name" => Some(self.channel_name),
            "channel.number" => Some(self.channel_number),
            "campaign.name" => Some(self.campaign_name),
            "interaction.id" => Some(&self.interaction_id),
            "message.text" => Some(self.message_text),
            _ => None,
        }
    }
}

/// The variables of a conversation that steps have set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Value>", into = "BTreeMap<String, Value>")]
pub struct Values {
    of: BTreeMap<String, Value>,
    /// What they take as JSON.
    bytes: usize,
}

impl From<BTreeMap<String, Value>> for Values {
    fn from(of: BTreeMap<String, Value>) -> Self {
        let bytes = of.iter().map(|(name, value)| bytes(name, value)).sum();
        Self { of, bytes }
    }
}

impl From<Values> for BTreeMap<String, Value> {
    fn from(values: Values) -> Self {
        values.of
    }
}

/// What a variable takes as JSON, with its name, a colon and a comma.
fn bytes(name: &str, value: &Value) -> usize {
    let length = |json: serde_json::Result<Vec<u8>>| json.map_or(MAX_BYTES, |json| json.len());
    length(serde_json::to_vec(name)) + length(serde_json::to_vec(value)) + 2
}

/// A value as it can be kept: one that is nested more deeply could be read here, and among the other variables not again.
pub(super) fn read_json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok().filter(|value| depth(value) <= MAX_DEPTH)
}

/// Lists and objects within one another. The reader bounds how far this calls itself.
fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return 0,
    };
    1 + deepest.unwrap_or(0)
}

/// All variables together would be more than a conversation may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Values {
    /// What they take as JSON, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sets a variable to a text, cut at what a text may have.
    pub(super) fn set_text(&mut self, name: &str, text: &str) -> Result<(), TooLarge> {
        self.set(name, Value::String(cut(text).to_owned()))
    }

    /// Sets a variable.
    pub(super) fn set(&mut self, name: &str, value: Value) -> Result<(), TooLarge> {
        self.bytes += bytes(name, &value);
        if let Some(old) = self.of.insert(name.to_owned(), value) {
            self.bytes -= bytes(name, &old);
        }
        // Braces instead of the last comma.
        if self.bytes + 1 > MAX_BYTES { Err(TooLarge) } else { Ok(()) }
    }

    /// The value at a path as it stands in a text; none where it is absent.
    pub(super) fn text(&self, given: &Given<'_>, path: &str) -> Option<String> {
        if let Some(text) = given.text(path) {
            return Some(text.to_owned());
        }
        let mut parts = path.split('.');
        let mut value = self.of.get(parts.next()?)?;
        for part in parts {
            value = match value {
                Value::Object(fields) => fields.get(part)?,
                Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// A text with its variables, cut at what a text may have.
    pub(super) fn rendered(&self, given: &Given<'_>, template: &Template) -> String {
        let mut text = String::new();
        for piece in template.pieces() {
            match piece {
                Piece::Literal(literal) => text += literal,
                // Cut here too: the answer of a service may be long, and stand in a text many times.
                Piece::Variable { path, .. } => text += cut(&self.text(given, path).unwrap_or_default()),
            }
        }
        cut(&text).to_owned()
    }
}

/// The first characters of a text, as many as one may have.
pub(super) fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_CHARS).map_or(text.len(), |(end, _)| end);
    &text[..end]
}
