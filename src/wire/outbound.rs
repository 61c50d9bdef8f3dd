//! Engine to gateway: one attempt to send a message.
//!
//! The gateway commits the attempt to its spool before it calls the provider. The same attempt again gets the recorded outcome,
//! and [`SendOutcome::Unknown`] where none was recorded: it is never sent twice. Times are relative, so that nothing depends on
//! two clocks that agree.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Reason of the problem in a gateway's 503: it could not look the attempt up, and made nothing of the request.
pub const NOT_READY: &str = "not-ready";

/// Longest request to send that a gateway reads, in bytes. An engine's longest text, ten segments, takes 10 kB at most.
pub const MAX_SEND_BYTES: usize = 64 * 1024;

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendRequest {
    /// The engine's store, for a restored copy that which it is of: message ids are unique within it. 1 to 64 characters of `A-Z`, `a-z`, `0-9` and `-`; gateways refuse others
    /// with 400.
    pub store_id: String,
    /// The engine's id of the message.
    pub message_id: u64,
    /// 1 for the first attempt. A new number is a new permission to send.
    pub attempt: u32,
    /// Whether the engine may have asked for this attempt before. False only for the first request of a new attempt, and not for what a restored
    /// copy of a store has from its origin.
    pub asked_before: bool,
    /// How long ago the engine began the attempt, in milliseconds, by its own measure. None when it cannot tell, because its
    /// clock was set back while it was down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_millis_ago: Option<u64>,
    /// The gateway must begin within so many milliseconds from now, or it answers `NotSent`. With 0 it only looks up what came
    /// of the attempt.
    pub begin_within_millis: u64,
    /// The engine's clock now. The gateway shows how far the two clocks differ, and decides nothing by it.
    pub sent_at: Timestamp,
    /// Our number, canonical form.
    pub from: String,
    /// The customer's number, canonical form.
    pub to: String,
    /// The text.
    pub text: String,
    /// How many segments the engine counts. Gateways count by themselves what the account limit takes; older ones believed this.
    #[serde(default)]
    pub segments: u32,
    /// Goes into the callback URL as `t`. At most 128 characters; gateways refuse longer ones with 400.
    pub receipt_token: String,
}

/// What became of the attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all_fields = "camelCase")]
pub enum SendOutcome {
    /// Nothing left the house; a later attempt may send it.
    NotSent {
        /// What kept it from being sent.
        reason: NotSentReason,
        /// Try again after this, in milliseconds.
        retry_after_millis: u64,
        /// For people.
        message: String,
    },
    /// The provider took it.
    Accepted {
        /// The provider's ids, one or more.
        provider_message_ids: Vec<String>,
        /// Segments as the provider counts them, if it says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        segments: Option<u32>,
    },
    /// The provider refused it for good.
    Refused {
        /// Class of the refusal.
        class: RefusalClass,
        /// The provider's own code, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_code: Option<String>,
        /// For people.
        message: String,
    },
    /// The provider may or may not have taken it. Not repeated unless asked for; settled by a receipt.
    Unknown {
        /// For people.
        message: String,
    },
}

impl SendOutcome {
    /// The variant, as metrics and logs name it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotSent { .. } => "NotSent",
            Self::Accepted { .. } => "Accepted",
            Self::Refused { .. } => "Refused",
            Self::Unknown { .. } => "Unknown",
        }
    }
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NotSentReason {
    /// The account's limit is used up for now.
    AccountLimit,
    /// The provider asked for less (429 or an equivalent code).
    RateLimited,
    /// Credentials are missing or refused.
    Credentials,
    /// The connector is disabled.
    Disabled,
    /// The provider could not be reached before anything was sent.
    Unreachable,
    /// The provider said that it has a passing fault and did not take the message.
    Temporary,
    /// The time within which the gateway had to begin was over.
    DeadlinePassed,
    /// The ledger has this attempt with another receiver or text: an earlier life of the engine's store used the same ids. This
    /// text was not sent; another attempt may send it.
    OtherContent,
    /// The caller has no route for this number (yet).
    NotRouted,
    /// The gateway's own spool failed, or has no room for another attempt of this number.
    Spool,
}

/// Classes of final refusals; codes that are not known are `Failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum RefusalClass {
    /// The customer's number is not valid or cannot receive texts.
    InvalidNumber,
    /// The customer has opted out at the provider.
    OptedOut,
    /// Our number may not send.
    Sender,
    /// The account may not send (credit, suspension, registration).
    Account,
    /// Filtered as spam or by policy.
    Filtered,
    /// The text or the request was refused.
    InvalidMessage,
    /// Any other refusal.
    Failed,
}
