//! How far an outbound message came.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// What the gateway says of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// Nothing left the house; another attempt follows.
    NotSent {
        /// Not before so long from now. The whole channel waits, which keeps the order.
        retry_after: SignedDuration,
    },
    /// The provider took it.
    Accepted,
    /// The provider refused it for good.
    Refused(FailureClass),
    /// The provider may or may not have taken it. It is not repeated unless a person asks for it; a receipt may settle it.
    Unknown,
}

/// Classes of final failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum FailureClass {
    /// The customer's number is not valid or cannot receive texts.
    InvalidNumber,
    /// The customer has opted out at the provider.
    OptedOut,
    /// Our number may not send.
    Sender,
    /// The account may not send.
    Account,
    /// Filtered as spam or by policy.
    Filtered,
    /// The text or the request was refused.
    InvalidMessage,
    /// Any other.
    Failed,
}

/// What a receipt reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeliveryState {
    /// The provider has it.
    Queued,
    /// The carrier has it.
    Sent,
    /// On the customer's phone. Final.
    Delivered,
    /// Not deliverable, expired or rejected. Final.
    Failed(FailureClass),
}

/// A receipt that came before its message's provider id was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedReceipt {
    /// The provider's state of the message.
    pub state: DeliveryState,
}

/// How far an outbound message came. It only ever moves forward, and a final state stays; but for one that is `Unknown`, which a person may
/// have sent once more. What was sent once more does not fail any more: that one sending of it did says nothing of the other, so it is `Unknown`
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum MessageStatus {
    /// Committed, not sent yet.
    Waiting,
    /// At the gateway.
    Sending,
    /// Sent or not, nobody knows. A receipt may tell.
    Unknown,
    /// The provider has it.
    Accepted,
    /// The carrier has it.
    Sent,
    /// On the customer's phone. Final.
    Delivered,
    /// Refused, or not deliverable. Final.
    Failed(FailureClass),
    /// Given up before it was sent. Final.
    Canceled,
}

impl MessageStatus {
    /// The state that a receipt leads to; none when the message is there already or further.
    #[must_use]
    pub fn after(self, receipt: DeliveryState) -> Option<Self> {
        let reported = match receipt {
            DeliveryState::Queued => Self::Accepted,
            DeliveryState::Sent => Self::Sent,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Failed(class) => Self::Failed(class),
        };
        (reported.rank() > self.rank()).then_some(reported)
    }

    /// The state that a receipt of its newest attempt leads to when the message was sent once more; none when that changes nothing.
    #[must_use]
    pub fn after_resend(self, receipt: DeliveryState) -> Option<Self> {
        match receipt {
            DeliveryState::Failed(_) => matches!(self, Self::Accepted | Self::Sent).then_some(Self::Unknown),
            DeliveryState::Queued | DeliveryState::Sent | DeliveryState::Delivered => self.after(receipt),
        }
    }

    /// The one of two that is further along; this one when neither is.
    #[must_use]
    pub const fn further(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    /// The variant, as people see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Sending => "Sending",
            Self::Unknown => "Unknown",
            Self::Accepted => "Accepted",
            Self::Sent => "Sent",
            Self::Delivered => "Delivered",
            Self::Failed(_) => "Failed",
            Self::Canceled => "Canceled",
        }
    }

    /// Whether nothing may change it any more.
    pub const fn is_final(self) -> bool {
        self.rank() == FINAL
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Waiting => 0,
            Self::Sending => 1,
            Self::Unknown => 2,
            Self::Accepted => 3,
            Self::Sent => 4,
            Self::Delivered | Self::Failed(_) | Self::Canceled => FINAL,
        }
    }
}

const FINAL: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_only_move_forward_and_the_first_final_state_stays() {
        use DeliveryState as R;
        use MessageStatus as S;
        let failed = FailureClass::Failed;
        let cases = [
            (S::Accepted, R::Queued, None),
            (S::Accepted, R::Sent, Some(S::Sent)),
            (S::Accepted, R::Delivered, Some(S::Delivered)),
            (S::Sent, R::Queued, None),
            (S::Sent, R::Failed(failed), Some(S::Failed(failed))),
            (S::Delivered, R::Sent, None),
            (S::Delivered, R::Failed(failed), None),
            (S::Failed(failed), R::Delivered, None),
            (S::Unknown, R::Queued, Some(S::Accepted)),
            (S::Unknown, R::Delivered, Some(S::Delivered)),
            (S::Sending, R::Sent, Some(S::Sent)),
        ];
        for (status, receipt, expected) in cases {
            assert_eq!(status.after(receipt), expected, "{status:?} and {receipt:?}");
        }
    }
}
