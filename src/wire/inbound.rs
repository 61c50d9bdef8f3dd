//! Gateway to engine: a customer's message. The engine answers 200 only when it is on its disk.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sms::Part;

/// Longest document that a gateway brings to an engine: a message or a receipt as JSON, in bytes. Providers' texts have a few kilobytes.
/// A gateway refuses a webhook that would become longer, so that nothing is acknowledged that no engine takes.
pub const MAX_DELIVERY_BYTES: usize = 128 * 1024;

/// One message of a customer, as the provider delivered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboundMessage {
    /// The provider's id of the message. Together with the account it is the key of deduplication.
    pub provider_message_id: String,
    /// Our number, canonical form.
    pub to: String,
    /// The sender as the provider gave it; may be alphanumeric and then cannot be answered.
    pub from: String,
    /// The text, or what this part has of it.
    pub text: String,
    /// Files that came with it (MMS). They are not carried yet; people are told that they came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// When the gateway received it. A message that waited in the spool keeps this time.
    pub received_at: Timestamp,
    /// Set when the provider says that it has answered an opt-out word itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_opt_out: Option<ProviderOptOut>,
    /// Set when the provider delivers a long text in parts and this is one of them. The engine joins them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// The query of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundQuery {
    /// Earlier messages of the customer may wait at the gateway, because the engine has no room for them. The message is taken only if it
    /// is a word that changes the customer's consent.
    #[serde(default)]
    pub overtakes: bool,
}

/// A file that came with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Media {
    /// Its media type, as the provider says; may be empty.
    pub media_type: String,
    /// Where the provider keeps it; may be empty.
    pub url: String,
}

impl InboundMessage {
    /// What is written down behind the text, so that people know of the files: one line for each. None without files.
    pub fn note(&self) -> Option<String> {
        let line = |media: &Media| {
            let known = [media.media_type.as_str(), media.url.as_str()].into_iter().filter(|known| !known.is_empty());
            format!("[file: {}]", known.collect::<Vec<_>>().join(" "))
        };
        (!self.media.is_empty()).then(|| self.media.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

/// What a provider that answers opt-out words itself says it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProviderOptOut {
    /// The customer opted out.
    Stop,
    /// The customer opted in again.
    Start,
    /// The customer asked for help.
    Help,
}

/// What became of an inbound message. All of them mean: recorded, do not send it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InboundOutcome {
    /// The same provider message id was seen before.
    Duplicate,
    /// The customer opted out.
    OptedOut,
    /// The customer opted in again.
    OptedIn,
    /// Answered with the help text, or by the provider.
    Help,
    /// The sender is on a blocklist.
    Blocked,
    /// Channel or campaign is disabled: recorded, no reply.
    Disabled,
    /// Joined the customer's open interaction.
    Joined,
    /// Outside the campaign's hours.
    OutOfHours,
    /// The queue was full.
    QueueFull,
    /// A new interaction was queued (or given to an agent at once).
    Queued,
    /// A new interaction began, and a bot talks to the customer before it is queued.
    Bot,
    /// A part of a long text: it waits for the others.
    PartKept,
}

/// The engine's answer to [`InboundMessage`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboundAnswer {
    /// Whether the engine has the message, or has it from before.
    pub outcome: InboundOutcome,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Gateway and engine may be of versions of which one knows less than the other.
    #[test]
    fn a_message_reads_with_and_without_what_only_later_versions_say() {
        let mut document = json!({
            "providerMessageId": "SM1", "to": "+15551230001", "from": "+15559870001", "text": "Hello", "receivedAt": "2026-01-02T03:04:05Z",
        });
        let read = |document: &serde_json::Value| serde_json::from_value::<InboundMessage>(document.clone()).unwrap();
        assert_eq!(read(&document).part, None);
        assert_eq!(
            serde_json::to_value(read(&document)).unwrap(),
            document,
            "no version is told of parts where there are none"
        );
        document["part"] = json!({ "reference": 7, "total": 3, "sequence": 1 });
        assert_eq!(read(&document).part, Part::new(7, 3, 1));
        assert_eq!(serde_json::to_value(read(&document)).unwrap(), document);
        document["later"] = json!("what a later version says");
        assert_eq!(read(&document).text, "Hello");
    }
}
