//! Gateway to engine: what became of a message that we sent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far a message came. Only ever moves forward; a final state wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub enum DeliveryState {
    /// The provider has it.
    Queued,
    /// The carrier has it.
    Sent,
    /// On the customer's phone. Final.
    Delivered,
    /// Not deliverable. Final.
    Failed,
    /// Validity ran out. Final.
    Expired,
    /// Refused or cancelled. Final.
    Rejected,
}

impl DeliveryState {
    /// Whether the message does not arrive any more.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Expired | Self::Rejected)
    }
}

/// One receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The provider's id of the message.
    pub provider_message_id: String,
    /// Our number, canonical form: the sender of the message.
    pub from: String,
    /// The token of the callback URL, `<messageId>-<attempt>.<hmac>`, or without the attempt from an older engine; settles a message whose answer
    /// was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The state it reports.
    pub state: DeliveryState,
    /// The provider's own state word and error code, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_code: Option<String>,
    /// The class of the failure, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<super::outbound::RefusalClass>,
    /// When the gateway received it.
    pub received_at: Timestamp,
}
