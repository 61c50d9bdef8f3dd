//! [`BoundedRequest`]: a request to send of which nothing that is kept or passed on is longer than it may be.

use crate::{
    gateway::spool::{AttemptKey, Content, InvalidStoreId, StoreId},
    wire::outbound::SendRequest,
};

/// Longest receipt token, in characters: engines' have 75 at most. It goes into the address that the provider calls.
const LONGEST_TOKEN: usize = 128;

/// A request to send whose fields are within their bounds.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct BoundedRequest {
    pub(super) key: AttemptKey,
    pub(super) request: SendRequest,
}

/// A field that is beyond its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::gateway) enum OutOfBounds {
    /// The store's id.
    #[error("storeId {0}")]
    StoreId(#[from] InvalidStoreId),
    /// The receipt token.
    #[error("receiptToken has {0} characters, at most {LONGEST_TOKEN} are possible")]
    ReceiptToken(usize),
}

impl OutOfBounds {
    /// The field, as a JSON pointer.
    pub(in crate::gateway) const fn field(&self) -> &'static str {
        match self {
            Self::StoreId(_) => "/storeId",
            Self::ReceiptToken(_) => "/receiptToken",
        }
    }
}

impl TryFrom<SendRequest> for BoundedRequest {
    type Error = OutOfBounds;

    fn try_from(request: SendRequest) -> Result<Self, OutOfBounds> {
        let token = request.receipt_token.chars().count();
        if token > LONGEST_TOKEN {
            return Err(OutOfBounds::ReceiptToken(token));
        }
        let key = AttemptKey {
            number: request.from.clone(),
            store_id: StoreId::try_from(&*request.store_id)?,
            message_id: request.message_id,
            attempt: request.attempt,
            content: Content::new(&request.to, &request.text),
        };
        Ok(Self { key, request })
    }
}
